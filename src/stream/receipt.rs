//! Counting the messages that libzmq has not released yet.
//!
//! ZMTP acknowledges nothing, and libzmq does not report how full its queues are. But libzmq frees
//! a buffer of ours once it has written it. So one part of each message reports when it is freed,
//! and the message then counts as handed over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::endpoint::Stop;
use crate::frame::{COPY_INTO_FRAME, Frame, Frames, INLINE, Slot};

/// How often a wait for the last receipts checks for progress.
const LOOK: Duration = Duration::from_millis(50);
/// How many small receipts are kept to be used again: enough for the default queues of ten peers.
const KEPT: usize = 1024;
/// How many turns before its own a small receipt is looked at.
const AHEAD: usize = 4;

/// Returns which part of a message is counted for it: the last. Only if that is small it is the
/// part before, if that is small as well but not so small that libzmq keeps it inline, and has
/// nothing to free: of a header and a small payload, the payload is what may be the same for many
/// messages, and cheaper to share than to write anew.
///
/// It hardly changes the count: libzmq copies parts this small into a batch of 8 KiB and frees them
/// then, before the batch is written.
pub(crate) fn place(frames: &Frames) -> usize {
    match &frames[..] {
        [.., before, last]
            if last.len() <= COPY_INTO_FRAME
                && (INLINE + 1..=COPY_INTO_FRAME).contains(&before.len()) =>
        {
            frames.len() - 2
        }
        _ => frames.len().saturating_sub(1),
    }
}

/// The messages of one stream that libzmq holds.
///
/// Small messages are sent at rates at which allocating a receipt, and counting it from two
/// threads, would cost as much as everything else. So their receipts are reused: libzmq mostly
/// releases them in order, so the next one is usually free.
#[derive(Default)]
pub(crate) struct Receipts {
    ledger: Arc<Ledger>,
    small: Vec<Slot<Entry>>,
    next: usize,
}

#[derive(Debug, Default)]
struct Ledger {
    outstanding: AtomicU64,
    waiting: OnceLock<Thread>,
}

/// Something that counts as long as it lives.
#[derive(Debug)]
struct Entry(Arc<Ledger>);

impl Entry {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.outstanding.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(ledger))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.0.outstanding.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(waiting) = self.0.waiting.get()
        {
            waiting.unpark();
        }
    }
}

/// A part of a message, counted until it is freed.
struct Counted {
    frame: Frame,
    _entry: Entry,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.frame.as_ref()
    }
}

impl Receipts {
    /// Makes `share` one of this part of a message, which counts until libzmq frees it.
    pub(crate) fn count(&mut self, part: &Frame, share: &mut Frame) {
        let bytes = part.as_ref();
        if bytes.len() <= COPY_INTO_FRAME && self.small(bytes, share) {
            return;
        }
        let counted = Counted { frame: part.clone(), _entry: Entry::new(&self.ledger) };
        *share = Frame::from_owner(counted);
    }

    /// Fills the small receipt whose turn it is, or a new one if that is not free yet;
    /// false if there are too many of them.
    fn small(&mut self, bytes: &[u8], share: &mut Frame) -> bool {
        if self.next >= self.small.len() {
            self.next = 0;
        }
        if let Some(soon) = self.small.get(self.next + AHEAD) {
            soon.prefetch();
        }
        let place = self.next;
        self.next += 1;
        if self.small.get_mut(place).is_some_and(|slot| slot.lend(bytes, share)) {
            return true;
        }
        if self.small.len() == KEPT {
            return false;
        }
        self.small.insert(place, Slot::new(Entry::new(&self.ledger)));
        self.small[place].lend(bytes, share)
    }

    /// Waits until every counted message was handed over, as long as there is progress at least
    /// once in `patience`, and returns how many were not. A stop ends the wait too, unless it was
    /// requested before the wait.
    pub(crate) fn settle(&mut self, patience: Duration, stop: &Stop) -> u64 {
        let never = Stop::never();
        let stop = if stop.is_requested() { &never } else { stop };
        // From now on a small receipt lives, and counts, only as long as libzmq has it.
        self.small.clear();
        let _ = self.ledger.waiting.set(std::thread::current());
        let mut last = u64::MAX;
        let mut progress = Instant::now();
        loop {
            let outstanding = self.ledger.outstanding.load(Ordering::Acquire);
            if outstanding < last {
                last = outstanding;
                progress = Instant::now();
            }
            let idle = progress.elapsed();
            if outstanding == 0 || idle >= patience || stop.is_requested() {
                return outstanding;
            }
            std::thread::park_timeout(LOOK.min(patience - idle));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(receipts: &mut Receipts, part: &Frame) -> Frame {
        let mut share = Frame::new();
        receipts.count(part, &mut share);
        share
    }

    #[test]
    fn a_message_counts_until_its_last_share_is_gone() {
        for bytes in [&b"small"[..], &[7; 1000]] {
            let mut receipts = Receipts::default();
            let first = count(&mut receipts, &Frame::from(bytes));
            let share = first.clone();
            let second = count(&mut receipts, &Frame::new());
            assert_eq!(share.as_ref(), bytes);
            assert_eq!(receipts.settle(Duration::ZERO, &Stop::never()), 2);
            drop(first);
            assert_eq!(receipts.settle(Duration::ZERO, &Stop::never()), 2);
            drop((share, second));
            assert_eq!(receipts.settle(Duration::from_secs(60), &Stop::never()), 0);
        }
    }

    #[test]
    fn a_message_is_counted_by_its_last_part_or_by_a_small_one_before_a_small_one() {
        let place_of = |lengths: &[usize]| {
            place(&lengths.iter().map(|length| Frame::from(vec![0; *length])).collect())
        };
        assert_eq!(place_of(&[10]), 0);
        assert_eq!(place_of(&[60, 33]), 0);
        assert_eq!(place_of(&[60, 256]), 0);
        assert_eq!(place_of(&[60, 257]), 1);
        assert_eq!(place_of(&[33, 34]), 1);
        assert_eq!(place_of(&[10, 10]), 1);
        assert_eq!(place_of(&[10, 300, 10]), 2);
        assert_eq!(place_of(&[300, 200, 0]), 1);
    }

    #[test]
    fn small_receipts_are_used_again_and_never_while_they_count() {
        let mut receipts = Receipts::default();
        let text = |number: usize| Frame::from(number.to_string().as_bytes());
        let range = |receipts: &mut Receipts, numbers: std::ops::Range<usize>| -> Vec<_> {
            numbers.map(|number| count(receipts, &text(number))).collect()
        };
        let held = range(&mut receipts, 0..KEPT - 10);
        for number in 0..1000 {
            drop(range(&mut receipts, number..number + 10));
        }
        assert_eq!(receipts.small.len(), KEPT);
        let more = range(&mut receipts, 0..20);
        let all = held.iter().chain(&more);
        let numbers = (0..KEPT - 10).chain(0..20);
        assert!(all.zip(numbers).all(|(frame, number)| *frame == text(number)));
        assert_eq!(receipts.settle(Duration::ZERO, &Stop::never()), KEPT as u64 + 10);
        drop((held, more));
        assert_eq!(receipts.settle(Duration::from_secs(60), &Stop::never()), 0);
    }
}
