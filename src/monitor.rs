//! Who is connected to a stream, and what happens to its connections.
//!
//! What follows from that is left to the program, which may give an action to take when nobody has
//! been connected for a while.
//!
//! libzmq reports to a socket of its own, and stalls the whole stream when nobody reads it. So a
//! thread named `mflow-monitor` reads it for as long as the stream lives, whether or not the
//! [`Monitor`] still does. Callbacks run on that thread, one at a time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{Stop, WaitSet};

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEventKind {
    /// The address is bound.
    Listening,
    /// The address could not be bound.
    BindFailed,
    /// Connected, on the level of TCP.
    Connected,
    /// Connecting takes a while.
    ConnectDelayed,
    /// Connecting failed and will be tried again.
    ConnectRetried,
    /// A peer has connected, on the level of TCP.
    Accepted,
    /// A connection could not be accepted.
    AcceptFailed,
    /// The peer speaks ZMTP: messages can flow.
    HandshakeSucceeded,
    /// The peer does not speak ZMTP, or the wrong kind of it.
    HandshakeFailed,
    /// The connection has ended.
    Disconnected,
    /// The socket was closed.
    Closed,
    /// Something that this version does not know.
    Other(u16),
}

impl PeerEventKind {
    fn from_raw(raw: u16) -> Self {
        const KINDS: [(u32, PeerEventKind); 14] = [
            (zmq_sys::ZMQ_EVENT_LISTENING, PeerEventKind::Listening),
            (zmq_sys::ZMQ_EVENT_BIND_FAILED, PeerEventKind::BindFailed),
            (zmq_sys::ZMQ_EVENT_CONNECTED, PeerEventKind::Connected),
            (zmq_sys::ZMQ_EVENT_CONNECT_DELAYED, PeerEventKind::ConnectDelayed),
            (zmq_sys::ZMQ_EVENT_CONNECT_RETRIED, PeerEventKind::ConnectRetried),
            (zmq_sys::ZMQ_EVENT_ACCEPTED, PeerEventKind::Accepted),
            (zmq_sys::ZMQ_EVENT_ACCEPT_FAILED, PeerEventKind::AcceptFailed),
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED, PeerEventKind::HandshakeSucceeded),
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, PeerEventKind::HandshakeFailed),
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, PeerEventKind::HandshakeFailed),
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, PeerEventKind::HandshakeFailed),
            (zmq_sys::ZMQ_EVENT_DISCONNECTED, PeerEventKind::Disconnected),
            (zmq_sys::ZMQ_EVENT_CLOSED, PeerEventKind::Closed),
            (zmq_sys::ZMQ_EVENT_CLOSE_FAILED, PeerEventKind::Closed),
        ];
        KINDS
            .iter()
            .find(|(known, _)| *known == u32::from(raw))
            .map_or(Self::Other(raw), |(_, kind)| *kind)
    }
}

/// Something that happened to a connection, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerEvent {
    /// What happened.
    pub kind: PeerEventKind,
    /// The address it happened at.
    pub endpoint: String,
    /// How many peers are connected now.
    pub peers: usize,
}

type OnEvent = Box<dyn FnMut(&PeerEvent) + Send>;
type OnAbsence = Box<dyn FnMut() + Send>;

/// What a [`Monitor`] does; nothing but counting by default.
#[derive(Default)]
pub struct MonitorOptions {
    on_event: Option<OnEvent>,
    no_client: Option<(Duration, OnAbsence)>,
}

impl MonitorOptions {
    /// Calls `action` for every event.
    #[must_use]
    pub fn on_event(mut self, action: impl FnMut(&PeerEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(action));
        self
    }

    /// Calls `action` when nobody has been connected for as long as `timeout`: once each time that
    /// the last peer leaves, and once where none came at the start.
    #[must_use]
    pub fn no_client(mut self, timeout: Duration, action: impl FnMut() + Send + 'static) -> Self {
        self.no_client = Some((timeout, Box::new(action)));
        self
    }
}

/// A watch over the connections of a stream; ends when dropped or when the stream closes. No
/// callback runs after that.
///
/// ```
/// use std::time::Duration;
/// use mflow::{MonitorOptions, Options, Stop, connect};
/// let mut sender = connect("tcp://127.0.0.1:*", Options::push().bind())?;
/// let monitor = sender.monitor(MonitorOptions::default())?;
/// let receiver = connect(sender.endpoint(), Options::pull())?;
/// assert!(monitor.wait_for_peers(1, Duration::from_secs(10)));
/// # Ok::<(), mflow::Error>(())
/// ```
pub struct Monitor {
    shared: Arc<Shared>,
    stop: Stop,
}

