//! [`Error`]: failures of streams, recordings and configurations.
//!
//! A message that cannot be decoded is no error here: it is
//! [`Data::Broken`](mflow_handlers::Data::Broken).

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::counted::Counted;
use crate::stream::Mode;

/// The error of this crate. Each variant says its own; the cause is its
/// [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that no stream can have.
    #[error("'{address}' is not an address: {reason}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
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
    /// A socket that could not be connected.
    #[error("cannot connect to '{address}'")]
    Connect {
        /// The address as given.
        address: String,
        /// What libzmq said.
        source: zmq::Error,
    },
    /// A socket that could not be made or does not take an option.
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
    /// A message that no peer took before the stream's send timeout, or before a stop.
    #[error("nobody took the message for '{address}' in time")]
    NotTaken {
        /// The address of the stream.
        address: String,
    },
    /// A message without any part: ZeroMQ has none.
    #[error("a message for '{address}' has no parts")]
    NoParts {
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
    /// Something of the operating system that could not be had, such as a pipe.
    #[error("cannot set up {what}")]
    System {
        /// What it is for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// More memory asked for than there is.
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
    /// A source of a recording and the address to replay it at that do not go together.
    #[error("source '{label}' {problem} '{recording}', which has {labels}")]
    Unmapped {
        /// The source.
        label: String,
        /// What is wrong with it.
        problem: &'static str,
        /// The recording.
        recording: String,
        /// The sources that it has.
        labels: String,
    },
    /// Peers that never came.
    #[error("{found} of {wanted} peers have connected to '{endpoint}' in time")]
    NoPeers {
        /// Where they were waited for.
        endpoint: String,
        /// How many were waited for.
        wanted: usize,
        /// How many came.
        found: usize,
    },
    /// A configuration that cannot be used.
    #[error("{}: {}{reason}", file.display(), Prefix(key))]
    Config {
        /// The file.
        file: PathBuf,
        /// The key in it, such as `streams[1].modulo`; empty for the whole.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A recording that failed, and messages that were taken for it and are not in it.
    #[error("{} not written", Counted(*messages, "message").were())]
    Unwritten {
        /// How many.
        messages: u64,
        /// Why.
        source: Box<Error>,
    },
    /// All outputs of a split, each of which has an error of its own.
    #[error("no output is left")]
    NoOutput,
    /// What a program writes its results to has failed.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

/// A key and a colon; nothing where there is no key.
struct Prefix<'a>(&'a str);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
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

impl Error {
    /// Makes the error of a failed file operation; shaped for `map_err`.
    pub(crate) fn file(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { verb, path, source }
    }
}

/// A result with the error of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
