//! What goes wrong when messages are decoded or encoded.
//!
//! Every error says its own layer only; the cause is in [`source`](std::error::Error::source).

use std::error::Error;
use std::fmt;

use crate::array::ArrayError;
use crate::cbor::CborError;
use crate::compression::{CompressionError, UnknownCompression};

/// Where in a message something is wrong: a part, counted from 1 as the descriptions of the formats
/// do, of a message of some htype.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The htype of the message, if it has one.
    pub htype: Option<Box<str>>,
    /// The number of the part, the first one being 1.
    pub part: usize,
}

impl Place {
    /// Names part number `part` of a message of type `htype`.
    pub fn new(htype: Option<&str>, part: usize) -> Self {
        Self { htype: htype.map(Box::from), part }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.htype {
            Some(htype) => write!(f, "part {} of '{htype}'", self.part),
            None => write!(f, "part {}", self.part),
        }
    }
}

/// Why a message could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message has no parts, so there is no header to read.
    #[error("the message has no parts")]
    NoParts,
    /// The message ended before a part that its format requires.
    #[error("{place} is missing")]
    MissingPart {
        /// The part that is missing.
        place: Place,
    },
    /// A part that should be JSON could not be read as JSON.
    #[error("{place} is not valid JSON")]
    NotJson {
        /// The part.
        place: Place,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// A part that should be a JSON object is another JSON value.
    #[error("{place} is JSON, but not an object")]
    NotAnObject {
        /// The part.
        place: Place,
    },
    /// A part that should be CBOR could not be read as CBOR.
    #[error("{place} is not valid CBOR")]
    NotCbor {
        /// The part.
        place: Place,
        /// What is wrong in it.
        source: CborError,
    },
    /// A part that should be a CBOR map is another CBOR value.
    #[error("{place} is CBOR, but not a map")]
    NotAMap {
        /// The part.
        place: Place,
    },
    /// A binary part is not the array that the header describes.
    #[error("{place} is not the array its header describes")]
    NotTheArray {
        /// The binary part.
        place: Place,
        /// How the two differ.
        source: ArrayError,
    },
    /// A compressed part on which all others depend cannot be decompressed.
    #[error("{place} cannot be decompressed")]
    Compressed {
        /// The part.
        place: Place,
        /// What is wrong with it.
        source: CompressionError,
    },
    /// A part on which all others depend has an unknown compression.
    #[error("{place} is compressed in an unknown way")]
    UnknownCompression {
        /// The part.
        place: Place,
        /// The name in the header.
        source: UnknownCompression,
    },
    /// A handler of the user's own failed.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

impl DecodeError {
    /// Wraps the error, or the text, of a handler of the user's own.
    ///
    /// ```
    /// use mflow_handlers::DecodeError;
    ///
    /// assert_eq!(DecodeError::other("no such detector").to_string(), "no such detector");
    /// ```
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

/// Why a value could not be encoded.
///
/// What decoding would read back differently is refused here, never sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value names no htype, so no handler can be found for it.
    #[error("the value has no htype")]
    NoHtype,
    /// No handler is registered for the value's htype.
    #[error("no handler is registered for '{htype}'")]
    NoHandler {
        /// The htype of the value.
        htype: Box<str>,
    },
    /// The handler of this htype decodes only, or not this variant of [`Data`](crate::Data).
    #[error("the handler of '{htype}' does not encode {variant}")]
    NotSupported {
        /// The htype of the value.
        htype: Box<str>,
        /// The variant that was to be encoded.
        variant: &'static str,
    },
    /// A header is a JSON value other than an object.
    #[error("{place} must be a JSON object")]
    NotAnObject {
        /// The part it would have become.
        place: Place,
    },
    /// A header was edited to something that no reader takes, as it is nested too deeply.
    #[error("{place} would not be valid JSON")]
    NotJson {
        /// The part it would have become.
        place: Place,
        /// What a reader finds wrong in it.
        source: serde_json::Error,
    },
    /// A value was edited to something that no reader takes, as it is nested too deeply.
    #[error("{place} would not be valid CBOR")]
    NotCbor {
        /// The part it would have become.
        place: Place,
        /// What a reader finds wrong in it.
        source: CborError,
    },
    /// A value was built that would not read back equal, because it has the same field in two
    /// places or in the wrong one.
    #[error("{place} would not read back equal")]
    Differs {
        /// The part it would have become.
        place: Place,
    },
    /// An array is not what the header beside it says.
    #[error("{place} would not be the array its header describes")]
    NotTheArray {
        /// The part it would have become.
        place: Place,
        /// How the two differ.
        source: ArrayError,
    },
    /// A part that may be left out is left out, but a later one is there and would take its place.
    #[error("{place} cannot be left out before the parts that follow it")]
    Gap {
        /// The part that is left out.
        place: Place,
    },
    /// The parts do not fit the 'header_detail' of the header.
    #[error("'header_detail' is '{found}', but the parts are those of '{expected}'")]
    Detail {
        /// The detail that the parts need.
        expected: &'static str,
        /// The detail in the header.
        found: Box<str>,
    },
    /// The header names another compression than the part has.
    #[error("{place} has the compression '{expected}', but the header says '{found}'")]
    Compression {
        /// The part.
        place: Place,
        /// The compression that it has.
        expected: &'static str,
        /// The compression in the header.
        found: Box<str>,
    },
    /// A handler of the user's own failed.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

impl EncodeError {
    /// Wraps the error, or the text, of a handler of the user's own.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

/// Joins an error and its causes to one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += ": ";
        line += &error.to_string();
        cause = error.source();
    }
    line
}
