//! Streams: whole messages to and from a socket.
//!
//! A stream receives or sends; decoding is left to the [`Registry`] it carries, waiting for several
//! streams at once to [`WaitSet`] and [`Merge`](crate::Merge).
//!
//! ## Whole messages or nothing
//!
//! A message arrives whole or not at all. Sending is atomic too, with one gap that ZeroMQ leaves:
//! when a peer dies while the parts of a message are handed to libzmq, what was handed over is lost
//! with that peer. The stream notices, makes libzmq forget the rest, and sends the whole message
//! again to another peer. What a dead peer had in its queues, on either side, is lost with it: ZMTP
//! has no acknowledgement.

use std::fmt;
use std::time::{Duration, Instant};

use mflow_handlers::{Data, DecodeError, Message, Parts, Registry};

use crate::monitor::{Monitor, MonitorOptions, MonitorThread};
use crate::options::Attach;
use crate::receipt::{self, Receipts};
use crate::statistics::Statistics;
use crate::{Address, Error, Frame, Frames, Mode, Options, Result, Stop, WaitSet};

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
    /// After the socket, before the context: closing ends the thread, which shares the context.
    monitor: Option<MonitorThread>,
    context: zmq::Context,
    mode: Mode,
    attach: Attach,
    address: Address,
    endpoint: String,
    timeout: Option<Duration>,
    send_timeout: Option<Duration>,
    stop: Stop,
    handlers: Registry,
    statistics: Statistics,
    /// The parts of a message that is being gathered by `send_part`.
    gathered: Frames,
    /// Counts what libzmq holds; PUB drops what it likes, so counting would say nothing there.
    receipts: Option<Receipts>,
}

/// A decoded message and where its stream stood when it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decoded<T = Data> {
    /// What the message says.
    pub data: T,
    /// The statistics of the stream, this message included.
    pub statistics: Statistics,
}

/// Messages that were counted and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many messages.
    pub messages: u64,
    /// Their bytes, all parts together.
    pub bytes: u64,
    /// Whether the source has ended.
    pub ended: bool,
}

impl Tally {
    /// Tells whether to go on counting, so that who counts looks at the clock often enough.
    pub(crate) fn has_room(&self, most: u64) -> bool {
        self.messages < most.min(256) && self.bytes < 32 << 20
    }
}

/// Whether more parts of a message follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// The message goes on.
    Follows,
    /// This part is its last.
    Last,
}

/// What became of a message that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It was taken whole.
    Taken,
    /// There was no room, and nothing of it was taken.
    Full,
}

/// How many messages a closing sender could not hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// This many of them; zero where all went out.
    Count(u64),
    /// Nobody can tell, as with PUB.
    Unknown,
}

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(messages) => messages.fmt(f),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

impl Stream {
    /// Opens a stream; see [`connect`](crate::connect).
    pub(crate) fn open(address: &str, options: Options) -> Result<Self> {
        let address: Address = address.parse()?;
        if options.attach == Attach::Connect {
            address.resolve()?;
        }
        let context = match &options.context {
            Some(context) => context.clone(),
            None => zmq::Context::new(),
        };
        let socket = set_up(&context, &address, &options)
            .map_err(|source| Error::Socket { address: address.to_string(), source })?;
        let attached = match options.attach {
            Attach::Connect => socket
                .connect(address.as_str())
                .map_err(|source| Error::Connect { address: address.to_string(), source }),
            Attach::Bind => socket
                .bind(address.as_str())
                .map_err(|source| Error::Bind { address: address.to_string(), source }),
        };
        if let Err(error) = attached {
            // Nothing is queued: let the context go without waiting.
            let _ = socket.set_linger(0);
            return Err(error);
        }
        let endpoint = match socket.get_last_endpoint() {
            Ok(Ok(endpoint)) if !endpoint.is_empty() => endpoint,
            _ => address.to_string(),
        };
        tracing::debug!(%address, %endpoint, mode = %options.mode, "stream is open");
        Ok(Self {
            socket,
            monitor: None,
            context,
            mode: options.mode,
            attach: options.attach,
            address,
            endpoint,
            timeout: options.timeout,
            send_timeout: options.send_timeout,
            stop: options.stop,
            handlers: options.handlers,
            statistics: Statistics::default(),
            gathered: Frames::new(),
            receipts: (options.mode == Mode::Push).then(Receipts::default),
        })
    }

    /// Returns the address as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// Returns the address as libzmq resolved it: with its port where `*` asked for a free one.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the endpoint that peers connect to, where this stream binds.
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

    /// Watches the connections of this stream, in place of a monitor that did so before.
    ///
    /// # Errors
    /// Where libzmq has no resources left.
    pub fn monitor(&mut self, options: MonitorOptions) -> Result<Monitor> {
        let (monitor, thread) = Monitor::start(&self.context, &self.socket, options)
            .map_err(|source| Error::Socket { address: self.address.to_string(), source })?;
        self.monitor = Some(thread);
        Ok(monitor)
    }

