//! The results of offering messages, of counting them, and of closing a sender.

use std::fmt;

/// The result of offering a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It was accepted whole.
    Taken,
    /// There was no room, and nothing of it was accepted.
    Full,
}

/// How many messages a closing sender could not hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// At most this many of them; zero if all were handed over. The count includes the message in
    /// flight to each peer, which may have left.
    Count(u64),
    /// Unknown, as with PUB.
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
    /// Returns whether to continue counting; false in time for the caller to look at the clock.
    pub(crate) fn has_room(&self, most: u64) -> bool {
        self.messages < most.min(256) && self.bytes < 32 << 20
    }
}
