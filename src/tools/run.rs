//! When a run ends, and waiting until then.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::meters::Meters;
use crate::endpoint::{Event, Received, Sink, Source, Stop, WaitSet};
use crate::error::{Result, SystemError};

/// What ends a run, besides a stop and the end of its source; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// This many messages.
    pub count: Option<u64>,
    /// The run has taken so long.
    pub duration: Option<Duration>,
    /// Nothing has come or gone for so long, since the start or the last message.
    pub timeout: Option<Duration>,
}

/// What has ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The messages that were asked for are done.
    Count,
    /// The time is up.
    Duration,
    /// There was nothing for too long.
    Timeout,
    /// A stop was requested.
    Stopped,
    /// The source has no more.
    SourceEnded,
    /// The series that was waited for is over.
    SeriesEnded,
    /// It broke off: see the error of its [`Failure`](super::Failure).
    Failed,
}

/// Continues a sentence, as in `only 3 of 10 messages before the timeout`.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "as asked for",
            Self::Duration => "before the time was up",
            Self::Timeout => "before the timeout",
            Self::Stopped => "before it was stopped",
            Self::SourceEnded => "before the source ended",
            Self::SeriesEnded => "before the series ended",
            Self::Failed => "before it failed",
        })
    }
}

impl Limits {
    /// Tells whether a run that ended so has done less than was asked: fewer messages than `count`,
    /// or none at all. One that was stopped by hand has done what was wanted, and one that failed
    /// has an error that says so.
    #[must_use]
    pub fn missed_by(&self, messages: u64, ending: Ending) -> bool {
        let is_over = !matches!(ending, Ending::Stopped | Ending::Failed);
        is_over && messages < self.count.unwrap_or(1)
    }
}

/// What came before a stop is still dealt with: it is all there once nothing has come for so long,
/// as it may have to be read off a connection yet.
const QUIET: Duration = Duration::from_millis(50);
/// A sender that continues has no end: after this long of receiving, and this long after a stop
/// in any case, the messages before the stop have been handled.
const DRAINING: Duration = Duration::from_secs(1);
const MOST_DRAINING: Duration = Duration::from_secs(10);

/// The destination of messages: it may fail while none arrives.
pub(super) trait Watched {
    /// Adds what becomes ready when the destination may have failed.
    fn watch<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Returns an error if it has failed as a whole.
    fn check(&mut self) -> Result<()>;
}

impl Watched for &mut (dyn Sink + '_) {
    fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        Sink::watch(&**self, set);
    }

    fn check(&mut self) -> Result<()> {
        Sink::check(&mut **self)
    }
}

/// What else matters to who waits for messages; nothing by default.
#[derive(Default)]
pub(super) struct Beside<'a> {
    /// Where they go: its failure ends the wait.
    pub(super) sink: Option<&'a mut dyn Watched>,
    /// When the series that is waited for is over unless something comes.
    pub(super) over_at: Option<Instant>,
}

/// A run under way.
pub(super) struct Run<'a> {
    limits: Limits,
    stop: &'a Stop,
    meters: Arc<Meters>,
    /// Since when nothing has come or gone that should have.
    silent: Instant,
    /// Whether to deal with what came before a stop.
    drains: bool,
    /// Until when to deal with that, once there is a stop, and until when at the most.
    drained_by: Option<(Instant, Instant)>,
    /// When the last message was taken: what is done with it takes no time from taking others.
    taken: Option<Instant>,
}

impl<'a> Run<'a> {
    pub(super) fn new(limits: Limits, stop: &'a Stop) -> Self {
        let silent = Instant::now();
        let meters = Arc::new(Meters::new(silent, limits.count));
        Self { limits, stop, meters, silent, drains: false, drained_by: None, taken: None }
    }

    /// Has the run announce `total` messages, where there may be no more.
    pub(super) fn expecting(self, total: u64) -> Self {
        self.meters.set_expected(self.limits.count.map_or(total, |count| count.min(total)));
        self
    }

    /// Has the run deal with what has come of a source by the time that it is stopped.
    pub(super) fn draining(mut self, source: &dyn Source) -> Self {
        self.drains = source.report().is_live;
        self
    }

    /// Counts messages done by `now`.
    pub(super) fn count(&mut self, messages: u64, bytes: u64, now: Instant) {
        self.meters.count(messages, bytes, now);
        self.silent = now;
    }

    /// Returns the live figures.
    pub(super) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// Returns how many messages are done.
    pub(super) fn messages(&self) -> u64 {
        self.meters.messages()
    }

    /// Returns how many messages may still be done.
    pub(super) fn remaining(&self) -> u64 {
        self.limits.count.map_or(u64::MAX, |count| count.saturating_sub(self.messages()))
    }

    /// Notes that a message came by `now`, which is counted later.
    pub(super) fn hear(&mut self, now: Instant) {
        self.silent = now;
    }

