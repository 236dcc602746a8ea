//! How much was received, and how fast.
//!
//! The caller reads the clock: times are arguments.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// The shortest time that has a rate. Threads may wake up this late, so messages within it may have
/// arrived at the same instant.
const LEAST: Duration = Duration::from_micros(100);

/// Messages and bytes over a length of time; prints as the line of rates that m_stats prints.
///
/// A rate is messages divided by the time that they stand for, and each message stands for the time
/// since the one before it. So the first message of a run counts in no rate: `n` messages at a
/// steady pace have `n - 1` intervals between them. Messages that arrived at the same instant,
/// within 100 µs, have no rate.
///
/// ```
/// use std::time::Duration;
/// let seconds = Duration::from_secs(2);
/// let rate = mflow::Throughput::between(seconds, 5, 4_000_000);     // one message every 0.5 s
/// assert_eq!((rate.message_rate(), rate.data_rate()), (2.0, 1.6e6));
/// let rate = mflow::Throughput::within(seconds, 10, 4_000_000);     // a part of a longer run
/// assert_eq!((rate.message_rate(), rate.data_rate()), (5.0, 2e6));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throughput {
    /// The length of time.
    pub elapsed: Duration,
    /// How many messages arrived in it.
    pub messages: u64,
    /// How many bytes they had.
    pub bytes: u64,
    pace: Pace,
}

/// The basis of a rate: the messages that count, and the time that they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pace {
    time: Duration,
    messages: f64,
    bytes: f64,
}

impl Throughput {
    /// Makes the throughput of a length of time for which all of these messages stand: another
    /// message was sent or received just before it.
    #[must_use]
    pub fn within(elapsed: Duration, messages: u64, bytes: u64) -> Self {
        let pace = Pace { time: elapsed, messages: float(messages), bytes: float(bytes) };
        Self { elapsed, messages, bytes, pace }
    }

    /// Makes the throughput of a whole run, from its first message to its last; the first is
    /// assumed to have the mean size.
    #[must_use]
    pub fn between(elapsed: Duration, messages: u64, bytes: u64) -> Self {
        let after = float(messages.saturating_sub(1));
        let share = if messages == 0 { 0.0 } else { after / float(messages) };
        let pace = Pace { time: elapsed, messages: after, bytes: float(bytes) * share };
        Self { elapsed, messages, bytes, pace }
    }

    /// Returns whether there are rates. No messages have a rate of 0. Messages that arrived at the
    /// same instant have none.
    #[must_use]
    pub fn has_rate(&self) -> bool {
        self.messages == 0 || self.pace.time >= LEAST
    }

    /// Returns bytes per second; zero if there is no rate.
    #[must_use]
    pub fn data_rate(&self) -> f64 {
        self.per_second(self.pace.bytes)
    }

    /// Returns messages per second; zero if there is no rate.
    #[must_use]
    pub fn message_rate(&self) -> f64 {
        self.per_second(self.pace.messages)
    }

    /// Returns the mean bytes of a message; zero if there were none.
    #[must_use]
    pub fn message_size(&self) -> f64 {
        if self.messages == 0 { 0.0 } else { float(self.bytes) / float(self.messages) }
    }

    /// Returns the bytes as a float, to divide by a unit.
    #[must_use]
    pub fn total_bytes(&self) -> f64 {
        float(self.bytes)
    }

