//! Counting the messages that libzmq has not let go of yet.
//!
//! ZMTP acknowledges nothing and libzmq tells nobody how full its queues are. But it frees a buffer
//! of ours once it has written it, so a message whose last part says so when it is freed can be
//! counted as handed over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::Frame;

/// How often a wait for the last receipts looks whether there was any progress.
const LOOK: Duration = Duration::from_millis(50);

/// The messages of one stream that are in libzmq's hands.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Arc<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    outstanding: AtomicU64,
    waiting: OnceLock<Thread>,
}

/// The last part of a message, counted until it is freed.
struct Counted {
    frame: Frame,
    ledger: Arc<Ledger>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.frame.as_ref()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.ledger.outstanding.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(waiting) = self.ledger.waiting.get()
        {
            waiting.unpark();
        }
    }
}

impl Receipts {
    /// Counts a message from now until libzmq frees this, its last part.
    pub(crate) fn count(&self, frame: Frame) -> Frame {
        self.0.outstanding.fetch_add(1, Ordering::AcqRel);
        Frame::from_owner(Counted { frame, ledger: Arc::clone(&self.0) })
    }

    /// Waits until every counted message was handed over, as long as there is progress at least
    /// once in `patience`, and returns how many were not.
    pub(crate) fn settle(&self, patience: Duration) -> u64 {
        let _ = self.0.waiting.set(std::thread::current());
        let mut last = u64::MAX;
        let mut progress = Instant::now();
        loop {
            let outstanding = self.0.outstanding.load(Ordering::Acquire);
            if outstanding < last {
                last = outstanding;
                progress = Instant::now();
            }
            let idle = progress.elapsed();
            if outstanding == 0 || idle >= patience {
                return outstanding;
            }
            std::thread::park_timeout(LOOK.min(patience - idle));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_until_its_last_share_is_gone() {
        let receipts = Receipts::default();
        let first = receipts.count(Frame::from(&b"one"[..]));
        let share = first.clone();
        let second = receipts.count(Frame::new());
        assert_eq!(share.as_ref(), b"one");
        assert_eq!(receipts.settle(Duration::ZERO), 2);
        drop(first);
        assert_eq!(receipts.settle(Duration::ZERO), 2);
        drop((share, second));
        assert_eq!(receipts.settle(Duration::from_secs(60)), 0);
    }
}
