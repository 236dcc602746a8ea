//! What can be wrong with compressed data.

/// The name of a compression is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the compression 'none', 'lz4' or 'bitshuffle_lz4', found '{0}'")]
pub struct UnknownCompression(pub Box<str>);

/// Why compressed data could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The data ends too early.
    #[error("expected {expected} bytes at offset {offset}, found {found}")]
    Truncated {
        /// Where it ends, in bytes.
        offset: usize,
        /// How many bytes should follow.
        expected: usize,
        /// How many do.
        found: usize,
    },
    /// There are bytes after the end of the data.
    #[error("{bytes} bytes follow after the end")]
    Trailing {
        /// How many bytes.
        bytes: usize,
    },
    /// The data would be larger than it may be.
    #[error("{length} bytes of decompressed data are more than the limit of {limit}")]
    TooLarge {
        /// How many bytes it says it has.
        length: u64,
        /// How many it may have.
        limit: usize,
    },
    /// The data would not have the length that is known from elsewhere.
    #[error("expected {expected} bytes of decompressed data, found {found}")]
    Length {
        /// How many bytes there should be.
        expected: usize,
        /// How many there are.
        found: u64,
    },
    /// The length is not that of whole elements.
    #[error("{length} bytes are no whole number of elements of {element} bytes")]
    Element {
        /// The length in bytes.
        length: usize,
        /// The bytes of an element.
        element: usize,
    },
    /// Elements of a size that nothing here has.
    #[error("expected elements of 1 to 64 whole bytes, found {bytes} bytes")]
    ElementSize {
        /// The bytes of an element.
        bytes: usize,
    },
    /// The codec is one that is only decoded.
    #[error("the codec is only decoded")]
    Unsupported,
    /// Blocks cannot be of this size.
    #[error("blocks cannot have {size} bytes")]
    BlockSize {
        /// The size in bytes.
        size: usize,
    },
    /// A block does not decode to its size.
    #[error("block {index} at offset {offset} is damaged")]
    Block {
        /// Its number, from 0.
        index: usize,
        /// Where it starts, in bytes.
        offset: usize,
    },
}
