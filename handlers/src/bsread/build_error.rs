//! [`BuildError`]: why a message cannot be built.

use crate::compression::CompressionError;

/// Why a message cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A channel has no name.
    #[error("channel {} has no name", index + 1)]
    NoName {
        /// The index of the channel, from 0.
        index: usize,
    },
    /// Two channels have one name.
    #[error("there are two channels '{name}'")]
    Duplicate {
        /// The name.
        name: Box<str>,
    },
    /// A text has a shape.
    #[error("channel '{name}' is a text, which has no shape")]
    TextShape {
        /// The name of the channel.
        name: Box<str>,
    },
    /// There is no such channel.
    #[error("there is no channel '{name}'")]
    NoChannel {
        /// The name.
        name: Box<str>,
    },
    /// The value is not what the data header says of the channel.
    #[error("channel '{name}' expects {expected}, found {found}")]
    Unlike {
        /// The name of the channel.
        name: Box<str>,
        /// The type and shape in the data header.
        expected: Box<str>,
        /// The type and shape of the value.
        found: Box<str>,
    },
    /// An empty text or array is not distinguished from no value.
    #[error("the value of channel '{name}' is empty, which cannot be distinguished from no value")]
    Empty {
        /// The name of the channel.
        name: Box<str>,
    },
    /// The data cannot be compressed.
    #[error("the data cannot be compressed")]
    Compression(#[from] CompressionError),
}
