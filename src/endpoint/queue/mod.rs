//! [`Queue`]: the one bounded queue between a thread that receives messages and one that writes or
//! sends them.
//!
//! The producer never waits: a message is queued, refused, or dropped and counted. The consumer
//! takes all messages at once, so the two threads meet seldom. What the consumer does with them is
//! left to its owner: a recorder, an output.

mod level;
mod losses;
mod signal;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::endpoint::{Offer, Received, WaitSet};
use crate::error::Error;

pub use level::{Capacity, Level, Queued, WhenFull};
pub use losses::Dropped;
pub(crate) use losses::htype;
use losses::{Losses, Which};
use signal::Signal;

/// A producer that waits for room is woken once this many bytes are free, or half of a smaller queue.
const ROOM: usize = 64 << 20;
/// A consumer that has just taken messages sleeps so long for more of them, unless there are enough
/// before: to be woken for each small message costs more than the message.
const NAP: Duration = Duration::from_millis(1);
/// So many messages or bytes end this sleep, or a quarter of a smaller queue.
const ENOUGH_MESSAGES: usize = 1024;
const ENOUGH_BYTES: usize = 256 << 10;
/// After [`WhenFull::Wait`] has dropped a message, so many have to be queued in a row before it waits
/// again: a consumer that makes room now and then would hold up the producer time after time.
const RECOVERY: u32 = 10;

/// Messages on their way from one thread to another, bounded in messages and bytes.
///
/// A message counts until it is [released](Self::release): a consumer releases it after it is
/// written or sent. So memory is bounded by the [`Capacity`], or by one larger message: a queue that
/// is empty accepts one of any size. Parts are shared, not copied, except small ones that would keep
/// a whole receive buffer alive.
///
/// The producer calls [`offer`](Self::offer), which never waits, and waits for room in a [`WaitSet`]
/// by [`readiness`](Self::readiness). The consumer, on another thread, waits in
/// [`take`](Self::take), or waits for the descriptor [`filled`](Self::filled) after
/// [`try_take`](Self::try_take) has found nothing. A message that arrives alone is taken at once;
/// messages that follow each other closely are taken together, at most 1 ms later.
///
/// ```
/// use std::sync::Arc;
/// use std::thread;
/// use mflow::endpoint::{Capacity, Queue, Taken, WhenFull};
/// use mflow::{Frames, Origin, Received, Timestamp};
/// let queue = Arc::new(Queue::new(Capacity::bytes(64 << 20), WhenFull::DropOldest)?);
/// let consumer = thread::spawn({
///     let queue = Arc::clone(&queue);
///     move || {
///         let (mut taken, mut messages) = (Taken::default(), 0);
///         while !(taken.is_closed && taken.messages.is_empty()) {
///             queue.take(&mut taken, None);
///             for queued in taken.messages.drain(..) {
///                 messages += 1;                    // write or send `queued.message` here
///                 queue.release(1, queued.cost());
///             }
///         }
///         messages
///     }
/// });
/// queue.offer(&Received {
///     frames: Frames::from([&b"{}"[..], b"data"]),
///     time: Timestamp::now(),
///     origin: Origin::new("tcp://detector:9999"),
/// });
/// queue.close();
/// assert_eq!(consumer.join().unwrap(), 1);
/// assert_eq!(queue.level().high_water, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Queue {
    capacity: Capacity,
    when_full: WhenFull,
    state: Mutex<State>,
    /// Whether the last message found no room: the next one is copied only if it finds some.
    was_full: AtomicBool,
    /// Wakes the consumer.
    arrived: Condvar,
    /// Wakes the producer that waits for the end.
    progress: Condvar,
    /// Readable when there is room after a message was refused, or after a failure.
    room: Signal,
    /// Readable when there is something after the consumer has found nothing.
    filled: Signal,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Queued>,
    /// What the waiting messages cost.
    waiting_bytes: usize,
    level: Level,
    /// How many messages were queued or dropped.
    arrived: u64,
    losses: Losses,
    /// Those that the consumer does not know of yet.
    unreported: Losses,
    is_closed: bool,
    has_ended: bool,
    failure: Option<Error>,
    sleep: Sleep,
    /// Whether the consumer found messages when it looked last.
    is_streaming: bool,
    /// Whether the consumer waits for the descriptor.
    is_watched: bool,
    is_filled: bool,
    /// What the message costs that was refused and waits for room.
    refused: Option<usize>,
    has_room: bool,
    /// Since when [`WhenFull::Wait`] waits.
    full_since: Option<Instant>,
    /// How many messages in a row it has to queue until it waits again.
    recovery: u32,
}

