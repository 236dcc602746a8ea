//! [`Meters`]: what a run has done so far, for other threads to read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::replay::{Playing, Position, Rest};
use crate::recording::Gauge;

/// What a run has done so far. The thread of the run counts, and any other reads a
/// [`snapshot`](Self::snapshot) whenever it wants one: a progress bar, a screen, a page of metrics.
///
/// An observer gets them with [`started`](super::Observer::started). Neither side waits for the other.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use mflow::Stop;
/// use mflow::tools::{Limits, Meters, Observer, Silent, loopback, stats};
///
/// #[derive(Default)]
/// struct Screen(Option<Arc<Meters>>);
///
/// impl Observer for Screen {
///     fn started(&mut self, meters: &Arc<Meters>) {
///         self.0 = Some(Arc::clone(meters)); // or give it to a thread that draws
///     }
/// }
///
/// let limits = Limits { count: Some(1000), ..Limits::default() };
/// let options = stats::Options { limits, ..stats::Options::default() };
/// let (stop, mut screen) = (Stop::never(), Screen::default());
/// let summary = loopback::run(&options, 100, &stop, &mut Silent, &mut screen)?;
/// let meters = screen.0.expect("the run has started").snapshot();
/// assert_eq!((meters.messages, meters.expected), (summary.total.messages, Some(1000)));
/// # Ok::<(), mflow::Error>(())
/// ```
#[derive(Debug)]
// On cache lines of their own: threads that read these slow down nothing else.
#[repr(align(128))]
pub struct Meters {
    messages: AtomicU64,
    bytes: AtomicU64,
    /// When the first and the latest message were done, in nanoseconds since the start.
    first: AtomicU64,
    latest: AtomicU64,
    left_out: AtomicU64,
    dropped: AtomicU64,
    expected: AtomicU64,
    started: Instant,
    pub(super) position: Position,
    queue: OnceLock<Gauge>,
}

/// A figure that is not known.
const NONE: u64 = u64::MAX;

/// The [`Meters`] at one moment. The run may have gone on between one figure and the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MetersSnapshot {
    /// Messages done: received, or sent if the tool has made them or has read them from a recording.
    pub messages: u64,
    /// Bytes of them, as the tool counts them in its summary.
    pub bytes: u64,
    /// How many messages the run has to do, if that is known.
    pub expected: Option<u64>,
    /// Messages that the filter left out.
    pub left_out: u64,
    /// Messages that were dropped: by a recorder, if the disk is too slow, or by the outputs of a split.
    pub dropped: u64,
    /// Bytes that a recorder has queued, including its costs per message; none without a recorder.
    pub queued: Option<u64>,
    /// When the first message was done.
    pub first: Option<Instant>,
    /// When the latest message was done.
    pub latest: Option<Instant>,
    /// The position of a replay; none before its first message.
    pub playing: Option<Playing>,
    /// Why a replay sends nothing at present, if it does not.
    pub rest: Option<Rest>,
}

impl MetersSnapshot {
    /// Returns the time from the first message to the latest.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match (self.first, self.latest) {
            (Some(first), Some(latest)) => latest.saturating_duration_since(first),
            _ => Duration::ZERO,
        }
    }
}

impl Meters {
    /// Makes the meters of a run that starts now.
    pub(crate) fn new(started: Instant, expected: Option<u64>) -> Self {
        Self {
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            first: AtomicU64::new(NONE),
            latest: AtomicU64::new(NONE),
            left_out: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            expected: AtomicU64::new(expected.unwrap_or(NONE)),
            started,
            position: Position::default(),
            queue: OnceLock::new(),
        }
    }

    /// Counts messages done by `now`. Only the thread of the run changes a figure.
    pub(crate) fn count(&self, messages: u64, bytes: u64, now: Instant) {
        let at = u64::try_from(now.saturating_duration_since(self.started).as_nanos());
        let at = at.map_or(NONE - 1, |at| at.min(NONE - 1));
        if self.first.load(Relaxed) == NONE {
            self.first.store(at, Relaxed);
        }
        self.latest.store(at, Relaxed);
        add(&self.bytes, bytes);
        add(&self.messages, messages);
    }

    /// Counts a message that the filter left out.
    pub(super) fn leave_out(&self) {
        add(&self.left_out, 1);
    }

    /// Sets how many messages were dropped so far.
    pub(super) fn set_dropped(&self, messages: u64) {
        self.dropped.store(messages, Relaxed);
    }

    /// Sets how many messages the run has to do.
    pub(super) fn set_expected(&self, messages: u64) {
        self.expected.store(messages, Relaxed);
    }

    /// Adds the queue of a recorder to the snapshots: how full it is, and what it has dropped.
    pub(super) fn watch(&self, queue: Gauge) {
        // There is one recorder in a run.
        let _ = self.queue.set(queue);
    }

    /// Returns when the run started.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Returns how many messages are done.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    /// Returns how many messages the run has to do, if that is known.
    pub(super) fn expected(&self) -> Option<u64> {
        known(&self.expected)
    }

    /// Returns all figures.
    #[must_use]
    pub fn snapshot(&self) -> MetersSnapshot {
        let moment = |figure| self.started.checked_add(Duration::from_nanos(known(figure)?));
        let queue = self.queue.get();
        let dropped = queue.map_or(0, |queue| queue.dropped().iter().map(|(.., it)| it).sum());
        MetersSnapshot {
            messages: self.messages(),
            bytes: self.bytes.load(Relaxed),
            expected: self.expected(),
            left_out: self.left_out.load(Relaxed),
            dropped: self.dropped.load(Relaxed) + dropped,
            queued: queue.map(|queue| queue.bytes() as u64),
            first: moment(&self.first),
            latest: moment(&self.latest),
            playing: self.position.playing(),
            rest: self.position.resting(),
        }
    }
}

/// Returns a figure, if it is known.
fn known(figure: &AtomicU64) -> Option<u64> {
    Some(figure.load(Relaxed)).filter(|figure| *figure != NONE)
}

/// Adds to a figure that only one thread changes: an atomic addition would cost more.
fn add(figure: &AtomicU64, number: u64) {
    figure.store(figure.load(Relaxed) + number, Relaxed);
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn another_thread_reads_what_the_run_counts() {
        let started = Instant::now();
        let meters = Meters::new(started, Some(10));
        let at = |seconds| started + Duration::from_secs(seconds);
        meters.count(2, 20, at(1));
        meters.count(1, 5, at(3));
        meters.leave_out();
        meters.set_dropped(4);
        let seen = thread::scope(|scope| scope.spawn(|| meters.snapshot()).join().unwrap());
        let expected = MetersSnapshot {
            messages: 3,
            bytes: 25,
            expected: Some(10),
            left_out: 1,
            dropped: 4,
            first: Some(at(1)),
            latest: Some(at(3)),
            ..MetersSnapshot::default()
        };
        assert_eq!(seen, expected);
        assert_eq!(seen.elapsed(), Duration::from_secs(2));
    }

    #[test]
    fn a_figure_that_is_not_known_is_none() {
        let meters = Meters::new(Instant::now(), None);
        assert_eq!(meters.snapshot(), MetersSnapshot::default());
        assert_eq!(meters.snapshot().elapsed(), Duration::ZERO);
        meters.set_expected(7);
        assert_eq!(meters.snapshot().expected, Some(7));
    }
}
