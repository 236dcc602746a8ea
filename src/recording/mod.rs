//! Recordings: messages on a disk.
//!
//! A recording is read as a [`Source`](crate::Source) and written as a [`Sink`](crate::Sink). The
//! only kind so far is the [`folder`] of the original mflow, a file for each part.

pub mod folder;
pub mod mcap;
mod paced_file;
mod queue;
mod recorder;
mod rotation;

pub use folder::{FolderReader, FolderWriter};
pub use mcap::{McapOptions, McapWriter, Written};
pub use recorder::{Fsync, Gauge, OnFull, RecordWriter, Recorder, RecorderOptions};
pub use rotation::{RotatingWriter, Rotation};
