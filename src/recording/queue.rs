//! The queue between the thread that receives and the thread that writes, bounded in bytes.
//!
//! The writing thread takes out all there is at once, so the two meet seldom. The bytes of a
//! message count until it is written.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::endpoint::{Origin, Received};
use crate::error::Error;
use crate::frame::Frame;

/// How many kinds of dropped messages are told apart; the rest counts as one.
const MOST_KINDS: usize = 256;
/// Who waits for room is told of it once there is so much, or half of a smaller queue is empty.
const ROOM: usize = 64 << 20;
/// What a part costs beside its bytes: itself, and what the allocator adds.
const PART: usize = size_of::<Frame>() + 32;

/// A message on its way to a file.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Received,
    /// How many were received before it.
    pub(super) number: u64,
    /// What it counts for in the queue.
    pub(super) cost: usize,
}

impl Queued {
    /// Takes shares of a message, or copies of what would pin a buffer.
    pub(super) fn of(message: &Received, number: u64) -> Self {
        let Received { frames, time, origin } = message;
        let cost = cost(message);
        let message = Received { frames: frames.detach(), time: *time, origin: Arc::clone(origin) };
        Self { message, number, cost }
    }
}

/// Returns what a message counts for in the queue.
fn cost(message: &Received) -> usize {
    message.frames.bytes() + size_of::<Queued>() + PART * message.frames.len()
}

/// What became of an attempt to add a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Taken,
    Full,
    /// The writing thread takes no more.
    Failed,
}

/// Messages that were received and not written, by source and htype.
pub(super) type DroppedByKind = BTreeMap<(String, String), Dropped>;

/// How many messages of one kind were dropped.
#[derive(Clone, Debug)]
pub(super) struct Dropped {
    pub(super) origin: Arc<Origin>,
    pub(super) htype: Option<String>,
    pub(super) messages: u64,
}

/// Counts a dropped message.
fn count_dropped(dropped: &mut DroppedByKind, origin: &Arc<Origin>, htype: Option<&str>) {
    let mut kind = (origin.name.clone(), htype.unwrap_or_default().to_owned());
    if dropped.len() >= MOST_KINDS && !dropped.contains_key(&kind) {
        kind = (String::new(), String::new());
    }
    let htype = (!kind.1.is_empty()).then(|| kind.1.clone());
    let first = || Dropped { origin: Arc::clone(origin), htype, messages: 0 };
    dropped.entry(kind).or_insert_with(first).messages += 1;
}

/// What the writing thread finds when it looks.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) messages: VecDeque<Queued>,
    pub(super) dropped: DroppedByKind,
    /// Whether nothing will come any more.
    pub(super) is_closed: bool,
}

/// What has gone through the queue and what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) messages: u64,
    pub(super) bytes: usize,
    pub(super) peak: usize,
    pub(super) written: u64,
    /// Those that were taken and are not written, known at the end.
    pub(super) unwritten: u64,
}

/// The queue; both threads have a share of it.
#[derive(Debug)]
pub(super) struct Queue {
    bound: usize,
    state: Mutex<State>,
    /// Tells the writing thread that there is something.
    filled: Condvar,
    /// Tells who waits for the end that there was progress.
    progress: Condvar,
    /// Readable once there is room again, or nothing is written any more.
    room: PipeReader,
    room_writer: PipeWriter,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Queued>,
    /// Those that the writing thread does not know of yet.
    dropped: DroppedByKind,
    all_dropped: DroppedByKind,
    level: Level,
    is_closed: bool,
    is_finished: bool,
    failure: Option<Error>,
    /// Whether the writing thread sleeps.
    sleeps: bool,
    /// Whether a message was refused, so that room is to be told of.
    is_awaited: bool,
    /// Whether room was told of.
    is_told: bool,
}

impl Queue {
    pub(super) fn new(bound: usize) -> io::Result<Arc<Self>> {
        let (room, room_writer) = io::pipe()?;
        Ok(Arc::new(Self {
            bound,
            state: Mutex::default(),
            filled: Condvar::new(),
            progress: Condvar::new(),
            room,
            room_writer,
        }))
    }

