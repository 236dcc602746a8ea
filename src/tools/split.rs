//! m_split: one source to many outputs.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::run::Run;
use super::{Ending, Limits, Observer, tell_departures};
use crate::routing::{Config, Output, Split};
use crate::{Result, Source, Stop, Unconfirmed};

/// What went to one output.
#[derive(Clone, Debug)]
pub struct OutputSummary {
    /// Its address, as peers know it.
    pub name: String,
    /// How many messages it took.
    pub sent: u64,
    /// How many were dropped because it took nothing.
    pub dropped: u64,
    /// How many it could not hand to a peer at the end.
    pub unconfirmed: Unconfirmed,
}

/// What was split.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many messages came.
    pub messages: u64,
    /// The outputs, in the order in which they were given.
    pub outputs: Vec<OutputSummary>,
    /// What ended the run.
    pub ending: Ending,
}

/// A table of the outputs.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.outputs.iter().map(|output| output.name.len());
        let width = names.chain(["output".len()]).max().unwrap_or(0);
        write!(
            f,
            "{:<width$}  {:>12}  {:>12}  {:>12}",
            "output", "sent", "dropped", "not handed over"
        )?;
        for output in &self.outputs {
            let OutputSummary { name, sent, dropped, unconfirmed } = output;
            write!(f, "\n{name:<width$}  {sent:>12}  {dropped:>12}  {unconfirmed:>15}")?;
        }
        Ok(())
    }
}

/// Opens the streams and recordings of a configuration; `tune` may change the options of each.
///
/// # Errors
/// Where one of them cannot be opened.
pub fn open(
    config: &Config,
    tune: impl Fn(crate::Options) -> crate::Options,
    observer: &mut dyn Observer,
) -> Result<(Box<dyn Source>, Split)> {
    let mut outputs = Vec::new();
    for output in &config.streams {
        let sink = output.address.open_sink(tune(output.options()))?;
        sink.listening().into_iter().for_each(|endpoint| observer.listening(endpoint));
        outputs.push(Output::new(sink, output));
    }
    let source = config.source.address.open_source(tune(config.source.options()))?;
    source.listening().into_iter().for_each(|endpoint| observer.listening(endpoint));
    Ok((source, Split::new(outputs)))
}

/// Splits until the run ends, and waits then until everything has left, at most `linger` without
/// progress.
///
/// # Errors
/// Where the source or an output fails.
pub fn run(
    source: &mut dyn Source,
    mut split: Split,
    limits: Limits,
    linger: Duration,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let mut run = Run::new(limits, stop).draining();
    let result = route(source, &mut split, &mut run, stop, observer);
    for output in split.outputs() {
        tell_departures(output.endpoint(), output.departures(), observer);
    }
    let mut outputs: Vec<_> = split
        .outputs()
        .iter()
        .map(|output| OutputSummary {
            name: output.endpoint().to_owned(),
            sent: output.sent(),
            dropped: output.dropped(),
            unconfirmed: Unconfirmed::Unknown,
        })
        .collect();
    for (output, unconfirmed) in outputs.iter_mut().zip(split.finish(linger)?) {
        output.unconfirmed = unconfirmed;
    }
    Ok(Summary { messages: run.messages(), outputs, ending: result? })
}

/// Splits until the run ends.
fn route(
    source: &mut dyn Source,
    split: &mut Split,
    run: &mut Run<'_>,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let mut told = vec![false; split.outputs().len()];
    loop {
        let received = match run.next(source)? {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(ending) => return Ok(ending),
        };
        split.route(&received, stop, run.ends_at())?;
        run.count(1, received.frames.bytes() as u64, Instant::now());
        tell_changes(split, &mut told, observer);
        observer.progress(run.progress());
    }
}

/// Tells which outputs have stopped or started to take messages since the last time.
fn tell_changes(split: &Split, told: &mut [bool], observer: &mut dyn Observer) {
    for (output, told) in split.outputs().iter().zip(told) {
        if output.is_set_aside() == *told {
            continue;
        }
        *told = output.is_set_aside();
        let (name, dropped) = (output.endpoint(), output.dropped());
        if *told {
            observer.notice(format_args!(
                "'{name}' takes no messages: dropping what is for it until it does"
            ));
        } else {
            observer.notice(format_args!("'{name}' takes messages again, {dropped} were dropped"));
        }
    }
}
