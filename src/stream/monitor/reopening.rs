//! When to reopen a connection that libzmq has given up.
//!
//! libzmq tries again when a connection breaks, but never after a peer has broken the protocol, is
//! a socket of the wrong kind, or denies access. Another peer may be at the address later.

use std::time::{Duration, Instant};

use super::PeerEventKind;

/// A connection counts as given up when it ended this long ago and libzmq has not tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Decides when to reopen a connection, after growing pauses.
#[derive(Debug)]
pub(super) struct Reopening {
    pause: Duration,
    due: Option<Instant>,
}

impl Default for Reopening {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE, due: None }
    }
}

impl Reopening {
    /// Records an event of the connection, to know whether libzmq is handling it again.
    pub(super) fn note(&mut self, kind: PeerEventKind, now: Instant) -> bool {
        match kind {
            PeerEventKind::Disconnected => self.due = now.checked_add(self.pause),
            PeerEventKind::HandshakeSucceeded => self.pause = FIRST_PAUSE,
            PeerEventKind::Connected
            | PeerEventKind::ConnectDelayed
            | PeerEventKind::ConnectRetried => {
                self.due = None;
                return true;
            }
            _ => {}
        }
        false
    }

    /// Returns when to reopen it.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns whether to reopen it now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            self.due = None;
            self.pause = LONGEST_PAUSE.min(self.pause * 2);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_until_a_handshake_succeeds() {
        let mut reopening = Reopening::default();
        let start = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            reopening.note(PeerEventKind::Disconnected, start);
            let pause = reopening.due().unwrap() - start;
            assert!(!reopening.take(start) && reopening.take(start + pause));
            assert!(!reopening.take(start + pause), "once");
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
        reopening.note(PeerEventKind::HandshakeSucceeded, start);
        reopening.note(PeerEventKind::Disconnected, start);
        assert_eq!(reopening.due(), Some(start + FIRST_PAUSE));
    }

    #[test]
    fn a_connection_that_libzmq_tries_again_is_not_opened_again() {
        let mut reopening = Reopening::default();
        let now = Instant::now();
        reopening.note(PeerEventKind::Disconnected, now);
        assert!(reopening.note(PeerEventKind::ConnectRetried, now));
        assert!(!reopening.take(now + LONGEST_PAUSE));
    }
}
