//! [`Recorder`]: a sink whose writing happens on a thread of its own, so that receiving does not
//! wait for a disk.

mod writing;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::McapWriter;
use crate::endpoint::{
    self, Capacity, Dropped, Level, Offer, Origin, Queue, Received, Report, Sink, Unconfirmed,
    WaitSet, WhenFull,
};
use crate::error::{self, Result, SystemError};
use crate::recording::Error;

use writing::{End, Writing};

/// When written data are flushed to the disk.
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
    /// larger is taken if no other waits.
    pub max_memory: usize,
    /// What to do when so many wait.
    pub when_full: WhenFull,
    /// When every file of a recording is flushed to the disk.
    pub fsync: Fsync,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self { max_memory: 256 << 20, when_full: WhenFull::default(), fsync: Fsync::default() }
    }
}

/// What a recorder writes messages with, on its own thread.
pub trait RecordWriter: Send {
    /// Returns the name for people: a path.
    fn name(&self) -> String;

    /// Sets, before the first message, when written data are flushed to the disk. A recorder calls
    /// [`sync`](Self::sync) in time and [`close`](Self::close) at the end: this is for writers that
    /// close files before that.
    fn begin(&mut self, fsync: Fsync) {
        let _ = fsync;
    }

    /// Writes a message that was received after `number` others, or puts it off.
    ///
    /// # Errors
    /// If it, or one before it, cannot be written; nothing more will be then.
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

    /// Returns when [`flush`](Self::flush) is due; none if nothing waits.
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
    /// If it cannot.
    fn sync(&mut self) -> Result<()>;

    /// Closes the recording; also after an error, to save what is written. Nothing is called after it
    /// but [`dropped`](Self::dropped).
    ///
    /// # Errors
    /// If it cannot be closed as it should.
    fn close(&mut self, fsync: Fsync) -> Result<()>;

    /// Returns how many messages that it got, or that were reported to it, are not in the
    /// recording, as far as it knows.
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
/// The queue takes shares of the messages, never copies of large parts, and is bounded in bytes. A
/// failed write is the error of the next [`offer`](Sink::offer), and of [`finish`](Sink::finish),
/// which waits until everything is written and closes the recording; that error also says how many
/// messages were not written because of it. Dropping a recorder waits and closes too, but reports
/// no error.
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
    queue: Arc<Queue>,
    /// How many messages were taken from the queue and not written, known at the end.
    unwritten: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// A good [`queue_size`](crate::stream::Options::queue_size) of a stream that waits for a recorder that
    /// [blocks](WhenFull::Block): messages wait in the recorder, bounded in bytes. What waits in the
    /// socket beside it is bounded by nothing else, and leaves the processor's cache.
    pub const QUEUE_SIZE: u32 = 32;

    /// Starts a thread that writes.
    ///
    /// # Errors
    /// If the process may have no more threads or descriptors.
    pub fn start(writer: impl RecordWriter + 'static, options: RecorderOptions) -> Result<Self> {
        let failed = |source| SystemError::SetUp { what: "the thread that writes", source };
        let capacity = Capacity::bytes(options.max_memory);
        let queue = Arc::new(Queue::new(capacity, options.when_full).map_err(failed)?);
        let unwritten = Arc::new(AtomicU64::new(0));
        let (name, shared, left) = (writer.name(), Arc::clone(&queue), Arc::clone(&unwritten));
        let run = move || {
            let _end = End(&shared);
            let mut writing = Writing::new(&shared, Box::new(writer));
            writing.run(options.fsync);
            left.store(writing.close(options.fsync), Ordering::Release);
        };
        let thread = thread::Builder::new().name("recorder".into()).spawn(run).map_err(failed)?;
        Ok(Self { name, queue, unwritten, thread: Some(thread) })
    }

    /// Returns what shows how full the queue is, also once the recorder has finished.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge { queue: Arc::clone(&self.queue) }
    }

    fn failure(&self) -> Option<error::Error> {
        self.queue.failure(|error| copy(error, &self.name))
    }
}

/// Makes an error that says the same.
fn copy(error: &error::Error, name: &str) -> error::Error {
    match error.get() {
        Some(Error::File { verb, path, source }) => Error::File {
            verb,
            path: path.clone(),
            source: match source.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(source.kind(), source.to_string()),
            },
        }
        .into(),
        _ => Error::file("write", Path::new(name))(io::Error::other(error.to_string())),
    }
}

impl Sink for Recorder {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        if message.frames.is_empty() {
            return Err(endpoint::Error::NoParts { address: self.name.clone() }.into());
        }
        match self.queue.offer(message) {
            Offer::Taken => Ok(Offer::Taken),
            Offer::Full => self.failure().map_or(Ok(Offer::Full), Err),
        }
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        self.queue.readiness(set);
    }

    fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        self.queue.readiness(set);
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
            // The thread hangs in a write: it cannot be ended, and keeps running.
            return match self.queue.level().depth {
                0 => {
                    Err(Error::file("close", Path::new(&self.name))(io::ErrorKind::TimedOut.into()))
                }
                messages => Ok(Unconfirmed::Count(messages as u64)),
            };
        }
        if let Some(thread) = thread {
            // Where it has panicked, that is the failure.
            let _ = thread.join();
        }
        match (self.failure(), self.unwritten.load(Ordering::Acquire)) {
            (None, _) => Ok(Unconfirmed::Count(0)),
            (Some(error), 0) => Err(error),
            (Some(error), messages) => {
                Err(Error::Unwritten { messages, source: Box::new(error) }.into())
            }
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

/// Shows how full the queue of a [`Recorder`] is; clones show the same.
#[derive(Clone, Debug)]
pub struct Gauge {
    queue: Arc<Queue>,
}

impl Gauge {
    /// Returns the bytes of the messages that wait to be written, with what keeping them costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.level().bytes
    }

    /// Returns the most bytes that ever waited.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.level().high_water_bytes
    }

    /// Returns how many messages wait to be written.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.level().depth as u64
    }

    /// Returns how many messages were taken out of the queue again; all are written unless there
    /// was an error.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.level().released
    }

    /// Returns how many messages there was no room for, by the name of the source and the htype.
    #[must_use]
    pub fn dropped(&self) -> Vec<(String, Option<String>, u64)> {
        let dropped = self.queue.dropped().into_iter();
        let of = |kind: Dropped| (kind.origin.name.clone(), kind.messages(), kind.htype);
        dropped.map(of).map(|(source, messages, htype)| (source, htype, messages)).collect()
    }

    fn level(&self) -> Level {
        self.queue.level()
    }
}

#[cfg(test)]
mod tests;
