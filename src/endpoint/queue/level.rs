//! The bounds of a queue, and how full it is.

use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::Received;
use crate::frame::Frame;

/// A producer that waits for room is woken when this many bytes are free, or half of a smaller
/// queue.
const ROOM: usize = 64 << 20;

/// What a part costs beside its bytes: itself, and what the allocator adds.
const PART: usize = size_of::<Frame>() + 32;

/// What to do with a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Refuse it until there is room: the sender has to wait.
    #[default]
    Block,
    /// Drop it.
    DropNewest,
    /// Drop the oldest messages until it fits. If it still does not fit, drop it.
    DropOldest,
    /// Keep only the latest message, whatever the capacity: each message replaces the queued one.
    Latest,
    /// Refuse it for this long. Then drop messages that do not fit, until ten in a row have found
    /// room.
    Wait(Duration),
}

/// How much a [`Queue`](super::Queue) holds at most: messages, bytes, or both.
///
/// Bytes include about 200 for each message and 100 for each of its parts.
///
/// ```
/// use mflow::endpoint::Capacity;
/// let at_most_a_thousand_messages_of_a_gigabyte = Capacity::messages(1000).and_bytes(1 << 30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    messages: usize,
    bytes: usize,
}

impl Capacity {
    /// Bounds the number of messages.
    #[must_use]
    pub const fn messages(messages: usize) -> Self {
        Self { messages, bytes: usize::MAX }
    }

    /// Bounds the bytes of all messages together.
    #[must_use]
    pub const fn bytes(bytes: usize) -> Self {
        Self { messages: usize::MAX, bytes }
    }

    /// Bounds the bytes too.
    #[must_use]
    pub const fn and_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    pub(super) fn most_messages(self) -> usize {
        self.messages
    }

    pub(super) fn most_bytes(self) -> usize {
        self.bytes
    }

    /// Returns whether one more message fits beside others. Any message fits into an empty queue.
    pub(super) fn has_room(self, messages: usize, bytes: usize, cost: usize) -> bool {
        messages == 0 || (messages < self.messages && bytes.saturating_add(cost) <= self.bytes)
    }

    /// Returns whether there is enough room to wake a producer.
    pub(super) fn is_half_free(self, level: Level) -> bool {
        level.depth <= self.messages / 2 && level.bytes <= self.bytes - ROOM.min(self.bytes / 2)
    }
}

/// How full a [`Queue`](super::Queue) is, and how many messages have passed through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Messages that are queued, or taken and not released yet.
    pub depth: usize,
    /// What they cost, in bytes.
    pub bytes: usize,
    /// The largest depth so far.
    pub high_water: usize,
    /// The most bytes so far.
    pub high_water_bytes: usize,
    /// Messages that were released.
    pub released: u64,
    /// Messages that were dropped.
    pub dropped: u64,
}

impl Level {
    pub(super) fn add(&mut self, cost: usize) {
        self.depth += 1;
        self.bytes += cost;
        self.high_water = self.high_water.max(self.depth);
        self.high_water_bytes = self.high_water_bytes.max(self.bytes);
    }

    pub(super) fn subtract(&mut self, messages: usize, bytes: usize) {
        self.depth = self.depth.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// A message in a queue.
#[derive(Debug)]
pub struct Queued {
    /// The message.
    pub message: Received,
    /// How many messages arrived before it, the dropped ones included.
    pub number: u64,
    pub(super) cost: usize,
}

impl Queued {
    /// Makes shares of the parts of a message, or copies of parts that would keep a receive buffer
    /// alive.
    pub(super) fn of(message: &Received, cost: usize) -> Self {
        let Received { frames, time, origin } = message;
        let message = Received { frames: frames.detach(), time: *time, origin: Arc::clone(origin) };
        Self { message, number: 0, cost }
    }

    /// Returns how many bytes the message counts for.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn cost_of(message: &Received) -> usize {
        message.frames.bytes() + size_of::<Self>() + PART * message.frames.len()
    }
}
