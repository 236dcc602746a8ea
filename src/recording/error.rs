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
        /// What was tried, such as `read` or `write`.
        verb: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
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
        /// What it is instead, or what it lacks.
        reason: String,
    },
    /// A time in a recording that has none.
    #[error("'{}' has no times: it was recorded without them", path.display())]
    NoTimes {
        /// The recording.
        path: PathBuf,
    },
    /// Something asked of a recording in a pipe that only one in a file can do.
    #[error("cannot {what} '{}': a pipe is read once, from its beginning to its end", path.display())]
    Pipe {
        /// The pipe.
        path: PathBuf,
        /// What was asked, such as `seek in`.
        what: &'static str,
    },
    /// A recording that failed, and messages that were taken for it and are not in it.
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