    /// Nothing in here panics half-way: what a panic elsewhere left is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message where there is room. One that is larger than all the room is taken where the
    /// queue is empty.
    pub(super) fn add(&self, message: &Received, number: u64) -> Added {
        {
            let mut state = self.lock();
            self.untell(&mut state);
            if state.failure.is_some() {
                return Added::Failed;
            }
            let used = state.level.bytes;
            if used > 0 && used.saturating_add(cost(message)) > self.bound {
                state.is_awaited = true;
                return Added::Full;
            }
        }
        // Only this thread adds: the room that was there still is.
        let queued = Queued::of(message, number);
        let mut state = self.lock();
        let level = &mut state.level;
        level.messages += 1;
        level.bytes += queued.cost;
        level.peak = level.peak.max(level.bytes);
        state.messages.push_back(queued);
        self.wake(&mut state);
        Added::Taken
    }

    /// Counts a message that is not to be written.
    pub(super) fn count_dropped(&self, origin: &Arc<Origin>, htype: Option<&str>) {
        let mut state = self.lock();
        count_dropped(&mut state.dropped, origin, htype);
        count_dropped(&mut state.all_dropped, origin, htype);
    }

    /// Returns all that were dropped.
    pub(super) fn dropped(&self) -> DroppedByKind {
        self.lock().all_dropped.clone()
    }

