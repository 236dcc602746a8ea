//! m_dump: messages to a folder, as text to look at, as lines of JSON, or their arrays as files.
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

use super::run::Run;
use super::{Ending, Limits, Observer};
use crate::{Result, Sink, Source, Stop};

pub use array_folder::{ArrayFile, ArrayFolder, Existing};
pub use json::{JsonContent, JsonWriter};
pub use npy::Npy;
#[cfg(feature = "cli")]
pub use png::Png;
pub use text::TextWriter;

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
    /// What ended the run.
    pub ending: Ending,
}

/// Dumps what comes from a source into a sink: a folder of parts, a [`TextWriter`], a
/// [`JsonWriter`], or an [`ArrayFolder`].
///
/// # Errors
/// Where the source or the sink fails.
pub fn run(
    source: &mut dyn Source,
    mut sink: Box<dyn Sink + '_>,
    limits: Limits,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let mut run = Run::new(limits, stop).draining();
    let result = pump(source, sink.as_mut(), &mut run, observer);
    let damaged = sink.damaged();
    let finished = sink.finish(Duration::ZERO);
    let ending = result?;
    finished?;
    let (bytes, elapsed) = (run.progress().bytes, run.elapsed());
    Ok(Summary { messages: run.messages(), bytes, elapsed, damaged, ending })
}

/// Carries messages from a source to a sink until the run ends.
fn pump(
    source: &mut dyn Source,
    sink: &mut dyn Sink,
    run: &mut Run<'_>,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    loop {
        let received = match run.next(source)? {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(ending) => return Ok(ending),
        };
        if let Some(ending) = run.hand_over(sink, &received)? {
            return Ok(ending);
        }
        run.count(1, received.frames.bytes() as u64, Instant::now());
        observer.progress(run.progress());
    }
}
