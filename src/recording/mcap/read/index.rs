//! What is in a file: its pieces, channels, metadata and attachments, from the summary at its end.
//!
//! The summary is all that is read of a file; for a recording in chunks of 1 MiB that is 0.01 % of it.

use std::io;

use super::block::Store;
use super::definition::{Definitions, MAX_DEFINITION};
use super::piece::{Kind, Piece};
use super::place::{self, RecordPlace};
use crate::recording::mcap::format::record::{ChunkEntry, Fields, Footer, Records, Statistics};
use crate::recording::mcap::format::wire::{
    CHUNK_HEAD, Entries, FOOTER, MAGIC, RECORD_HEAD, opcode,
};

/// The bytes that a file ends with: the footer and the magic.
pub(crate) const END: u64 = (FOOTER + MAGIC.len()) as u64;
/// Summaries up to this length have their checksum looked at.
const MAX_CHECKED: u64 = 256 << 20;

/// What is in a file.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The pieces, in the order of the file until they are sorted.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) definitions: Definitions,
    pub(crate) statistics: Option<Statistics>,
    pub(crate) metadata: Vec<RecordPlace>,
    pub(crate) attachments: Vec<RecordPlace>,
    /// The record at the end of the data, if the file was searched for it.
    pub(crate) data_end: Option<RecordPlace>,
}

impl Contents {
    /// Returns how many messages of ours there are by the statistics.
    pub(crate) fn messages(&self) -> Option<u64> {
        let ours = self.statistics.as_ref()?.by_channel.iter();
        let ours = ours.filter(|(channel, _)| self.definitions.ours(*channel).is_some());
        Some(ours.fold(0, |sum: u64, (_, messages)| sum.saturating_add(*messages)))
    }

    /// Returns whether all messages can be found by this: others may have left out what they like of a
    /// summary, and what is outside of chunks is in none, but for the number of all messages.
    pub(crate) fn is_enough(&self) -> bool {
        if self.definitions.is_empty() && !self.pieces.is_empty() {
            return false;
        }
        // Who writes chunks and no statistics is taken to have put all messages into the chunks.
        let Some(statistics) = &self.statistics else { return !self.pieces.is_empty() };
        // Chunks without message indexes do not say how many messages they have: then there may be
        // more.
        let counts =
            self.pieces.iter().map(|piece| Some(piece.messages?.saturating_add(piece.foreign)));
        let known = counts.clone().flatten().fold(0_u64, u64::saturating_add);
        if statistics.chunks != 0 && statistics.chunks as usize != self.pieces.len() {
            return false;
        }
        let is_all = counts.clone().all(|count| count.is_some());
        if is_all { known == statistics.messages } else { known <= statistics.messages }
    }
}

/// Returns the footer of a file of this length; none if it has none.
pub(crate) fn footer(store: &mut Store, length: u64) -> io::Result<Option<Footer>> {
    let Some(at) = length.checked_sub(END) else { return Ok(None) };
    if at < MAGIC.len() as u64 {
        return Ok(None);
    }
    let bytes = store.look(at, FOOTER + MAGIC.len())?;
    Ok(Footer::read(bytes))
}

/// Reads the summary of a closed file, or says why there is none to believe.
pub(crate) fn read_summary(
    store: &Store,
    footer: Footer,
    length: u64,
) -> io::Result<Result<Contents, &'static str>> {
    let end = length.saturating_sub(END);
    if footer.summary == 0 {
        return Ok(Err("it has no summary"));
    }
    let offsets = if footer.offsets == 0 { end } else { footer.offsets };
    if footer.summary < MAGIC.len() as u64 || footer.summary > offsets || offsets > end {
        return Ok(Err("its footer points nowhere"));
    }
    if footer.crc != 0 && end - footer.summary <= MAX_CHECKED {
        // All of the footer but the checksum itself.
        let covered = store.block(footer.summary..end + (FOOTER - 4) as u64)?;
        if crc32fast::hash(covered.bytes()) != footer.crc {
            return Ok(Err("the checksum of its summary does not match"));
        }
    }
    let summary = store.block(footer.summary..offsets)?;
    let contents = read_records(summary.bytes(), footer.summary);
    Ok(contents.ok_or("its summary is damaged"))
}

