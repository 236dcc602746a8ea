//! Which connections of a socket are open, and which of them are peers.
//!
//! A connection counts as a peer once its handshake has succeeded. libzmq reports nothing when it
//! refuses a peer of ZMTP 1 or 2, or a socket of the wrong kind: the connection just ends without a
//! handshake.

use super::PeerEventKind;
use super::report::{Failure, Report};

/// The open connections of a socket.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Vec<Connection>,
    peers: usize,
}

#[derive(Debug)]
struct Connection {
    /// Not known until the connection is reported, which may be after its handshake.
    descriptor: Option<u64>,
    local: String,
    remote: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not identified yet; a peer of an old version stays in this state.
    Unknown,
    Peer,
    Failed(Failure),
}

/// What a report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Nothing,
    /// A connection has ended that never had a handshake.
    Stranger(Failure),
}

impl Connections {
    /// Returns how many peers there are.
    pub(super) fn peers(&self) -> usize {
        self.peers
    }

    /// Returns how many connections are open, peers or not.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Returns the descriptor of the connection to each peer, and the peer's address.
    pub(super) fn to_peers(&self) -> impl Iterator<Item = (u64, &str)> {
        let peers = self.open.iter().filter(|it| it.state == State::Peer);
        peers.filter_map(|it| Some((it.descriptor?, it.remote.as_str())))
    }

    /// Records an event.
    pub(super) fn note(&mut self, report: &Report) -> Meaning {
        match report.kind {
            PeerEventKind::Accepted | PeerEventKind::Connected => self.begin(report),
            PeerEventKind::HandshakeSucceeded => {
                self.begun(report).state = State::Peer;
                self.peers += 1;
            }
            // Data that cannot be decrypted is reported in this way too, later on.
            PeerEventKind::HandshakeFailed if self.is_peer(report) => {}
            PeerEventKind::HandshakeFailed => {
                self.begun(report).state = State::Failed(report.failure);
            }
            PeerEventKind::Disconnected => return self.end(report),
            _ => {}
        }
        Meaning::Nothing
    }

    fn begin(&mut self, report: &Report) {
        // A descriptor that is in use again was closed before, without a report.
        if let Some(place) = self.open.iter().position(|it| it.descriptor == Some(report.value)) {
            self.remove(place);
        }
        let early = |it: &&mut Connection| it.descriptor.is_none() && it.is_between(report);
        match self.open.iter_mut().find(early) {
            Some(connection) => connection.descriptor = Some(report.value),
            None => self.open.push(Connection::of(report, Some(report.value))),
        }
    }

    /// Returns the connection whose handshake is reported.
    fn begun(&mut self, report: &Report) -> &mut Connection {
        let begun = |it: &Connection| it.state == State::Unknown && it.is_between(report);
        let place = self.open.iter().position(begun).unwrap_or_else(|| {
            self.open.push(Connection::of(report, None));
            self.open.len() - 1
        });
        &mut self.open[place]
    }

    fn is_peer(&self, report: &Report) -> bool {
        let mut between = self.open.iter().filter(|it| it.is_between(report)).peekable();
        between.peek().is_some() && between.all(|it| it.state == State::Peer)
    }

    fn end(&mut self, report: &Report) -> Meaning {
        let known = self.open.iter().position(|it| it.descriptor == Some(report.value));
        let place = known.or_else(|| self.open.iter().position(|it| it.is_between(report)));
        match place.map(|place| self.remove(place)) {
            Some(State::Peer) => Meaning::Nothing,
            Some(State::Failed(failure)) => Meaning::Stranger(failure),
            Some(State::Unknown) | None => Meaning::Stranger(Failure::Unsaid),
        }
    }

    fn remove(&mut self, place: usize) -> State {
        let state = self.open.swap_remove(place).state;
        self.peers -= usize::from(state == State::Peer);
        state
    }
}

impl Connection {
    fn of(report: &Report, descriptor: Option<u64>) -> Self {
        let (local, remote) = (report.local.clone(), report.remote.clone());
        Self { descriptor, local, remote, state: State::Unknown }
    }

    fn is_between(&self, report: &Report) -> bool {
        self.local == report.local && self.remote == report.remote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: PeerEventKind, value: u64, remote: &str) -> Report {
        let (local, remote) = ("tcp://127.0.0.1:9".to_owned(), remote.to_owned());
        Report { kind, failure: Failure::Ended, value, local, remote }
    }

    #[test]
    fn a_connection_that_ends_without_a_handshake_takes_no_peer_away() {
        use PeerEventKind::{Accepted, Disconnected, HandshakeFailed, HandshakeSucceeded};
        let mut connections = Connections::default();
        let mut note = |kind, value, remote| {
            let meaning = connections.note(&report(kind, value, remote));
            (meaning, connections.peers(), connections.open())
        };
        assert_eq!(note(Accepted, 7, "a"), (Meaning::Nothing, 0, 1));
        assert_eq!(note(Accepted, 8, "b"), (Meaning::Nothing, 0, 2));
        assert_eq!(note(Accepted, 9, "c"), (Meaning::Nothing, 0, 3));
        assert_eq!(note(HandshakeSucceeded, 0, "b"), (Meaning::Nothing, 1, 3));
        assert_eq!(note(Disconnected, 7, "a"), (Meaning::Stranger(Failure::Unsaid), 1, 2));
        assert_eq!(note(HandshakeFailed, 0, "c"), (Meaning::Nothing, 1, 2));
        assert_eq!(note(Disconnected, 9, "c"), (Meaning::Stranger(Failure::Ended), 1, 1));
        assert_eq!(note(Disconnected, 8, "b"), (Meaning::Nothing, 0, 0));
    }

    #[test]
    fn a_handshake_may_be_reported_before_its_connection() {
        use PeerEventKind::{Accepted, Disconnected, HandshakeSucceeded};
        let mut connections = Connections::default();
        for (kind, value, peers) in
            [(HandshakeSucceeded, 0, 1), (Accepted, 7, 1), (Disconnected, 7, 0)]
        {
            assert_eq!(connections.note(&report(kind, value, "a")), Meaning::Nothing);
            assert_eq!(connections.peers(), peers);
        }
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn a_descriptor_that_is_used_again_ends_the_peer_that_had_it() {
        use PeerEventKind::{Connected, HandshakeSucceeded};
        let mut connections = Connections::default();
        connections.note(&report(Connected, 7, "a"));
        connections.note(&report(HandshakeSucceeded, 0, "a"));
        connections.note(&report(Connected, 7, "a"));
        assert_eq!((connections.peers(), connections.open()), (0, 1));
    }
}
