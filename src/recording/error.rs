//! [`Error`]: failures of recordings.

use std::io;
use std::path::{Path, PathBuf};

use crate::counted::Counted;
use crate::error::{self, ErrorKind};

/// What failed with a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that could not be read or written.
    #[error("cannot {verb} '{}'", path.display())]
    File {
        /// The failed operation, such as `read` or `write`.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A folder that holds a recording already.
    #[error("'{}' holds a recording already", path.display())]
    RecordingExists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder without any message in it.
    #[error("'{}' holds no recording: expected files named like 000000_000.raw", path.display())]
    NoRecording {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is no recording.
    #[error("'{}' is no recording: {reason}", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// What it is instead, or what is missing.
        reason: String,
    },
    /// A time was asked of a recording without times.
    #[error("'{}' has no times: it was recorded without them", path.display())]
    NoTimes {
        /// The recording.
        path: PathBuf,
    },
    /// An operation that a recording in a pipe does not support.
    #[error("cannot {what} '{}': a pipe is read once, from its beginning to its end", path.display())]
    Pipe {
        /// The pipe.
        path: PathBuf,
        /// The operation, such as `seek in`.
        what: &'static str,
    },
    /// A recording that failed, and messages that were accepted for it and not written.
    #[error("{} not written", Counted(*messages, "message").were())]
    Unwritten {
        /// How many.
        messages: u64,
        /// Why.
        source: Box<error::Error>,
    },
}

impl Error {
    /// Makes the error of a failed file operation; shaped for `map_err`.
    pub(crate) fn file(
        verb: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> error::Error + use<> {
        let path = path.to_owned();
        move |source| Self::File { verb, path, source }.into()
    }
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let shown = |path: &Path| path.display().to_string();
        let (kind, place) = match &error {
            Error::File { path, source, .. } => (ErrorKind::of(source), shown(path)),
            Error::RecordingExists { path } => (ErrorKind::Exists, shown(path)),
            Error::NoRecording { path } => (ErrorKind::NotFound, shown(path)),
            Error::NotARecording { path, .. } => (ErrorKind::Damaged, shown(path)),
            Error::NoTimes { path } | Error::Pipe { path, .. } => {
                (ErrorKind::Unsupported, shown(path))
            }
            Error::Unwritten { source, .. } => (source.kind(), source.place().to_owned()),
        };
        Self::new(kind, place, error)
    }
}