    /// Says that nothing will come any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.wake(&mut state);
    }

    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.sleeps) {
            self.filled.notify_one();
        }
    }

    /// Waits until there is something, nothing will come any more, or it is time; takes it all.
    pub(super) fn take(&self, taken: &mut Taken, until: Option<Instant>) {
        let mut state = self.lock();
        while state.messages.is_empty() && !state.is_closed {
            state.sleeps = true;
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let woken = self.filled.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.sleeps = false;
        std::mem::swap(&mut state.messages, &mut taken.messages);
        std::mem::swap(&mut state.dropped, &mut taken.dropped);
        taken.is_closed = state.is_closed;
    }

    /// Gives back the room of messages that are written or dropped.
    pub(super) fn release(&self, messages: u64, bytes: usize) {
        let mut state = self.lock();
        let level = &mut state.level;
        level.messages -= messages;
        level.bytes -= bytes;
        level.written += messages;
        // Not for each message: who waits shall have something to do then.
        if state.is_awaited && state.level.bytes <= self.bound - ROOM.min(self.bound / 2) {
            self.tell(&mut state);
        }
        if state.is_closed {
            self.progress.notify_all();
        }
    }

    /// Takes back that room was told of, or is to be: nobody waits for it any more. A failure stays
    /// told.
    pub(super) fn await_nothing(&self) {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.is_awaited = false;
            self.untell(&mut state);
        }
    }

    fn untell(&self, state: &mut State) {
        if std::mem::take(&mut state.is_told) {
            // There is a byte in the pipe: it was written before the flag.
            let _ = (&self.room).read(&mut [0]);
        }
    }

    /// Says that no more messages are written.
    pub(super) fn fail(&self, failure: Error) {
        let mut state = self.lock();
        state.failure.get_or_insert(failure);
        self.tell(&mut state);
    }

    /// Says how many messages that were taken are not written.
    pub(super) fn leave_unwritten(&self, messages: u64) {
        self.lock().level.unwritten = messages;
    }

    /// Says that the writing thread has come to its end.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.is_finished = true;
        self.progress.notify_all();
    }

    fn tell(&self, state: &mut State) {
        state.is_awaited = false;
        if !state.is_told {
            // The pipe is empty and this process holds its other end: one byte always fits.
            let _ = (&self.room_writer).write(&[1]);
            state.is_told = true;
        }
    }

    /// Waits until the writing thread has come to its end, as long as it writes something in each
    /// `patience`; false where it did not.
    pub(super) fn wait_for_end(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        let (mut seen, mut since) = (state.level.written, Instant::now());
        while !state.is_finished {
            if state.level.written != seen {
                (seen, since) = (state.level.written, Instant::now());
            }
            let Some(left) = patience.checked_sub(since.elapsed()) else { return false };
            let woken = self.progress.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Returns what is in the queue.
    pub(super) fn level(&self) -> Level {
        self.lock().level
    }

    /// Looks at what has failed.
    pub(super) fn failure<T>(&self, look: impl FnOnce(&Error) -> T) -> Option<T> {
        self.lock().failure.as_ref().map(look)
    }

    /// Returns the descriptor that is readable once there is room after a message was refused, or
    /// writing has failed.
    pub(super) fn room(&self) -> BorrowedFd<'_> {
        self.room.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Stop, Timestamp, WaitSet};
    use crate::frame::Frames;

    fn message(bytes: usize) -> Received {
        let frames = Frames::from([vec![0; bytes]]);
        Received { frames, time: Timestamp::from_nanos(1), origin: Origin::new("x") }
    }

    fn is_readable(queue: &Queue) -> bool {
        let mut set = WaitSet::new();
        set.readable(queue.room());
        set.wait(&Stop::never(), Some(Duration::from_millis(1))).unwrap()
    }

    #[test]
    fn messages_come_out_in_their_order_and_their_room_is_given_back() {
        let queue = Queue::new(1 << 20).unwrap();
        for number in 0..3 {
            assert_eq!(queue.add(&message(100), number), Added::Taken);
        }
        let mut taken = Taken::default();
        queue.take(&mut taken, None);
        let numbers: Vec<_> = taken.messages.iter().map(|queued| queued.number).collect();
        assert_eq!(numbers, [0, 1, 2]);
        let cost = 3 * cost(&message(100));
        let level = Level { messages: 3, bytes: cost, peak: cost, ..Level::default() };
        assert_eq!(queue.level(), level);
        queue.release(3, cost);
        assert_eq!(queue.level(), Level { messages: 0, bytes: 0, written: 3, ..level });
    }

    #[test]
    fn one_message_larger_than_the_bound_is_taken_where_there_is_no_other() {
        let queue = Queue::new(1000).unwrap();
        assert_eq!(queue.add(&message(5000), 0), Added::Taken);
        assert_eq!(queue.add(&message(1), 1), Added::Full);
    }

    #[test]
    fn room_is_told_of_once_after_a_message_was_refused() {
        let queue = Queue::new(1000).unwrap();
        queue.add(&message(5000), 0);
        assert!(!is_readable(&queue));
        assert_eq!(queue.add(&message(5000), 1), Added::Full);
        assert!(!is_readable(&queue));
        let mut taken = Taken::default();
        queue.take(&mut taken, None);
        queue.release(1, taken.messages[0].cost);
        assert!(is_readable(&queue));
        assert_eq!(queue.add(&message(5000), 1), Added::Taken);
        assert!(!is_readable(&queue));
    }

    #[test]
    fn room_is_not_told_of_to_who_has_given_up_waiting_for_it() {
        let queue = Queue::new(1000).unwrap();
        queue.add(&message(5000), 0);
        assert_eq!(queue.add(&message(5000), 1), Added::Full);
        let mut taken = Taken::default();
        queue.take(&mut taken, None);
        queue.release(1, taken.messages[0].cost);
        queue.await_nothing();
        assert!(!is_readable(&queue));
        queue.fail(Error::NoParts { address: "x".into() });
        queue.await_nothing();
        assert!(is_readable(&queue));
    }

    #[test]
    fn a_failure_is_told_to_who_waits_for_nothing() {
        let queue = Queue::new(1000).unwrap();
        queue.add(&message(1), 0);
        assert!(!is_readable(&queue));
        queue.fail(Error::NoParts { address: "x".into() });
        assert!(is_readable(&queue));
    }

    #[test]
    fn a_failure_wakes_who_waits_for_room_and_refuses_what_comes() {
        let queue = Queue::new(1).unwrap();
        queue.add(&message(1), 0);
        assert_eq!(queue.add(&message(1), 1), Added::Full);
        queue.fail(Error::NoParts { address: "x".into() });
        assert!(is_readable(&queue));
        assert_eq!(queue.add(&message(1), 1), Added::Failed);
    }

    #[test]
    fn an_empty_queue_is_left_at_its_time_and_when_it_is_closed() {
        let queue = Queue::new(1).unwrap();
        let mut taken = Taken::default();
        queue.take(&mut taken, Some(Instant::now()));
        assert!(!taken.is_closed);
        queue.close();
        queue.take(&mut taken, None);
        assert!(taken.is_closed);
        assert!(!queue.wait_for_end(Duration::ZERO));
        queue.finish();
        assert!(queue.wait_for_end(Duration::ZERO));
    }

    #[test]
    fn losses_are_counted_by_kind_and_kinds_are_bounded() {
        let origin = Origin::new("x");
        let mut dropped = DroppedByKind::new();
        for number in 0..600 {
            count_dropped(&mut dropped, &origin, Some(&format!("h{}", number % 300)));
        }
        assert_eq!(dropped.len(), MOST_KINDS + 1);
        assert_eq!(dropped.values().map(|kind| kind.messages).sum::<u64>(), 600);
        assert_eq!(dropped[&("x".into(), "h7".into())].messages, 2);
    }
}
