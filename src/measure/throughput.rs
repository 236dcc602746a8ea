//! How much came, and how fast.
//!
//! Reading a clock is left to the caller: times are arguments.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Messages and bytes over a length of time; prints as the line of rates that m_stats prints.
///
/// ```
/// use std::time::Duration;
/// let rate = mflow::Throughput { elapsed: Duration::from_secs(2), messages: 10, bytes: 4_000_000 };
/// assert_eq!((rate.data_rate(), rate.message_rate()), (2e6, 5.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throughput {
    /// The length of time.
    pub elapsed: Duration,
    /// How many messages came in it.
    pub messages: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

impl Throughput {
    /// Returns bytes per second; zero where no time has passed.
    #[must_use]
    pub fn data_rate(&self) -> f64 {
        self.per_second(self.bytes)
    }

    /// Returns messages per second; zero where no time has passed.
    #[must_use]
    pub fn message_rate(&self) -> f64 {
        self.per_second(self.messages)
    }

    /// Returns the mean bytes of a message; zero where there were none.
    #[must_use]
    pub fn message_size(&self) -> f64 {
        if self.messages == 0 { 0.0 } else { float(self.bytes) / float(self.messages) }
    }

    /// Returns the bytes as a float, to divide by a unit.
    pub(crate) fn total_bytes(&self) -> f64 {
        float(self.bytes)
    }

    fn per_second(&self, count: u64) -> f64 {
        if self.elapsed.is_zero() { 0.0 } else { float(count) / self.elapsed.as_secs_f64() }
    }

    fn add(&mut self, messages: u64, bytes: u64) {
        self.messages += messages;
        self.bytes += bytes;
    }
}

/// Counts are exact as floats up to 2^53, some petabytes.
#[expect(clippy::cast_precision_loss, reason = "rates are rounded for people anyway")]
fn float(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (data, messages) = (self.data_rate() / 1e6, self.message_rate());
        write!(f, "Data rate: {data:>10.3} MB/s    Message rate: {messages:>10.3} Hz")
    }
}

/// Throughput sampled at an interval: the latest samples, and the whole.
///
/// Sampling starts with the first message; a sample ends with the first message after its interval
/// has passed, so that nothing is told while nothing comes.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mflow::ThroughputStatistics;
/// let mut statistics = ThroughputStatistics::new(Duration::from_secs(1), 10);
/// let start = Instant::now();
/// assert!(statistics.record(1, 500, start).is_none());
/// let sample = statistics.record(1, 500, start + Duration::from_secs(2)).expect("it is time");
/// assert_eq!(sample.data_rate(), 500.0);
/// ```
#[derive(Clone, Debug)]
pub struct ThroughputStatistics {
    interval: Duration,
    capacity: usize,
    samples: VecDeque<Throughput>,
    started: Option<Instant>,
    sampled: Option<Instant>,
    pending: Throughput,
    total: Throughput,
}

impl ThroughputStatistics {
    /// Makes statistics that sample at an interval (every record where it is zero) and keep the
    /// latest `capacity` samples.
    #[must_use]
    pub fn new(interval: Duration, capacity: usize) -> Self {
        Self {
            interval,
            capacity,
            samples: VecDeque::new(),
            started: None,
            sampled: None,
            pending: Throughput::default(),
            total: Throughput::default(),
        }
    }

    /// Counts messages that came by `now`, and returns the sample that they complete.
    pub fn record(&mut self, messages: u64, bytes: u64, now: Instant) -> Option<Throughput> {
        let start = *self.started.get_or_insert(now);
        let since = *self.sampled.get_or_insert(start);
        self.pending.add(messages, bytes);
        self.total.add(messages, bytes);
        (now.saturating_duration_since(since) >= self.interval).then(|| self.sample(since, now))
    }

