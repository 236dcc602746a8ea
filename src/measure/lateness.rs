//! How well the times were kept: a histogram of the lateness of messages.

use std::fmt;
use std::time::Duration;

use crate::counted::Counted;

/// From when on a message counts as late.
pub const LATE: Duration = Duration::from_millis(1);

/// Each doubling is divided into this many steps: a reported value is at most 1/32 too large.
const STEPS: usize = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// As many as 64 bits of nanoseconds need.
const BUCKETS: usize = (65 - STEP_BITS as usize) * STEPS;

/// How late messages were, against when they were due.
///
/// Memory: 15 KB, however many messages.
#[derive(Clone, Debug)]
pub struct Lateness {
    buckets: Vec<u64>,
    messages: u64,
    late: u64,
    max: Duration,
    last: Duration,
}

impl Default for Lateness {
    fn default() -> Self {
        let (max, last) = (Duration::ZERO, Duration::ZERO);
        Self { buckets: vec![0; BUCKETS], messages: 0, late: 0, max, last }
    }
}

impl Lateness {
    /// Counts a message that left so long after it was due.
    pub fn record(&mut self, lateness: Duration) {
        self.buckets[bucket(nanoseconds(lateness))] += 1;
        self.messages += 1;
        self.late += u64::from(lateness > LATE);
        self.max = self.max.max(lateness);
        self.last = lateness;
    }

    /// Returns how many messages had a time to keep.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns how many of them were late by more than [`LATE`].
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Returns how late the latest was.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Returns how late the last message was.
    #[must_use]
    pub fn last(&self) -> Duration {
        self.last
    }

    /// Returns how late at most a share of the messages was, from 0 to 1; at most 1/32 too much.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "a share of messages, not a count")]
        let wanted = share * self.messages as f64;
        let mut below = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            below += count;
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            if *count > 0 && below as f64 >= wanted {
                return Duration::from_nanos(highest(index)).min(self.max);
            }
        }
        Duration::ZERO
    }
}

/// Prints as the line at the end of a replay.
impl fmt::Display for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = [0.5, 0.99].map(|share| Short(self.quantile(share)));
        let (max, limit) = (Short(self.max), Short(LATE));
        let late = Counted(self.late, "message");
        write!(f, "behind schedule: p50 {p50}, p99 {p99}, max {max}; {late} by more than {limit}")
    }
}

/// A time in the unit in which it has one to three digits before the point.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match self.0.as_nanos() {
            0..1_000_000 => (seconds * 1e6, "us"),
            1_000_000..1_000_000_000 => (seconds * 1e3, "ms"),
            _ => (seconds, "s"),
        };
        let digits = if value < 10.0 && value.fract() != 0.0 { 1 } else { 0 };
        write!(f, "{value:.digits$} {unit}")
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns which bucket a number belongs to: itself below [`STEPS`], then steps of each doubling.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let step = usize::try_from(value >> shift).expect("less than two times the steps");
    shift as usize * STEPS + step
}

/// Returns the highest number of a bucket.
fn highest(index: usize) -> u64 {
    let shift = (index / STEPS).saturating_sub(1);
    let step = (index - shift * STEPS) as u64;
    (((u128::from(step) + 1) << shift) - 1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bucket_that_tells_it_nearly() {
        let doublings = (0..64).map(|bits| 1u64 << bits);
        let values = doublings.flat_map(|value| [value - 1, value, value + value / 3]);
        for value in (0..2000).chain(values).chain([u64::MAX]) {
            let index = bucket(value);
            assert!(index < BUCKETS, "{value}");
            assert!(highest(index) >= value, "{value}");
            assert!(highest(index) - value <= value / 32, "{value}");
            assert!(index == 0 || highest(index - 1) < value, "{value}");
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.quantile(0.5), Duration::ZERO);
        (1..=1000).for_each(|us| lateness.record(Duration::from_micros(us)));
        lateness.record(Duration::from_millis(5));
        for (share, us) in [(0.5, 501.0), (0.99, 991.0), (0.0, 1.0)] {
            let found = lateness.quantile(share).as_secs_f64() * 1e6;
            assert!((us..us * 1.04).contains(&found), "{share}: {found}");
        }
        assert_eq!(lateness.quantile(1.0), Duration::from_millis(5));
        assert_eq!((lateness.messages(), lateness.late()), (1001, 1));
        assert_eq!((lateness.max(), lateness.last()), (lateness.quantile(1.0), lateness.max()));
    }

    #[test]
    fn the_report_is_a_line() {
        let mut lateness = Lateness::default();
        (0..99).for_each(|_| lateness.record(Duration::from_nanos(20_000)));
        lateness.record(Duration::from_secs(2));
        assert_eq!(
            lateness.to_string(),
            "behind schedule: p50 20 us, p99 20 us, max 2 s; 1 message by more than 1 ms"
        );
    }
}
