//! [`Error`]: what failed, its kind, and the address or path that it is about.
//!
//! Each room has an error of its own, which says in its own words what failed: [`endpoint::Error`],
//! [`stream::Error`], [`recording::Error`], [`routing::Error`] and [`tools::Error`], and
//! [`SystemError`] for failures of the operating system in any room. All convert into an [`Error`],
//! which the functions of this crate return.
//!
//! A message that cannot be decoded is no error here: it is
//! [`Data::Broken`](mflow_handlers::Data::Broken).
//!
//! [`endpoint::Error`]: crate::endpoint::Error
//! [`stream::Error`]: crate::stream::Error
//! [`recording::Error`]: crate::recording::Error
//! [`routing::Error`]: crate::routing::Error
//! [`tools::Error`]: crate::tools::Error

use std::fmt;
use std::io;

use rustix::io::Errno;

/// The error of this crate: the error of a room, its kind, and its place.
///
/// It prints as the error of the room, and has the same [`source`](std::error::Error::source).
///
/// ```
/// use mflow::{ErrorKind, Options, connect, endpoint};
/// let error = connect("localhost", Options::pull()).err().expect("it is no address");
/// assert_eq!((error.kind(), error.place()), (ErrorKind::Usage, "localhost"));
/// assert!(matches!(error.get(), Some(endpoint::Error::Address { .. })));
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    place: String,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// What kind of failure an [`Error`] is, for a caller that handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call makes no sense: an invalid address, a message without parts, sending on a stream
    /// that receives.
    Usage,
    /// A configuration cannot be used.
    Configuration,
    /// A file, a host or a network interface does not exist.
    NotFound,
    /// A file exists already, or an address is in use. Nothing was overwritten.
    Exists,
    /// The process is not permitted to do this.
    Refused,
    /// A recording cannot be read as one.
    Damaged,
    /// The disk or the memory is full, or the process may open no more files.
    Full,
    /// Peers did not connect or accept a message, or a disk did not answer, in time.
    TimedOut,
    /// The reader of a pipe has closed it.
    Closed,
    /// The stream, recording or handler cannot do this, and never will.
    Unsupported,
    /// The operating system or libzmq reports something else.
    Io,
}

impl ErrorKind {
    /// Returns the kind of an error of the operating system.
    pub(crate) fn of(error: &io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::AddrNotAvailable => Self::NotFound,
            ErrorKind::AlreadyExists | ErrorKind::AddrInUse => Self::Exists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Refused,
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::OutOfMemory => Self::Full,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::BrokenPipe => Self::Closed,
            ErrorKind::Unsupported => Self::Unsupported,
            _ => match Errno::from_io_error(error) {
                Some(Errno::MFILE | Errno::NFILE) => Self::Full,
                _ => Self::Io,
            },
        }
    }
}

impl Error {
    /// Makes an error from a failure and its place: an address, a path, or nothing.
    pub fn new(
        kind: ErrorKind,
        place: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, place: place.into(), cause: cause.into() }
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the address or path that it is about; empty if it is about none.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Returns the error of a room, such as [`stream::Error`](crate::stream::Error), if this is one.
    #[must_use]
    pub fn get<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.cause.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// Failures of the operating system, the same for all rooms.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// Something that could not be set up, such as a pipe or a thread.
    #[error("cannot set up {what}")]
    SetUp {
        /// What it is for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A request for more memory than there is.
    #[error("there is no memory for {bytes} bytes")]
    Memory {
        /// How much was asked for.
        bytes: usize,
    },
    /// A wait that failed.
    #[error("cannot wait for '{name}'")]
    Wait {
        /// What was waited for.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<SystemError> for Error {
    fn from(error: SystemError) -> Self {
        let (kind, place) = match &error {
            SystemError::SetUp { source, .. } => (ErrorKind::of(source), ""),
            SystemError::Memory { .. } => (ErrorKind::Full, ""),
            SystemError::Wait { name, source } => (ErrorKind::of(source), name.as_str()),
        };
        Self::new(kind, place.to_owned(), error)
    }
}

/// An error and its causes, in one line.
pub(crate) struct WithCauses<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.0.source().map_or(Ok(()), |cause| write!(f, ": {}", WithCauses(cause)))
    }
}

/// A result with the error of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_as_that_of_its_room_and_has_its_source_kind_and_place() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::from(SystemError::Wait { name: "tcp://a:1".into(), source });
        assert_eq!(
            WithCauses(&error).to_string(),
            "cannot wait for 'tcp://a:1': permission denied"
        );
        assert_eq!((error.kind(), error.place()), (ErrorKind::Refused, "tcp://a:1"));
        assert!(matches!(error.get(), Some(SystemError::Wait { .. })));
        assert!(error.get::<io::Error>().is_none());
    }

    #[test]
    fn a_process_that_may_open_no_more_files_is_full() {
        assert_eq!(ErrorKind::of(&io::Error::from_raw_os_error(24)), ErrorKind::Full);
        assert_eq!(ErrorKind::of(&io::Error::from_raw_os_error(28)), ErrorKind::Full);
    }
}
