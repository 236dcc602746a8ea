//! What m_stats and m_generate measure while they run, as events.

use std::io;
use std::time::{Duration, Instant};

use super::{Ending, Error};
use crate::error::Result;
use crate::measure::{Throughput, ThroughputStatistics};

/// An interval that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Interval {
    /// The messages received or sent in it.
    pub throughput: Throughput,
}

/// A run that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Total {
    /// The messages received or sent, from the first one on.
    pub throughput: Throughput,
}

/// Receives the results of a tool while it measures; the programs print them as text or as JSON.
/// Every event may be ignored, as [`Silent`](super::Silent) does. An error ends the run.
///
/// ```
/// use std::io;
/// use mflow::Stop;
/// use mflow::tools::{Interval, Limits, Reporter, Silent, loopback, stats};
///
/// #[derive(Default)]
/// struct Fastest(f64);
///
/// impl Reporter for Fastest {
///     fn interval(&mut self, interval: &Interval) -> io::Result<()> {
///         self.0 = self.0.max(interval.throughput.data_rate());
///         Ok(())
///     }
/// }
///
/// let limits = Limits { count: Some(1000), ..Limits::default() };
/// let options = stats::Options { limits, ..stats::Options::default() };
/// let (stop, mut fastest) = (Stop::never(), Fastest::default());
/// loopback::run(&options, 1 << 16, &stop, &mut fastest, &mut Silent)?;
/// assert!(fastest.0 > 0.0);
/// # Ok::<(), mflow::Error>(())
/// ```
pub trait Reporter {
    /// A tool has started to receive, and reports every `interval`.
    ///
    /// # Errors
    /// If it cannot be written.
    fn started(&mut self, interval: Duration) -> io::Result<()> {
        let _ = interval;
        Ok(())
    }

    /// An interval is over.
    ///
    /// # Errors
    /// If it cannot be written.
    fn interval(&mut self, interval: &Interval) -> io::Result<()> {
        let _ = interval;
        Ok(())
    }

    /// The run has ended in this way; the rest of its last interval follows, and the total.
    ///
    /// # Errors
    /// If it cannot be written.
    fn ended(&mut self, ending: Ending) -> io::Result<()> {
        let _ = ending;
        Ok(())
    }

    /// The run is over, or an error has ended it.
    ///
    /// # Errors
    /// If it cannot be written.
    fn total(&mut self, total: &Total) -> io::Result<()> {
        let _ = total;
        Ok(())
    }
}

/// Counts messages, and reports their rates to a [`Reporter`].
pub(crate) struct Report {
    statistics: ThroughputStatistics,
}

impl Report {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { statistics: ThroughputStatistics::new(interval, 1) }
    }

    /// Counts messages, and reports the interval that they end.
    pub(crate) fn record(
        &mut self,
        messages: u64,
        bytes: u64,
        now: Instant,
        reporter: &mut dyn Reporter,
    ) -> Result<()> {
        report(self.statistics.record(messages, bytes, now), reporter).map_err(Error::output)
    }

    /// Returns when [`tick`](Self::tick) has an interval to report if no message arrives.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.statistics.due()
    }

    /// Reports an interval that is over, also without messages in it.
    pub(crate) fn tick(&mut self, now: Instant, reporter: &mut dyn Reporter) -> Result<()> {
        report(self.statistics.tick(now), reporter).map_err(Error::output)
    }

    /// Reports how a run has ended, unless by an error, the rest of the last interval, and the total.
    /// Returns the total and how the run has ended: with an error, too, if these cannot be reported.
    pub(crate) fn finish(
        &mut self,
        ended: Result<Ending>,
        now: Instant,
        reporter: &mut dyn Reporter,
    ) -> (Throughput, Result<Ending>) {
        let ended = ended.and_then(|ending| {
            reporter.ended(ending).map_err(Error::output)?;
            Ok(ending)
        });
        let last = self.statistics.flush(now);
        let throughput = self.statistics.aggregate(now);
        let reported = report(last, reporter).and_then(|()| reporter.total(&Total { throughput }));
        let reported = reported.map_err(Error::output);
        (throughput, ended.and_then(|ending| reported.map(|()| ending)))
    }
}

/// Reports an interval, if it is over.
fn report(interval: Option<Throughput>, reporter: &mut dyn Reporter) -> io::Result<()> {
    interval.map_or(Ok(()), |throughput| reporter.interval(&Interval { throughput }))
}