    /// Notes that a message came by `now` that the filter leaves out.
    pub(super) fn leave_out(&mut self, now: Instant) {
        self.silent = now;
        self.meters.leave_out();
    }

    /// Waits for the next message of a source, or for the end of the run.
    pub(super) fn next(
        &mut self,
        source: &mut dyn Source,
    ) -> Result<ControlFlow<Ending, Received>> {
        self.next_beside(source, Beside::default())
    }

    /// Waits as [`next`](Self::next), and for what happens beside the source.
    pub(super) fn next_beside(
        &mut self,
        source: &mut dyn Source,
        Beside { mut sink, over_at }: Beside<'_>,
    ) -> Result<ControlFlow<Ending, Received>> {
        loop {
            let now = Instant::now();
            match self.ending(now) {
                Some(Ending::Stopped) if self.is_draining(now) => {}
                Some(ending) => return Ok(ControlFlow::Break(ending)),
                None => {}
            }
            match source.poll()? {
                Event::Message(received) => {
                    self.taken = Some(now);
                    return Ok(ControlFlow::Continue(received));
                }
                Event::End => return Ok(ControlFlow::Break(Ending::SourceEnded)),
                Event::Idle => {}
            }
            if over_at.is_some_and(|at| at <= Instant::now()) {
                return Ok(ControlFlow::Break(Ending::SeriesEnded));
            }
            if let Some(sink) = &mut sink {
                sink.check()?;
            }
            let mut set = WaitSet::new();
            source.readiness(&mut set);
            sink.iter().for_each(|sink| sink.watch(&mut set));
            over_at.into_iter().for_each(|at| set.deadline(at));
            let ended = match self.drained_by {
                Some(_) => Self::wait_for_quiet(set, source.name())?,
                None => self.wait(set, source.name())?,
            };
            if let Some(ending) = ended.filter(|ending| !self.is_to_drain(*ending)) {
                return Ok(ControlFlow::Break(ending));
            }
        }
    }

    /// Tells whether an ending has just come that something is to be dealt with after.
    fn is_to_drain(&self, ending: Ending) -> bool {
        self.drains && ending == Ending::Stopped && self.drained_by.is_none()
    }

    /// Tells whether what came before a stop is still to be dealt with.
    fn is_draining(&mut self, now: Instant) -> bool {
        let elsewhere = self.taken.take().map_or(Duration::ZERO, |taken| now - taken);
        let (until, most) = match self.drained_by {
            Some((until, most)) => (until + elsewhere, most),
            None => (now + DRAINING, now + MOST_DRAINING),
        };
        self.drained_by = Some((until, most));
        self.drains && self.remaining() > 0 && now < until.min(most)
    }

    /// Waits for more of what came before a stop.
    fn wait_for_quiet(set: WaitSet<'_>, name: &str) -> Result<Option<Ending>> {
        let woken = set.wait(&Stop::never(), Some(QUIET));
        let woken = woken.map_err(|source| SystemError::Wait { name: name.to_owned(), source })?;
        Ok((!woken).then_some(Ending::Stopped))
    }

