//! [`Recorder`]: a sink whose writing happens on a thread of its own, so that receiving does not
//! wait for a disk.

mod writing;

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::McapWriter;
use super::queue::{Added, Queue};
use crate::endpoint::{Offer, Origin, Received, Report, Sink, Unconfirmed, WaitSet};
use crate::error::{Error, Result};

use writing::{End, Writing};

/// What to do with a message for which the queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// Refuse it until there is room: who sends has to wait.
    #[default]
    Block,
    /// Take it, write it nowhere, and count it.
    Drop,
}

/// When the disk is told to keep what is written for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Never: a loss of power may cost what the system had not written by itself.
    #[default]
    Never,
    /// When a recording is closed.
    Close,
    /// As often as this, and when it is closed.
    Every(Duration),
}

/// How a [`Recorder`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderOptions {
    /// The most bytes of messages that wait to be written; 256 MiB by default. One message that is
    /// larger is taken where no other waits.
    pub max_memory: usize,
    /// What to do when so many wait.
    pub on_full: OnFull,
    /// When the disk is told to keep what is written: every file of a recording.
    pub fsync: Fsync,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self { max_memory: 256 << 20, on_full: OnFull::default(), fsync: Fsync::default() }
    }
}

/// What a recorder writes messages with, on its own thread.
pub trait RecordWriter: Send {
    /// Returns the name for people: a path.
    fn name(&self) -> String;

    /// Takes in, ahead of the first message, when the disk is to be told to keep what is written. A
    /// recorder calls [`sync`](Self::sync) in time and [`close`](Self::close) at the end: this is for
    /// writers that close files before that.
    fn begin(&mut self, fsync: Fsync) {
        let _ = fsync;
    }

    /// Writes a message that was received after `number` others, or puts it off.
    ///
    /// # Errors
    /// Where it, or one before it, cannot be written; nothing more will be then.
    fn record(&mut self, message: Received, number: u64) -> Result<()>;

    /// Returns how many of the last messages were put off and are not written yet.
    fn put_off(&self) -> usize {
        0
    }

    /// Writes some of the messages that were put off, one at least. A recorder has all written before
    /// [`sync`](Self::sync) and [`close`](Self::close), and where no other waits.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Counts messages that were received and will not be written.
    fn count_dropped(&mut self, origin: &Arc<Origin>, htype: Option<&str>, messages: u64) {
        let _ = (origin, htype, messages);
    }

    /// Returns when [`flush`](Self::flush) is due; none where nothing waits.
    fn flush_due(&self) -> Option<Instant> {
        None
    }

    /// Writes what waits for more.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Has the disk keep everything for good.
    ///
    /// # Errors
    /// Where it cannot.
    fn sync(&mut self) -> Result<()>;

    /// Closes the recording; also after an error, to save what is written. Nothing is called after it
    /// but [`dropped`](Self::dropped).
    ///
    /// # Errors
    /// Where it cannot be closed as it should.
    fn close(&mut self, fsync: Fsync) -> Result<()>;

    /// Returns how many messages that it was given, or told of, are not in the recording, as far as it
    /// knows.
    fn dropped(&self) -> u64 {
        0
    }
}

impl RecordWriter for McapWriter {
    fn name(&self) -> String {
        self.path().display().to_string()
    }

    fn record(&mut self, message: Received, number: u64) -> Result<()> {
        self.write_numbered(&message, number)
    }

    fn count_dropped(&mut self, origin: &Arc<Origin>, htype: Option<&str>, messages: u64) {
        Self::count_dropped(self, origin, htype, messages);
    }

    fn flush_due(&self) -> Option<Instant> {
        Self::flush_due(self)
    }

    fn flush(&mut self) -> Result<()> {
        Self::flush(self)
    }

    fn sync(&mut self) -> Result<()> {
        Self::sync(self)
    }

    fn close(&mut self, fsync: Fsync) -> Result<()> {
        self.end(fsync).map(drop)
    }

    fn dropped(&self) -> u64 {
        Self::dropped(self)
    }
}