/// The thread that reads the reports; dropped after the socket has closed, it waits for its end.
pub(crate) struct MonitorThread(Option<JoinHandle<()>>);

#[derive(Default)]
struct Shared {
    peers: AtomicUsize,
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor {
    pub(crate) fn start(
        context: &zmq::Context,
        socket: &zmq::Socket,
        options: MonitorOptions,
    ) -> Result<(Self, MonitorThread), zmq::Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let address = format!("inproc://mflow-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let stop = Stop::new().map_err(|_| zmq::Error::EMFILE)?;
        let reports = context.socket(zmq::PAIR)?;
        reports.set_linger(0)?;
        let shared = Arc::new(Shared::default());
        let watch = Watch { options, shared: Arc::clone(&shared), failed_handshakes: 0 };
        let stopped = stop.clone();
        socket.monitor(&address, i32::from(u16::MAX))?;
        reports.connect(&address)?;
        let thread = std::thread::Builder::new()
            .name("mflow-monitor".into())
            .spawn(move || watch.run(&reports, &stopped))
            .map_err(|_| zmq::Error::EMTHREAD)?;
        Ok((Self { shared, stop }, MonitorThread(Some(thread))))
    }

    /// Returns how many peers are connected and have agreed on the protocol.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.shared.peers.load(Ordering::Acquire)
    }

    /// Waits until at least `count` peers are connected; false where that does not happen in
    /// `timeout`, or the stream closes first.
    #[must_use]
    pub fn wait_for_peers(&self, count: usize, timeout: Duration) -> bool {
        let missing = |ended: &mut bool| !*ended && self.peers() < count;
        drop(self.shared.changed.wait_timeout_while(self.shared.lock(), timeout, missing));
        self.peers() >= count
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop.request();
        let running = |ended: &mut bool| !*ended;
        drop(self.shared.changed.wait_while(self.shared.lock(), running));
    }
}

impl Drop for MonitorThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A callback that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// The thread's side of a monitor.
struct Watch {
    options: MonitorOptions,
    shared: Arc<Shared>,
    /// Connections that will be reported as ended although they never counted.
    failed_handshakes: usize,
}

/// Says that a monitor has ended, whichever way it did.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        *self.0.lock() = true;
        self.0.changed.notify_all();
    }
}

impl Watch {
    fn run(self, reports: &zmq::Socket, stop: &Stop) {
        let end = End(Arc::clone(&self.shared));
        let drained = self.watch(reports, stop);
        drop(end);
        if !drained {
            drain(reports);
        }
    }

    /// Counts and tells until the stream has closed (true) or nobody is interested any more.
    fn watch(mut self, reports: &zmq::Socket, stop: &Stop) -> bool {
        let mut alone_since = Some(Instant::now());
        loop {
            let due = match (&self.options.no_client, alone_since) {
                (Some((timeout, _)), Some(since)) => since.checked_add(*timeout),
                _ => None,
            };
            let mut set = WaitSet::new();
            set.socket(reports, zmq::POLLIN);
            due.into_iter().for_each(|due| set.deadline(due));
            match set.wait(stop, None) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => return true,
            }
            match read(reports) {
                Report::Event(kind, endpoint) => match (self.tell(kind, endpoint), kind) {
                    (_, PeerEventKind::HandshakeSucceeded) => alone_since = None,
                    (0, PeerEventKind::Disconnected) if alone_since.is_none() => {
                        alone_since = Some(Instant::now());
                    }
                    _ => {}
                },
                Report::None if due.is_some_and(|due| due <= Instant::now()) => {
                    alone_since = None;
                    if let Some((_, action)) = &mut self.options.no_client {
                        action();
                    }
                }
                Report::None => {}
                Report::End => return true,
            }
        }
    }

    /// Counts and tells an event, and returns how many peers there are now.
    fn tell(&mut self, kind: PeerEventKind, endpoint: String) -> usize {
        let peers = self.count(kind);
        tracing::debug!(?kind, %endpoint, peers, "connection");
        if let Some(on_event) = &mut self.options.on_event {
            on_event(&PeerEvent { kind, endpoint, peers });
        }
        peers
    }

    /// Counts by handshakes: a connection that does not get so far is no peer.
    fn count(&mut self, kind: PeerEventKind) -> usize {
        let before = self.shared.peers.load(Ordering::Acquire);
        let peers = match kind {
            PeerEventKind::HandshakeSucceeded => before + 1,
            PeerEventKind::HandshakeFailed => {
                self.failed_handshakes += 1;
                before
            }
            PeerEventKind::Disconnected if self.failed_handshakes > 0 => {
                self.failed_handshakes -= 1;
                before
            }
            PeerEventKind::Disconnected => before.saturating_sub(1),
            _ => before,
        };
        if peers != before {
            let _ended = self.shared.lock();
            self.shared.peers.store(peers, Ordering::Release);
            self.shared.changed.notify_all();
        }
        peers
    }
}

