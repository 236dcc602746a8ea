//! m_stats: how much arrives, and how fast.

use std::time::{Duration, Instant};

use super::report::{Report, Reporter};
use super::run::Run;
use super::{Ending, Error, Failure, Findings, Limits, Missed, Observer, sum_up};
use crate::endpoint::{Source, Stop, WaitSet};
use crate::error::Result;
use crate::measure::Throughput;

/// A good [`queue_size`](crate::stream::Options::queue_size) to measure with: no message is kept,
/// whatever its size.
pub const QUEUE_SIZE: u32 = crate::stream::Options::SMALL_MESSAGES_QUEUE_SIZE;

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often to report rates: 0.5 s by default, for every message if it is zero.
    pub interval: Duration,
    /// When to end.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: Duration::from_millis(500), limits: Limits::default() }
    }
}

/// What was measured.
#[derive(Debug)]
pub struct Summary {
    /// The findings.
    pub findings: Findings,
    /// All messages, from the first one on.
    pub total: Throughput,
}

/// Measures the messages of a source, and reports rates as psi-mflow does: from the first message
/// on, each interval when it is over, also without messages in it; and the total in any case.
///
/// # Errors
/// If the source or the reporter fails.
pub fn run(
    source: &mut dyn Source,
    options: &Options,
    stop: &Stop,
    reporter: &mut dyn Reporter,
    observer: &mut dyn Observer,
) -> Result<Summary, Failure<Summary>> {
    reporter.started(options.interval).map_err(Error::output)?;
    let mut report = Report::new(options.interval);
    let mut run = Run::new(options.limits, stop);
    observer.started(run.meters());
    let ended = measure(source, options.interval, &mut run, &mut report, reporter);
    let (total, ended) = report.finish(ended, run.latest(), reporter);
    sum_up(ended, |ending| {
        let received = total.messages;
        let missed = Missed::messages(&options.limits, received, ending);
        Summary { findings: Findings { received, missed, ..Findings::new(ending) }, total }
    })
}

/// Counts messages until the run ends, and reports rates.
fn measure(
    source: &mut dyn Source,
    interval: Duration,
    run: &mut Run<'_>,
    report: &mut Report,
    reporter: &mut dyn Reporter,
) -> Result<Ending> {
    loop {
        // Messages that wait in a stream arrived before; in a recording, none waits.
        let is_first = run.messages() == 0 && !source.report().is_live;
        let most = if interval.is_zero() || is_first { 1 } else { run.remaining() };
        let tally = source.tally(most)?;
        let now = Instant::now();
        if tally.messages > 0 {
            run.count(tally.messages, tally.bytes, now);
            report.record(tally.messages, tally.bytes, now, reporter)?;
        } else {
            report.tick(now, reporter)?;
        }
        if let Some(ending) = run.ending(now) {
            return Ok(ending);
        }
        if tally.ended {
            return Ok(Ending::SourceEnded);
        }
        if tally.messages == 0 {
            let mut set = WaitSet::new();
            source.readiness(&mut set);
            report.due().into_iter().for_each(|due| set.deadline(due));
            if let Some(ending) = run.wait(set, source.name())? {
                return Ok(ending);
            }
        }
    }
}