    fn per_second(&self, count: f64) -> f64 {
        if self.pace.time < LEAST { 0.0 } else { count / self.pace.time.as_secs_f64() }
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

/// How much later than its interval a sample may end: a message that is a little late still ends
/// its own sample. It is this share of the interval, or a minimum time.
const GRACE: u32 = 20;
const LEAST_GRACE: Duration = Duration::from_millis(1);

/// Throughput sampled at an interval: the latest samples, and the total.
///
/// Sampling starts with the first messages. [`record`](Self::record) ends a sample with the first
/// message after its interval has passed, and [`tick`](Self::tick) ends it without one, so that a
/// silence is shown while it lasts. [`due`](Self::due) says when that is.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mflow::ThroughputStatistics;
/// let second = Duration::from_secs(1);
/// let mut statistics = ThroughputStatistics::new(second, 10);
/// let start = Instant::now();
/// assert!(statistics.record(1, 500, start).is_none());
/// let sample = statistics.record(1, 500, start + second).expect("it is time");
/// assert_eq!(sample.data_rate(), 500.0);
/// let silence = statistics.tick(start + 3 * second).expect("it is time");
/// assert_eq!((silence.elapsed, silence.messages), (2 * second, 0));
/// ```
#[derive(Clone, Debug)]
pub struct ThroughputStatistics {
    interval: Duration,
    capacity: usize,
    samples: VecDeque<Throughput>,
    run: Option<Span>,
}

/// What was counted since the first messages.
#[derive(Clone, Copy, Debug)]
struct Span {
    started: Instant,
    /// The first messages, which start the clock and count in no rate.
    first: Count,
    total: Count,
    /// When the latest sample ended, and when the last message before that arrived.
    sampled: Instant,
    before: Instant,
    latest: Instant,
    /// The messages since the latest sample.
    pending: Count,
    is_first_sample: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    messages: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }

    /// Returns the throughput of an elapsed time, of which the first messages count in no rate.
    fn over(self, elapsed: Duration, first: Self) -> Throughput {
        let Self { messages, bytes } = self;
        let after = (messages.saturating_sub(first.messages), bytes.saturating_sub(first.bytes));
        let pace = Pace { time: elapsed, messages: float(after.0), bytes: float(after.1) };
        Throughput { elapsed, messages, bytes, pace }
    }
}

impl Span {
    /// Ends a sample, from the end of the latest one until `end`.
    fn sample(&mut self, end: Instant) -> Throughput {
        let elapsed = end.saturating_duration_since(self.sampled);
        let first = if self.is_first_sample { self.first } else { Count::default() };
        let sample = std::mem::take(&mut self.pending).over(elapsed, first);
        (self.sampled, self.before, self.is_first_sample) = (end, self.latest, false);
        sample
    }
}

impl ThroughputStatistics {
    /// Makes statistics that sample at an interval (every record if it is zero) and keep the
    /// latest `capacity` samples.
    #[must_use]
    pub fn new(interval: Duration, capacity: usize) -> Self {
        Self { interval, capacity, samples: VecDeque::new(), run: None }
    }

    /// Counts messages that have arrived by `now`, and returns the sample that they complete.
    ///
    /// The first messages start the clock, however many there are: they arrived together, or had
    /// waited.
    pub fn record(&mut self, messages: u64, bytes: u64, now: Instant) -> Option<Throughput> {
        let count = Count { messages, bytes };
        let run = self.run.get_or_insert_with(|| Span {
            started: now,
            first: count,
            total: Count::default(),
            sampled: now,
            before: now,
            latest: now,
            pending: Count::default(),
            is_first_sample: true,
        });
        run.total.add(count);
        run.pending.add(count);
        run.latest = now;
        let is_over = now.saturating_duration_since(run.sampled) >= self.interval;
        let sample = is_over.then(|| run.sample(now))?;
        Some(self.keep(sample))
    }

    /// Returns when [`tick`](Self::tick) has a sample to end if no message arrives; none before the
    /// first message, and if every record is a sample.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let run = self.run.as_ref().filter(|_| !self.interval.is_zero())?;
        let grace = (self.interval / GRACE).max(LEAST_GRACE);
        run.sampled.checked_add(self.interval)?.checked_add(grace)
    }

    /// Ends the sample whose interval has passed without a message that ends it. It is one interval
    /// long, or as many whole ones as have passed.
    pub fn tick(&mut self, now: Instant) -> Option<Throughput> {
        self.due().filter(|due| *due <= now)?;
        let run = self.run.as_mut()?;
        let passed = now.saturating_duration_since(run.sampled).as_nanos();
        let intervals = u32::try_from(passed / self.interval.as_nanos()).unwrap_or(u32::MAX);
        let end = run.sampled.checked_add(self.interval.checked_mul(intervals)?)?;
        let sample = run.sample(end);
        Some(self.keep(sample))
    }