/// What libzmq has reported.
enum Report {
    Event(PeerEventKind, String),
    /// Nothing is there at present.
    None,
    /// The socket has closed: nothing will come any more.
    End,
}

/// Takes one report off the socket.
fn read(reports: &zmq::Socket) -> Report {
    let parts = match reports.recv_multipart(zmq::DONTWAIT) {
        Ok(parts) => parts,
        Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => return Report::None,
        Err(_) => return Report::End,
    };
    let raw =
        parts.first().and_then(|head| head.first_chunk()).map_or(0, |raw| u16::from_ne_bytes(*raw));
    if u32::from(raw) == zmq_sys::ZMQ_EVENT_MONITOR_STOPPED {
        return Report::End;
    }
    let endpoint =
        parts.get(1).map_or_else(String::new, |text| String::from_utf8_lossy(text).into());
    Report::Event(PeerEventKind::from_raw(raw), endpoint)
}

/// Reads what nobody wants to know until the stream has closed.
fn drain(reports: &zmq::Socket) {
    loop {
        let mut set = WaitSet::new();
        set.socket(reports, zmq::POLLIN);
        if set.wait(&Stop::never(), None).is_err() || matches!(read(reports), Report::End) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, connect};
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(30);

    /// Receives events until one is of this kind.
    fn until(events: &mpsc::Receiver<PeerEvent>, kind: PeerEventKind) -> PeerEvent {
        loop {
            let event = events.recv_timeout(LONG).unwrap();
            if event.kind == kind {
                return event;
            }
        }
    }

    #[test]
    fn peers_are_counted_on_both_sides() {
        let (tell, events) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let options = MonitorOptions::default().on_event(move |event| {
            let _ = tell.send(event.clone());
        });
        let monitor = bound.monitor(options).unwrap();
        let first = connect(bound.endpoint(), Options::pull()).unwrap();
        assert!(monitor.wait_for_peers(1, LONG));
        let mut second = connect(bound.endpoint(), Options::pull()).unwrap();
        let watched = second.monitor(MonitorOptions::default()).unwrap();
        assert!(watched.wait_for_peers(1, LONG));
        assert!(monitor.wait_for_peers(2, LONG));
        first.disconnect();
        assert_eq!(until(&events, PeerEventKind::Disconnected).peers, 1);
        bound.disconnect();
        assert!(!watched.wait_for_peers(2, Duration::from_millis(10)));
    }

    #[test]
    fn a_failed_handshake_is_no_peer() {
        let (tell, events) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let options = MonitorOptions::default().on_event(move |event| {
            let _ = tell.send(event.clone());
        });
        let monitor = bound.monitor(options).unwrap();
        let receiver = connect(bound.endpoint(), Options::pull()).unwrap();
        assert!(monitor.wait_for_peers(1, LONG));
        let host = bound.endpoint().strip_prefix("tcp://").unwrap();
        let mut stranger = std::net::TcpStream::connect(host).unwrap();
        std::io::Write::write_all(&mut stranger, b"GET / HTTP/1.1\r\n\r\n").unwrap();
        drop(stranger);
        assert_eq!(until(&events, PeerEventKind::Disconnected).peers, 1);
        drop(receiver);
        assert_eq!(until(&events, PeerEventKind::Disconnected).peers, 0);
    }

    #[test]
    fn absence_is_told_once_for_each_time_that_the_last_peer_leaves() {
        let (tell, absences) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let options = MonitorOptions::default().no_client(Duration::from_millis(20), move || {
            let _ = tell.send(());
        });
        let monitor = bound.monitor(options).unwrap();
        absences.recv_timeout(LONG).unwrap();
        let peer = connect(bound.endpoint(), Options::pull()).unwrap();
        assert!(monitor.wait_for_peers(1, LONG));
        drop(peer);
        absences.recv_timeout(LONG).unwrap();
        drop(monitor);
        assert_eq!(absences.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
