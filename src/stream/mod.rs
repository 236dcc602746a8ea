//! Streams: whole messages to and from a socket.
//!
//! A stream receives or sends. Its [`Registry`] decodes. [`WaitSet`] and
//! [`Merge`](crate::endpoint::Merge) wait for several streams at once.
//!
//! ## Whole messages or nothing
//!
//! A message arrives whole or not at all, also if a peer dies while the parts of a message are
//! handed to libzmq:
//!
//! * With one or two peers: what was handed over is lost with that peer. If libzmq reports that, the
//!   stream makes it discard the rest, and sends the whole message again to another peer. Sometimes
//!   libzmq does not report it.
//! * With three peers or more: libzmq 4.3 would send the rest of the message to another peer than the
//!   beginning. So the stream hides disconnections from it until it has the whole message.
//!
//! Messages in the queues of a dead peer, on either side, are lost with it: ZMTP has no
//! acknowledgement.

mod address;
mod descriptor;
mod endpoint;
mod error;
mod hold;
mod libzmq;
mod monitor;
mod opener;
mod options;
mod receipt;
mod receive;
mod send;
mod statistics;

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use mflow_handlers::Registry;

use crate::endpoint::{Stop, WaitSet};
use crate::error::{Result, SystemError};
use crate::frame::{Frame, Frames};
use hold::Hold;
use monitor::{MonitorThread, Subject};
use receipt::Receipts;

pub use address::Address;
use endpoint::StreamSource;
pub use error::Error;
pub use libzmq::{Libzmq, libzmq};
pub use monitor::{Monitor, MonitorOptions, PeerEvent, PeerEventKind};
pub(crate) use opener::StreamOpener;
pub use options::{Attach, Mode, OldPeers, Options, UnknownMode};
pub use receive::{Decoded, Messages};
pub use send::More;
pub use statistics::Statistics;

/// Seconds of silence after which TCP asks a peer whether it is still there.
const KEEPALIVE_AFTER: i32 = 30;
/// Seconds until it asks again.
const KEEPALIVE_INTERVAL: i32 = 10;
/// How often it asks without an answer before it gives the connection up.
const KEEPALIVES: i32 = 3;

/// The domain of ZAP of a socket that refuses peers of old versions.
const ZAP_DOMAIN: &str = "mflow";
/// The largest command that a PUSH accepts. A receiver sends no messages, and the commands of a
/// handshake are smaller.
const MOST_FROM_RECEIVER: i64 = 1024;
/// The size of the system's receive buffer of a PUSH. A small one slows down a peer that sends,
/// until the monitor has disconnected it.
const RECEIVE_BUFFER: i32 = 4096;

/// A connected or bound socket that carries whole messages one way.
///
/// Dropping a stream closes it: it lingers as its options say to send what is queued.
///
/// ```
/// use mflow::{Options, connect};
/// let mut sender = connect("tcp://127.0.0.1:*", Options::push().bind())?;
/// let mut receiver = connect(sender.endpoint(), Options::pull())?;
/// sender.send([&br#"{"htype":"raw-1.0"}"#[..], b"data"])?;
/// let message = receiver.receive_raw()?.expect("it waits for a message");
/// assert_eq!(message.parts()[1], b"data"[..]);
/// # Ok::<(), mflow::Error>(())
/// ```
pub struct Stream {
    socket: zmq::Socket,
    monitor: MonitorThread,
    mode: Mode,
    attach: Attach,
    admits_old: bool,
    address: Address,
    endpoint: String,
    timeout: Option<Duration>,
    send_timeout: Option<Duration>,
    stop: Stop,
    handlers: Registry,
    statistics: Statistics,
    /// The parts of a message that is being gathered by `send_part`.
    gathered: Frames,
    /// Where parts are put to be sent; empty between messages.
    outgoing: Frame,
    /// Hides disconnections from libzmq in mid-message, for a PUSH and if this libzmq supports it;
    /// a PUB does not need it.
    hold: Option<Hold>,
    /// Counts the messages that libzmq holds. Not for a PUB, which drops messages.
    receipts: Option<Receipts>,
}

