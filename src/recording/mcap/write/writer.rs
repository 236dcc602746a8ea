//! Writing one MCAP file.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mflow_handlers::Stage;

use super::channel::Channels;
use super::chunk::{self, Chunk};
use super::gather::Gather;
use super::metadata;
use super::output::Output;
use super::start::{Attachment, Starts};
use super::summary::{Summary, schema};
use crate::endpoint::{self, Origin, Received, Timestamp};
use crate::error::Result;
use crate::frame::{Frame, Frames};
use crate::recording::mcap::format::metadata::{SESSION, SUMMARY, USER};
use crate::recording::mcap::format::parts::{framed_length, padding, part_head};
use crate::recording::mcap::format::start::{self, SMALL_START, START};
use crate::recording::mcap::format::wire::{
    self, AttachmentHead, CHUNK_HEAD, MAGIC, MESSAGE_HEAD, MessageHead, RECORD_HEAD,
};
use crate::recording::recorder::Fsync;

/// A message of at least this many bytes has a chunk of its own.
pub const OWN_CHUNK: usize = 256 << 10;

/// How an MCAP file is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McapOptions {
    /// What to say in the metadata `mflow.session` beside host, versions and clock: addresses,
    /// modes, options of sockets.
    pub session: Vec<(String, String)>,
    /// What the user says of the recording: the metadata `mflow.user`.
    pub user: Vec<(String, String)>,
    /// Whether chunks, attachments and the data as a whole have checksums (CRC-32), which are absent
    /// otherwise. The summary has one in any case.
    pub crc: bool,
    /// Whether the largest part of a message with a chunk of its own begins at a multiple of
    /// 4 KiB in the file.
    pub align: bool,
    /// Start messages of series that began in another recording, with when they were received: they
    /// become attachments, as those of the messages that are written do.
    pub starts: Vec<(Timestamp, Frames)>,
}

/// What is in a file that was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Messages in the file.
    pub messages: u64,
    /// The bytes of their parts.
    pub bytes: u64,
    /// Messages that were received and are not in the file.
    pub dropped: u64,
    /// The bytes of the file.
    pub size: u64,
}

/// A new MCAP file that grows by the messages written.
///
/// A message of [`OWN_CHUNK`] bytes is in the file when [`write`](Self::write) returns; smaller
/// ones are when [`flush`](Self::flush) returns, which is to be called by the time that
/// [`flush_due`](Self::flush_due) says. A file that is not [finished](Self::finish) lacks its
/// summary: readers take longer to find their way in it.
///
/// A failed write leaves the file as it was before, with what it was about to write left out.
///
/// Memory: some MiB, 83 bytes for each chunk, and the last start message of each channel.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("mflow-mcap-{}.mcap", std::process::id()));
/// use mflow::recording::{McapOptions, McapWriter};
/// use mflow::{Frames, Origin, Received, Timestamp};
/// let mut writer = McapWriter::create(&path, McapOptions::default())?;
/// writer.write(&Received {
///     frames: Frames::from([&br#"{"htype":"raw-1.0"}"#[..], b"data"]),
///     time: Timestamp::now(),
///     origin: Origin::new("tcp://detector:9999"),
/// })?;
/// assert_eq!(writer.finish()?.messages, 1);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct McapWriter {
    output: Output,
    options: McapOptions,
    channels: Channels,
    /// Records of channels that belong ahead of the next chunk.
    ahead: Vec<u8>,
    batch: Chunk,
    gather: Gather,
    starts: Starts,
    summary: Summary,
    last_time: u64,
    received: u64,
}