/// Reads the records of a summary, which describe what lies before `end`.
fn read_records(summary: &[u8], end: u64) -> Option<Contents> {
    let mut contents = Contents::default();
    for record in Records::of(summary) {
        let record = record.ok()?;
        if record.opcode == opcode::SCHEMA {
            contents.definitions.schema(record.fields)?;
        }
    }
    for record in Records::of(summary) {
        let record = record.ok()?;
        if record.opcode == opcode::CHANNEL {
            contents.definitions.channel(record.fields)?;
        }
    }
    for record in Records::of(summary) {
        let record = record.ok()?;
        match record.opcode {
            opcode::CHUNK_INDEX => {
                let entry = ChunkEntry::read(record.fields)?;
                contents.pieces.push(piece(&entry, end, &contents.definitions)?);
            }
            opcode::STATISTICS => contents.statistics = Some(Statistics::read(record.fields)?),
            opcode::ATTACHMENT_INDEX => {
                contents.attachments.push(indexed(record.fields, opcode::ATTACHMENT, end)?);
            }
            opcode::METADATA_INDEX => {
                contents.metadata.push(indexed(record.fields, opcode::METADATA, end)?);
            }
            _ => {}
        }
    }
    Some(contents)
}

/// Returns the record that an attachment or metadata index points to.
fn indexed(fields: &[u8], opcode: u8, end: u64) -> Option<RecordPlace> {
    let mut fields = Fields(fields);
    let (at, length) = (fields.u64()?, fields.u64()?);
    let within = at.checked_add(length).is_some_and(|stop| stop <= end);
    let length = length.checked_sub(RECORD_HEAD as u64)?;
    within.then_some(RecordPlace { opcode, at, length })
}

/// Returns the piece that an index points to; none if that cannot be.
fn piece(entry: &ChunkEntry<'_>, end: u64, definitions: &Definitions) -> Option<Piece> {
    let after = entry.start.checked_add(entry.length)?;
    let stop = after.checked_add(entry.index_length)?;
    if stop > end || entry.length < CHUNK_HEAD as u64 || entry.start < MAGIC.len() as u64 {
        return None;
    }
    let indexes = entry.indexes();
    let (mut ours, mut foreign, mut sure) = (0, 0, !indexes.is_empty());
    // Each message index takes as many bytes as there are to the next one.
    let starts = indexes.iter().map(|(at, _)| *at).skip(1).chain([stop]);
    let mut expected = after;
    for ((at, channel), next) in indexes.iter().zip(starts) {
        sure &= *at == expected;
        expected = next;
        let entries = next.checked_sub(*at).and_then(|length| length.checked_sub(INDEX_HEAD));
        let entries = entries.filter(|entries| entries % 16 == 0).map(|entries| entries / 16);
        sure &= entries.is_some() && definitions.knows(*channel);
        match definitions.ours(*channel) {
            Some(_) => ours = u64::saturating_add(ours, entries.unwrap_or(0)),
            None => foreign = u64::saturating_add(foreign, entries.unwrap_or(0)),
        }
    }
    Some(Piece {
        kind: Kind::Chunk,
        start: entry.start,
        length: entry.length,
        first: entry.first,
        last: entry.last,
        unpacked: entry.unpacked,
        messages: sure.then_some(ours),
        foreign: if sure { foreign } else { 0 },
        channel: match indexes.as_slice() {
            [(_, channel)] => Some(*channel),
            _ => None,
        },
        index: entry.index_length,
        read: false,
    })
}

/// The bytes of a message index ahead of its entries.
const INDEX_HEAD: u64 = (RECORD_HEAD + 2 + 4) as u64;

/// Reads metadata: its name and its entries; none if that is damaged.
pub(crate) fn metadata(
    store: &mut Store,
    place: RecordPlace,
) -> io::Result<Option<(String, Entries)>> {
    let whole = place::place(store, place.at, u64::MAX)? == Some(place);
    if !whole || place.length > MAX_DEFINITION {
        return Ok(None);
    }
    let length = usize::try_from(place.length).unwrap_or(0);
    let mut fields = Fields(store.look(place.fields().start, length)?);
    let name = fields.text().map(str::to_owned);
    Ok(name.zip(fields.map()))
}