impl Stream {
    /// Opens a stream; see [`connect`](crate::connect).
    pub(crate) fn open(address: &str, options: Options) -> Result<Self> {
        let address: Address = address.parse()?;
        address.check(options.attach, options.context.is_some())?;
        let is_ipv6_alone = options.attach == Attach::Connect && address.resolve()?;
        let is_ipv6 = address.is_ipv6() || is_ipv6_alone;
        let context = match &options.context {
            Some(context) => context.clone(),
            None => zmq::Context::new(),
        };
        let mut socket = set_up(&context, is_ipv6, &options)
            .map_err(|source| Error::Socket { address: address.to_string(), source })?;
        let hold = if options.mode == Mode::Push { Hold::new(&socket) } else { Ok(None) };
        let hold = hold.map_err(|source| SystemError::SetUp { what: "sending", source })?;
        let subject = Subject {
            mode: options.mode,
            attach: options.attach,
            admits_old: options.admits_old(),
        };
        let monitor = MonitorThread::start(&context, &mut socket, subject)
            .map_err(|source| Error::Socket { address: address.to_string(), source })?;
        let mut stream = Self {
            socket,
            monitor,
            mode: options.mode,
            attach: options.attach,
            admits_old: subject.admits_old,
            endpoint: address.to_string(),
            address,
            timeout: options.timeout,
            send_timeout: options.send_timeout,
            stop: options.stop.clone(),
            handlers: options.handlers.clone(),
            statistics: Statistics::default(),
            gathered: Frames::new(),
            outgoing: Frame::new(),
            hold,
            receipts: (options.mode == Mode::Push).then(Receipts::default),
        };
        if let Err(error) = attach(&context, &stream.socket, &stream.address, &options) {
            // Nothing is queued: let the context go without waiting.
            let _ = stream.socket.set_linger(0);
            return Err(error);
        }
        if let Ok(Ok(endpoint)) = stream.socket.get_last_endpoint()
            && !endpoint.is_empty()
        {
            stream.endpoint = endpoint;
        }
        tracing::info!(
            address = %stream.address, endpoint = stream.endpoint, mode = %stream.mode, "stream is open"
        );
        Ok(stream)
    }

    /// Returns the address as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// Returns the address as libzmq resolved it: with its port if `*` asked for a free one.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the endpoint that peers connect to, if this stream binds.
    #[must_use]
    pub fn listening(&self) -> Option<&str> {
        (self.attach == Attach::Bind).then_some(self.endpoint.as_str())
    }

    /// Returns the pattern of the socket.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns what was received so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Returns what decodes and encodes the messages of this stream.
    #[must_use]
    pub fn handlers(&self) -> &Registry {
        &self.handlers
    }

    /// Returns the handlers to add to, to replace one or all of them.
    pub fn handlers_mut(&mut self) -> &mut Registry {
        &mut self.handlers
    }

    /// Changes the longest a receive waits: `None` is for ever, zero not at all.
    pub fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.timeout = timeout.into();
    }

    /// Changes the longest a send waits: `None` is for ever, zero not at all.
    pub fn set_send_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.send_timeout = timeout.into();
    }

    /// Returns how many peers have disconnected so far. If a PUSH admits [old
    /// peers](crate::stream::OldPeers), this includes connections that were no peers.
    #[must_use]
    pub fn departures(&self) -> usize {
        let loses = self.mode == Mode::Push && self.admits_old;
        self.monitor.departures() + if loses { self.strangers() } else { 0 }
    }

    /// Returns how many connections have ended so far without a handshake of ZMTP 3: port scanners
    /// and browsers, sockets of the wrong kind, and peers that speak an [old
    /// version](crate::stream::OldPeers).
    #[must_use]
    pub fn strangers(&self) -> usize {
        self.monitor.strangers()
    }

    /// Returns whether no peer was ever connected to a stream that publishes.
    pub(crate) fn is_unheard(&self) -> bool {
        self.mode == Mode::Pub && self.monitor.most_peers() == 0
    }

    /// Watches the connections of this stream, in place of a monitor that did so before.
    pub fn monitor(&mut self, options: MonitorOptions) -> Monitor {
        self.monitor.watch(options)
    }

    /// Closes the stream now, as dropping it does.
    pub fn disconnect(self) {
        drop(self);
    }

    /// Adds the socket to a wait.
    pub(crate) fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        descriptor::watch(&self.socket, set);
        self.monitor.readiness(set);
    }

    /// Connects again if libzmq has given the connection up; returns whether it had.
    fn reopen(&self) -> Result<bool> {
        if !self.monitor.take_reopen() {
            return Ok(false);
        }
        // It fails if there is nothing to disconnect.
        let _ = uninterrupted(|| self.socket.disconnect(self.address.as_str()));
        uninterrupted(|| self.socket.connect(self.address.as_str()))
            .map_err(|source| Error::Connect { address: self.address.to_string(), source })?;
        Ok(true)
    }

    /// Waits until the call that has just failed is worth another try.
    fn wait(&self, end: Option<Instant>) -> Result<bool> {
        let mut set = WaitSet::new();
        self.readiness(&mut set);
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        set.wait(&self.stop, left)
            .map_err(|source| SystemError::Wait { name: self.address.to_string(), source }.into())
    }

    fn check_direction(&self, direction: Direction) -> Result<()> {
        let verb = match (direction, self.mode.sends()) {
            (Direction::Send, true) | (Direction::Receive, false) => return Ok(()),
            (Direction::Send, false) => "send",
            (Direction::Receive, true) => "receive",
        };
        Err(Error::Direction { address: self.address.to_string(), mode: self.mode, verb }.into())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Its thread shares the context: only after its end does this one linger.
        self.monitor.end(&self.socket);
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Send,
    Receive,
}