impl McapWriter {
    /// Makes a file, or writes to the pipe at a path: a FIFO, or `/dev/stdout`.
    ///
    /// # Errors
    /// If there is a file already, or it cannot be made or written; if the pipe is a terminal.
    pub fn create(path: &Path, options: McapOptions) -> Result<Self> {
        let mut writer = Self {
            output: Output::create(path, options.crc)?,
            options,
            channels: Channels::default(),
            ahead: Vec::new(),
            batch: Chunk::default(),
            gather: Gather::default(),
            starts: Starts::default(),
            summary: Summary::default(),
            last_time: 0,
            received: 0,
        };
        let mut bytes = MAGIC.to_vec();
        wire::header(&mut bytes, "", concat!("mflow/", env!("CARGO_PKG_VERSION")));
        let entries = metadata::session(Timestamp::now(), &writer.options.session);
        writer.summary.add_metadata(&mut bytes, 0, SESSION, &entries);
        if !writer.options.user.is_empty() {
            writer.summary.add_metadata(&mut bytes, 0, USER, &writer.options.user);
        }
        schema(&mut bytes);
        // If that fails, nothing is in it.
        let begun = writer.output.append(&mut [IoSlice::new(&bytes)]);
        begun.inspect_err(|_| writer.output.discard())?;
        for (time, frames) in writer.options.starts.clone() {
            writer.attach_message(&Received { frames, time, origin: Origin::new("") })?;
        }
        Ok(writer)
    }

    /// Writes a message.
    ///
    /// # Errors
    /// [`endpoint::Error::NoParts`] for a message without parts, which cannot be read back;
    /// otherwise if the file cannot be written; the message is not in it then, nor are those of the
    /// batch that was about to be written.
    pub fn write(&mut self, message: &Received) -> Result<()> {
        self.write_numbered(message, self.received)
    }

    /// Writes a message that was received after this many others; a gap in these numbers shows
    /// messages that were not to be written.
    pub(crate) fn write_numbered(&mut self, message: &Received, number: u64) -> Result<()> {
        let frames = &message.frames;
        if frames.is_empty() {
            return Err(
                endpoint::Error::NoParts { address: self.path().display().to_string() }.into()
            );
        }
        self.received = number.wrapping_add(1);
        let peek = frames.peek();
        let index = self.channel(&message.origin, peek.htype.as_deref());
        let channel = self.channels.get_mut(index);
        channel.tally.follow(&peek, frames);
        let log_time = message.time.as_nanos().max(self.last_time.saturating_add(1));
        self.last_time = log_time;
        let [b0, b1, b2, b3, ..] = number.to_le_bytes();
        let head = MessageHead {
            channel: channel.number,
            sequence: u32::from_le_bytes([b0, b1, b2, b3]),
            log_time,
            publish_time: peek.time.unwrap_or(log_time),
        };
        let is_large = frames.bytes() >= OWN_CHUNK;
        let data = framed_length(frames.iter().map(Frame::len));
        let written = if is_large || !self.batch.has_room(data) { self.flush() } else { Ok(()) };
        let written = written.and_then(|()| {
            if is_large {
                return self.write_alone(head, frames, data);
            }
            self.batch.push(head, frames);
            Ok(())
        });
        if written.is_err() {
            self.channels.get_mut(index).tally.dropped += 1;
        }
        written?;
        if peek.stage == Some(Stage::Start) {
            let time = Timestamp::from_nanos(log_time);
            let message = Received { time, ..message.clone() };
            return match peek.series.filter(|_| frames.bytes() > SMALL_START) {
                Some(series) => self.point_to_start(index, &message, series),
                None => self.keep_start(index, &message),
            };
        }
        Ok(())
    }

