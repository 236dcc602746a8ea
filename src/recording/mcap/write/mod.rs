//! Writing MCAP files: messages are gathered into chunks, and indexed by the summary at the end.
//!
//! When a file has to be flushed, and when the next one begins, is left to the recorder.

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