/// Makes the socket of a stream, configured and attached to nothing yet.
fn set_up(
    context: &zmq::Context,
    is_ipv6: bool,
    options: &Options,
) -> Result<zmq::Socket, zmq::Error> {
    if options.context.is_none() {
        context.set_io_threads(options.io_threads.max(1).into())?;
    }
    let socket = context.socket(options.mode.socket_type())?;
    let queue = i32::try_from(options.queue_size).unwrap_or(i32::MAX);
    socket.set_sndhwm(queue)?;
    if options.mode == Mode::Push {
        // A PUSH does not read: a full receive queue would keep the peer for ever.
        socket.set_rcvhwm(0)?;
        socket.set_maxmsgsize(MOST_FROM_RECEIVER)?;
        socket.set_rcvbuf(RECEIVE_BUFFER)?;
    } else {
        socket.set_rcvhwm(queue)?;
    }
    if !options.admits_old() {
        // libzmq has no other way to refuse them. Without a handler, peers of ZMTP 3 are admitted.
        socket.set_zap_domain(ZAP_DOMAIN)?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_sndbuf(i32::try_from(bytes).unwrap_or(i32::MAX))?;
    }
    socket.set_linger(
        options.linger.map_or(-1, |linger| i32::try_from(linger.as_millis()).unwrap_or(i32::MAX)),
    )?;
    // Heartbeats of ZMTP would be new to old detectors; TCP's keepalives find a dead peer too, if
    // no bytes are in flight to it. (A libzmq that was built without knowing them ignores this.)
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(KEEPALIVE_AFTER)?;
    socket.set_tcp_keepalive_intvl(KEEPALIVE_INTERVAL)?;
    socket.set_tcp_keepalive_cnt(KEEPALIVES)?;
    socket.set_ipv6(is_ipv6)?;
    // A PUSH that connects queues nothing for a peer that has never been there.
    socket.set_immediate(options.mode == Mode::Push)?;
    if options.mode == Mode::Sub {
        if options.subscriptions.is_empty() {
            socket.set_subscribe(b"")?;
        }
        for prefix in &options.subscriptions {
            socket.set_subscribe(prefix)?;
        }
    }
    Ok(socket)
}

/// Connects or binds a socket.
fn attach(
    context: &zmq::Context,
    socket: &zmq::Socket,
    address: &Address,
    options: &Options,
) -> Result<()> {
    match options.attach {
        Attach::Connect => uninterrupted(|| socket.connect(address.as_str()))
            .map_err(|source| Error::Connect { address: address.to_string(), source }.into()),
        Attach::Bind => {
            check_path(address)?;
            uninterrupted(|| socket.bind(address.as_str())).map_err(|error| {
                // Reporting the failure to the monitor may have overwritten its reason: a socket
                // without a monitor returns it.
                let again = set_up(context, address.is_ipv6(), options);
                let source = again.and_then(|socket| socket.bind(address.as_str())).err();
                Error::Bind { address: address.to_string(), source: source.unwrap_or(error) }.into()
            })
        }
    }
}

/// Checks that binding a path removes nothing of another program: libzmq removes any file there.
fn check_path(address: &Address) -> Result<()> {
    let Some(path) = address.socket_path() else { return Ok(()) };
    let Ok(there) = path.symlink_metadata() else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(Error::BindPath {
            path: path.to_owned(),
            source: io::ErrorKind::AlreadyExists.into(),
        }
        .into());
    }
    // A program that listens refuses a socket of another kind at once, and does not notice.
    let asked = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    match asked.map_err(|error| error.kind()) {
        // A socket of a program that has ended does not answer.
        Err(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        _ => {
            let source = zmq::Error::EADDRINUSE;
            Err(Error::Bind { address: address.to_string(), source }.into())
        }
    }
}

/// Repeats what a signal has interrupted.
fn uninterrupted<T>(mut operation: impl FnMut() -> Result<T, zmq::Error>) -> Result<T, zmq::Error> {
    loop {
        match operation() {
            Err(zmq::Error::EINTR) => {}
            result => return result,
        }
    }
}