/// How the consumer sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sleep {
    #[default]
    Awake,
    /// Until there are enough messages.
    Nap,
    /// Until there is one.
    Deep,
}

/// What a consumer finds.
#[derive(Debug, Default)]
pub struct Taken {
    /// The messages, in the order in which they arrived.
    pub messages: VecDeque<Queued>,
    /// What was dropped since the last look.
    pub dropped: Vec<Dropped>,
    /// Whether nothing more will arrive.
    pub is_closed: bool,
}

impl Queue {
    /// Makes an empty queue.
    ///
    /// # Errors
    /// If the process has no file descriptors left.
    pub fn new(capacity: Capacity, when_full: WhenFull) -> io::Result<Self> {
        Ok(Self {
            capacity,
            when_full,
            state: Mutex::default(),
            was_full: AtomicBool::new(false),
            arrived: Condvar::new(),
            progress: Condvar::new(),
            room: Signal::new()?,
            filled: Signal::new()?,
        })
    }

    /// Nothing in here panics half-way: what a panic elsewhere left is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a share of a message, refuses it ([`Offer::Full`]), or drops one, as [`WhenFull`] says;
    /// never waits. What is dropped is counted, and counts as [`Offer::Taken`]. A queue that is
    /// closed, or whose consumer has [failed](Self::fail), refuses all.
    pub fn offer(&self, message: &Received) -> Offer {
        self.offer_at(message, Instant::now)
    }

    fn offer_at(&self, message: &Received, now: impl Fn() -> Instant) -> Offer {
        // Messages are freed after the lock is.
        let mut let_go = Vec::new();
        let cost = Queued::cost_of(message);
        if self.was_full.load(Ordering::Relaxed) {
            let mut state = self.lock();
            if let Some(settled) = self.make_room(&mut state, message, cost, &now, &mut let_go) {
                return settled;
            }
        }
        let queued = Queued::of(message, cost);
        let mut state = self.lock();
        if let Some(settled) = self.make_room(&mut state, message, cost, &now, &mut let_go) {
            return settled;
        }
        let number = state.arrived;
        state.arrived += 1;
        state.waiting_bytes += cost;
        state.level.add(cost);
        state.waiting.push_back(Queued { number, ..queued });
        let is_due = state.sleep == Sleep::Deep || self.has_enough(&state);
        self.wake(state, is_due);
        Offer::Taken
    }

    /// Makes room for a message, as far as that is allowed; returns what became of the message if
    /// there is none.
    fn make_room(
        &self,
        state: &mut State,
        message: &Received,
        cost: usize,
        now: impl Fn() -> Instant,
        let_go: &mut Vec<Queued>,
    ) -> Option<Offer> {
        self.room.lower(&mut state.has_room);
        state.refused = None;
        if state.failure.is_some() || state.is_closed {
            return Some(Offer::Full);
        }
        let latest = self.when_full == WhenFull::Latest;
        let (held, held_bytes) = (
            state.level.depth.saturating_sub(state.waiting.len()),
            state.level.bytes.saturating_sub(state.waiting_bytes),
        );
        // To drop what waits makes no room if the consumer holds too much.
        let drops_oldest = latest
            || self.when_full == WhenFull::DropOldest
                && self.capacity.has_room(held, held_bytes, cost);
        while latest || !self.capacity.has_room(state.level.depth, state.level.bytes, cost) {
            if !drops_oldest {
                return Some(self.refuse_or_drop(state, message, cost, now));
            }
            let Some(oldest) = state.waiting.pop_front() else { break };
            state.waiting_bytes -= oldest.cost;
            state.level.subtract(1, oldest.cost);
            state.count_dropped(&oldest.message, Which::Oldest);
            let_go.push(oldest);
        }
        state.full_since = None;
        state.recovery = state.recovery.saturating_sub(1);
        None
    }

