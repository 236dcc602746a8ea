//! Writing MCAP files: messages are gathered into chunks, and indexed by the summary at the end.
//!
//! The recorder decides when a file is flushed, and when the next one begins.

mod channel;
mod chunk;
mod gather;
mod metadata;
mod output;
mod start;
mod summary;
mod writer;

pub use channel::MAX_HTYPES;
pub use chunk::{BATCH_BYTES, BATCH_TIME};
pub use writer::{McapOptions, McapWriter, OWN_CHUNK, Written};
