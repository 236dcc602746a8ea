//! m_dump: messages to a recording, as text to look at, as lines of JSON, or their arrays as files.
//!
//! Each form is a [`Sink`], and [`run`] carries messages into any of them.

mod array_folder;
#[cfg(feature = "cli")]
mod flags;
mod json;
mod npy;
#[cfg(feature = "cli")]
mod png;
mod text;

use std::ops::{Add, ControlFlow};
use std::time::{Duration, Instant};

use super::run::{Beside, Run};
use super::{Ending, Failure, Limits, Observer, sum_up, tell_notices};
use crate::endpoint::{Offer, Received, Sink, Source, Stop, Unconfirmed, WaitSet};
use crate::error::{Error, Result};
use crate::frame::Frames;
use crate::routing::{BySource, Filter, FilterOptions, SeriesWatch, Strays};

pub use array_folder::{ArrayFile, ArrayFolder, Existing};
pub use json::{JsonContent, JsonWriter, write_strays};
pub use npy::Npy;
#[cfg(feature = "cli")]
pub use png::Png;
pub use text::TextWriter;

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
    /// seen and all images that it announced have come, or none has come for so long. Where there
    /// are several sources, with that of each one that sends.
    pub until_series_end: Option<Duration>,
}

/// What was dumped.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// How many messages.
    pub messages: u64,
    /// How many bytes, all parts together.
    pub bytes: u64,
    /// How many messages came that the filter left out.
    pub left_out: u64,
    /// The time from the first message to the last.
    pub elapsed: Duration,
    /// How many messages the sink could not read in full.
    pub damaged: u64,
    /// How many images of the series did not come that were announced.
    pub missing: u64,
    /// How many messages belonged to other series than those that were waited for.
    pub strays: Strays,
    /// Whether one of these series is cut short by the end of the run.
    pub cuts_another: bool,
    /// Whether something else ended the run than the end of the series that was waited for.
    pub is_unfinished: bool,
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
) -> Result<Summary, Failure<Summary>> {
    tell_notices(source, observer);
    let mut run = Run::new(options.limits, stop).draining(source);
    let followed = |grace| BySource::new(Followed::new(grace, &options.filter));
    let mut series = options.until_series_end.map(followed);
    let mut filter = BySource::new(Filter::new(options.filter.clone()));
    let result = pump(source, sink.as_mut(), &mut filter, &mut series, &mut run, observer);
    let damaged = sink.report().damaged;
    let finished = sink.finish(PATIENCE);
    let (ended, refused) = match result {
        Ok((ending, refused)) => (Ok(ending), refused),
        Err(error) => (Err(error), 0),
    };
    let (unwritten, ended) = match finished {
        Ok(Unconfirmed::Count(messages)) => (messages + refused, ended),
        Ok(Unconfirmed::Unknown) => (refused, ended),
        // What failed before is told by it, and what is dropped by that.
        Err(error) => (refused, Err(error)),
    };
    let watches = || series.iter().flat_map(BySource::iter).map(|followed| &followed.watch);
    sum_up(ended, |ending| Summary {
        messages: run.messages(),
        bytes: run.progress().bytes,
        left_out: run.passed(),
        elapsed: run.elapsed(),
        damaged,
        missing: watches().filter_map(SeriesWatch::missing).sum(),
        strays: watches().map(SeriesWatch::strays).fold(Strays::default(), Add::add),
        cuts_another: watches().any(SeriesWatch::cuts_another),
        is_unfinished: series.is_some() && ending != Ending::SeriesEnded,
        unwritten,
        ending,
    })
}

/// Carries messages from a source to a sink until the run ends; returns how many the sink has not
/// taken.
fn pump(
    source: &mut dyn Source,
    mut sink: &mut dyn Sink,
    filter: &mut BySource<Filter>,
    series: &mut Option<BySource<Followed>>,
    run: &mut Run<'_>,
    observer: &mut dyn Observer,
) -> Result<(Ending, u64)> {
    loop {
        // More of them may become known, as of a pipe.
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
            // What comes after the grace and puts nothing off is of another series.
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
                    run.pass(now);
                    continue;
                }
            }
        }
        // Where no part is wanted, there is nothing to be written, and a message all the same.
        if !received.frames.is_empty() && !hand_over(sink, &received, PATIENCE)? {
            return Ok((Ending::Stopped, 1));
        }
        run.count(1, received.frames.bytes() as u64, now);
        observer.progress(run.progress());
    }
}

/// Hands a message to a sink, waiting for it to take it: a stop is no reason to lose what was
/// received. Gives up where the sink has made no room in so long a time.
fn hand_over(sink: &mut dyn Sink, message: &Received, patience: Duration) -> Result<bool> {
    let mut is_over = false;
    while sink.offer(message)? == Offer::Full {
        if is_over {
            return Ok(false);
        }
        let mut set = WaitSet::new();
        sink.readiness(&mut set);
        let waited = set.wait(&Stop::never(), Some(patience));
        let waited = waited.map_err(|source| Error::Wait { name: sink.name().to_owned(), source });
        // A sink may wait to tell of room until there is much of it.
        is_over = !waited?;
    }
    Ok(true)
}

/// Tells whether all has come of the series of all sources that have one; each has sent something.
fn is_complete(series: &BySource<Followed>, sources: usize) -> bool {
    let mut begun = series.iter().map(|it| &it.watch).filter(|watch| watch.has_begun()).peekable();
    series.len() >= sources && begun.peek().is_some() && begun.all(SeriesWatch::is_complete)
}

/// Returns when the series of all sources are over of which anything has come. Where there are some
/// that nothing at all has come of, they have so long to begin as images have to come late.
fn over_at(series: &BySource<Followed>, sources: usize) -> Option<Instant> {
    let begun = series.iter().map(|followed| &followed.watch).filter(|watch| watch.has_begun());
    let mut ends = begun.map(SeriesWatch::over_at);
    let first = ends.next()??;
    let latest = ends.try_fold(first, |latest, end| Some(latest.max(end?)))?;
    let grace = series.iter().next().map_or(Duration::ZERO, |followed| followed.watch.grace());
    if series.len() < sources { latest.checked_add(grace) } else { Some(latest) }
}

/// The series of one source whose end is waited for: one of those that the filter takes.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Origin, Report, Timestamp};

    /// Has room now and then, and tells nobody.
    struct Reticent {
        offers: u32,
        has_room: bool,
    }

    impl Sink for Reticent {
        fn name(&self) -> &'static str {
            "reticent"
        }

        fn offer(&mut self, _message: &Received) -> Result<Offer> {
            self.offers += 1;
            Ok(if self.has_room && self.offers > 1 { Offer::Taken } else { Offer::Full })
        }

        fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
            set.deadline(Instant::now() + Duration::from_secs(1000));
        }

        fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

        fn check(&mut self) -> Result<()> {
            Ok(())
        }

        fn report(&self) -> Report {
            Report::default()
        }

        fn finish(self: Box<Self>, _patience: Duration) -> Result<Unconfirmed> {
            Ok(Unconfirmed::Count(0))
        }
    }

    #[test]
    fn a_sink_is_given_up_only_where_it_has_made_no_room() {
        let message = Received {
            frames: Frames::from([&b"x"[..]]),
            time: Timestamp::now(),
            origin: Origin::new("x"),
        };
        for has_room in [true, false] {
            let mut sink = Reticent { offers: 0, has_room };
            let taken = hand_over(&mut sink, &message, Duration::from_millis(1)).unwrap();
            assert_eq!((taken, sink.offers), (has_room, 2));
        }
    }
}