    /// Refuses a message for which there is no room, or drops it.
    fn refuse_or_drop(
        &self,
        state: &mut State,
        message: &Received,
        cost: usize,
        now: impl Fn() -> Instant,
    ) -> Offer {
        self.was_full.store(true, Ordering::Relaxed);
        // A large message may find no room before there are enough to wake the consumer.
        if state.sleep == Sleep::Nap {
            state.sleep = Sleep::Awake;
            self.arrived.notify_one();
        }
        let is_refused = match self.when_full {
            WhenFull::Block => true,
            WhenFull::Wait(patience) if state.recovery == 0 => {
                let now = now();
                let since = *state.full_since.get_or_insert(now);
                now.saturating_duration_since(since) < patience
            }
            _ => false,
        };
        if is_refused {
            state.refused = Some(cost);
            return Offer::Full;
        }
        state.full_since = None;
        state.recovery = RECOVERY;
        state.arrived += 1;
        state.count_dropped(message, Which::Newest);
        Offer::Taken
    }

    /// Tells whether a consumer that naps has something to do.
    fn has_enough(&self, state: &State) -> bool {
        let enough = |usual: usize, capacity: usize| usual.min(capacity / 4);
        state.waiting.len() >= enough(ENOUGH_MESSAGES, self.capacity.most_messages())
            || state.waiting_bytes >= enough(ENOUGH_BYTES, self.capacity.most_bytes())
    }

    /// Wakes the consumer if it sleeps and is to be woken.
    fn wake(&self, mut state: MutexGuard<'_, State>, is_due: bool) {
        if state.is_watched {
            state.is_watched = false;
            self.filled.raise(&mut state.is_filled);
        }
        if is_due && state.sleep != Sleep::Awake {
            state.sleep = Sleep::Awake;
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// Adds what to wait for after a message was refused.
    pub fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.readable(self.room.descriptor());
        if let WhenFull::Wait(patience) = self.when_full {
            let since = self.lock().full_since;
            let until = since.and_then(|since| since.checked_add(patience));
            until.into_iter().for_each(|until| set.deadline(until));
        }
    }

    /// Notes that the producer does not wait for room any more: room wakes it no longer. A failure
    /// does.
    pub fn await_nothing(&self) {
        let mut state = self.lock();
        if state.failure.is_none() {
            (state.refused, state.full_since) = (None, None);
            self.room.lower(&mut state.has_room);
        }
    }

    /// Ends the queue: what waits is still taken, and nothing more is accepted.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.wake(state, true);
    }

