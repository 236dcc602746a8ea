//! The formats of PSI with a JSON header, followed by arrays or by parts with any content.

pub mod array_message;
pub mod raw;

pub use array_message::ArrayMessage;
pub use raw::Raw;
