//! Who is connected to a stream, and what happens to its connections.
//!
//! The program decides what follows from that. It may give an action for the case that no peer has
//! been connected for a while.
//!
//! Every stream has a thread named `mflow-monitor` that counts its peers for as long as it lives. A
//! [`Monitor`] looks at the count; callbacks run on that thread, one at a time.

mod connections;
mod flood;
mod reopening;
mod report;
mod stranger;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use watch::Shared;

pub(crate) use stranger::Subject;
pub(crate) use watch::MonitorThread;

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
    /// The peer does not speak ZMTP, an old version that the stream does not admit, or is a socket
    /// of the wrong kind; or the connection ended before the handshake.
    HandshakeFailed,
    /// The connection has ended.
    Disconnected,
    /// The socket was closed.
    Closed,
    /// Something that this version does not know.
    Other(u16),
}

impl PeerEventKind {
    fn from_raw(raw: u32) -> Self {
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
            .find(|(known, _)| *known == raw)
            .map_or_else(|| Self::Other(u16::try_from(raw).unwrap_or(0)), |(_, kind)| *kind)
    }
}

/// An event of a connection, and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerEvent {
    /// What happened.
    pub kind: PeerEventKind,
    /// The address it happened at.
    pub endpoint: String,
    /// The other end of the connection, such as `tcp://10.0.0.3:40112`; empty when there is none, or
    /// it has no name, as with `ipc://`.
    pub remote: String,
    /// How many peers are connected now.
    pub peers: usize,
}

type OnEvent = Box<dyn FnMut(&PeerEvent) + Send>;
type OnAbsence = Box<dyn FnMut() + Send>;

/// What a [`Monitor`] does; nothing but counting by default.
///
/// Its actions should return soon: closing the stream waits for a running action, and events are
/// kept in memory until it returns. An action must not wait for the thread that closes the stream.
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

    /// Calls `action` when no peer has been connected for as long as `timeout`: once each time
    /// after the last peer disconnected, and once if no peer connected at the start.
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
/// use mflow::{MonitorOptions, Options, connect};
/// let mut sender = connect("tcp://127.0.0.1:*", Options::push().bind())?;
/// let monitor = sender.monitor(MonitorOptions::default());
/// let receiver = connect(sender.endpoint(), Options::pull())?;
/// assert!(monitor.wait_for_peers(1, Duration::from_secs(10)));
/// # Ok::<(), mflow::Error>(())
/// ```
pub struct Monitor {
    shared: Arc<Shared>,
    number: u64,
}

impl Monitor {
    /// Returns how many peers are connected and have agreed on the protocol.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.shared.peers()
    }

    /// Waits until at least `count` peers are connected; false if that does not happen in
    /// `timeout`, or the stream closes first.
    #[must_use]
    pub fn wait_for_peers(&self, count: usize, timeout: Duration) -> bool {
        self.shared.wait_for_peers(count, timeout)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.shared.forget(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect;
    use crate::stream::Options;
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
        let (report, events) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let options = MonitorOptions::default().on_event(move |event| {
            let _ = report.send(event.clone());
        });
        let monitor = bound.monitor(options);
        let first = connect(bound.endpoint(), Options::pull()).unwrap();
        assert!(monitor.wait_for_peers(1, LONG));
        let mut second = connect(bound.endpoint(), Options::pull()).unwrap();
        let watched = second.monitor(MonitorOptions::default());
        assert!(watched.wait_for_peers(1, LONG));
        assert!(monitor.wait_for_peers(2, LONG));
        first.disconnect();
        assert_eq!(until(&events, PeerEventKind::Disconnected).peers, 1);
        bound.disconnect();
        assert!(!watched.wait_for_peers(2, Duration::from_millis(10)));
    }

    #[test]
    fn a_monitor_takes_the_place_of_another_and_knows_who_was_there_before() {
        let (report, events) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let first = bound.monitor(MonitorOptions::default().on_event(move |event| {
            let _ = report.send(event.clone());
        }));
        let _peer = connect(bound.endpoint(), Options::pull()).unwrap();
        assert!(first.wait_for_peers(1, LONG));
        let second = bound.monitor(MonitorOptions::default());
        drop(first);
        assert_eq!(second.peers(), 1);
        assert!(events.try_iter().count() > 0);
        assert_eq!(events.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[test]
    fn a_callback_that_panics_is_called_no_more_and_stalls_nothing() {
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let monitor = bound.monitor(MonitorOptions::default().on_event(|event| {
            assert_ne!(event.kind, PeerEventKind::HandshakeSucceeded, "on purpose");
        }));
        let mut peers = Vec::new();
        for count in 1..=3 {
            let options = Options::pull().timeout(Duration::from_millis(5));
            let mut newest = connect(bound.endpoint(), options).unwrap();
            assert!(monitor.wait_for_peers(count, LONG));
            let deadline = std::time::Instant::now() + LONG;
            while newest.receive_raw().unwrap().is_none() {
                assert!(std::time::Instant::now() < deadline, "peer {count} gets nothing");
                bound.send([&b"hello"[..]]).unwrap();
            }
            peers.push(newest);
        }
    }

    #[test]
    fn a_monitor_may_be_dropped_in_its_own_callback() {
        let (report, reports) = mpsc::channel();
        let (give, given) = mpsc::channel::<Monitor>();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let monitor = bound.monitor(MonitorOptions::default().on_event(move |event| {
            if event.kind == PeerEventKind::HandshakeSucceeded {
                drop(given.recv_timeout(LONG).unwrap());
                report.send(()).unwrap();
            }
        }));
        give.send(monitor).unwrap();
        let _peer = connect(bound.endpoint(), Options::pull()).unwrap();
        reports.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn a_failed_handshake_is_no_peer() {
        let (report, events) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let options = MonitorOptions::default().on_event(move |event| {
            let _ = report.send(event.clone());
        });
        let monitor = bound.monitor(options);
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
    fn absence_is_reported_once_each_time_the_last_peer_disconnects() {
        let (report, absences) = mpsc::channel();
        let mut bound = connect("tcp://127.0.0.1:*", Options::push().bind()).unwrap();
        let options = MonitorOptions::default().no_client(Duration::from_millis(20), move || {
            let _ = report.send(());
        });
        let monitor = bound.monitor(options);
        absences.recv_timeout(LONG).unwrap();
        let peer = connect(bound.endpoint(), Options::pull()).unwrap();
        assert!(monitor.wait_for_peers(1, LONG));
        drop(peer);
        absences.recv_timeout(LONG).unwrap();
        drop(monitor);
        assert_eq!(absences.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
