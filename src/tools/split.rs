//! m_split: one source to many outputs.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::run::{Beside, Run, Watched};
use super::{
    Ending, Failure, Findings, Limits, Missed, Observer, OutputFindings, show_departures,
    show_listening, show_notices, sum_up,
};
use crate::counted::Counted;
use crate::endpoint::{Opening, Source, Stop, Unconfirmed, WaitSet};
use crate::error::{Result, WithCauses};
use crate::recording::{self, McapOptions};
use crate::routing::{self, Config, Output, Split};

/// The shortest time between two reports of whether an output accepts messages.
const REPORT: Duration = Duration::from_secs(2);

/// What was split.
#[derive(Debug)]
pub struct Summary {
    /// The findings, also for each output.
    pub findings: Findings,
}

/// Opens the streams and recordings of a configuration; `tune` may change the options of each.
///
/// # Errors
/// If one of them cannot be opened.
pub fn open(
    config: &Config,
    tune: impl Fn(crate::stream::Options) -> crate::stream::Options,
    observer: &mut dyn Observer,
) -> Result<(Box<dyn Source>, Split)> {
    let mut outputs = Vec::new();
    for output in &config.streams {
        let options = tune(output.options());
        let session = [config.source.session(), output.session()].concat();
        let sink = output.address.open_sink(
            Opening::from(options).with(McapOptions { session, ..McapOptions::default() }),
        )?;
        show_listening(&sink.report(), observer);
        outputs.push(Output::new(sink, output));
    }
    let source = config.source.address.open_source(tune(config.source.options()))?;
    show_listening(&source.report(), observer);
    Ok((source, Split::new(outputs)))
}

/// Splits until the run ends, and waits then until everything has left, at most `linger` without
/// progress. An output that fails gets no more messages; the run ends with the last output.
///
/// # Errors
/// If the source fails, or every output has: [`routing::Error::NoOutput`], with why each of them has in the
/// summary.
pub fn run(
    source: &mut dyn Source,
    mut split: Split,
    limits: Limits,
    linger: Duration,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Summary, Failure<Summary>> {
    show_notices(source, observer);
    let mut run = Run::new(limits, stop).draining(source);
    observer.started(run.meters());
    let ended = route(source, &mut split, &mut run, stop, observer);
    for output in split.outputs() {
        show_departures(output.endpoint(), output.departures(), observer);
    }
    let mut outputs: Vec<_> = split
        .outputs()
        .iter()
        .map(|output| OutputFindings {
            name: output.endpoint().to_owned(),
            sent: output.sent(),
            dropped: output.dropped(),
            may_drop: output.may_drop(),
            unconfirmed: Unconfirmed::Unknown,
            failure: None,
        })
        .collect();
    observer.leaving();
    let finished = split.finish(linger);
    observer.left();
    for (output, unconfirmed) in outputs.iter_mut().zip(finished) {
        match unconfirmed {
            Ok(unconfirmed) => output.unconfirmed = unconfirmed,
            Err(error) => {
                if let Some(recording::Error::Unwritten { messages, .. }) = error.get() {
                    output.unconfirmed = Unconfirmed::Count(*messages);
                }
                output.failure = Some(error);
            }
        }
    }
    let received = run.messages();
    let sent = outputs.iter().map(|output| output.sent).sum();
    sum_up(ended, |ending| {
        let missed = Missed::messages(&limits, received, ending);
        let findings = Findings { received, sent, outputs, missed, ..Findings::new(ending) };
        Summary { findings }
    })
}

/// Splits until the run ends.
fn route(
    source: &mut dyn Source,
    split: &mut Split,
    run: &mut Run<'_>,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let mut outputs = Outputs::new(split, observer);
    loop {
        let beside = Beside { sink: Some(&mut outputs), over_at: None };
        let received = match run.next_beside(source, beside)? {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(ending) => return Ok(ending),
        };
        run.hear(Instant::now());
        let (ends_at, before) = (run.ends_at(), outputs.counts());
        outputs.split.route(&received, stop, ends_at)?;
        let (now, after) = (Instant::now(), outputs.counts());
        outputs.report_changes(now);
        let ending = run.ending(now);
        run.count(1, received.frames.bytes() as u64, now);
        run.meters().set_dropped(after.1);
        outputs.expect_one()?;
        // More messages that have arrived by a stop would be taken from the sender in vain.
        let is_over = stop.is_requested() || ends_at.is_some_and(|end| end <= now);
        if is_over && after.0 == before.0 && after.1 > before.1 {
            return Ok(ending.unwrap_or(Ending::Timeout));
        }
    }
}

/// The outputs of a split, and the observer of their changes.
struct Outputs<'a> {
    split: &'a mut Split,
    observer: &'a mut dyn Observer,
    /// What was reported of each.
    reported: Vec<Reported>,
}

/// What was reported of an output.
#[derive(Clone, Copy, Default)]
struct Reported {
    has_failed: bool,
    is_dropping: bool,
    dropped: u64,
    at: Option<Instant>,
}

impl<'a> Outputs<'a> {
    fn new(split: &'a mut Split, observer: &'a mut dyn Observer) -> Self {
        let reported = vec![Reported::default(); split.outputs().len()];
        Self { split, observer, reported }
    }

    /// Returns how many messages the outputs have accepted, and how many were dropped.
    fn counts(&self) -> (u64, u64) {
        let add =
            |(sent, dropped), output: &Output| (sent + output.sent(), dropped + output.dropped());
        self.split.outputs().iter().fold((0, 0), add)
    }

    /// Fails if no output is left.
    fn expect_one(&self) -> Result<()> {
        if self.split.has_failed() { Err(routing::Error::NoOutput.into()) } else { Ok(()) }
    }

    /// Reports which outputs have failed, and which have stopped or started to accept messages
    /// since the last time, at a limited rate for each.
    fn report_changes(&mut self, now: Instant) {
        for (output, reported) in self.split.outputs().iter().zip(&mut self.reported) {
            if let Some(error) = output.failure() {
                // The failure of the last output ends the run, and is reported then.
                if !reported.has_failed && !self.split.has_failed() {
                    let error = WithCauses(error);
                    self.observer.notice(format_args!("{error}; the other outputs continue"));
                }
                reported.has_failed = true;
                continue;
            }
            let is_dropping = output.is_dropping();
            let is_soon = || reported.at.is_some_and(|at| now - at < REPORT);
            if is_dropping == reported.is_dropping || is_soon() {
                continue;
            }
            let name = output.endpoint();
            if is_dropping {
                self.observer.notice(format_args!(
                    "'{name}' accepts no messages: they are dropped until it does"
                ));
            } else {
                let dropped = Counted(output.dropped() - reported.dropped, "message").were();
                self.observer
                    .notice(format_args!("'{name}' accepts messages again, {dropped} dropped"));
                reported.dropped = output.dropped();
            }
            (reported.is_dropping, reported.at) = (is_dropping, Some(now));
        }
    }
}

impl Watched for Outputs<'_> {
    fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        self.split.outputs().iter().for_each(|output| output.watch(set));
    }

    fn check(&mut self) -> Result<()> {
        self.split.check();
        self.report_changes(Instant::now());
        self.expect_one()
    }
}
