//! The consumer's side of a queue: it takes messages, and releases them when they are processed.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Dropped, Level, Queue, Queued, Sleep, State};
use crate::error::Error;

/// A consumer that has just taken messages sleeps for this long, or until there are enough
/// messages: waking up for each small message costs more than the message.
const NAP: Duration = Duration::from_millis(1);
/// This many messages or bytes end the sleep, or a quarter of a smaller queue.
const ENOUGH_MESSAGES: usize = 1024;
const ENOUGH_BYTES: usize = 256 << 10;

/// What a consumer takes at a time.
#[derive(Debug, Default)]
pub struct Taken {
    /// The messages, in the order in which they arrived.
    pub messages: VecDeque<Queued>,
    /// The messages dropped since the last time.
    pub dropped: Vec<Dropped>,
    /// Whether nothing more will arrive.
    pub is_closed: bool,
}

impl Queue {
    /// Waits until there are messages, the queue is closed, or the time is `until`. Then takes all
    /// messages.
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
                    // Waiting messages are taken, or a longer sleep begins.
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

    /// Takes all queued messages without waiting; returns whether there was anything: a
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

    /// Returns whether there is enough to end the nap of the consumer.
    pub(super) fn has_enough(&self, state: &State) -> bool {
        let enough = |usual: usize, capacity: usize| usual.min(capacity / 4);
        state.waiting.len() >= enough(ENOUGH_MESSAGES, self.capacity.most_messages())
            || state.waiting_bytes >= enough(ENOUGH_BYTES, self.capacity.most_bytes())
    }

    /// Frees the room of messages that were written, sent or dropped; returns the level after that.
    pub fn release(&self, messages: usize, bytes: usize) -> Level {
        let mut state = self.lock();
        state.level.subtract(messages, bytes);
        state.level.released += messages as u64;
        self.was_full.store(false, Ordering::Relaxed);
        // Not for each message: a producer that wakes up should find room for several.
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

    /// Calls a function with the error of the consumer.
    pub fn failure<T>(&self, look: impl FnOnce(&Error) -> T) -> Option<T> {
        self.lock().failure.as_ref().map(look)
    }

    /// Reports that the consumer has ended.
    pub fn end(&self) {
        self.lock().has_ended = true;
        self.progress.notify_all();
    }
}

impl State {
    /// Moves everything to the consumer.
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
