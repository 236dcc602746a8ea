//! How a stream behaves, decided before it is opened.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use mflow_handlers::Registry;

use crate::endpoint::Stop;

/// The pattern of a stream's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Sends each message to one of its peers, in turn; waits if no peer accepts it.
    Push,
    /// Receives from its peers in turn.
    Pull,
    /// Sends each message to all peers; a peer that is too slow misses messages, silently.
    Pub,
    /// Receives from publishers what it subscribed to.
    Sub,
}

impl Mode {
    /// Returns whether streams of this mode send; the others receive.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Push | Self::Pub)
    }

    /// Returns the mode of the peers.
    pub(crate) const fn counterpart(self) -> Self {
        match self {
            Self::Push => Self::Pull,
            Self::Pull => Self::Push,
            Self::Pub => Self::Sub,
            Self::Sub => Self::Pub,
        }
    }

    pub(crate) const fn socket_type(self) -> zmq::SocketType {
        match self {
            Self::Push => zmq::PUSH,
            Self::Pull => zmq::PULL,
            Self::Pub => zmq::PUB,
            Self::Sub => zmq::SUB,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Push => "PUSH",
            Self::Pull => "PULL",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
        })
    }
}

/// A text that names no mode.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of push, pull, pub and sub, found '{0}'")]
pub struct UnknownMode(String);

/// Reads the name of a mode, in any case.
impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text.to_ascii_lowercase().as_str() {
            "push" => Ok(Self::Push),
            "pull" => Ok(Self::Pull),
            "pub" => Ok(Self::Pub),
            "sub" => Ok(Self::Sub),
            _ => Err(UnknownMode(text.to_owned())),
        }
    }
}

/// Which end of a connection waits for the other; independent of the direction of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Attach {
    /// Connects to a peer at the address, and again whenever it disconnects.
    #[default]
    Connect,
    /// Waits for peers at the address, which has to be of this machine.
    Bind,
}

/// Which streams admit peers that speak ZMTP 1 or 2, the protocol of libzmq before 4.0 (2013) and of
/// JeroMQ before 0.5.
///
/// libzmq cannot distinguish a peer of ZMTP 1 from anything else that connects. One byte of a port
/// scanner, or an HTTP request, makes a peer: it gets messages like any other, and they are lost.
/// Such a peer does not say which kind of socket it is, so a PULL receives what it sends as
/// messages. A [`Monitor`](crate::stream::Monitor) does not count peers of these versions.
///
/// A stream that refuses them sets the ZAP domain of its socket to `mflow`. If a shared context has
/// a handler for ZAP, that handler is asked about its peers too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OldPeers {
    /// The streams to which they can do no harm. A PULL or SUB that connects admits the detector at
    /// its address, whatever its firmware. A PUB sends all messages to every peer. A PUSH, and a
    /// PULL or SUB that binds, refuse old peers.
    #[default]
    Harmless,
    /// All streams admit them. Choose this if a receiver, or a sender that connects, has an old
    /// library.
    Admitted,
    /// All streams refuse them.
    Refused,
}

impl OldPeers {
    /// Returns whether a stream admits them.
    pub(crate) const fn are_admitted(self, mode: Mode, attach: Attach) -> bool {
        match (self, mode, attach) {
            (Self::Admitted, _, _)
            | (Self::Harmless, Mode::Pub, _)
            | (Self::Harmless, Mode::Pull | Mode::Sub, Attach::Connect) => true,
            (Self::Harmless | Self::Refused, _, _) => false,
        }
    }
}

/// How a stream behaves: its mode, its queue, how long it waits.
///
/// ```
/// use std::time::Duration;
/// use mflow::Options;
/// let options = Options::pull().queue_size(10).timeout(Duration::from_secs(5));
/// assert_eq!(options.queue_size, 10);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The pattern of the socket; PULL by default.
    pub mode: Mode,
    /// Whether to connect (the default) or to bind.
    pub attach: Attach,
    /// How many messages wait at most for each peer on this side (ZMQ's high-water mark); 100 by
    /// default, 0 for no limit. It counts messages, not bytes: lower it for large ones.
    pub queue_size: u32,
    /// The longest a receive waits; for ever by default, not at all when zero.
    pub timeout: Option<Duration>,
    /// The longest a send waits for a peer that accepts the message; for ever by default.
    pub send_timeout: Option<Duration>,
    /// How long a closing stream continues to send its queue; 1 s by default, `None` for ever.
    pub linger: Option<Duration>,
    /// How many bytes of what is sent to a peer over TCP the system holds at most, as SO_SNDBUF:
    /// Linux accepts no more than `net.core.wmem_max`, and doubles it. Its own choice by default,
    /// which grows with the distance. Frames of 1 MiB and more to a program on the same machine are
    /// up to twice as fast with [`LOCAL_SEND_BUFFER`](Self::LOCAL_SEND_BUFFER).
    pub send_buffer: Option<usize>,
    /// How many threads do the socket's work; 1 by default, which carries some GB/s.
    pub io_threads: u16,
    /// What a SUB stream wants: messages whose first part starts with one of these; all by default.
    pub subscriptions: Vec<Vec<u8>>,
    /// Whether peers of ZMTP 1 and 2 are admitted; by default, only if they are harmless.
    pub old_peers: OldPeers,
    /// Ends every wait of the stream.
    pub stop: Stop,
    /// What decodes and encodes messages; the built-in formats by default.
    pub handlers: Registry,
    /// The ZMQ context to live in; one of its own by default. `inproc://` needs a shared one, which
    /// has its own number of threads.
    pub context: Option<zmq::Context>,
}

