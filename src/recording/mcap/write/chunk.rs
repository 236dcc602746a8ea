//! A chunk of small messages while it is filled.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::gather::COPY;
use crate::frame::{Frame, Frames};
use crate::recording::mcap::format::parts::{framed_length, part_head};
use crate::recording::mcap::format::wire::{
    self, CHUNK_HEAD, ChunkIndex, MESSAGE_HEAD, MessageHead,
};

/// Smaller messages than those of [`OWN_CHUNK`](crate::recording::mcap::OWN_CHUNK) are batched to this
/// many bytes at most.
pub const BATCH_BYTES: usize = 1 << 20;
/// Small messages wait at most this long for others.
pub const BATCH_TIME: Duration = Duration::from_millis(100);

/// The messages that wait for others to be written with.
///
/// Memory: [`BATCH_BYTES`], and 32 bytes for each message.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Room for the head of the chunk, and the records in it without their larger parts.
    bytes: Vec<u8>,
    /// The larger parts, each with the length of `bytes` ahead of it.
    shares: Vec<(usize, Frame)>,
    /// The bytes of the whole record.
    length: usize,
    entries: Vec<Entry>,
    /// When it has to be written.
    due: Option<Instant>,
}

/// One message in a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) channel: u16,
    time: u64,
    /// Where its record begins in the records of the chunk.
    offset: u64,
    /// The bytes of its parts.
    pub(super) size: u64,
}

/// What goes behind a chunk, and what the summary says of it.
pub(super) struct Index {
    /// The message indexes.
    pub(super) bytes: Vec<u8>,
    pub(super) summary: ChunkIndex,
}

impl Chunk {
    /// Returns whether a message with data of this length fits.
    pub(super) fn has_room(&self, data: u64) -> bool {
        let used = self.length as u64 + MESSAGE_HEAD as u64 + data;
        self.entries.is_empty() || used <= BATCH_BYTES as u64
    }

    /// Adds a message.
    pub(super) fn push(&mut self, head: MessageHead, frames: &Frames) {
        if self.entries.is_empty() {
            self.bytes.resize(CHUNK_HEAD, 0);
            self.length = CHUNK_HEAD;
            self.due = Some(Instant::now() + BATCH_TIME);
        }
        let offset = (self.length - CHUNK_HEAD) as u64;
        let data = framed_length(frames.iter().map(Frame::len));
        let before = self.bytes.len();
        wire::message_head(&mut self.bytes, head, data);
        for part in frames.iter() {
            self.bytes.extend(part_head(part.len()));
            if part.len() <= COPY {
                self.bytes.extend(part.as_ref());
            } else {
                self.shares.push((self.bytes.len(), part.clone()));
                self.length += part.len();
            }
        }
        self.length += self.bytes.len() - before;
        let size = frames.bytes() as u64;
        self.entries.push(Entry { channel: head.channel, time: head.log_time, offset, size });
    }

    /// Returns when it has to be written; none if it is empty.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns the messages.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Completes the chunk, which is going to be written at an offset.
    pub(super) fn close(&mut self, at: u64, with_crc: bool) -> Index {
        let records = (self.length - CHUNK_HEAD) as u64;
        let mut hasher = crc32fast::Hasher::new();
        if with_crc {
            let mut slices = self.slices();
            slices.next().into_iter().for_each(|first| hasher.update(&first[CHUNK_HEAD..]));
            slices.for_each(|slice| hasher.update(slice));
        }
        let crc = hasher.finalize();
        let first = self.entries.first().map_or(0, |entry| entry.time);
        let last = self.entries.last().map_or(0, |entry| entry.time);
        let mut head = Vec::with_capacity(CHUNK_HEAD);
        wire::chunk_head(&mut head, first, last, crc, records);
        self.bytes[..CHUNK_HEAD].copy_from_slice(&head);
        // Times rise, so entries of a channel stay in order.
        self.entries.sort_by_key(|entry| entry.channel);
        index(at, self.length as u64, first..=last, &self.entries)
    }

    /// Returns the whole record in slices, once it is closed.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.shares.iter().map(|(end, _)| *end).chain([self.bytes.len()]);
        let begins = [0].into_iter().chain(self.shares.iter().map(|(end, _)| *end));
        let framing = begins.zip(ends).map(|(begin, end)| &self.bytes[begin..end]);
        let parts = self.shares.iter().map(|(_, part)| part.as_ref()).chain([&[][..]]);
        framing.zip(parts).flat_map(|(framing, part)| [framing, part])
    }

    /// Returns the bytes of the whole record.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Lets go of the messages and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.shares.clear();
        self.length = 0;
        self.entries.clear();
        self.due = None;
    }
}

/// Makes the index of a chunk of one message.
pub(super) fn index_of_one(at: u64, length: u64, head: MessageHead) -> Index {
    let time = head.log_time;
    let entry = Entry { channel: head.channel, time, offset: 0, size: 0 };
    index(at, length, time..=time, &[entry])
}

fn index(at: u64, length: u64, span: std::ops::RangeInclusive<u64>, entries: &[Entry]) -> Index {
    let mut bytes = Vec::with_capacity(16 * entries.len() + 64);
    let mut indexes = SmallVec::new();
    let mut pairs = Vec::with_capacity(entries.len());
    for group in entries.chunk_by(|a, b| a.channel == b.channel) {
        let channel = group[0].channel;
        indexes.push((channel, at + length + bytes.len() as u64));
        pairs.clear();
        pairs.extend(group.iter().map(|entry| (entry.time, entry.offset)));
        wire::message_index(&mut bytes, channel, &pairs);
    }
    let (first, last) = span.into_inner();
    let index_length = bytes.len() as u64;
    let summary = ChunkIndex { first, last, start: at, length, indexes, index_length };
    Index { bytes, summary }
}
