//! m_dump: messages to a recording, as text to look at, as lines of JSON, or their arrays as files.
//!
//! Each form is a [`Sink`], and [`run`] carries messages into any of them.

mod array_folder;
#[cfg(feature = "cli")]
mod flags;
mod input;
mod json;
mod notes;
mod npy;
mod output;
#[cfg(feature = "cli")]
mod png;
mod record;
mod text;

use std::ops::{Add, ControlFlow};
use std::time::{Duration, Instant};

use super::run::{Beside, Run};
use super::{Dropped, Ending, Failure, Findings, Limits, Missed, Observer, show_notices, sum_up};
use crate::endpoint::{Deadline, Offered, Sink, Source, Stop, Unconfirmed, offer_until};
use crate::error::Result;
use crate::frame::Frames;
use crate::recording::Gauge;
use crate::routing::{BySource, Content, Filter, FilterOptions, SeriesWatch, Strays};

pub use array_folder::{ArrayFile, ArrayFolder, Existing};
pub use input::{Input, Inputs};
pub use json::{JsonContent, JsonWriter, write_strays};
pub use notes::Provenance;
pub use npy::Npy;
pub use output::{Format, Output, OutputOptions, is_mcap_file, is_piped};
#[cfg(feature = "cli")]
pub use png::Png;
pub use record::RecordOptions;
pub use text::TextWriter;

/// How long a sink may make no progress before the remaining messages are given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to dump, and when to end; everything for ever by default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When to end; messages that the filter leaves out do not count.
    pub limits: Limits,
    /// Which messages to dump.
    pub filter: FilterOptions,
    /// Ends with the first series that the filter accepts: when its end and all announced images
    /// have arrived, or no image has arrived for this long. With several sources, it waits for the
    /// first series of each source that sends.
    pub until_series_end: Option<Duration>,
}

impl Options {
    /// Returns whether every message is dumped, and parts are left out only by their number.
    #[must_use]
    pub fn takes_everything(&self) -> bool {
        let content = match self.filter.content {
            Content::First(_) => Content::Whole,
            content => content,
        };
        let filter = FilterOptions { content, ..self.filter.clone() };
        filter == FilterOptions::default() && self.until_series_end.is_none()
    }
}

/// What was dumped.
#[derive(Debug)]
pub struct Summary {
    /// The findings.
    pub findings: Findings,
    /// How many bytes, all parts together.
    pub bytes: u64,
    /// How many messages the filter left out.
    pub left_out: u64,
    /// The time from the first message to the last.
    pub elapsed: Duration,
    /// How many messages belonged to other series than the expected ones.
    pub strays: Strays,
}

/// Dumps the messages of a source into an output, or into a single sink: a recording, a
/// [`TextWriter`], a [`JsonWriter`], or an [`ArrayFolder`]. Messages received before a stop are
/// still written.
///
/// # Errors
/// If the source or the sink fails.
pub fn run<'a>(
    source: &mut dyn Source,
    output: impl Into<Output<'a>>,
    options: &Options,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Summary, Failure<Summary>> {
    let Output { mut sink, gauge, .. } = output.into();
    show_notices(source, observer);
    let mut run = Run::new(options.limits, stop).draining(source);
    gauge.iter().for_each(|gauge| run.meters().watch(gauge.clone()));
    observer.started(run.meters());
    let followed = |grace| BySource::new(Followed::new(grace, &options.filter));
    let mut series = options.until_series_end.map(followed);
    let mut filter = BySource::new(Filter::new(options.filter.clone()));
    let result = pump(source, sink.as_mut(), &mut filter, &mut series, &mut run);
    let damaged = sink.report().damaged;
    let finished = sink.finish(PATIENCE);
    let (ended, refused) = match result {
        Ok((ending, refused)) => (Ok(ending), refused),
        Err(error) => (Err(error), 0),
    };
    let (unwritten, ended) = match finished {
        Ok(Unconfirmed::Count(messages)) => (messages + refused, ended),
        Ok(Unconfirmed::Unknown) => (refused, ended),
        // It reports an earlier failure, and the messages dropped because of it.
        Err(error) => (refused, Err(error)),
    };
    let watches = || series.iter().flat_map(BySource::iter).map(|followed| &followed.watch);
    sum_up(ended, |ending| {
        let done = run.meters().snapshot();
        let received = done.messages;
        // A run that is stopped by hand need not reach the end of a series.
        let is_early = matches!(ending, Ending::Timeout | Ending::SourceEnded);
        let unfinished = (series.is_some() && is_early).then_some(Missed::SeriesEnd);
        let findings = Findings {
            received,
            lost: watches().filter_map(SeriesWatch::missing).sum(),
            dropped: gauge.as_ref().map(dropped).unwrap_or_default(),
            damaged,
            unwritten,
            cuts_another: watches().any(SeriesWatch::cuts_another),
            missed: Missed::messages(&options.limits, received, ending).or(unfinished),
            ..Findings::new(ending)
        };
        Summary {
            findings,
            bytes: done.bytes,
            left_out: done.left_out,
            elapsed: done.elapsed(),
            strays: watches().map(SeriesWatch::strays).fold(Strays::default(), Add::add),
        }
    })
}