    /// Waits until there are messages, the queue is closed, or it is `until`; takes all messages.
    pub fn take(&self, taken: &mut Taken, until: Option<Instant>) {
        let mut state = self.lock();
        let mut nap = state.is_streaming.then(|| Instant::now() + NAP);
        while !state.is_closed {
            if !state.waiting.is_empty() && (nap.is_none() || self.has_enough(&state)) {
                break;
            }
            let end = nap.into_iter().chain(until).min();
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                match nap.take() {
                    // What waits is taken, or a longer sleep begins.
                    Some(nap) if until.is_none_or(|until| nap < until) => continue,
                    _ => break,
                }
            }
            state.sleep = if nap.is_some() { Sleep::Nap } else { Sleep::Deep };
            state = match left {
                Some(left) => {
                    let woken = self.arrived.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.hand_over(taken);
    }

    /// Takes all messages that are there without waiting; tells whether there was anything: a
    /// message, a loss, or the end. If not, [`filled`](Self::filled) is readable when a message
    /// arrives, or the queue is closed.
    pub fn try_take(&self, taken: &mut Taken) -> bool {
        let mut state = self.lock();
        self.filled.lower(&mut state.is_filled);
        state.hand_over(taken);
        state.is_watched = taken.messages.is_empty();
        !taken.messages.is_empty() || !taken.dropped.is_empty() || taken.is_closed
    }

    /// Returns the descriptor that is readable when there is something after
    /// [`try_take`](Self::try_take) has found nothing.
    #[must_use]
    pub fn filled(&self) -> BorrowedFd<'_> {
        self.filled.descriptor()
    }

    /// Gives back the room of messages that are written, sent or dropped; returns what is left.
    pub fn release(&self, messages: usize, bytes: usize) -> Level {
        let mut state = self.lock();
        state.level.subtract(messages, bytes);
        state.level.released += messages as u64;
        self.was_full.store(false, Ordering::Relaxed);
        // Not for each message: a producer that is woken shall have something to do.
        if let Some(cost) = state.refused
            && self.capacity.is_half_free(state.level)
            && self.capacity.has_room(state.level.depth, state.level.bytes, cost)
        {
            state.refused = None;
            self.room.raise(&mut state.has_room);
        }
        if state.is_closed {
            self.progress.notify_all();
        }
        state.level
    }

    /// Ends the queue with an error of the consumer: nothing more is accepted. The first one counts.
    pub fn fail(&self, failure: Error) {
        let mut state = self.lock();
        state.failure.get_or_insert(failure);
        state.refused = None;
        self.room.raise(&mut state.has_room);
    }

    /// Looks at the error of the consumer.
    pub fn failure<T>(&self, look: impl FnOnce(&Error) -> T) -> Option<T> {
        self.lock().failure.as_ref().map(look)
    }

    /// Reports that the consumer has ended.
    pub fn end(&self) {
        self.lock().has_ended = true;
        self.progress.notify_all();
    }

    /// Waits until the consumer has [ended](Self::end), as long as it releases a message in each
    /// `patience`; tells whether it has.
    pub fn wait_for_end(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        let (mut seen, mut since) = (state.level.released, Instant::now());
        while !state.has_ended {
            if state.level.released != seen {
                (seen, since) = (state.level.released, Instant::now());
            }
            let Some(left) = patience.checked_sub(since.elapsed()) else { return false };
            let woken = self.progress.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Returns what is in the queue.
    #[must_use]
    pub fn level(&self) -> Level {
        self.lock().level
    }

    /// Returns all that was dropped, by source and htype.
    #[must_use]
    pub fn dropped(&self) -> Vec<Dropped> {
        self.lock().losses.to_vec()
    }
}

impl State {
    fn count_dropped(&mut self, message: &Received, which: Which) {
        let htype = htype(message);
        let origin = &message.origin;
        self.losses.count(origin, htype.as_deref(), which);
        self.unreported.count(origin, htype.as_deref(), which);
        self.level.dropped += 1;
    }

    /// Gives the consumer all there is.
    fn hand_over(&mut self, taken: &mut Taken) {
        self.sleep = Sleep::Awake;
        self.is_streaming = !self.waiting.is_empty();
        self.waiting_bytes = 0;
        if taken.messages.is_empty() {
            std::mem::swap(&mut self.waiting, &mut taken.messages);
        } else {
            taken.messages.append(&mut self.waiting);
        }
        taken.dropped = self.unreported.take();
        taken.is_closed = self.is_closed;
    }
}

#[cfg(test)]
mod tests;
