//! m_split: one source to many outputs.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::run::{Beside, Run, Watched};
use super::{
    Ending, Failure, Findings, Limits, Missed, Observer, OutputFindings, sum_up, tell_departures,
    tell_listening, tell_notices,
};
use crate::counted::Counted;
use crate::endpoint::{Opening, Source, Stop, Unconfirmed, WaitSet};
use crate::error::{Result, WithCauses};
use crate::recording::{self, McapOptions};
use crate::routing::{self, Config, Output, Split};

/// How often at most it is told of an output that it takes messages, or takes none.
const TELL: Duration = Duration::from_secs(2);

/// What was split.
#[derive(Debug)]
pub struct Summary {
    /// What was found, at each output too.
    pub findings: Findings,
}

/// Opens the streams and recordings of a configuration; `tune` may change the options of each.
///
/// # Errors
/// Where one of them cannot be opened.
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
        tell_listening(&sink.report(), observer);
        outputs.push(Output::new(sink, output));
    }
    let source = config.source.address.open_source(tune(config.source.options()))?;
    tell_listening(&source.report(), observer);
    Ok((source, Split::new(outputs)))
}

/// Splits until the run ends, and waits then until everything has left, at most `linger` without
/// progress. An output that fails is left out from then on; the run ends with the last.
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
    tell_notices(source, observer);
    let mut run = Run::new(limits, stop).draining(source);
    let ended = route(source, &mut split, &mut run, stop, observer);
    for output in split.outputs() {
        tell_departures(output.endpoint(), output.departures(), observer);
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
        run.pass(Instant::now());
        let (ends_at, before) = (run.ends_at(), outputs.counts());
        outputs.split.route(&received, stop, ends_at)?;
        let (now, after) = (Instant::now(), outputs.counts());
        outputs.tell_changes(now);
        let ending = run.ending(now);
        run.count(1, received.frames.bytes() as u64, now);
        outputs.observer.progress(run.progress());
        outputs.expect_one()?;
        // What else has come by a stop would be taken from its sender for nothing.
        let is_over = stop.is_requested() || ends_at.is_some_and(|end| end <= now);
        if is_over && after.0 == before.0 && after.1 > before.1 {
            return Ok(ending.unwrap_or(Ending::Timeout));
        }
    }
}

/// The outputs of a split, and who is told what becomes of them.
struct Outputs<'a> {
    split: &'a mut Split,
    observer: &'a mut dyn Observer,
    /// What was told of each.
    told: Vec<Told>,
}

/// What was told of an output.
#[derive(Clone, Copy, Default)]
struct Told {
    has_failed: bool,
    is_set_aside: bool,
    dropped: u64,
    at: Option<Instant>,
}

impl<'a> Outputs<'a> {
    fn new(split: &'a mut Split, observer: &'a mut dyn Observer) -> Self {
        let told = vec![Told::default(); split.outputs().len()];
        Self { split, observer, told }
    }

    /// Returns how many messages the outputs have taken, and how many were dropped.
    fn counts(&self) -> (u64, u64) {
        let add =
            |(sent, dropped), output: &Output| (sent + output.sent(), dropped + output.dropped());
        self.split.outputs().iter().fold((0, 0), add)
    }

    /// Fails where no output is left.
    fn expect_one(&self) -> Result<()> {
        if self.split.has_failed() { Err(routing::Error::NoOutput.into()) } else { Ok(()) }
    }

    /// Tells which outputs have failed, and which have stopped or started to take messages since the
    /// last time, of each now and then at most.
    fn tell_changes(&mut self, now: Instant) {
        for (output, told) in self.split.outputs().iter().zip(&mut self.told) {
            if let Some(error) = output.failure() {
                // The last is told when the run ends, which it does by that.
                if !told.has_failed && !self.split.has_failed() {
                    let error = WithCauses(error);
                    self.observer.notice(format_args!("{error}; the other outputs go on"));
                }
                told.has_failed = true;
                continue;
            }
            let is_set_aside = output.is_set_aside();
            let is_soon = || told.at.is_some_and(|at| now - at < TELL);
            if is_set_aside == told.is_set_aside || is_soon() {
                continue;
            }
            let name = output.endpoint();
            if is_set_aside {
                self.observer.notice(format_args!(
                    "'{name}' takes no messages: dropping what is for it until it does"
                ));
            } else {
                let dropped = Counted(output.dropped() - told.dropped, "message").were();
                self.observer
                    .notice(format_args!("'{name}' takes messages again, {dropped} dropped"));
                told.dropped = output.dropped();
            }
            (told.is_set_aside, told.at) = (is_set_aside, Some(now));
        }
    }
}

impl Watched for Outputs<'_> {
    fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        self.split.outputs().iter().for_each(|output| output.watch(set));
    }

    fn check(&mut self) -> Result<()> {
        self.split.check();
        self.tell_changes(Instant::now());
        self.expect_one()
    }
}
