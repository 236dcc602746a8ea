//! m_replay: a recording into a stream again.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::run::Run;
use super::{Ending, Limits, Observer, tell_departures};
use crate::recording::folder::part_file_name;
use crate::recording::{Recording, Seek};
use crate::{Frames, Result, Sink, Stop, Unconfirmed};

/// How to replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What to do at the end of the recording.
    pub repeat: Repeat,
    /// How much to tell.
    pub detail: Detail,
    /// When to end.
    pub limits: Limits,
}

/// What to do at the end of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Ends.
    #[default]
    Once,
    /// Starts again.
    Forever,
}

/// How much to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing on the output.
    #[default]
    Quiet,
    /// A line for each part that is sent, as the original prints.
    Parts,
}

/// What was replayed.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// How many messages were sent.
    pub messages: u64,
    /// How many bytes, all parts together.
    pub bytes: u64,
    /// The time from the first message to the last.
    pub elapsed: Duration,
    /// How many messages of the recording were skipped because they are damaged.
    pub damaged: u64,
    /// How many messages were not handed to a peer.
    pub unconfirmed: Unconfirmed,
    /// What ended the run.
    pub ending: Ending,
}

/// Replays a folder into a sink, and waits at the end until everything has left, at most `linger`
/// without progress.
///
/// # Errors
/// Where a file cannot be read, or the sink or the output fails.
pub fn run(
    reader: &mut dyn Recording,
    mut sink: Box<dyn Sink>,
    options: &Options,
    linger: Duration,
    stop: &Stop,
    out: &mut dyn Write,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    tell_what_is_odd(reader, observer);
    let mut run = Run::new(options.limits, stop);
    if let (Repeat::Once, Some(messages)) = (options.repeat, reader.messages()) {
        run = run.expecting(messages);
    }
    let result = pump(reader, sink.as_mut(), options, &mut run, out, observer);
    tell_departures(sink.name(), sink.departures(), observer);
    let unconfirmed = sink.finish(linger);
    Ok(Summary {
        messages: run.messages(),
        bytes: run.progress().bytes,
        elapsed: run.elapsed(),
        damaged: reader.damaged(),
        ending: result?,
        unconfirmed: unconfirmed?,
    })
}

/// Sends messages until the run ends.
fn pump(
    reader: &mut dyn Recording,
    sink: &mut dyn Sink,
    options: &Options,
    run: &mut Run<'_>,
    out: &mut dyn Write,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    loop {
        let received = match run.next(reader)? {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(Ending::SourceEnded)
                if options.repeat == Repeat::Forever && run.messages() > 0 =>
            {
                reader.seek(Seek::Message(0))?;
                continue;
            }
            ControlFlow::Break(ending) => {
                out.flush()?;
                return Ok(ending);
            }
        };
        if options.detail == Detail::Parts {
            print_parts(reader.position(), &received.frames, out)?;
        }
        if let Some(ending) = run.hand_over(sink, &received)? {
            return Ok(ending);
        }
        run.count(1, received.frames.bytes() as u64, Instant::now());
        observer.progress(run.progress());
    }
}

fn tell_what_is_odd(reader: &dyn Recording, observer: &mut dyn Observer) {
    for notice in reader.notices() {
        observer.notice(format_args!("'{}': {notice}", reader.name()));
    }
}

/// Prints a line for each part, in the words of the original.
fn print_parts(number: u64, frames: &Frames, out: &mut dyn Write) -> Result<()> {
    for part in 0..frames.len() {
        let more = if part + 1 < frames.len() { "True" } else { "False" };
        writeln!(out, "Sending {} [{more}]", part_file_name(number, part))?;
    }
    Ok(())
}
