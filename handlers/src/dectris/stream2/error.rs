//! [`TypedArrayError`]: why an array cannot be returned.

use crate::array::{ArrayError, Dtype};
use crate::cbor::CborError;
use crate::compression::CompressionError;

/// Why an array cannot be returned. The value that was sent still can.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedArrayError {
    /// The sender says that there is no array: it sends null for the array or for its elements, or
    /// no bytes together with dimensions that have no elements.
    #[error("the sender says that there is no array")]
    Absent,
    /// The value is no array with a type.
    #[error("expected a typed array")]
    NotTyped,
    /// The dimensions are no list of whole numbers, or nothing follows them.
    #[error("expected a list of whole numbers from 0 up as dimensions, and the elements")]
    Dimensions,
    /// The tag belongs to a type that is not supported: 128 bits, or no type at all.
    #[error("elements of tag {0} are not supported")]
    Tag(u64),
    /// The type has no tag.
    #[error("there is no tag for elements of {0}")]
    Dtype(Dtype),
    /// What should be bytes is something else.
    #[error("expected bytes, or compressed ones")]
    NotBytes,
    /// Not every element is a number.
    #[error("expected numbers as elements")]
    NotNumbers,
    /// The bytes are compressed with an unknown algorithm.
    #[error("expected the algorithm 'lz4', 'bslz4' or 'bszstd', found '{0}'")]
    Algorithm(Box<str>),
    /// The bytes cannot be decompressed, or compressed.
    #[error("the bytes compressed by '{algorithm}' cannot be read")]
    Compression {
        /// The algorithm.
        algorithm: &'static str,
        /// What is wrong.
        source: CompressionError,
    },
    /// The bytes do not fit the type and the dimensions.
    #[error("the bytes are not the array that its dimensions describe")]
    NotTheArray(#[from] ArrayError),
    /// The value is not valid.
    #[error(transparent)]
    Cbor(#[from] CborError),
}
