//! The position of a replay, for other threads to read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The position of a replay in the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Playing {
    /// The time from the first message of the recording, if it has times.
    pub at: Option<Duration>,
    /// The time from its first message to its last.
    pub span: Option<Duration>,
    /// How much of what is to be replayed is done, from 0 to 1; in loops, of the current pass.
    pub share: Option<f64>,
    /// How long it will still take, if the schedule is known.
    pub left: Option<Duration>,
    /// Whether another pass follows.
    pub is_loop: bool,
}

/// Why a replay sends nothing at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is paused.
    Paused,
    /// The next message is due after this time.
    Next(Duration),
}

/// A [`Playing`] and a [`Rest`] that one thread stores and others load, without a lock: what is loaded
/// may be partly of one message and partly of the next.
#[derive(Debug)]
pub(crate) struct Position {
    is_playing: AtomicBool,
    at: AtomicU64,
    span: AtomicU64,
    share: AtomicU64,
    left: AtomicU64,
    is_loop: AtomicBool,
    rest: AtomicU64,
}

/// A value that is not known, and the longest time. No share has these bits.
const NONE: u64 = u64::MAX;
const LONGEST: u64 = NONE - 2;
/// The rest that is a pause.
const PAUSED: u64 = NONE - 1;

impl Default for Position {
    fn default() -> Self {
        Self {
            is_playing: AtomicBool::new(false),
            at: AtomicU64::new(NONE),
            span: AtomicU64::new(NONE),
            share: AtomicU64::new(NONE),
            left: AtomicU64::new(NONE),
            is_loop: AtomicBool::new(false),
            rest: AtomicU64::new(NONE),
        }
    }
}

impl Position {
    /// Stores the position after a message was sent: the replay does not rest any more.
    pub(super) fn play(&self, playing: Playing) {
        let Playing { at, span, share, left, is_loop } = playing;
        self.at.store(at.map_or(NONE, nanoseconds), Relaxed);
        self.span.store(span.map_or(NONE, nanoseconds), Relaxed);
        self.share.store(share.map_or(NONE, f64::to_bits), Relaxed);
        self.left.store(left.map_or(NONE, nanoseconds), Relaxed);
        self.is_loop.store(is_loop, Relaxed);
        self.rest.store(NONE, Relaxed);
        self.is_playing.store(true, Relaxed);
    }

    /// Stores why the replay sends nothing.
    pub(super) fn rest(&self, rest: Rest) {
        let rest = match rest {
            Rest::Paused => PAUSED,
            Rest::Next(after) => nanoseconds(after),
        };
        self.rest.store(rest, Relaxed);
    }

    /// Returns the position; none before the first message, and if nothing is replayed.
    pub(crate) fn playing(&self) -> Option<Playing> {
        let time = |stored: &AtomicU64| known(stored.load(Relaxed)).map(Duration::from_nanos);
        self.is_playing.load(Relaxed).then(|| Playing {
            at: time(&self.at),
            span: time(&self.span),
            share: known(self.share.load(Relaxed)).map(f64::from_bits),
            left: time(&self.left),
            is_loop: self.is_loop.load(Relaxed),
        })
    }

    /// Returns why the replay sends nothing, if it does not.
    pub(crate) fn resting(&self) -> Option<Rest> {
        match known(self.rest.load(Relaxed))? {
            PAUSED => Some(Rest::Paused),
            after => Some(Rest::Next(Duration::from_nanos(after))),
        }
    }
}

fn known(stored: u64) -> Option<u64> {
    (stored != NONE).then_some(stored)
}

/// Returns a time in nanoseconds, five hundred years at most.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).map_or(LONGEST, |nanoseconds| nanoseconds.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_loaded_as_it_was_stored() {
        let position = Position::default();
        assert_eq!((position.playing(), position.resting()), (None, None));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let known = Playing {
            at: seconds(0),
            span: seconds(3600),
            share: Some(0.25),
            left: seconds(2700),
            is_loop: true,
        };
        for playing in [known, Playing::default()] {
            position.play(playing);
            assert_eq!(position.playing(), Some(playing));
        }
    }

    #[test]
    fn a_rest_ends_with_the_next_message() {
        let position = Position::default();
        for rest in [Rest::Paused, Rest::Next(Duration::from_millis(1500))] {
            position.rest(rest);
            assert_eq!(position.resting(), Some(rest));
            position.play(Playing::default());
            assert_eq!(position.resting(), None);
        }
        position.rest(Rest::Next(Duration::MAX));
        assert_eq!(position.resting(), Some(Rest::Next(Duration::from_nanos(LONGEST))));
    }
}
