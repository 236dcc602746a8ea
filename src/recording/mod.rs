//! Recordings: messages on a disk.
//!
//! A recording is read as a [`Source`] and written as a [`Sink`](crate::endpoint::Sink). A reader is
//! also a [`Recording`]: it knows the length, and finds messages by number and time. There are two
//! kinds: a [`folder`] as psi-mflow writes it, with a file for each part, and [`mcap`] files, which keep
//! the times at which messages were received.
//!
//! ```text
//! run.mcap               an MCAP file (mcap.dev), drawn in the module mcap
//!   /<source>/<htype>      a channel for each source and type: its messages with their times
//! run-0000.mcap …        several of them, each complete in itself, if sizes or times are limited
//! run/                   the folder of psi-mflow, drawn in the module folder
//!   000000_000.raw …       a file for each part of each message, without times
//! ```
//!
//! [`open_recording`] reads either kind; a [`Recorder`] writes with any [`RecordWriter`] on a
//! thread of its own, behind a queue that is bounded in bytes. [`handlers`](crate::handlers)
//! decode, and [`tools::replay`](crate::tools::replay) sends again.

mod error;
pub mod folder;
mod joined;
pub mod mcap;
mod opener;
mod range;
mod recorder;
mod rotation;

use std::path::Path;
use std::sync::Arc;

pub use error::Error;
pub use folder::{FolderInfo, FolderReader, FolderWriter};
pub use joined::JoinedReader;
pub use mcap::{McapOptions, McapPipe, McapReader, McapWriter, Written};
pub(crate) use opener::RecordingOpener;
pub(crate) use range::{Bounds, Extent};
pub use range::{Place, Range};
pub use recorder::{Fsync, Gauge, RecordWriter, Recorder, RecorderOptions};
pub use rotation::{RotatingWriter, Rotation};

use crate::endpoint::{Origin, Received, Source, Timestamp};
use crate::error::Result;
use crate::os;

/// Where to go on reading in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The message of this number, or the first one there is after it.
    Message(u64),
    /// The first message that was received at this time or later.
    Time(Timestamp),
}

/// A recording that is read: messages in the order in which they were received, each with a number.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("mflow-recording-{}", std::process::id()));
/// use mflow::recording::{FolderWriter, Recording, Seek, open_recording};
/// use mflow::{Event, Frames};
/// let mut writer = FolderWriter::create(&folder)?;
/// for text in ["first", "second"] {
///     writer.write(&Frames::from([text.as_bytes()]))?;
/// }
/// let mut recording = open_recording(&folder)?;
/// assert_eq!(recording.messages(), Some(2));
/// recording.seek(Seek::Message(1))?;
/// assert!(matches!(recording.poll()?, Event::Message(second) if second.frames[0].as_ref() == b"second"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub trait Recording: Source {
    /// Returns how many messages there are, damaged ones included; none if that is not known, as
    /// of a file that still grows.
    fn messages(&self) -> Option<u64>;

    /// Returns the number of the message that was read last, counted from 0; of the next one if
    /// none was read yet, or since [`seek`](Self::seek).
    fn position(&self) -> u64;

    /// Returns whether messages carry the times at which they were recorded, rather than those at
    /// which they are read.
    fn is_timed(&self) -> bool {
        self.span().is_some()
    }

    /// Returns the times of the first and the last message, if they were recorded.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        None
    }

    /// Goes to another place, from which messages are read on.
    ///
    /// # Errors
    /// If a time is looked for in a recording without times, or the recording cannot be read.
    fn seek(&mut self, to: Seek) -> Result<()>;

    /// Returns the sources that the messages were recorded from, as far as that is known.
    fn origins(&self) -> &[Arc<Origin>];

    /// Returns the metadata ahead of the messages, if they were read with the messages, as from a
    /// pipe: those of a file are in its [`info`](mcap::info).
    fn metadata(&self) -> &[mcap::MetadataInfo] {
        &[]
    }

    /// Has all checksums of messages looked at that there are. Where one does not match, the messages are
    /// read all the same, and the place is among the [damaged](crate::endpoint::Report::damaged_places).
    fn look_at_checksums(&mut self) {}

    /// Returns the latest start message of a series from a source, received by a time, for a reader
    /// that begins in the middle of the series; none if the recording does not keep it aside.
    ///
    /// # Errors
    /// If the recording cannot be read.
    fn series_start(
        &mut self,
        origin: &Arc<Origin>,
        series: u64,
        by: Timestamp,
    ) -> Result<Option<Received>> {
        let _ = (origin, series, by);
        Ok(None)
    }
}

/// Returns whether a recording that is written to a path is to be an MCAP file: its name ends in
/// `.mcap`, in whatever case; any other one is that of a folder.
///
/// ```
/// use std::path::Path;
/// use mflow::recording::is_mcap;
/// assert!(is_mcap(Path::new("run.mcap")) && !is_mcap(Path::new("run")));
/// ```
#[must_use]
pub fn is_mcap(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mcap"))
}

/// Returns whether a recording at a path is read or written as a pipe, once and in order: a FIFO, a
/// character device, or the file behind `/dev/stdin` or `/dev/stdout`.
///
/// ```
/// use std::path::Path;
/// use mflow::recording::is_pipe;
/// assert!(is_pipe(Path::new("/dev/null")) && !is_pipe(Path::new("run.mcap")));
/// ```
#[must_use]
pub fn is_pipe(path: &Path) -> bool {
    os::is_pipe(path)
}

/// Opens one recording, or several as one: see [`JoinedReader`].
///
/// # Errors
/// As [`open_recording`]; if there are several and one has no times.
///
/// # Panics
/// If there are none.
pub fn open_recordings(paths: &[impl AsRef<Path>]) -> Result<Box<dyn Recording>> {
    match paths {
        [path] => open_recording(path.as_ref()),
        paths => Ok(Box::new(JoinedReader::open(paths)?)),
    }
}

/// Opens the recording at a path: a directory is a folder of `.raw` files, a file or a pipe is MCAP.
///
/// # Errors
/// If there is none, it cannot be read, or is no recording.
pub fn open_recording(path: &Path) -> Result<Box<dyn Recording>> {
    if path.is_dir() {
        Ok(Box::new(FolderReader::open(path)?))
    } else if is_pipe(path) {
        Ok(Box::new(McapPipe::open(path)?))
    } else {
        Ok(Box::new(McapReader::open(path)?))
    }
}