    /// Returns where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.output.path()
    }

    /// Returns when [`flush`](Self::flush) is due; none if nothing waits.
    #[must_use]
    pub fn flush_due(&self) -> Option<Instant> {
        self.batch.due()
    }

    /// Writes the small messages that wait for others.
    ///
    /// # Errors
    /// If the file cannot be written; the messages are not in it then.
    pub fn flush(&mut self) -> Result<()> {
        if self.batch.entries().is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        let ahead = std::mem::take(&mut self.ahead);
        let at = self.output.position() + ahead.len() as u64;
        let index = batch.close(at, self.options.crc);
        let slices = [&ahead[..]].into_iter().chain(batch.slices()).chain([&index.bytes[..]]);
        let written = self.output.append(&mut slices.map(IoSlice::new).collect::<Vec<_>>());
        for entry in batch.entries() {
            let tally = &mut self.channels.get_mut(usize::from(entry.channel) - 1).tally;
            match written {
                Ok(()) => {
                    tally.messages += 1;
                    tally.bytes += entry.size;
                }
                Err(_) => tally.dropped += 1,
            }
        }
        match written {
            Ok(()) => self.summary.add_chunk(&index.summary, batch.entries().len() as u64),
            Err(_) => self.ahead = ahead,
        }
        batch.clear();
        self.batch = batch;
        written
    }

    /// Writes what waits and has the disk keep it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.output.sync()
    }

    /// Returns the bytes of the file so far, without its summary.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.output.position() + self.batch.length() as u64
    }

    /// Counts messages that were received and will not be written.
    pub fn count_dropped(&mut self, origin: &Arc<Origin>, htype: Option<&str>, messages: u64) {
        let index = self.channel(origin, htype);
        self.channels.get_mut(index).tally.dropped += messages;
    }

    /// Writes what waits and the summary.
    ///
    /// # Errors
    /// If the file cannot be written; it is as readable then as that of a writer that was
    /// killed.
    pub fn finish(mut self) -> Result<Written> {
        self.end(Fsync::Never)
    }

    /// Does as [`finish`](Self::finish), and has the disk keep the file.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_synced(mut self) -> Result<Written> {
        self.end(Fsync::Close)
    }

    /// Writes what waits and the summary, and has the disk keep the file unless that is never wanted.
    pub(crate) fn end(&mut self, fsync: Fsync) -> Result<Written> {
        let present = self.output.check_presence();
        let flushed = self.flush();
        let sealed = self.seal();
        flushed.and(sealed).and(present)?;
        self.output.check()?;
        if fsync != Fsync::Never {
            self.output.sync()?;
        }
        Ok(self.written())
    }

    /// Returns how many received messages are not in any file: all of them, once somebody has
    /// removed the file.
    pub(crate) fn dropped(&self) -> u64 {
        let Written { messages, dropped, .. } = self.written();
        if self.output.is_removed() { messages + dropped } else { dropped }
    }

    /// Returns what is in the file so far, and what is not.
    pub(crate) fn written(&self) -> Written {
        let size = self.output.position();
        let tallies = self.channels.all().iter().map(|channel| channel.tally);
        tallies.fold(Written { size, ..Written::default() }, |sum, tally| Written {
            messages: sum.messages + tally.messages,
            bytes: sum.bytes + tally.bytes,
            dropped: sum.dropped + tally.dropped,
            size,
        })
    }

    /// Returns the last start message of each channel, which the next file needs too.
    pub(crate) fn starts(&self) -> impl Iterator<Item = &Received> {
        self.starts.iter()
    }

    /// Writes a start message that is in another file as an attachment.
    pub(crate) fn attach_start(&mut self, message: &Received) -> Result<()> {
        let peek = message.frames.peek();
        let index = self.channel(&message.origin, peek.htype.as_deref());
        self.keep_start(index, message)
    }

    /// Writes an attachment of another file.
    pub(crate) fn attach(&mut self, head: &AttachmentHead, data: &[u8]) -> Result<()> {
        self.flush()?;
        let (at, mut opening) = (self.output.position(), Vec::new());
        wire::attachment_head(&mut opening, head);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&opening[RECORD_HEAD..]);
        hasher.update(data);
        let crc = if self.options.crc { hasher.finalize() } else { 0 };
        let slices = [&opening[..], data, &crc.to_le_bytes()];
        self.output.append(&mut slices.map(IoSlice::new))?;
        self.summary.add_attachment(at, head);
        Ok(())
    }

    /// Has times go on behind those of another file.
    pub(crate) fn continue_from(&mut self, other: &Self) {
        self.last_time = self.last_time.max(other.last_time);
        self.received = other.received;
    }

    fn channel(&mut self, origin: &Arc<Origin>, htype: Option<&str>) -> usize {
        let (index, is_new) = self.channels.find(origin, htype);
        if is_new {
            self.channels.get_mut(index).write(&mut self.ahead);
        }
        index
    }

    /// Writes a message in a chunk of its own.
    fn write_alone(&mut self, head: MessageHead, frames: &Frames, data: u64) -> Result<()> {
        let mut gather = std::mem::take(&mut self.gather);
        gather.clear();
        let at = self.output.position() + self.ahead.len() as u64;
        let zeros = if self.options.align { alignment(at, frames) } else { None };
        let padding = zeros.as_ref().map(|(index, zeros)| (*index, &zeros[..]));
        let data = data + padding.map_or(0, |(_, zeros)| zeros.len() as u64);
        wire::message_head(gather.framing(), head, data);
        gather.push_parts(frames, padding);
        let crc = if self.options.crc { gather.crc(frames) } else { 0 };
        let records = MESSAGE_HEAD as u64 + data;
        let mut ahead = std::mem::take(&mut self.ahead);
        let channels = ahead.len();
        wire::chunk_head(&mut ahead, head.log_time, head.log_time, crc, records);
        let index = chunk::index_of_one(at, CHUNK_HEAD as u64 + records, head);
        let written = self.output.append(&mut gather.between(&ahead, frames, &index.bytes));
        ahead.truncate(if written.is_ok() { 0 } else { channels });
        self.ahead = ahead;
        self.gather = gather;
        written?;
        self.summary.add_chunk(&index.summary, 1);
        let tally = &mut self.channels.get_mut(usize::from(head.channel) - 1).tally;
        tally.messages += 1;
        tally.bytes += frames.bytes() as u64;
        Ok(())
    }

    /// Writes the start message of a series again as an attachment, unless it is the last one.
    fn keep_start(&mut self, channel: usize, message: &Received) -> Result<()> {
        if self.starts.has(channel, &message.frames) {
            return Ok(());
        }
        self.attach_message(message)?;
        self.starts.keep(channel, message);
        Ok(())
    }

    /// Writes the place of the start message of a series that is too large to be copied.
    fn point_to_start(&mut self, channel: usize, message: &Received, series: u64) -> Result<()> {
        self.flush()?;
        let (at, mut bytes) = (self.output.position(), Vec::new());
        self.summary.add_metadata(
            &mut bytes,
            at,
            START,
            &start::pointer(series, message.time.as_nanos()),
        );
        self.output.append(&mut [IoSlice::new(&bytes)])?;
        self.starts.keep(channel, message);
        Ok(())
    }

    /// Writes a start message as an attachment, if it has a series.
    fn attach_message(&mut self, message: &Received) -> Result<()> {
        if let Some(attachment) = Attachment::of(message, self.options.crc) {
            self.flush()?;
            let at = self.output.position();
            attachment.write(|slices| self.output.append(slices))?;
            self.summary.add_attachment(at, &attachment.head);
        }
        Ok(())
    }

    /// Writes everything behind the last chunk.
    fn seal(&mut self) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.ahead);
        let entries = metadata::summary(&self.channels, Timestamp::now());
        let at = self.output.position();
        self.summary.add_metadata(&mut bytes, at, SUMMARY, &entries);
        let crc = self.output.take_crc(&bytes);
        wire::data_end(&mut bytes, crc);
        self.summary.write(&mut bytes, at, &self.channels);
        bytes.extend(MAGIC);
        self.output.append(&mut [IoSlice::new(&bytes)])
    }
}

/// Returns the largest part and the padding ahead of it, for a chunk at an offset.
fn alignment(chunk: u64, frames: &Frames) -> Option<(usize, Vec<u8>)> {
    let lengths = || frames.iter().map(Frame::len);
    let (largest, length) = lengths().enumerate().max_by_key(|(_, length)| *length)?;
    let before = framed_length(lengths().take(largest));
    let at = chunk + (CHUNK_HEAD + MESSAGE_HEAD) as u64 + before;
    Some((largest, padding(at, part_head(length).len())))
}

#[cfg(test)]
mod tests;
