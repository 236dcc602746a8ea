//! m_replay: a recording into streams again, with its timing.
//!
//! Messages leave by one clock, whichever sink they go to: each is due at the start plus its own
//! offset. One that could not leave in time leaves as soon as it can, and is counted as late; none
//! is skipped.

mod clock;
mod header;
mod outlets;
mod player;
mod position;
mod rate;
mod streams;

use std::io::Write;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::run::Run;
use super::{
    Controls, Ending, Failure, Findings, Limits, Missed, Observer, local_send_buffer, show_notices,
    sum_up,
};
use crate::endpoint::{Stop, Unconfirmed, WaitSet};
use crate::error::{Result, SystemError};
use crate::measure::Lateness;
use crate::recording::{self, Range, Recording};
use crate::routing::FilterOptions;

pub use outlets::{Outlets, Routes};
pub(super) use position::Position;
pub use position::{Playing, Rest};
pub use rate::Rate;
pub use streams::{Streams, usual_size};

use player::Player;

/// How to replay; by default all of it once, at recorded times if there are any.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How fast; by default at the recorded times if there are any, and at full speed otherwise.
    pub rate: Option<Rate>,
    /// Pauses between recorded times are cut to this.
    pub max_gap: Option<Duration>,
    /// Which part of the recording.
    pub range: Range,
    /// Which messages of it.
    pub filter: FilterOptions,
    /// What to do at the end of the recording.
    pub repeat: Repeat,
    /// How much to print.
    pub detail: Detail,
    /// How long to wait before the first message.
    pub delay: Duration,
    /// Sends the start of the current series again at this interval.
    pub header_again: Option<Duration>,
    /// Sends the start of a series ahead if the part begins in the middle of it.
    pub header_first: bool,
    /// How long to wait at the end for messages to leave, without any progress.
    pub linger: Duration,
    /// When to end.
    pub limits: Limits,
}

impl Options {
    /// Returns how fast to replay a recording: as requested, at the recorded times, or at full
    /// speed if there are none.
    #[must_use]
    pub fn rate_of(&self, recording: &dyn Recording) -> Rate {
        let usual = if recording.is_timed() { Rate::Recorded(1.0) } else { Rate::Max };
        self.rate.unwrap_or(usual)
    }

    /// Returns whether these options leave out a part of a recording, or some of its messages.
    #[must_use]
    pub fn leaves_out(&self) -> bool {
        self.range != Range::default() || self.filter != FilterOptions::default()
    }
}

/// Returns a good [`send_buffer`](crate::stream::Options::send_buffer) for recorded messages of so many bytes
/// to an address: a small one for 2 MiB and more to the loopback interface, otherwise the system's
/// choice.
///
/// The limit is higher than for generated messages, because bytes of a file are not in the cache
/// yet.
///
/// ```
/// use mflow::tools::replay::send_buffer;
/// assert!(send_buffer("tcp://127.0.0.1:9999", 8 << 20).is_some());
/// assert_eq!(send_buffer("tcp://127.0.0.1:9999", 1 << 20), None);
/// ```
#[must_use]
pub fn send_buffer(address: &str, bytes: usize) -> Option<usize> {
    local_send_buffer(address, bytes, 2 << 20)
}

/// What to do at the end of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Ends.
    #[default]
    Once,
    /// Starts again, so that it is played this many times.
    Times(NonZeroU64),
    /// Starts again and again.
    Forever,
}

/// How much to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing on the output.
    #[default]
    Quiet,
    /// A line for each part that is sent, as the original prints.
    Parts,
}

/// What was replayed.
#[derive(Debug)]
pub struct Summary {
    /// The findings.
    pub findings: Findings,
    /// How many bytes, all parts together.
    pub bytes: u64,
    /// The time from the first message to the last.
    pub elapsed: Duration,
    /// How late messages were, if they had times to leave at.
    pub lateness: Option<Lateness>,
    /// How often the start of a series was sent again.
    pub headers_again: u64,
    /// How often it was sent ahead of a part from the middle of its series.
    pub headers_first: u64,
    /// How many messages of the recording were skipped because they are damaged.
    pub damaged: u64,
    /// The endpoint at which a message waited for a receiver when the run ended.
    pub waiting_for: Option<String>,
}

/// Replays a recording into sinks, and waits at the end until everything has left.
///
/// # Errors
/// If the recording cannot be read, has no times though some are asked for, or has a source without
/// a sink; if a sink or the output fails.
pub fn run(
    recording: &mut dyn Recording,
    mut outlets: Outlets,
    options: &Options,
    controls: &mut dyn Controls,
    stop: &Stop,
    out: &mut dyn Write,
    observer: &mut dyn Observer,
) -> Result<Summary, Failure<Summary>> {
    show_notices(recording, observer);
    let rate = rate(recording, options)?;
    let bounds = options.range.bounds(recording)?;
    outlets.check(recording)?;
    wait_for(options.delay, stop)?;
    let run = Run::new(options.limits, stop);
    let mut player = Player::new(recording, &mut outlets, bounds, rate, options, run);
    let mut ended = player.play(controls, out, observer);
    let played = player.played();
    observer.leaving();
    let finished = outlets.finish(options.linger, observer);
    observer.left();
    let mut unconfirmed = Vec::new();
    for (endpoint, left) in finished {
        match left {
            Ok(left) => unconfirmed.push((endpoint, left)),
            Err(error) => {
                if let Some(recording::Error::Unwritten { messages, .. }) = error.get() {
                    unconfirmed.push((endpoint, Unconfirmed::Count(*messages)));
                }
                // The first failure is reported.
                ended = ended.and(Err(error));
            }
        }
    }
    sum_up(ended, |ending| {
        let (sent, waiting_for) = (played.done.messages, played.waiting_for);
        let awaited = waiting_for.clone().filter(|_| ending == Ending::Timeout);
        let unheard = awaited.map(|endpoint| Missed::Receiver { endpoint, sent });
        let missed = Missed::messages(&options.limits, sent, ending).or(unheard);
        Summary {
            findings: Findings { sent, unconfirmed, missed, ..Findings::new(ending) },
            bytes: played.done.bytes,
            elapsed: played.done.elapsed(),
            lateness: (rate != Rate::Max).then_some(played.lateness),
            headers_again: played.headers_again,
            headers_first: played.headers_first,
            damaged: recording.report().damaged,
            waiting_for,
        }
    })
}

/// Returns how fast to replay a recording, and fails if the requested times are missing.
fn rate(recording: &dyn Recording, options: &Options) -> Result<Rate> {
    match options.rate_of(recording) {
        Rate::Recorded(_) if !recording.is_timed() => {
            Err(recording::Error::NoTimes { path: recording.name().into() }.into())
        }
        rate => Ok(rate),
    }
}

/// Waits for this long, or for a stop.
fn wait_for(delay: Duration, stop: &Stop) -> Result<()> {
    if let Some(end) = Instant::now().checked_add(delay)
        && !delay.is_zero()
    {
        let mut set = WaitSet::new();
        set.deadline(end);
        let failed = |source| SystemError::Wait { name: "the delay".to_owned(), source };
        set.wait(stop, None).map_err(failed)?;
    }
    Ok(())
}
