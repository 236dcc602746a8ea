//! CBOR (RFC 8949): a cursor over it that bounds how deep it goes, a writer, and any value as it lies in a
//! message. What the values mean is left to the formats.

mod reader;
mod scalar;
mod value;
mod writer;

pub use reader::{CborError, MAX_DEPTH};
pub use value::{Cbor, Value};

pub(crate) use reader::{Head, Items, MESSAGE_DEPTH, Reader};
pub(crate) use scalar::{into_count, into_text, to_float};
pub(crate) use value::{Item, Key, list, magnitude, pairs, share, text};
pub(crate) use writer::Writer;
