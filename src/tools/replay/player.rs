//! The loop of a replay: read, wait until it is due, hand over.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::header::{Headers, Openings};
use super::outlets::Outlets;
use super::position::{Playing, Rest};
use super::rate::{Rate, Schedule};
use super::{Detail, Options, Repeat};
use crate::endpoint::{Offer, Received, WaitSet, offer_waiting};
use crate::error::Result;
use crate::frame::Frames;
use crate::measure::Lateness;
use crate::recording::folder::part_file_name;
use crate::recording::{Bounds, Extent, Recording};
use crate::routing::{BySource, Filter};
use crate::tools::Error;
use crate::tools::run::Run;
use crate::tools::{Command, Controls, Ending, MetersSnapshot, Observer};

/// How often to ask for commands while messages leave without a wait.
const ASK: Duration = Duration::from_millis(20);

/// How often to report the rest of a long wait.
const TELL: Duration = Duration::from_secs(1);

/// A longer wait is reported.
const LONG: Duration = Duration::from_secs(10);

/// A replay in progress.
pub(super) struct Player<'a> {
    recording: &'a mut dyn Recording,
    outlets: &'a mut Outlets,
    options: &'a Options,
    bounds: Bounds,
    extent: Extent,
    rate: Rate,
    run: Run<'a>,
    filter: BySource<Filter>,
    schedule: Schedule,
    clock: Clock,
    headers: Headers,
    openings: Openings,
    headers_again: u64,
    headers_first: u64,
    lateness: Lateness,
    /// How many passes were begun, and how many messages were done before this one.
    passes: u64,
    before_pass: u64,
    wishes: Wishes,
    /// The longest wait that was reported.
    reported: Duration,
    /// The outlet that a message waits for.
    waiting_for: Option<usize>,
}

/// The commands of a person.
#[derive(Default)]
struct Wishes {
    /// How many messages to send in spite of a pause.
    steps: u32,
    /// When commands were read last.
    asked: Option<Instant>,
}

impl Wishes {
    /// Executes the commands of a person; returns the ending if one of them ends the run.
    fn obey(
        &mut self,
        clock: &mut Clock,
        controls: &mut dyn Controls,
        now: Instant,
    ) -> Option<Ending> {
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < ASK) {
            return None;
        }
        self.asked = Some(now);
        while let Some(command) = controls.next() {
            match command {
                Command::Pause if clock.is_paused() => {
                    self.steps = 0;
                    clock.resume(now);
                }
                Command::Pause => clock.pause(now),
                Command::Step => {
                    clock.pause(now);
                    self.steps = self.steps.saturating_add(1);
                }
                Command::Quit => return Some(Ending::Stopped),
            }
        }
        None
    }
}