    /// Ends the sample that has begun and returns it, if there are messages in it. Its rates are
    /// computed from the last message before it, because it ends with a message and not with an
    /// interval.
    pub fn flush(&mut self, now: Instant) -> Option<Throughput> {
        let run = self.run.as_mut().filter(|run| run.pending.messages > 0)?;
        let time = now.saturating_duration_since(run.before);
        let mut sample = run.sample(now);
        sample.pace.time = time;
        Some(self.keep(sample))
    }

    /// Returns the total from the first message until `now`.
    #[must_use]
    pub fn aggregate(&self, now: Instant) -> Throughput {
        self.run.as_ref().map_or_else(Throughput::default, |run| {
            run.total.over(now.saturating_duration_since(run.started), run.first)
        })
    }

    /// Returns the latest samples, the oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Throughput> {
        self.samples.iter()
    }

    fn keep(&mut self, sample: Throughput) -> Throughput {
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

    fn within(seconds: u64, messages: u64, bytes: u64) -> Throughput {
        Throughput::within(Duration::from_secs(seconds), messages, bytes)
    }

    /// Returns what was counted, without rates.
    fn counts(sample: Throughput) -> (Duration, u64, u64) {
        (sample.elapsed, sample.messages, sample.bytes)
    }

    #[test]
    fn five_messages_every_half_second_are_2_hz_at_any_interval() {
        for interval in [0, 1, 500, 700, 2000, 10_000] {
            let interval = Duration::from_millis(interval);
            let mut statistics = ThroughputStatistics::new(interval, 10);
            let start = Instant::now();
            let mut samples = Vec::new();
            for number in 0..5 {
                samples.extend(statistics.record(1, 1000, start + SECOND / 2 * number));
            }
            let end = start + 2 * SECOND;
            samples.extend(statistics.flush(end));
            let total = statistics.aggregate(end);
            assert_eq!((total.message_rate(), total.data_rate()), (2.0, 2000.0));
            assert_eq!((total.messages, total.elapsed), (5, 2 * SECOND));
            // The first message has no rate if it is a sample of its own.
            let rated = samples.iter().filter(|sample| sample.has_rate());
            for sample in rated.clone() {
                assert_eq!(sample.message_rate(), 2.0, "{interval:?}");
            }
            assert!(rated.count() > 0, "{interval:?}");
        }
    }

    #[test]
    fn a_rate_is_right_for_two_messages_and_for_two_millions() {
        assert_eq!(Throughput::between(SECOND / 2, 2, 20).message_rate(), 2.0);
        assert_eq!(Throughput::between(SECOND / 2, 2, 20).data_rate(), 20.0);
        assert_eq!(Throughput::between(2 * SECOND, 2_000_001, 0).message_rate(), 1e6);
    }

    #[test]
    fn messages_that_arrived_at_the_same_instant_have_no_rate() {
        let mut statistics = ThroughputStatistics::new(SECOND, 1);
        let start = Instant::now();
        let at_once = start + Duration::from_nanos(750);
        statistics.record(1, 10, start);
        statistics.record(4, 40, at_once);
        for sample in [statistics.aggregate(at_once), statistics.flush(at_once).unwrap()] {
            assert_eq!((sample.messages, sample.has_rate()), (5, false));
            assert_eq!((sample.message_rate(), sample.data_rate()), (0.0, 0.0));
        }
        let none = within(0, 3, 30);
        assert_eq!((none.has_rate(), none.message_size()), (false, 10.0));
        assert!(Throughput::default().has_rate(), "no messages have a rate of 0");
    }

    #[test]
    fn messages_that_waited_for_the_receiver_count_in_no_rate() {
        let mut statistics = ThroughputStatistics::new(SECOND, 1);
        let start = Instant::now();
        statistics.record(200, 2000, start);
        statistics.record(10, 100, start + SECOND / 2);
        let total = statistics.aggregate(start + SECOND / 2);
        assert_eq!((total.messages, total.message_rate(), total.data_rate()), (210, 20.0, 200.0));
    }

    #[test]
    fn samples_end_with_the_first_message_after_the_interval() {
        let mut statistics = ThroughputStatistics::new(SECOND, 2);
        let start = Instant::now();
        assert_eq!(statistics.record(1, 10, start), None);
        assert_eq!(statistics.record(2, 20, start + SECOND / 2), None);
        let first = statistics.record(1, 10, start + 4 * SECOND).unwrap();
        assert_eq!(counts(first), (4 * SECOND, 4, 40));
        assert_eq!(first.message_rate(), 0.75);
        assert_eq!(statistics.record(1, 5, start + 5 * SECOND), Some(within(1, 1, 5)));
        assert_eq!(statistics.record(1, 6, start + 6 * SECOND), Some(within(1, 1, 6)));
        let kept: Vec<_> = statistics.samples().copied().collect();
        assert_eq!(kept, [within(1, 1, 5), within(1, 1, 6)]);
    }

    #[test]
    fn a_silence_is_sampled_while_it_lasts() {
        let mut statistics = ThroughputStatistics::new(SECOND, 2);
        let start = Instant::now();
        assert_eq!((statistics.due(), statistics.tick(start)), (None, None));
        statistics.record(1, 10, start);
        statistics.record(2, 20, start + SECOND / 2);
        assert_eq!(statistics.tick(start + SECOND), None, "a message may be a little late");
        let due = statistics.due().unwrap();
        assert_eq!(due, start + SECOND + SECOND / 20);
        let sample = statistics.tick(due).unwrap();
        assert_eq!((counts(sample), sample.message_rate()), ((SECOND, 3, 30), 2.0));
        assert_eq!(statistics.tick(due + SECOND), Some(within(1, 0, 0)));
        // A late call returns all intervals that have passed.
        assert_eq!(statistics.tick(start + 5 * SECOND), Some(within(3, 0, 0)));
        assert_eq!(statistics.flush(start + 5 * SECOND), None);
    }

    #[test]
    fn a_message_that_is_a_little_late_ends_its_sample() {
        let mut statistics = ThroughputStatistics::new(SECOND, 2);
        let start = Instant::now();
        statistics.record(1, 10, start);
        let late = start + SECOND + SECOND / 50;
        assert_eq!(statistics.tick(late), None);
        let sample = statistics.record(1, 10, late).unwrap();
        assert!((0.98..1.0).contains(&sample.message_rate()), "{sample}");
    }

    #[test]
    fn the_last_rate_of_a_slow_stream_is_of_the_time_between_its_messages() {
        let mut statistics = ThroughputStatistics::new(SECOND, 2);
        let start = Instant::now();
        statistics.record(1, 10, start);
        let second = start + SECOND * 201 / 100;
        statistics.tick(second);
        statistics.record(1, 10, second);
        let last = statistics.flush(second).unwrap();
        assert_eq!((last.elapsed, last.messages), (SECOND / 100, 1));
        assert!((0.49..0.5).contains(&last.message_rate()), "{last}");
    }

    #[test]
    fn an_interval_of_zero_samples_every_record() {
        let mut statistics = ThroughputStatistics::new(Duration::ZERO, 1);
        let start = Instant::now();
        let first = statistics.record(1, 10, start).unwrap();
        assert_eq!((counts(first), first.has_rate()), ((Duration::ZERO, 1, 10), false));
        assert_eq!(statistics.record(1, 20, start + SECOND), Some(within(1, 1, 20)));
        assert_eq!(statistics.flush(start + SECOND), None);
        assert_eq!(statistics.due(), None);
    }

    #[test]
    fn a_flush_ends_the_sample_that_has_begun_once() {
        let mut statistics = ThroughputStatistics::new(10 * SECOND, 1);
        let start = Instant::now();
        assert_eq!(statistics.flush(start), None);
        statistics.record(3, 300, start);
        let sample = statistics.flush(start + SECOND).map(counts);
        assert_eq!(sample, Some((SECOND, 3, 300)));
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
        let total = statistics.aggregate(first + 4 * SECOND);
        assert_eq!((counts(total), total.message_rate()), ((4 * SECOND, 2, 100), 0.25));
    }

    #[test]
    fn the_line_of_rates_is_that_of_the_original() {
        let line = Throughput::within(Duration::from_millis(500), 28427, 300_214_500);
        assert_eq!(line.to_string(), "Data rate:    600.429 MB/s    Message rate:  56854.000 Hz");
    }
}
