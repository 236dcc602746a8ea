//! The formats of PSI that have a JSON header and parts of its kind: arrays, or parts of any content.

pub mod array_message;
pub mod raw;

pub use array_message::ArrayMessage;
pub use raw::Raw;