    /// Closes the stream now, as dropping it does.
    pub fn disconnect(self) {
        drop(self);
    }

    // ---- receiving ----

    /// Receives and decodes the next message: `None` where none came before the timeout or a stop
    /// was requested. A message that cannot be decoded is one too:
    /// [`Data::Broken`](mflow_handlers::Data::Broken).
    ///
    /// # Errors
    /// Where the transport fails, or the stream is one that sends.
    pub fn receive(&mut self) -> Result<Option<Decoded>> {
        let Some(message) = self.receive_raw()? else {
            return Ok(None);
        };
        let data = self.handlers.decode(message);
        Ok(Some(Decoded { data, statistics: self.statistics }))
    }

    /// Receives the next message and decodes it with `decode` rather than with a handler for its
    /// htype.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); what `decode` says is inside the message.
    pub fn receive_with<T>(
        &mut self,
        decode: impl FnOnce(&mut Parts<'_>) -> Result<T, DecodeError>,
    ) -> Result<Option<Decoded<Result<T, DecodeError>>>> {
        let Some(message) = self.receive_raw()? else {
            return Ok(None);
        };
        let data = decode(&mut Parts::new(&message));
        Ok(Some(Decoded { data, statistics: self.statistics }))
    }

    /// Receives the next message and leaves it undecoded.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_raw(&mut self) -> Result<Option<Message>> {
        Ok(self.receive_frames()?.map(Message::from))
    }