/// Returns the messages that a recorder dropped.
fn dropped(gauge: &Gauge) -> Vec<Dropped> {
    let kinds = gauge.dropped().into_iter();
    kinds.map(|(source, htype, messages)| Dropped { source, htype, messages }).collect()
}

/// Carries messages from a source to a sink until the run ends; returns how many the sink has not
/// accepted.
fn pump(
    source: &mut dyn Source,
    mut sink: &mut dyn Sink,
    filter: &mut BySource<Filter>,
    series: &mut Option<BySource<Followed>>,
    run: &mut Run<'_>,
) -> Result<(Ending, u64)> {
    loop {
        // More sources may become known, as in a pipe.
        let sources = if series.is_some() { source.report().sources } else { 1 };
        let over_at = series.as_ref().and_then(|series| self::over_at(series, sources));
        if series.as_ref().is_some_and(|series| is_complete(series, sources)) {
            return Ok((Ending::SeriesEnded, 0));
        }
        let beside = Beside { sink: Some(&mut sink), over_at };
        let mut received = match run.next_beside(source, beside)? {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(ending) => return Ok((ending, 0)),
        };
        let now = Instant::now();
        if let Some(series) = series {
            series.of(&received.origin).observe(&received.frames, now);
            // A message after the grace that does not extend it belongs to another series.
            let is_over = over_at.is_some_and(|at| at <= now);
            if is_over && self::over_at(series, sources) == over_at {
                return Ok((Ending::SeriesEnded, 0));
            }
        }
        let filter = filter.of(&received.origin);
        if !filter.is_open() {
            match filter.apply(&received.frames) {
                Some(frames) => received.frames = frames,
                None => {
                    run.leave_out(now);
                    continue;
                }
            }
        }
        // If no part is wanted, nothing is written, but it counts as a message. A stop must not
        // lose received messages.
        let (patience, never) = (Deadline::Idle(PATIENCE), Stop::never());
        if !received.frames.is_empty()
            && offer_until(sink, &received, patience, &never)? != Offered::Taken
        {
            return Ok((Ending::Stopped, 1));
        }
        run.count(1, received.frames.bytes() as u64, now);
    }
}

/// Returns whether the series of all sources are complete, for sources with a series; each source
/// has sent something.
fn is_complete(series: &BySource<Followed>, sources: usize) -> bool {
    let mut begun = series.iter().map(|it| &it.watch).filter(|watch| watch.has_begun()).peekable();
    series.len() >= sources && begun.peek().is_some() && begun.all(SeriesWatch::is_complete)
}

/// Returns when the series of all sources that have sent something are over. A source that has sent
/// nothing may begin within the time that late images have.
fn over_at(series: &BySource<Followed>, sources: usize) -> Option<Instant> {
    let begun = series.iter().map(|followed| &followed.watch).filter(|watch| watch.has_begun());
    let mut ends = begun.map(SeriesWatch::over_at);
    let first = ends.next()??;
    let latest = ends.try_fold(first, |latest, end| Some(latest.max(end?)))?;
    let grace = series.iter().next().map_or(Duration::ZERO, |followed| followed.watch.grace());
    if series.len() < sources { latest.checked_add(grace) } else { Some(latest) }
}

/// The series of one source whose end is waited for: one that the filter accepts.
#[derive(Clone)]
struct Followed {
    watch: SeriesWatch,
    of: Filter,
}

impl Followed {
    fn new(grace: Duration, filter: &FilterOptions) -> Self {
        let of = FilterOptions { series: filter.series, ..FilterOptions::default() };
        Self { watch: SeriesWatch::new(grace), of: Filter::new(of) }
    }

    fn observe(&mut self, frames: &Frames, now: Instant) {
        if self.of.accepts(frames) {
            self.watch.observe(frames, now);
        }
    }
}
