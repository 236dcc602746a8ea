//! The one clock of a replay: started once, and stopped by a pause.

use std::time::{Duration, Instant};

/// Turns offsets from the first message into moments, and a pause into a shift of all that follow.
/// Reads no clock itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// A moment, and the offset that is due at it.
    anchor: Option<(Instant, Duration)>,
    /// The offset that a pause has stopped at.
    paused: Option<Duration>,
}

impl Clock {
    /// Has an offset be due at `now`, if the clock does not run yet.
    pub(super) fn start(&mut self, now: Instant, offset: Duration) {
        if self.anchor.is_none() {
            self.anchor = Some((now, offset));
        }
    }

    /// Returns whether the clock was started.
    pub(super) fn is_started(&self) -> bool {
        self.anchor.is_some()
    }

    /// Returns when an offset is due; none before the start, and after the end of time.
    pub(super) fn due(&self, offset: Duration) -> Option<Instant> {
        let (at, base) = self.anchor?;
        match offset.checked_sub(base) {
            Some(later) => at.checked_add(later),
            None => at.checked_sub(base - offset).or(Some(at)),
        }
    }

    /// Stops the clock.
    pub(super) fn pause(&mut self, now: Instant) {
        if self.paused.is_none() {
            let run = |(at, base): (Instant, Duration)| {
                base.saturating_add(now.saturating_duration_since(at))
            };
            self.paused = Some(self.anchor.map_or(Duration::ZERO, run));
        }
    }

    /// Lets the clock continue from the offset at which it was stopped, or to which it was stepped.
    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(offset) = self.paused.take()
            && self.is_started()
        {
            self.anchor = Some((now, offset));
        }
    }

    /// Sets a clock that is stopped forward to an offset.
    pub(super) fn step(&mut self, offset: Duration) {
        self.paused = self.paused.map(|paused| paused.max(offset));
    }

    /// Returns whether the clock is stopped.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn offsets_are_due_counted_from_the_start() {
        let now = Instant::now();
        let mut clock = Clock::default();
        assert_eq!(clock.due(seconds(1)), None);
        clock.start(now, seconds(2));
        clock.start(now + seconds(9), seconds(2));
        assert_eq!(clock.due(seconds(5)), Some(now + seconds(3)));
        assert_eq!(clock.due(Duration::MAX), None);
        assert!(clock.due(Duration::ZERO) <= Some(now));
    }

    #[test]
    fn a_pause_shifts_all_that_follows() {
        let now = Instant::now();
        let mut clock = Clock::default();
        clock.start(now, Duration::ZERO);
        clock.pause(now + seconds(3));
        clock.pause(now + seconds(4));
        clock.resume(now + seconds(10));
        assert_eq!(clock.due(seconds(5)), Some(now + seconds(12)));
        assert!(!clock.is_paused());
    }

    #[test]
    fn a_step_sets_the_clock_forward() {
        let now = Instant::now();
        let mut clock = Clock::default();
        clock.start(now, Duration::ZERO);
        clock.pause(now + seconds(3));
        clock.step(seconds(7));
        clock.step(seconds(1));
        clock.resume(now + seconds(20));
        assert_eq!(clock.due(seconds(8)), Some(now + seconds(21)));
    }

    #[test]
    fn a_pause_before_the_start_shifts_nothing() {
        let now = Instant::now();
        let mut clock = Clock::default();
        clock.pause(now);
        clock.resume(now + seconds(1));
        clock.start(now + seconds(2), Duration::ZERO);
        assert_eq!(clock.due(seconds(1)), Some(now + seconds(3)));
    }
}
