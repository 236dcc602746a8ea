//! The producer's side of a queue: messages are queued, refused or dropped.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::losses::{Which, htype};
use super::{Queue, Queued, Sleep, State, WhenFull};
use crate::endpoint::{Offer, Received, WaitSet};

/// After [`WhenFull::Wait`] has dropped a message, this many must be queued in a row before it
/// waits again. Otherwise a consumer that makes room now and then would delay the producer again
/// and again.
pub(super) const RECOVERY: u32 = 10;

impl Queue {
    /// Queues a share of a message, refuses it ([`Offer::Full`]), or drops one, as [`WhenFull`]
    /// says; never waits. A dropped message is counted, and the offer returns [`Offer::Taken`]. A
    /// queue that is closed, or whose consumer has [failed](Self::fail), refuses all messages.
    pub fn offer(&self, message: &Received) -> Offer {
        self.offer_at(message, Instant::now)
    }

    pub(super) fn offer_at(&self, message: &Received, now: impl Fn() -> Instant) -> Offer {
        // Messages are freed after the lock is released.
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

    /// Makes room for a message, as far as allowed; if there is no room, returns the result of the
    /// offer.
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
        // Dropping waiting messages makes no room if the consumer holds too much.
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
        // A large message may find no room while there are too few messages to wake the consumer.
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

    /// Adds what to wait for after a message was refused.
    pub fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.readable(self.room.descriptor());
        if let WhenFull::Wait(patience) = self.when_full {
            let since = self.lock().full_since;
            let until = since.and_then(|since| since.checked_add(patience));
            until.into_iter().for_each(|until| set.deadline(until));
        }
    }

    /// Notes that the producer no longer waits for room: room does not wake it, but a failure does.
    pub fn await_nothing(&self) {
        let mut state = self.lock();
        if state.failure.is_none() {
            (state.refused, state.full_since) = (None, None);
            self.room.lower(&mut state.has_room);
        }
    }

    /// Ends the queue: waiting messages are still taken, and nothing more is accepted.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.wake(state, true);
    }

    /// Wakes the consumer if it sleeps and waking is due.
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

    /// Waits until the consumer has [ended](Self::end), as long as it releases a message in each
    /// `patience`; returns whether it has.
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
}

impl State {
    fn count_dropped(&mut self, message: &Received, which: Which) {
        let htype = htype(message);
        let origin = &message.origin;
        self.losses.count(origin, htype.as_deref(), which);
        self.unreported.count(origin, htype.as_deref(), which);
        self.level.dropped += 1;
    }
}
