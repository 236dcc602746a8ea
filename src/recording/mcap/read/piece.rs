//! A piece of a file that is read at once, and the messages in it.

use std::io;
use std::ops::Range;

use super::block::{Block, Store};
use super::definition::Definitions;
use super::place::{NO_RECORD, RecordPlace};
use super::unpack::{Unpacked, unpack};
use crate::recording::mcap::format::record::{self, MESSAGE_DATA, Records};
use crate::recording::mcap::format::wire::{RECORD_HEAD, opcode};

/// Messages that lie next to each other: a chunk, or a run of messages outside of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// The lowest and the highest time.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The bytes of its records once they are decompressed.
    pub(crate) unpacked: u64,
    /// How many messages of ours there are, if that is known without reading it.
    pub(crate) messages: Option<u64>,
    /// How many there are of other people, as far as that is known.
    pub(crate) foreign: u64,
    /// The channel of all messages, if that is known and only one.
    pub(crate) channel: Option<u16>,
    /// The bytes of the message indexes behind it.
    pub(crate) index: u64,
    /// Whether it was read before, and its damage was reported.
    pub(crate) read: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A chunk record.
    Chunk,
    /// Records of the data section, messages among them.
    Loose,
}

impl Piece {
    /// Begins a run of messages outside of chunks.
    pub(crate) fn loose(start: u64) -> Self {
        Self {
            kind: Kind::Loose,
            start,
            length: 0,
            first: u64::MAX,
            last: 0,
            unpacked: 0,
            messages: Some(0),
            foreign: 0,
            channel: None,
            index: 0,
            read: false,
        }
    }

    /// Adds the next message to a run of them, with its time if it is one of ours.
    pub(crate) fn add(&mut self, place: RecordPlace, time: Option<u64>) {
        self.length = place.end() - self.start;
        self.unpacked = self.length;
        match time {
            Some(time) => {
                self.first = self.first.min(time);
                self.last = self.last.max(time);
                self.messages = self.messages.map(|messages| messages + 1);
            }
            None => self.foreign += 1,
        }
    }

    /// Records what is in it after it was read. If nothing could be read, it stays in turn, to
    /// report of that.
    pub(crate) fn learn(&mut self, loaded: &Loaded) {
        let messages = loaded.entries.len() as u64;
        self.messages = (messages > 0 || loaded.fault.is_none()).then_some(messages);
        self.foreign = loaded.foreign;
    }

    /// Returns whether its times say that it ends before it starts, which is impossible.
    pub(crate) fn is_reversed(&self) -> bool {
        self.kind == Kind::Chunk && self.first > self.last
    }

    /// Returns what pieces are sorted by: time, and place where times are equal.
    pub(crate) fn key(&self) -> (u64, u64) {
        (self.first, self.start)
    }

    /// Returns the range of the file.
    pub(crate) fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.length)
    }
}

/// Where a message of ours is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) time: u64,
    /// Where its data begin.
    pub(crate) data: usize,
    pub(crate) length: usize,
    pub(crate) channel: u16,
}

impl Entry {
    /// Returns the sequence number of the message, which is ahead of its times.
    pub(crate) fn sequence(&self, records: &Block) -> u32 {
        let Some(at) = self.data.checked_sub(MESSAGE_DATA - 2) else { return 0 };
        let near = records.near().get(at..).and_then(|head| record::Fields(head).u32());
        let head = || records.bytes().get(at..).and_then(|head| record::Fields(head).u32());
        near.or_else(head).unwrap_or(0)
    }
}

/// A piece that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) records: Block,
    /// The messages of ours, in the order of time.
    pub(crate) entries: Vec<Entry>,
    /// How many messages are other people's.
    pub(crate) foreign: u64,
    /// What was wrong; there may be messages all the same.
    pub(crate) fault: Option<&'static str>,
}

/// Returns the records of a piece: those of a chunk are decompressed.
pub(crate) fn records(store: &Store, piece: &Piece) -> io::Result<Unpacked> {
    if piece.kind == Kind::Loose {
        return Ok(Unpacked { records: store.block(piece.range())?, fault: None });
    }
    let block = store.headed_block(piece.range())?;
    let head = record::record_head(block.near());
    let length = piece.length.saturating_sub(RECORD_HEAD as u64);
    if head != Some((opcode::CHUNK, length)) {
        let fault = Some("there is no chunk where the index says so");
        return Ok(Unpacked { records: Vec::new().into(), fault });
    }
    Ok(unpack(block.behind(RECORD_HEAD), store.checks()))
}

/// What is wrong with a message of an unknown channel.
pub(crate) const NO_CHANNEL: &str = "a message has a channel that is not there";

/// Returns the message that is all there is in a block, if it is one of ours.
fn only_message(records: &Block, definitions: &Definitions) -> Option<Entry> {
    let near = records.near();
    let (opcode, length) = record::record_head(near)?;
    let length = usize::try_from(length).ok()?;
    let is_alone = opcode == opcode::MESSAGE && length == records.len().checked_sub(RECORD_HEAD)?;
    let (head, _) = record::message(near.get(RECORD_HEAD..)?).filter(|_| is_alone)?;
    definitions.ours(head.channel)?;
    Some(Entry {
        time: head.log_time,
        data: RECORD_HEAD + MESSAGE_DATA,
        length: length.checked_sub(MESSAGE_DATA)?,
        channel: head.channel,
    })
}

/// Reads a piece, and the schemas and channels in it.
pub(crate) fn load(
    store: &Store,
    piece: &Piece,
    definitions: &mut Definitions,
) -> io::Result<Loaded> {
    Ok(entries(records(store, piece)?, piece.kind, definitions))
}

/// Finds the messages, schemas and channels in records that were read.
pub(super) fn entries(unpacked: Unpacked, kind: Kind, definitions: &mut Definitions) -> Loaded {
    let Unpacked { records, fault } = unpacked;
    let mut loaded = Loaded { records, entries: Vec::new(), foreign: 0, fault };
    if let Some(entry) = only_message(&loaded.records, definitions) {
        loaded.entries.push(entry);
        return loaded;
    }
    let mut sorted = true;
    let mut previous = 0;
    for record in Records::of(loaded.records.bytes()) {
        let Ok(record) = record else {
            loaded.fault = loaded.fault.or(Some(NO_RECORD));
            break;
        };
        let known = match record.opcode {
            opcode::SCHEMA => definitions.schema(record.fields),
            opcode::CHANNEL => definitions.channel(record.fields),
            opcode::MESSAGE => record::message(record.fields).map(|(head, data)| {
                if definitions.ours(head.channel).is_none() {
                    match definitions.knows(head.channel) {
                        true => loaded.foreign += 1,
                        false => loaded.fault = loaded.fault.or(Some(NO_CHANNEL)),
                    }
                    return;
                }
                sorted &= previous <= head.log_time;
                previous = head.log_time;
                loaded.entries.push(Entry {
                    time: head.log_time,
                    data: record.at + RECORD_HEAD + MESSAGE_DATA,
                    length: data.len(),
                    channel: head.channel,
                });
            }),
            _ => {
                // Nothing else has a place in a chunk.
                let fault = (kind == Kind::Chunk).then_some(NO_RECORD);
                loaded.fault = loaded.fault.or(fault);
                Some(())
            }
        };
        if known.is_none() {
            loaded.fault = loaded.fault.or(Some("a record is cut off"));
        }
    }
    if !sorted {
        loaded.entries.sort_by_key(|entry| entry.time);
    }
    loaded
}