/// What was played.
pub(super) struct Played {
    pub(super) done: MetersSnapshot,
    pub(super) lateness: Lateness,
    pub(super) headers_again: u64,
    pub(super) headers_first: u64,
    pub(super) waiting_for: Option<String>,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        recording: &'a mut dyn Recording,
        outlets: &'a mut Outlets,
        bounds: Bounds,
        rate: Rate,
        options: &'a Options,
        run: Run<'a>,
    ) -> Self {
        let filter = Filter::new(options.filter.clone());
        let extent = Extent::of(recording);
        let expected = bounds.expected(extent).filter(|_| filter.is_open());
        let filter = BySource::new(filter);
        let run = match (expected, options.repeat) {
            (Some(messages), Repeat::Once) => run.expecting(messages),
            (Some(messages), Repeat::Times(times)) => {
                run.expecting(messages.saturating_mul(times.get()))
            }
            _ => run,
        };
        Self {
            recording,
            outlets,
            options,
            bounds,
            extent,
            rate,
            run,
            filter,
            schedule: Schedule::new(rate, options.max_gap),
            clock: Clock::default(),
            headers: Headers::new(options.header_again),
            openings: Openings::new(options.header_first),
            headers_again: 0,
            headers_first: 0,
            lateness: Lateness::default(),
            passes: 1,
            before_pass: 0,
            wishes: Wishes::default(),
            reported: Duration::ZERO,
            waiting_for: None,
        }
    }

    /// Returns what was played so far.
    pub(super) fn played(self) -> Played {
        Played {
            done: self.run.meters().snapshot(),
            lateness: self.lateness,
            headers_again: self.headers_again,
            headers_first: self.headers_first,
            waiting_for: self.waiting_for.map(|outlet| self.outlets.endpoint(outlet)),
        }
    }

    /// Sends messages until the run ends.
    pub(super) fn play(
        &mut self,
        controls: &mut dyn Controls,
        out: &mut dyn Write,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let ending = self.pump(controls, out, observer);
        out.flush().map_err(Error::output)?;
        ending
    }

    fn pump(
        &mut self,
        controls: &mut dyn Controls,
        out: &mut dyn Write,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        observer.started(self.run.meters());
        self.recording.seek(self.bounds.begin)?;
        loop {
            let received = match self.next()? {
                ControlFlow::Continue(received) => received,
                ControlFlow::Break(ending) => return Ok(ending),
            };
            let outlet = self.outlets.place(&received.origin, self.recording)?;
            let bytes = received.frames.bytes() as u64;
            let due = self.schedule.next(received.time, bytes);
            let opening = self.opening(&received, observer)?;
            if let Some(ending) = self.wait_until(due, controls, observer)? {
                return Ok(ending);
            }
            if let Some(start) = opening {
                if let Some(ending) = self.hand_over(outlet, &start, due, controls)? {
                    return Ok(ending);
                }
                self.headers_first += 1;
                self.headers.observe(outlet, &start, Instant::now());
            }
            if self.options.detail == Detail::Parts {
                let number = self.recording.position();
                print_parts(number, &received.frames, out).map_err(Error::output)?;
            }
            if let Some(ending) = self.hand_over(outlet, &received, due, controls)? {
                return Ok(ending);
            }
            let now = Instant::now();
            if !self.clock.is_paused()
                && let Some(due) = due.and_then(|due| self.clock.due(due))
            {
                self.lateness.record(now.saturating_duration_since(due));
            }
            self.run.count(1, bytes, now);
            self.headers.observe(outlet, &received, now);
            self.run.meters().position.play(self.playing(&received));
        }
    }

    /// Reads the next wanted message, from the beginning again if requested.
    fn next(&mut self) -> Result<ControlFlow<Ending, Received>> {
        loop {
            let mut received = match self.run.next(self.recording)? {
                ControlFlow::Continue(received) => received,
                ControlFlow::Break(Ending::SourceEnded) if self.goes_round()? => continue,
                ControlFlow::Break(ending) => return Ok(ControlFlow::Break(ending)),
            };
            if self.bounds.ends_before(self.recording.position(), received.time) {
                if self.goes_round()? {
                    continue;
                }
                return Ok(ControlFlow::Break(Ending::SourceEnded));
            }
            let filter = self.filter.of(&received.origin);
            if !filter.is_open() {
                match filter.apply(&received.frames) {
                    Some(frames) => received.frames = frames,
                    None => {
                        self.run.leave_out(Instant::now());
                        continue;
                    }
                }
            }
            return Ok(ControlFlow::Continue(received));
        }
    }

    /// Goes back to the beginning if there is another pass; one in which nothing was sent is the
    /// last.
    fn goes_round(&mut self) -> Result<bool> {
        let is_wanted = match self.options.repeat {
            Repeat::Once => false,
            Repeat::Times(times) => self.passes < times.get(),
            Repeat::Forever => true,
        };
        if !is_wanted || self.run.messages() == self.before_pass {
            return Ok(false);
        }
        self.passes += 1;
        self.before_pass = self.run.messages();
        self.recording.seek(self.bounds.begin)?;
        self.filter.clear();
        self.openings.clear();
        self.schedule.rewind();
        Ok(true)
    }

    /// Waits until a message may leave; returns what ended the run before.
    fn wait_until(
        &mut self,
        offset: Option<Duration>,
        controls: &mut dyn Controls,
        observer: &mut dyn Observer,
    ) -> Result<Option<Ending>> {
        loop {
            let now = Instant::now();
            if let Some(ending) = self.wishes.obey(&mut self.clock, controls, now) {
                return Ok(Some(ending));
            }
            self.send_headers_again(now)?;
            let mut set = WaitSet::new();
            let mut is_short = false;
            if self.clock.is_paused() {
                if self.wishes.steps > 0 {
                    self.wishes.steps -= 1;
                    self.clock.step(offset.unwrap_or_default());
                    return Ok(None);
                }
                self.run.meters().position.rest(Rest::Paused);
                // A terminal that was taken away meanwhile wakes no wait when it is back.
                set.deadline(now + TELL);
            } else {
                let Some(offset) = offset.filter(|_| self.clock.is_started()) else {
                    return Ok(None);
                };
                // A time beyond the range of the clock is never reached.
                let due = self.clock.due(offset);
                if due.is_some_and(|due| due <= now) {
                    return Ok(None);
                }
                due.into_iter().for_each(|due| set.deadline(due));
                let left = due.map_or(Duration::MAX, |due| due - now);
                is_short = left < ASK;
                self.report(left, observer);
                if left > TELL {
                    self.run.meters().position.rest(Rest::Next(left));
                    set.deadline(now + TELL);
                }
            }
            self.headers.readiness(&mut set);
            if !is_short {
                self.wishes.asked = None;
                controls.readiness(&mut set);
            }
            let ending = self.run.rest(set, self.recording.name())?;
            if ending.is_some() {
                return Ok(ending);
            }
        }
    }

    /// Reports a long wait between recorded times; once for many of about the same length.
    fn report(&mut self, left: Duration, observer: &mut dyn Observer) {
        let is_recorded = matches!(self.rate, Rate::Recorded(_)) && self.options.max_gap.is_none();
        if is_recorded && left > LONG && left / 2 > self.reported {
            self.reported = left;
            let (name, left) = (self.recording.name(), rounded(left));
            observer.notice(format_args!(
                "'{name}': the next message is due in {left}: --max-gap sets the longest pause"
            ));
        }
    }

    /// Hands a message to its sink, and waits until the sink accepts it; returns the ending if the
    /// run ended before. The clock starts with the first accepted message.
    fn hand_over(
        &mut self,
        outlet: usize,
        message: &Received,
        due: Option<Duration>,
        controls: &mut dyn Controls,
    ) -> Result<Option<Ending>> {
        let Self { clock, wishes, run, waiting_for, .. } = self;
        let mut starts_at = (!clock.is_started()).then(Instant::now);
        let offered = offer_waiting(self.outlets.sink(outlet), message, |sink| {
            *waiting_for = Some(outlet);
            wishes.asked = None;
            if let Some(ending) = wishes.obey(clock, controls, Instant::now()) {
                return Ok(ControlFlow::Break(ending));
            }
            let mut set = WaitSet::new();
            sink.readiness(&mut set);
            controls.readiness(&mut set);
            let ending = run.wait(set, sink.name())?;
            starts_at = starts_at.map(|_| Instant::now());
            Ok(ending.map_or(ControlFlow::Continue(()), ControlFlow::Break))
        })?;
        if let ControlFlow::Break(ending) = offered {
            return Ok(Some(ending));
        }
        *waiting_for = None;
        if let Some(now) = starts_at {
            clock.start(now, due.unwrap_or_default());
        }
        Ok(None)
    }

    /// Looks for the start of the series that a message is in the middle of, if it is to be sent
    /// ahead.
    fn opening(
        &mut self,
        message: &Received,
        observer: &mut dyn Observer,
    ) -> Result<Option<Received>> {
        let Some(series) = self.openings.series(message) else { return Ok(None) };
        let start = self.recording.series_start(&message.origin, series, message.time)?;
        if start.is_none() && self.passes == 1 {
            let name = self.recording.name();
            observer.notice(format_args!("'{name}' keeps no start of series {series} aside"));
        }
        Ok(start.and_then(|start| {
            let frames = Filter::new(self.options.filter.clone()).apply(&start.frames)?;
            Some(Received { frames, ..start })
        }))
    }

    /// Sends the starts of series again that are due; one that finds no room waits for its next turn.
    fn send_headers_again(&mut self, now: Instant) -> Result<()> {
        while let Some((outlet, message)) = self.headers.take_due(now) {
            if self.outlets.sink(outlet).offer(&message)? == Offer::Taken {
                self.headers_again += 1;
            }
        }
        Ok(())
    }

    /// Reports the position of the replay, after sending a message.
    fn playing(&self, sent: &Received) -> Playing {
        let span = self.extent.span;
        let since = |first: crate::endpoint::Timestamp, last: crate::endpoint::Timestamp| {
            Duration::from_nanos(last.as_nanos().saturating_sub(first.as_nanos()))
        };
        let number = self.recording.position();
        let share = self.bounds.share(self.extent, number, sent.time);
        let meters = self.run.meters();
        let done = meters.messages();
        let to_do = meters.expected().map(|expected| expected.saturating_sub(done));
        let left = match (self.options.repeat, self.rate) {
            (Repeat::Once, Rate::Recorded(speed)) if self.options.max_gap.is_none() => {
                let left = self.bounds.end_time(self.extent).map(|end| since(sent.time, end));
                left.and_then(|left| Duration::try_from_secs_f64(left.as_secs_f64() / speed).ok())
            }
            #[expect(clippy::cast_precision_loss, reason = "for a bar")]
            (_, Rate::Messages(rate)) => {
                to_do.and_then(|to_do| Duration::try_from_secs_f64(to_do as f64 / rate).ok())
            }
            _ => None,
        };
        Playing {
            at: span.map(|(first, _)| since(first, sent.time)),
            span: span.map(|(first, last)| since(first, last)),
            share,
            left,
            is_loop: self.options.repeat != Repeat::Once,
        }
    }
}

/// Returns a time for people, in the largest unit of which there are at least two.
fn rounded(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [("years", 31_557_600), ("days", 86_400), ("h", 3600), ("min", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= 2 * length);
    let (name, length) = unit.unwrap_or(("s", 1));
    format!("{} {name}", seconds / length)
}

/// Prints a line for each part, as psi-mflow does.
fn print_parts(number: u64, frames: &Frames, out: &mut dyn Write) -> io::Result<()> {
    for part in 0..frames.len() {
        let more = if part + 1 < frames.len() { "True" } else { "False" };
        writeln!(out, "Sending {} [{more}]", part_file_name(number, part))?;
    }
    Ok(())
}
