//! Warnings about connections that are no peers: port scanners, browsers, sockets of the wrong
//! kind.

use std::fmt;
use std::time::{Duration, Instant};

use super::report::{Failure, Report};
use crate::stream::{Attach, Mode};

/// For this long after a warning, the next ones are only counted.
const SILENCE: Duration = Duration::from_secs(10);

/// The stream whose connections are watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) mode: Mode,
    pub(crate) attach: Attach,
    /// Whether peers that speak ZMTP 1 or 2 are admitted.
    pub(crate) admits_old: bool,
}

/// Warns of strangers, at a limited rate.
pub(super) struct Warner {
    subject: Subject,
    silent_until: Option<Instant>,
    unsaid: u64,
}

impl Warner {
    pub(super) fn new(subject: Subject) -> Self {
        Self { subject, silent_until: None, unsaid: 0 }
    }

    /// Warns of a stranger whose connection has ended.
    pub(super) fn warn(&mut self, report: &Report, failure: Failure, now: Instant) {
        let why = Why { subject: self.subject, failure };
        let Report { local, remote, .. } = report;
        let is_bound = self.subject.attach == Attach::Bind;
        if is_bound && failure == Failure::Ended && !self.subject.admits_old {
            // A program has checked whether the port is open.
            tracing::info!("'{local}': '{remote}' is not a peer: {why}");
            return;
        }
        if self.silent_until.is_some_and(|until| now < until) {
            self.unsaid += 1;
            return;
        }
        self.silent_until = now.checked_add(SILENCE);
        let more = match std::mem::take(&mut self.unsaid) {
            0 => String::new(),
            more => format!(" (and {more} more before)"),
        };
        if is_bound {
            tracing::warn!("'{local}': '{remote}' is not a peer: {why}{more}");
        } else {
            tracing::warn!("'{remote}' is not a peer, trying again: {why}{more}");
        }
    }
}

/// Why a connection is no peer.
struct Why {
    subject: Subject,
    failure: Failure,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { mode, admits_old, .. } = self.subject;
        let expected = mode.counterpart();
        match self.failure {
            Failure::Ended if admits_old => {
                f.write_str("it ended without a handshake of ZMTP 3")
            }
            Failure::Ended => f.write_str("it ended before the handshake"),
            Failure::Protocol => f.write_str("it does not speak ZMTP"),
            Failure::Mechanism => f.write_str(
                "expected the same security mechanism on both sides, found two, such as CURVE and none",
            ),
            Failure::Denied(status) => write!(f, "access is denied with ZAP status {status}"),
            Failure::Unsaid if admits_old => write!(f, "expected a {expected}"),
            Failure::Unsaid => write!(f, "expected a {expected} that speaks ZMTP 3"),
        }
    }
}
