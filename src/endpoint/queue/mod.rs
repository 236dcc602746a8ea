//! [`Queue`]: the one bounded queue between a thread that receives messages and one that writes or
//! sends them.
//!
//! The producer never waits: a message is queued, refused, or dropped and counted. The consumer
//! takes all messages at once, so the two threads seldom meet. Its owner, a recorder or an output,
//! decides what to do with them.

mod consumer;
mod level;
mod losses;
mod producer;
mod signal;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::Error;

pub use consumer::Taken;
pub use level::{Capacity, Level, Queued, WhenFull};
pub use losses::Dropped;
use losses::Losses;
pub(crate) use losses::htype;
use signal::Signal;

/// A queue of messages from one thread to another, bounded in messages and bytes.
///
/// A message counts until it is [released](Self::release): a consumer releases it after it is
/// written or sent. So memory is bounded by the [`Capacity`], or by one larger message: a queue that
/// is empty accepts one of any size. Parts are shared, not copied, except small ones that would keep
/// a whole receive buffer alive.
///
/// The producer calls [`offer`](Self::offer), which never waits, and waits for room in a [`WaitSet`](crate::endpoint::WaitSet)
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
    /// Whether the last message found no room: then the next one is copied only if there is room.
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
    /// The cost of the waiting messages.
    waiting_bytes: usize,
    level: Level,
    /// How many messages were queued or dropped.
    arrived: u64,
    losses: Losses,
    /// The losses that the consumer has not seen yet.
    unreported: Losses,
    is_closed: bool,
    has_ended: bool,
    failure: Option<Error>,
    sleep: Sleep,
    /// Whether the consumer found messages the last time.
    is_streaming: bool,
    /// Whether the consumer waits for the descriptor.
    is_watched: bool,
    is_filled: bool,
    /// The cost of the message that was refused and waits for room.
    refused: Option<usize>,
    has_room: bool,
    /// Since when [`WhenFull::Wait`] waits.
    full_since: Option<Instant>,
    /// How many messages in a row must be queued until it waits again.
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

    /// No code panics while it holds the lock half-way through a change, so the state is whole even
    /// after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how full the queue is.
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

#[cfg(test)]
mod tests;