/// A sink that queues messages for a thread that writes them.
///
/// The queue takes shares of the messages, never copies of large parts, and is bounded in bytes.
/// A failed write is the error of the next [`offer`](Sink::offer), and of
/// [`finish`](Sink::finish), which waits until everything is written and closes the recording; it
/// tells too how many messages are dropped by that. So does dropping it, without a word.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("mflow-recorder-{}.mcap", std::process::id()));
/// use std::time::Duration;
/// use mflow::recording::{McapOptions, McapWriter, Recorder, RecorderOptions};
/// use mflow::{Frames, Origin, Received, Sink, Timestamp};
/// let writer = McapWriter::create(&path, McapOptions::default())?;
/// let mut recorder = Box::new(Recorder::start(writer, RecorderOptions::default())?);
/// let gauge = recorder.gauge();
/// recorder.offer(&Received {
///     frames: Frames::from([&b"{}"[..], b"data"]),
///     time: Timestamp::now(),
///     origin: Origin::new("tcp://detector:9999"),
/// })?;
/// recorder.finish(Duration::from_secs(10))?;
/// assert_eq!(gauge.written(), 1);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Recorder {
    name: String,
    options: RecorderOptions,
    queue: Arc<Queue>,
    received: u64,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// A good [`queue_size`](crate::stream::Options::queue_size) of a stream that waits for a recorder that
    /// [blocks](OnFull::Block): messages wait in the recorder, bounded in bytes. What waits in the
    /// socket beside it is bounded by nothing else, and leaves the processor's cache.
    pub const QUEUE_SIZE: u32 = 32;

    /// Starts a thread that writes.
    ///
    /// # Errors
    /// Where the process may have no more threads or descriptors.
    pub fn start(writer: impl RecordWriter + 'static, options: RecorderOptions) -> Result<Self> {
        let failed = |source| Error::System { what: "the thread that writes", source };
        let queue = Queue::new(options.max_memory).map_err(failed)?;
        let (shared, name) = (Arc::clone(&queue), writer.name());
        let run = move || {
            let _end = End(&shared);
            let mut writing = Writing::new(&shared, Box::new(writer));
            writing.run(options.fsync);
            writing.close(options.fsync);
        };
        let thread = thread::Builder::new().name("recorder".into()).spawn(run).map_err(failed)?;
        Ok(Self { name, options, queue, received: 0, thread: Some(thread) })
    }

    /// Returns what shows how full the queue is, also once the recorder has finished.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge { queue: Arc::clone(&self.queue) }
    }

    fn failure(&self) -> Option<Error> {
        self.queue.failure(|error| copy(error, &self.name))
    }
}

/// Makes an error that says the same.
fn copy(error: &Error, name: &str) -> Error {
    match error {
        Error::File { verb, path, source } => Error::File {
            verb,
            path: path.clone(),
            source: match source.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(source.kind(), source.to_string()),
            },
        },
        other => Error::file("write", Path::new(name))(io::Error::other(other.to_string())),
    }
}

impl Sink for Recorder {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        if message.frames.is_empty() {
            return Err(Error::NoParts { address: self.name.clone() });
        }
        let offer = match self.queue.add(message, self.received) {
            Added::Taken => Offer::Taken,
            Added::Full if self.options.on_full == OnFull::Block => return Ok(Offer::Full),
            Added::Full => {
                self.queue.count_dropped(&message.origin, htype(message).as_deref());
                Offer::Taken
            }
            Added::Failed => match self.failure() {
                Some(error) => return Err(error),
                None => return Ok(Offer::Full),
            },
        };
        self.received += 1;
        Ok(offer)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.readable(self.queue.room());
    }

    fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.readable(self.queue.room());
    }

    fn check(&mut self) -> Result<()> {
        // Who asks waits for no room, and is not to be woken by it.
        self.queue.await_nothing();
        self.failure().map_or(Ok(()), Err)
    }

    fn report(&self) -> Report {
        Report::default()
    }

    /// Closes the recording after everything is written, as long as something is in each
    /// `patience`, and says how many messages were not.
    fn finish(mut self: Box<Self>, patience: Duration) -> Result<Unconfirmed> {
        self.queue.close();
        let thread = self.thread.take();
        if !self.queue.wait_for_end(patience) {
            // The thread hangs in a write: it cannot be ended, and is left to itself.
            return match self.queue.level().messages {
                0 => {
                    Err(Error::file("close", Path::new(&self.name))(io::ErrorKind::TimedOut.into()))
                }
                messages => Ok(Unconfirmed::Count(messages)),
            };
        }
        if let Some(thread) = thread {
            // Where it has panicked, that is the failure.
            let _ = thread.join();
        }
        match (self.failure(), self.queue.level().unwritten) {
            (None, _) => Ok(Unconfirmed::Count(0)),
            (Some(error), 0) => Err(error),
            (Some(error), messages) => Err(Error::Unwritten { messages, source: Box::new(error) }),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // Who drops it does not want to know.
            let _ = thread.join();
        }
    }
}

/// Returns the type of a message, where it tells one.
pub(super) fn htype(message: &Received) -> Option<String> {
    message.frames.peek().htype.map(Cow::into_owned)
}

/// Shows how full the queue of a [`Recorder`] is; clones show the same.
#[derive(Clone, Debug)]
pub struct Gauge {
    queue: Arc<Queue>,
}

impl Gauge {
    /// Returns the bytes of the messages that wait to be written, with what keeping them costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue.level().bytes
    }

    /// Returns the most bytes that ever waited.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.queue.level().peak
    }

    /// Returns how many messages wait to be written.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.queue.level().messages
    }

    /// Returns how many messages were taken out of the queue again; all are written unless there
    /// was an error.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.queue.level().written
    }

    /// Returns how many messages there was no room for, by the name of the source and the htype.
    #[must_use]
    pub fn dropped(&self) -> Vec<(String, Option<String>, u64)> {
        let dropped = self.queue.dropped().into_iter();
        dropped.map(|((source, _), kind)| (source, kind.htype, kind.messages)).collect()
    }
}

#[cfg(test)]
mod tests;
