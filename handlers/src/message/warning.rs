//! [`Warning`]: what was tolerated in a message that could be decoded all the same.

use std::fmt;

use crate::array::Dtype;

/// Something that the format does not allow, but that does not keep a message from being read.
///
/// Warnings are found when they are asked for, from the value as it is then. Parts are counted from
/// 1. As text they are sentences for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// There are parts behind the last one that the format knows.
    ExtraParts {
        /// The parts that the format knows of.
        expected: usize,
        /// The parts there are.
        found: usize,
    },
    /// A part that the format requires is not there.
    MissingPart {
        /// The part.
        part: usize,
    },
    /// A part that should be a JSON object is something else; it is kept as bytes.
    NotJson {
        /// The part.
        part: usize,
    },
    /// A part that should be JSON or text is neither; it is kept as bytes.
    NotText {
        /// The part.
        part: usize,
    },
    /// A part has NaN or Infinity, which Python writes and JSON does not have; they read as null.
    NonNumbers {
        /// The part.
        part: usize,
    },
    /// A part has another htype than the one of its position.
    Htype {
        /// The part.
        part: usize,
        /// The htype of the position.
        expected: &'static str,
        /// The htype it has, if any.
        found: Option<Box<str>>,
    },
    /// 'header_detail' is missing or unknown: it was inferred from the number of parts.
    Detail {
        /// What stands there, if it is a text.
        found: Option<Box<str>>,
    },
    /// 'size' is not the length of the part.
    Size {
        /// The part.
        part: usize,
        /// The size in the header.
        expected: u64,
        /// The length of the part.
        found: usize,
    },
    /// The binary part cannot be read as an array; it is kept as bytes.
    NoArray {
        /// The part.
        part: usize,
        /// Why it cannot.
        reason: Box<str>,
    },
    /// A field cannot be read; it is kept as it was sent.
    Field {
        /// The name of the field, and of the channel in it.
        field: Box<str>,
        /// Why it cannot.
        reason: Box<str>,
    },
    /// More bytes follow behind what a part should hold.
    TrailingBytes {
        /// The part.
        part: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// A channel was read otherwise than it is described, or not at all.
    Channel {
        /// The part.
        part: usize,
        /// The name of the channel.
        name: Box<str>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The header has no list of channels.
    NoChannels {
        /// The part that should have it.
        part: usize,
    },
    /// There are fewer parts than two for each channel: some without value were taken to have one.
    FewParts {
        /// The parts that there should be.
        expected: usize,
        /// The parts there are.
        found: usize,
    },
    /// A key is misspelled.
    Misspelled {
        /// The right key.
        expected: &'static str,
        /// The key there is.
        found: &'static str,
    },
    /// Senders disagree about the size of this type; it was inferred from the length of the part.
    TypeByLength {
        /// The part.
        part: usize,
        /// The type it was read as.
        dtype: Dtype,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExtraParts { expected, found } => {
                write!(f, "expected at most {expected} parts, found {found}")
            }
            Self::MissingPart { part } => write!(f, "part {part} is missing"),
            Self::NotJson { part } => write!(f, "part {part} is not a JSON object"),
            Self::NotText { part } => write!(f, "part {part} is neither JSON nor text"),
            Self::NonNumbers { part } => {
                write!(f, "part {part} has NaN or Infinity, which JSON does not have")
            }
            Self::Htype { part, expected, found: Some(found) } => {
                write!(f, "expected the htype '{expected}' in part {part}, found '{found}'")
            }
            Self::Htype { part, expected, found: None } => {
                write!(f, "expected the htype '{expected}' in part {part}, found none")
            }
            Self::Detail { found: Some(found) } => {
                write!(f, "expected the header_detail 'none', 'basic' or 'all', found '{found}'")
            }
            Self::Detail { found: None } => f.write_str("the header has no header_detail"),
            Self::Size { part, expected, found } => {
                write!(f, "expected {expected} bytes in part {part}, found {found}")
            }
            Self::NoArray { part, reason } => write!(f, "part {part} cannot be read: {reason}"),
            Self::Field { field, reason } => {
                write!(f, "the field '{field}' cannot be read: {reason}")
            }
            Self::TrailingBytes { part, bytes } => {
                write!(f, "{bytes} bytes follow behind the content of part {part}")
            }
            Self::Channel { part, name, reason } => {
                write!(f, "channel '{name}' in part {part}: {reason}")
            }
            Self::NoChannels { part } => write!(f, "part {part} has no list of channels"),
            Self::FewParts { expected, found } => write!(
                f,
                "expected {expected} parts, found {found}: channels without value have one"
            ),
            Self::Misspelled { expected, found } => {
                write!(f, "expected the key '{expected}', found '{found}'")
            }
            Self::TypeByLength { part, dtype } => {
                write!(f, "part {part} was read as {dtype} because of its length")
            }
        }
    }
}

/// Returns a warning about extra parts, if there are any.
pub(crate) fn extra_parts(known: usize, extra: usize) -> Option<Warning> {
    (extra > 0).then(|| Warning::ExtraParts { expected: known, found: known + extra })
}
