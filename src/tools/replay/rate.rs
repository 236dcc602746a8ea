//! How fast to replay, and when each message is due by that.

use std::time::Duration;

use crate::endpoint::Timestamp;

/// How fast to replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// At the times at which the messages were recorded, this many times as fast.
    Recorded(f64),
    /// This many messages per second.
    Messages(f64),
    /// This many bytes per second, all parts together.
    Bytes(f64),
    /// At full speed.
    Max,
}

/// Computes when each message is due, counted from the first one. Reads no clock.
///
/// A due time is computed from the message's own time or number, never from the previous due time:
/// so errors do not add up.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    rate: Rate,
    max_gap: Option<Duration>,
    messages: u64,
    bytes: u64,
    pass: Option<Pass>,
    /// When the message before was due.
    latest: Duration,
    /// The mean time between messages of the last pass, which the next one begins after.
    between: Duration,
}

/// The recording from its first message on, for recorded times.
#[derive(Clone, Copy, Debug)]
struct Pass {
    first: Timestamp,
    /// When the first message is due.
    base: Duration,
    /// How much of the pauses was left out.
    cut: Duration,
    messages: u32,
}

impl Schedule {
    /// Makes a schedule in which no pause between recorded times is longer than `max_gap`.
    pub(super) fn new(rate: Rate, max_gap: Option<Duration>) -> Self {
        Self {
            rate,
            max_gap,
            messages: 0,
            bytes: 0,
            pass: None,
            latest: Duration::ZERO,
            between: Duration::ZERO,
        }
    }

    /// Returns when the next message is due; none if it may leave at once.
    pub(super) fn next(&mut self, time: Timestamp, bytes: u64) -> Option<Duration> {
        let due = match self.rate {
            Rate::Max => return None,
            Rate::Recorded(speed) => self.recorded(time, speed),
            Rate::Messages(rate) => quotient(self.messages, rate),
            Rate::Bytes(rate) => quotient(self.bytes, rate),
        };
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.latest = due;
        Some(due)
    }

    fn recorded(&mut self, time: Timestamp, speed: f64) -> Duration {
        let (latest, max_gap) = (self.latest, self.max_gap);
        let base = latest.saturating_add(self.between);
        let pass =
            self.pass.get_or_insert(Pass { first: time, base, cut: Duration::ZERO, messages: 0 });
        pass.messages = pass.messages.saturating_add(1);
        let since_first = time.as_nanos().saturating_sub(pass.first.as_nanos());
        let offset = match speed {
            1.0 => Duration::from_nanos(since_first),
            _ => quotient(since_first, speed * 1e9),
        };
        let due = pass.base.saturating_add(offset).saturating_sub(pass.cut);
        let gap = due.saturating_sub(latest);
        let too_much = max_gap.map_or(Duration::ZERO, |most| gap.saturating_sub(most));
        pass.cut = pass.cut.saturating_add(too_much);
        due.saturating_sub(too_much)
    }

    /// Continues with the first message of the recording, at the mean distance of messages after
    /// the last one; a recording of one message repeats once a second.
    pub(super) fn rewind(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.between = match pass.messages {
                0 | 1 => Duration::from_secs(1),
                messages => self.latest.saturating_sub(pass.base) / (messages - 1),
            };
        }
    }
}

