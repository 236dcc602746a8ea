//! m_stats: how much arrives, and how fast.

use std::io::Write;
use std::time::{Duration, Instant};

use super::report::{Direction, Notation, RULE, Report};
use super::run::Run;
use super::{Ending, Failure, Findings, Limits, Missed, sum_up};
use crate::endpoint::{Source, Stop, WaitSet};
use crate::error::Result;
use crate::measure::Throughput;

/// A good [`queue_size`](crate::stream::Options::queue_size) to measure with: no message is kept,
/// whatever its size.
pub const QUEUE_SIZE: u32 = crate::stream::Options::SMALL_MESSAGES_QUEUE_SIZE;

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often to print rates: 0.5 s by default, for every message if it is zero.
    pub interval: Duration,
    /// In which form to print them.
    pub notation: Notation,
    /// When to end.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            notation: Notation::default(),
            limits: Limits::default(),
        }
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

/// Measures the messages of a source, and prints rates as psi-mflow does: from the first message
/// on, each interval when it is over, also without messages in it; and the summary in any case.
///
/// # Errors
/// If the source or the output fails.
pub fn run(
    source: &mut dyn Source,
    options: &Options,
    stop: &Stop,
    out: &mut dyn Write,
) -> Result<Summary, Failure<Summary>> {
    let interval = options.interval.as_secs_f64();
    let mut report = Report::new(options.interval, options.notation, Direction::Receive);
    let started = "mflow stats started. Sampling interval is";
    report.remark(format_args!("{started} {interval:.2} seconds.\n{RULE}"), out)?;
    let mut run = Run::new(options.limits, stop);
    let ended = measure(source, options.interval, &mut run, &mut report, out);
    let (total, ended) = report.finish(ended, run.latest(), out);
    sum_up(ended, |ending| {
        let received = total.messages;
        let missed = Missed::messages(&options.limits, received, ending);
        Summary { findings: Findings { received, missed, ..Findings::new(ending) }, total }
    })
}

/// Counts messages until the run ends, and prints rates.
fn measure(
    source: &mut dyn Source,
    interval: Duration,
    run: &mut Run<'_>,
    report: &mut Report,
    out: &mut dyn Write,
) -> Result<Ending> {
    loop {
        // Messages that wait in a stream arrived before; in a recording, none waits.
        let is_first = run.messages() == 0 && !source.report().is_live;
        let most = if interval.is_zero() || is_first { 1 } else { run.remaining() };
        let tally = source.tally(most)?;
        let now = Instant::now();
        if tally.messages > 0 {
            run.count(tally.messages, tally.bytes, now);
            report.record(tally.messages, tally.bytes, now, out)?;
        } else {
            report.tick(now, out)?;
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
