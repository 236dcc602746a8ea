//! CBOR (RFC 8949): a cursor that bounds the depth of nesting, a writer, and any value as it is in
//! a message. The formats know what the values mean.

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