    /// Ends the sample that is under way and returns it, where there were messages in it.
    pub fn flush(&mut self, now: Instant) -> Option<Throughput> {
        let since = self.sampled?;
        (self.pending.messages > 0).then(|| self.sample(since, now))
    }

    /// Returns the whole from the first message until `now`.
    #[must_use]
    pub fn aggregate(&self, now: Instant) -> Throughput {
        let elapsed =
            self.started.map_or(Duration::ZERO, |start| now.saturating_duration_since(start));
        Throughput { elapsed, ..self.total }
    }

    /// Returns the latest samples, the oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Throughput> {
        self.samples.iter()
    }

    fn sample(&mut self, since: Instant, now: Instant) -> Throughput {
        let elapsed = now.saturating_duration_since(since);
        let sample = Throughput { elapsed, ..std::mem::take(&mut self.pending) };
        self.sampled = Some(now);
        if self.samples.len() >= self.capacity {
            self.samples.pop_front();
        }
        if self.capacity > 0 {
            self.samples.push_back(sample);
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn throughput(seconds: u64, messages: u64, bytes: u64) -> Throughput {
        Throughput { elapsed: Duration::from_secs(seconds), messages, bytes }
    }

    #[test]
    fn samples_end_with_the_first_message_after_the_interval() {
        let mut statistics = ThroughputStatistics::new(SECOND, 2);
        let start = Instant::now();
        assert_eq!(statistics.record(1, 10, start), None);
        assert_eq!(statistics.record(2, 20, start + SECOND / 2), None);
        assert_eq!(statistics.record(1, 10, start + 4 * SECOND), Some(throughput(4, 4, 40)));
        assert_eq!(statistics.record(1, 5, start + 5 * SECOND), Some(throughput(1, 1, 5)));
        assert_eq!(statistics.record(1, 6, start + 6 * SECOND), Some(throughput(1, 1, 6)));
        let kept: Vec<_> = statistics.samples().copied().collect();
        assert_eq!(kept, [throughput(1, 1, 5), throughput(1, 1, 6)]);
    }

    #[test]
    fn an_interval_of_zero_samples_every_record() {
        let mut statistics = ThroughputStatistics::new(Duration::ZERO, 1);
        let start = Instant::now();
        assert_eq!(statistics.record(1, 10, start), Some(throughput(0, 1, 10)));
        assert_eq!(statistics.record(1, 20, start + SECOND), Some(throughput(1, 1, 20)));
        assert_eq!(statistics.flush(start + SECOND), None);
    }

    #[test]
    fn a_flush_ends_the_sample_under_way_once() {
        let mut statistics = ThroughputStatistics::new(10 * SECOND, 1);
        let start = Instant::now();
        assert_eq!(statistics.flush(start), None);
        statistics.record(3, 300, start);
        assert_eq!(statistics.flush(start + SECOND), Some(throughput(1, 3, 300)));
        assert_eq!(statistics.flush(start + 2 * SECOND), None);
    }

    #[test]
    fn the_aggregate_runs_from_the_first_message() {
        let mut statistics = ThroughputStatistics::new(SECOND, 0);
        let created = Instant::now();
        assert_eq!(statistics.aggregate(created), Throughput::default());
        let first = created + 100 * SECOND;
        statistics.record(1, 50, first);
        statistics.record(1, 50, first + 2 * SECOND);
        assert_eq!(statistics.aggregate(first + 4 * SECOND), throughput(4, 2, 100));
    }

    #[test]
    fn rates_over_no_time_are_zero() {
        let none = throughput(0, 3, 30);
        assert_eq!((none.data_rate(), none.message_rate(), none.message_size()), (0.0, 0.0, 10.0));
    }

    #[test]
    fn the_line_of_rates_is_that_of_the_original() {
        let line =
            Throughput { elapsed: Duration::from_millis(500), messages: 28427, bytes: 300_214_500 };
        assert_eq!(line.to_string(), "Data rate:    600.429 MB/s    Message rate:  56854.000 Hz");
    }
}
