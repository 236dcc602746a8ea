//! [`Error`]: failures of streams.

use std::io;
use std::path::PathBuf;

use super::Mode;
use crate::error::{self, ErrorKind};

/// What failed with a stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A host name that cannot be resolved.
    #[error("cannot resolve the host of '{address}'")]
    Resolve {
        /// The address as given.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A socket that could not be bound.
    #[error("cannot bind '{address}'")]
    Bind {
        /// The address as given.
        address: String,
        /// What libzmq said.
        source: zmq::Error,
    },
    /// A path that cannot be bound, because it is a file of another kind.
    #[error("cannot bind '{}'", path.display())]
    BindPath {
        /// The path.
        path: PathBuf,
        /// The error that the system would return.
        source: io::Error,
    },
    /// A socket that could not be connected.
    #[error("cannot connect to '{address}'")]
    Connect {
        /// The address as given.
        address: String,
        /// What libzmq said.
        source: zmq::Error,
    },
    /// A socket that could not be made or does not accept an option.
    #[error("cannot set up a socket for '{address}'")]
    Socket {
        /// The address as given.
        address: String,
        /// What libzmq said.
        source: zmq::Error,
    },
    /// A failure while receiving.
    #[error("cannot receive from '{address}'")]
    Receive {
        /// The address of the stream.
        address: String,
        /// What libzmq said.
        source: zmq::Error,
    },
    /// A failure while sending.
    #[error("cannot send to '{address}'")]
    Send {
        /// The address of the stream.
        address: String,
        /// What libzmq said.
        source: zmq::Error,
    },
    /// A message that no peer accepted before the stream's send timeout, or before a stop.
    #[error("no peer accepted the message for '{address}' in time")]
    NotTaken {
        /// The address of the stream.
        address: String,
    },
    /// Sending on a stream that receives, or receiving on one that sends.
    #[error("'{address}' is a {mode} stream, which cannot {verb}")]
    Direction {
        /// The address of the stream.
        address: String,
        /// The stream's mode.
        mode: Mode,
        /// What was asked of it.
        verb: &'static str,
    },
    /// Decoded data that no handler could encode.
    #[error("cannot encode the message for '{address}'")]
    Encode {
        /// The address of the stream.
        address: String,
        /// What the handler said.
        source: mflow_handlers::EncodeError,
    },
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let (kind, place) = match &error {
            Error::Resolve { address, .. } => (ErrorKind::NotFound, address.clone()),
            Error::BindPath { path, source } => (ErrorKind::of(source), path.display().to_string()),
            Error::Bind { address, source }
            | Error::Connect { address, source }
            | Error::Socket { address, source }
            | Error::Receive { address, source }
            | Error::Send { address, source } => (kind(*source), address.clone()),
            Error::NotTaken { address } => (ErrorKind::TimedOut, address.clone()),
            Error::Direction { address, .. } => (ErrorKind::Usage, address.clone()),
            Error::Encode { address, .. } => (ErrorKind::Unsupported, address.clone()),
        };
        Self::new(kind, place, error)
    }
}

/// Returns the kind of an error of libzmq, which uses the error numbers of the system and some of
/// its own.
fn kind(error: zmq::Error) -> ErrorKind {
    match error {
        // An interface, or an address of another machine.
        zmq::Error::ENODEV => ErrorKind::NotFound,
        other => ErrorKind::of(&io::Error::from_raw_os_error(other.to_raw())),
    }
}
