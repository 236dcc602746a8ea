//! What becomes of messages that are offered, counted, or left at the end.

use std::fmt;

/// What became of a message that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It was taken whole.
    Taken,
    /// There was no room, and nothing of it was taken.
    Full,
}

/// How many messages a closing sender could not hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// At most this many of them; zero where all went out. It counts the message that was under
    /// way to each peer too, though that may have left.
    Count(u64),
    /// Nobody can tell, as with PUB.
    Unknown,
}

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(messages) => messages.fmt(f),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

/// Messages that were counted and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many messages.
    pub messages: u64,
    /// Their bytes, all parts together.
    pub bytes: u64,
    /// Whether the source has ended.
    pub ended: bool,
}

impl Tally {
    /// Tells whether to go on counting, so that who counts looks at the clock often enough.
    pub(crate) fn has_room(&self, most: u64) -> bool {
        self.messages < most.min(256) && self.bytes < 32 << 20
    }
}