impl Options {
    /// How many messages wait at most for each peer by default, as in psi-mflow.
    pub const DEFAULT_QUEUE_SIZE: u32 = 100;

    /// A good [`queue_size`](Self::queue_size) on both sides for messages of up to 512 bytes, sent
    /// at full speed. A sender that waits at a full queue is woken when half of it was read; with
    /// the default queue, waking takes longer than the messages. Larger messages do not need it.
    pub const SMALL_MESSAGES_QUEUE_SIZE: u32 = 200;

    /// A good [`send_buffer`](Self::send_buffer) for large frames that stay on one machine: bytes
    /// in flight then stay in the processor's cache.
    pub const LOCAL_SEND_BUFFER: usize = 400 << 10;

    /// Makes the default options of a mode.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Makes options for a stream that receives its share of a PUSH.
    #[must_use]
    pub fn pull() -> Self {
        Self::new(Mode::Pull)
    }

    /// Makes options for a stream that sends to one of its peers at a time.
    #[must_use]
    pub fn push() -> Self {
        Self::new(Mode::Push)
    }

    /// Makes options for a stream that receives everything a PUB sends.
    #[must_use]
    pub fn sub() -> Self {
        Self::new(Mode::Sub)
    }

    /// Makes options for a stream that sends to all its peers.
    #[must_use]
    pub fn publish() -> Self {
        Self::new(Mode::Pub)
    }

    /// Binds rather than connects.
    #[must_use]
    pub fn bind(self) -> Self {
        self.attach(Attach::Bind)
    }

    /// Sets whether to bind or to connect.
    #[must_use]
    pub fn attach(mut self, attach: Attach) -> Self {
        self.attach = attach;
        self
    }

    /// Sets how many messages wait at most for each peer.
    #[must_use]
    pub fn queue_size(mut self, messages: u32) -> Self {
        self.queue_size = messages;
        self
    }

    /// Sets the longest a receive waits.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets the longest a send waits.
    #[must_use]
    pub fn send_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.send_timeout = timeout.into();
        self
    }

    /// Sets how long a closing stream continues to send.
    #[must_use]
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.linger = linger.into();
        self
    }

    /// Sets how many bytes of what is sent to a peer the system holds at most.
    #[must_use]
    pub fn send_buffer(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.send_buffer = bytes.into();
        self
    }

    /// Sets how many threads do the socket's work.
    #[must_use]
    pub fn io_threads(mut self, threads: u16) -> Self {
        self.io_threads = threads;
        self
    }

    /// Adds a prefix to what a SUB stream wants.
    #[must_use]
    pub fn subscribe(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.subscriptions.push(prefix.into());
        self
    }

    /// Sets whether peers of ZMTP 1 and 2 are admitted.
    #[must_use]
    pub fn old_peers(mut self, old_peers: OldPeers) -> Self {
        self.old_peers = old_peers;
        self
    }

    /// Returns whether the stream admits peers of ZMTP 1 and 2.
    pub(crate) const fn admits_old(&self) -> bool {
        self.old_peers.are_admitted(self.mode, self.attach)
    }

    /// Sets what ends every wait of the stream.
    #[must_use]
    pub fn stop(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Sets what decodes and encodes messages.
    #[must_use]
    pub fn handlers(mut self, handlers: Registry) -> Self {
        self.handlers = handlers;
        self
    }

    /// Sets the ZMQ context to live in.
    #[must_use]
    pub fn context(mut self, context: &zmq::Context) -> Self {
        self.context = Some(context.clone());
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Pull,
            attach: Attach::Connect,
            queue_size: Self::DEFAULT_QUEUE_SIZE,
            timeout: None,
            send_timeout: None,
            linger: Some(Duration::from_secs(1)),
            send_buffer: None,
            io_threads: 1,
            subscriptions: Vec::new(),
            old_peers: OldPeers::default(),
            stop: Stop::never(),
            handlers: Registry::default(),
            context: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_in_any_case() {
        for (text, mode) in
            [("push", Mode::Push), ("PULL", Mode::Pull), ("Pub", Mode::Pub), ("sUB", Mode::Sub)]
        {
            assert_eq!(text.parse(), Ok(mode));
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(
            "router".parse::<Mode>().unwrap_err().to_string(),
            "expected one of push, pull, pub and sub, found 'router'"
        );
    }
}
