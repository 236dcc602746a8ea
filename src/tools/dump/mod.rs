//! m_dump: messages to a recording, as text to look at, as lines of JSON, or their arrays as files.
//!
//! Each form is a [`Sink`], and [`run`] carries messages into any of them.

mod array_folder;
mod json;
mod npy;
#[cfg(feature = "cli")]
mod png;
mod text;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::run::{Beside, Run};
use super::{Ending, Limits, Observer, tell_notices};
use crate::routing::{Filter, FilterOptions, SeriesWatch};
use crate::{Error, Offer, Received, Result, Sink, Source, Stop, Unconfirmed, WaitSet};

pub use array_folder::{ArrayFile, ArrayFolder, Existing};
pub use json::{JsonContent, JsonWriter};
pub use npy::Npy;
#[cfg(feature = "cli")]
pub use png::Png;
pub use text::TextWriter;
pub(super) use text::is_hidden;

/// How long a sink may make no progress before what it has not taken is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to dump, and when to end; everything for ever by default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When to end; messages that the filter leaves out do not count.
    pub limits: Limits,
    /// Which messages to take.
    pub filter: FilterOptions,
    /// To end with the first series that comes, of those that the filter takes: once its end was
    /// seen and all images that it announced have come, or none has come for so long.
    pub until_series_end: Option<Duration>,
}

/// What was dumped.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// How many messages.
    pub messages: u64,
    /// How many bytes, all parts together.
    pub bytes: u64,
    /// The time from the first message to the last.
    pub elapsed: Duration,
    /// How many messages the sink could not read in full.
    pub damaged: u64,
    /// How many images of the series did not come that were announced.
    pub missing: u64,
    /// How many messages the sink has not written, as it hangs.
    pub unwritten: u64,
    /// What ended the run.
    pub ending: Ending,
}

/// Dumps what comes from a source into a sink: a recording, a [`TextWriter`], a [`JsonWriter`], or
/// an [`ArrayFolder`]. What was received when a stop is requested is still written.
///
/// # Errors
/// Where the source or the sink fails.
pub fn run(
    source: &mut dyn Source,
    mut sink: Box<dyn Sink + '_>,
    options: &Options,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    tell_notices(source, observer);
    let mut run = Run::new(options.limits, stop).draining();
    let mut series = options.until_series_end.map(|grace| Followed::new(grace, &options.filter));
    let mut filter = Filter::new(options.filter.clone());
    let result = pump(source, sink.as_mut(), &mut filter, &mut series, &mut run, observer);
    let damaged = sink.damaged();
    let finished = sink.finish(PATIENCE);
    let (ending, refused) = result?;
    let unwritten = match finished? {
        Unconfirmed::Count(messages) => messages + refused,
        Unconfirmed::Unknown => refused,
    };
    Ok(Summary {
        messages: run.messages(),
        bytes: run.progress().bytes,
        elapsed: run.elapsed(),
        damaged,
        missing: series.and_then(|series| series.watch.missing()).unwrap_or(0),
        unwritten,
        ending,
    })
}

/// Carries messages from a source to a sink until the run ends; returns how many the sink has not
/// taken.
fn pump(
    source: &mut dyn Source,
    sink: &mut dyn Sink,
    filter: &mut Filter,
    series: &mut Option<Followed>,
    run: &mut Run<'_>,
    observer: &mut dyn Observer,
) -> Result<(Ending, u64)> {
    loop {
        let over_at = series.as_ref().and_then(|series| series.watch.over_at());
        let beside = Beside { sink: Some(sink), over_at };
        let mut received = match run.next_beside(source, beside)? {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(ending) => return Ok((ending, 0)),
        };
        let now = Instant::now();
        if let Some(series) = series {
            series.observe(&received, now);
        }
        if !filter.is_open() {
            match filter.apply(&received.frames) {
                Some(frames) => received.frames = frames,
                None => {
                    run.pass(now);
                    continue;
                }
            }
        }
        if !hand_over(sink, &received)? {
            return Ok((Ending::Stopped, 1));
        }
        run.count(1, received.frames.bytes() as u64, now);
        observer.progress(run.progress());
    }
}

/// Hands a message to a sink, waiting for it to take it: a stop is no reason to lose what was
/// received. Gives up where the sink makes no progress.
fn hand_over(sink: &mut dyn Sink, message: &Received) -> Result<bool> {
    while sink.offer(message)? == Offer::Full {
        let mut set = WaitSet::new();
        sink.readiness(&mut set);
        let waited = set.wait(&Stop::never(), Some(PATIENCE));
        if !waited.map_err(|source| Error::Wait { name: sink.name().to_owned(), source })? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The series whose end is waited for: one of those that the filter takes.
struct Followed {
    watch: SeriesWatch,
    of: Filter,
}

impl Followed {
    fn new(grace: Duration, filter: &FilterOptions) -> Self {
        let of = FilterOptions { series: filter.series, ..FilterOptions::default() };
        Self { watch: SeriesWatch::new(grace), of: Filter::new(of) }
    }

    fn observe(&mut self, message: &Received, now: Instant) {
        if self.of.accepts(&message.frames) {
            self.watch.observe(&message.frames, now);
        }
    }
}