    /// Receives the next message as the frames it came in, shared and not copied.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_frames(&mut self) -> Result<Option<Frames>> {
        let end = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(frames) = self.try_receive()? {
                return Ok(Some(frames));
            }
            if !self.wait_for(zmq::POLLIN, end)? {
                return Ok(None);
            }
        }
    }

    /// Iterates over the messages to come, decoded; ends at the timeout or when a stop is
    /// requested. A message that cannot be decoded does not end it.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages(self)
    }

    /// Takes a message that is there already.
    pub(crate) fn try_receive(&mut self) -> Result<Option<Frames>> {
        self.check_direction(Direction::Receive)?;
        let mut frames = Frames::new();
        loop {
            let mut frame = Frame::new();
            match frame.recv(&mut self.socket, zmq::DONTWAIT) {
                Ok(()) => {
                    let more = frame.more();
                    frames.push(frame);
                    if !more {
                        self.statistics.count(frames.bytes());
                        return Ok(Some(frames));
                    }
                }
                Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::EAGAIN) if frames.is_empty() => return Ok(None),
                Err(source) => return Err(self.receive_error(source)),
            }
        }
    }

    /// Counts messages that are there already without keeping any, in one frame used again and
    /// again.
    pub(crate) fn tally(&mut self, most: u64) -> Result<Tally> {
        self.check_direction(Direction::Receive)?;
        let mut tally = Tally::default();
        let mut frame = Frame::new();
        let mut message = None;
        while tally.has_room(most) || message.is_some() {
            match frame.recv(&mut self.socket, zmq::DONTWAIT) {
                Ok(()) => {
                    let bytes = message.take().unwrap_or(0) + frame.len();
                    if frame.more() {
                        message = Some(bytes);
                    } else {
                        self.statistics.count(bytes);
                        tally.messages += 1;
                        tally.bytes += bytes as u64;
                    }
                }
                Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::EAGAIN) if message.is_none() => break,
                Err(source) => return Err(self.receive_error(source)),
            }
        }
        Ok(tally)
    }

    fn receive_error(&self, source: zmq::Error) -> Error {
        Error::Receive { address: self.address.to_string(), source }
    }

    // ---- sending ----

    /// Sends a message, waiting for a peer that takes it.
    ///
    /// # Errors
    /// [`Error::NotTaken`] where no peer took it before the send timeout or a stop was requested;
    /// [`Error::NoParts`] for a message without parts; otherwise where the transport fails, or the
    /// stream is one that receives.
    pub fn send(&mut self, message: impl Into<Frames>) -> Result<()> {
        self.send_frames(&message.into())
    }

    /// Gathers the parts of a message and sends it with the last one.
    ///
    /// # Errors
    /// As [`send`](Self::send), with the last part; the whole message is dropped then.
    pub fn send_part(&mut self, part: impl Into<Frame>, more: More) -> Result<()> {
        self.gathered.push(part.into());
        match more {
            More::Follows => Ok(()),
            More::Last => {
                let message = std::mem::take(&mut self.gathered);
                self.send_frames(&message)
            }
        }
    }

    /// Encodes data by its htype and sends it: what one stream received, another forwards.
    ///
    /// # Errors
    /// [`Error::Encode`] where no handler can encode it, otherwise as [`send`](Self::send).
    pub fn forward(&mut self, data: &Data) -> Result<()> {
        let message = self
            .handlers
            .encode(data)
            .map_err(|source| Error::Encode { address: self.address.to_string(), source })?;
        self.send(message)
    }

    fn send_frames(&mut self, frames: &Frames) -> Result<()> {
        let end = self.send_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while self.offer(frames)? == Offer::Full {
            if !self.wait_for(zmq::POLLOUT, end)? {
                return Err(Error::NotTaken { address: self.address.to_string() });
            }
        }
        Ok(())
    }

    /// Hands a share of a message to libzmq, whole or not at all.
    pub(crate) fn offer(&mut self, frames: &Frames) -> Result<Offer> {
        self.check_direction(Direction::Send)?;
        let Some(last) = frames.len().checked_sub(1) else {
            return Err(Error::NoParts { address: self.address.to_string() });
        };
        let counted = receipt::place(frames);
        'message: loop {
            for (index, part) in frames.iter().enumerate() {
                let share = match &mut self.receipts {
                    Some(receipts) if index == counted => receipts.count(part),
                    _ => part.share(),
                };
                let flags = if index == last { 0 } else { zmq::SNDMORE };
                if self.send_one(share, flags)? == Offer::Taken {
                    continue;
                }
                match index {
                    0 => return Ok(Offer::Full),
                    _ if index == last => {}
                    _ => self.forget_unfinished()?,
                }
                continue 'message;
            }
            return Ok(Offer::Taken);
        }
    }

    /// Hands one part to libzmq.
    fn send_one(&mut self, mut frame: Frame, flags: i32) -> Result<Offer> {
        loop {
            match frame.send(&mut self.socket, flags | zmq::DONTWAIT) {
                Ok(()) => return Ok(Offer::Taken),
                Err(zmq::Error::EAGAIN) => return Ok(Offer::Full),
                Err(zmq::Error::EINTR) => {}
                Err(source) => {
                    return Err(Error::Send { address: self.address.to_string(), source });
                }
            }
        }
    }

    /// Ends a message whose peer died under it: libzmq swallows everything up to a last part.
    fn forget_unfinished(&mut self) -> Result<()> {
        tracing::debug!(address = %self.address, "a peer died in mid-message: sending it again");
        self.send_one(Frame::new(), 0).map(drop)
    }

    /// Closes the stream after everything was handed over, as long as there is some progress in
    /// each `patience`; says how many messages were not.
    pub(crate) fn finish(mut self, patience: Duration) -> Unconfirmed {
        let left = self.receipts.as_mut().map(|receipts| receipts.settle(patience));
        let linger = match left {
            None | Some(0) => i32::try_from(patience.as_millis()).unwrap_or(i32::MAX),
            Some(_) => 0,
        };
        let _ = self.socket.set_linger(linger);
        left.map_or(Unconfirmed::Unknown, Unconfirmed::Count)
    }

    // ---- both ----

    /// Adds the socket to what a wait is for.
    pub(crate) fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        let events = if self.mode.sends() { zmq::POLLOUT } else { zmq::POLLIN };
        set.socket(&self.socket, events);
    }

    fn wait_for(&self, events: zmq::PollEvents, end: Option<Instant>) -> Result<bool> {
        let mut set = WaitSet::new();
        set.socket(&self.socket, events);
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        set.wait(&self.stop, left)
            .map_err(|source| Error::Wait { name: self.address.to_string(), source })
    }

    fn check_direction(&self, direction: Direction) -> Result<()> {
        let verb = match (direction, self.mode.sends()) {
            (Direction::Send, true) | (Direction::Receive, false) => return Ok(()),
            (Direction::Send, false) => "send",
            (Direction::Receive, true) => "receive",
        };
        Err(Error::Direction { address: self.address.to_string(), mode: self.mode, verb })
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
    address: &Address,
    options: &Options,
) -> Result<zmq::Socket, zmq::Error> {
    if options.context.is_none() {
        context.set_io_threads(options.io_threads.max(1).into())?;
    }
    let socket = context.socket(options.mode.socket_type())?;
    let queue = i32::try_from(options.queue_size).unwrap_or(i32::MAX);
    socket.set_sndhwm(queue)?;
    socket.set_rcvhwm(queue)?;
    socket.set_linger(
        options.linger.map_or(-1, |linger| i32::try_from(linger.as_millis()).unwrap_or(i32::MAX)),
    )?;
    // Heartbeats of ZMTP would be new to old detectors; TCP's own find a dead peer too.
    socket.set_tcp_keepalive(1)?;
    socket.set_ipv6(address.is_ipv6())?;
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

/// The messages of a stream to come; see [`Stream::messages`].
pub struct Messages<'a>(&'a mut Stream);

impl Iterator for Messages<'_> {
    type Item = Result<Decoded>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.receive().transpose()
    }
}