    /// Returns when the run ends if nothing more comes or goes.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let until = |start: Instant, limit: Option<Duration>| start.checked_add(limit?);
        let duration = until(self.meters.started(), self.limits.duration);
        duration.into_iter().chain(until(self.silent, self.limits.timeout)).min()
    }

    /// Tells whether the run has ended by `now`, without waiting.
    pub(super) fn ending(&self, now: Instant) -> Option<Ending> {
        if self.stop.is_requested() {
            Some(Ending::Stopped)
        } else if self.remaining() == 0 {
            Some(Ending::Count)
        } else if self.limits.duration.is_some_and(|limit| now - self.meters.started() >= limit) {
            Some(Ending::Duration)
        } else {
            None
        }
    }

    /// Waits for what is in the set, or until the run has ended.
    pub(super) fn wait(&self, set: WaitSet<'_>, name: &str) -> Result<Option<Ending>> {
        let now = Instant::now();
        if let Some(ending) = self.ending(now) {
            return Ok(Some(ending));
        }
        let left = self.ends_at().map(|end| end.saturating_duration_since(now));
        let woken = set
            .wait(self.stop, left)
            .map_err(|source| SystemError::Wait { name: name.to_owned(), source })?;
        if woken {
            return Ok(None);
        }
        let now = Instant::now();
        let silent = |limit| now.saturating_duration_since(self.silent) >= limit;
        let timeout = self.limits.timeout.is_some_and(silent).then_some(Ending::Timeout);
        Ok(self.ending(now).or(timeout))
    }

    /// Waits as [`wait`](Self::wait) does in a silence that is meant, which is no reason to end.
    pub(super) fn rest(&mut self, set: WaitSet<'_>, name: &str) -> Result<Option<Ending>> {
        let timeout = self.limits.timeout.take();
        let ending = self.wait(set, name);
        self.limits.timeout = timeout;
        self.silent = Instant::now();
        ending
    }

    /// Returns when the last messages were done: rates are told up to then, as the silence after
    /// them is no part of what was measured.
    pub(super) fn latest(&self) -> Instant {
        self.meters.snapshot().latest.unwrap_or(self.meters.started())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Origin, Report, Timestamp};
    use crate::frame::Frames;

    #[test]
    fn a_run_that_was_stopped_by_hand_has_missed_nothing() {
        let limits = Limits { count: Some(10), ..Limits::default() };
        assert!(!limits.missed_by(0, Ending::Stopped));
        assert!(limits.missed_by(9, Ending::Timeout));
        assert!(limits.missed_by(9, Ending::SourceEnded));
        assert!(!limits.missed_by(10, Ending::Count));
        assert!(Limits::default().missed_by(0, Ending::Duration));
        assert!(!Limits::default().missed_by(1, Ending::Timeout));
    }

    #[test]
    fn each_limit_ends_the_run() {
        let stop = Stop::new().unwrap();
        let set = || {
            let mut set = WaitSet::new();
            set.deadline(Instant::now() + Duration::from_secs(100));
            set
        };
        let short = Some(Duration::from_millis(2));
        let limits = Limits { timeout: short, ..Limits::default() };
        assert_eq!(Run::new(limits, &stop).wait(set(), "").unwrap(), Some(Ending::Timeout));
        let limits = Limits { duration: short, ..Limits::default() };
        assert_eq!(Run::new(limits, &stop).wait(set(), "").unwrap(), Some(Ending::Duration));
        let mut run = Run::new(Limits { count: Some(2), ..Limits::default() }, &stop);
        run.count(2, 20, Instant::now());
        assert_eq!(run.ending(Instant::now()), Some(Ending::Count));
        stop.request();
        assert_eq!(run.wait(set(), "").unwrap(), Some(Ending::Stopped));
    }

    /// A source of messages none of which is there at once.
    struct Messages {
        left: u32,
        idles: bool,
        is_live: bool,
    }

    impl Source for Messages {
        fn name(&self) -> &'static str {
            "messages"
        }

        fn poll(&mut self) -> Result<Event> {
            self.idles = !self.idles;
            if self.idles || self.left == 0 {
                return Ok(Event::Idle);
            }
            self.left -= 1;
            let (time, origin) = (Timestamp::now(), Origin::new("messages"));
            Ok(Event::Message(Received { frames: Frames::new(), time, origin }))
        }

        fn report(&self) -> Report {
            Report { is_live: self.is_live, ..Report::default() }
        }

        fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
            let soon = if self.left > 0 { Duration::from_millis(1) } else { QUIET * 1000 };
            set.deadline(Instant::now() + soon);
        }
    }

    /// Takes messages to the end of a run.
    fn take(run: &mut Run<'_>, source: &mut Messages) -> (u32, Ending) {
        let mut taken = 0;
        loop {
            match run.next(source).unwrap() {
                ControlFlow::Continue(_) => taken += 1,
                ControlFlow::Break(ending) => return (taken, ending),
            }
            run.count(1, 0, Instant::now());
        }
    }

    #[test]
    fn what_came_before_a_stop_is_dealt_with() {
        let stop = Stop::new().unwrap();
        stop.request();
        let run = |limits| Run::new(limits, &stop);
        let few = || Messages { left: 5, idles: false, is_live: true };
        assert_eq!(take(&mut run(Limits::default()), &mut few()), (0, Ending::Stopped));
        let mut draining = run(Limits::default()).draining(&few());
        assert_eq!(take(&mut draining, &mut few()), (5, Ending::Stopped));
        let limits = Limits { count: Some(3), ..Limits::default() };
        assert_eq!(take(&mut run(limits).draining(&few()), &mut few()), (3, Ending::Stopped));
    }

    #[test]
    fn what_is_recorded_stays_where_it_is_after_a_stop() {
        let stop = Stop::new().unwrap();
        stop.request();
        let mut source = Messages { left: 5, idles: false, is_live: false };
        let mut run = Run::new(Limits::default(), &stop).draining(&source);
        assert_eq!(take(&mut run, &mut source), (0, Ending::Stopped));
    }

    #[test]
    fn a_source_without_an_end_is_left_after_a_stop() {
        let stop = Stop::new().unwrap();
        stop.request();
        let mut source = Messages { left: u32::MAX, idles: false, is_live: true };
        let mut run = Run::new(Limits::default(), &stop).draining(&source);
        run.drained_by = Some((Instant::now(), Instant::now() + DRAINING));
        assert_eq!(take(&mut run, &mut source), (0, Ending::Stopped));
    }
}