/// Divides a count by a rate per second.
fn quotient(count: u64, rate: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "to the nanosecond for the first 104 days")]
    let seconds = count as f64 / rate;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns when messages are due that were recorded at these milliseconds.
    fn due(schedule: &mut Schedule, recorded: &[u64]) -> Vec<Option<u128>> {
        let epoch = 1_700_000_000_000_000_000;
        let times = recorded.iter().map(|at| Timestamp::from_nanos(epoch + at * 1_000_000));
        times.map(|time| schedule.next(time, 100).map(|due| due.as_millis())).collect()
    }

    fn schedule(rate: Rate) -> Schedule {
        Schedule::new(rate, None)
    }

    #[test]
    fn recorded_times_are_kept_or_scaled() {
        let recorded = [500, 510, 600, 600, 3_600_500];
        let expected = [0, 10, 100, 100, 3_600_000].map(Some);
        assert_eq!(due(&mut schedule(Rate::Recorded(1.0)), &recorded), expected);
        let expected = [0, 5, 50, 50, 1_800_000].map(Some);
        assert_eq!(due(&mut schedule(Rate::Recorded(2.0)), &recorded), expected);
        let expected = [0, 20, 200, 200, 7_200_000].map(Some);
        assert_eq!(due(&mut schedule(Rate::Recorded(0.5)), &recorded), expected);
    }

    #[test]
    fn times_that_go_backwards_are_due_at_once() {
        let recorded = [500, 400, 600, 550];
        let expected = [0, 0, 100, 50].map(Some);
        assert_eq!(due(&mut schedule(Rate::Recorded(1.0)), &recorded), expected);
    }

    #[test]
    fn a_message_that_is_alone_in_a_pass_is_due_once_a_second() {
        let mut schedule = Schedule::new(Rate::Recorded(2.0), None);
        for seconds in 0..5 {
            let due = schedule.next(Timestamp::from_nanos(7), 1);
            assert_eq!(due, Some(Duration::from_secs(seconds)));
            schedule.rewind();
        }
    }

    #[test]
    fn long_pauses_are_cut_and_what_follows_comes_earlier() {
        let mut schedule = Schedule::new(Rate::Recorded(1.0), Some(Duration::from_millis(50)));
        let recorded = [0, 10, 3_600_010, 3_600_020, 9_000_000, 9_000_001];
        assert_eq!(due(&mut schedule, &recorded), [0, 10, 60, 70, 120, 121].map(Some));
    }

    #[test]
    fn numbers_of_messages_and_bytes_have_their_rate_whatever_was_recorded() {
        let recorded = [0, 7, 7000];
        assert_eq!(due(&mut schedule(Rate::Messages(100.0)), &recorded), [0, 10, 20].map(Some));
        assert_eq!(due(&mut schedule(Rate::Bytes(1e4)), &recorded), [0, 10, 20].map(Some));
        assert_eq!(due(&mut schedule(Rate::Max), &recorded), [None; 3]);
    }

    #[test]
    fn a_second_pass_goes_on_in_the_rhythm_of_the_first() {
        let mut schedule = schedule(Rate::Recorded(1.0));
        assert_eq!(due(&mut schedule, &[0, 10, 20]), [0, 10, 20].map(Some));
        schedule.rewind();
        assert_eq!(due(&mut schedule, &[0, 10, 20]), [30, 40, 50].map(Some));
        schedule.rewind();
        assert_eq!(due(&mut schedule, &[0, 10, 20]), [60, 70, 80].map(Some));
    }

    #[test]
    fn a_million_messages_do_not_drift() {
        let mut schedule = schedule(Rate::Messages(3000.0));
        let time = Timestamp::from_nanos(0);
        let last = (0..=3_000_000).filter_map(|_| schedule.next(time, 0)).last();
        assert_eq!(last, Some(Duration::from_secs(1000)));
    }

    #[test]
    fn what_is_due_after_the_end_of_time_is_no_panic() {
        let mut slow = Schedule::new(Rate::Recorded(1e-6), Some(Duration::from_secs(1)));
        let mut next = |nanos| slow.next(Timestamp::from_nanos(nanos), u64::MAX);
        assert_eq!(next(0), Some(Duration::ZERO));
        assert_eq!(next(u64::MAX), Some(Duration::from_secs(1)));
        assert!(next(u64::MAX).is_some());
        let mut schedule = schedule(Rate::Bytes(1e-6));
        for _ in 0..3 {
            assert!(schedule.next(Timestamp::from_nanos(0), u64::MAX).is_some());
        }
    }
}
