//! Checking a file: every record, checksum and index of it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::error::Result;
use crate::recording::Error;
use crate::recording::mcap::format::parts::PartRanges;
use crate::recording::mcap::format::record::{
    self, Attachment, ChunkHead, Fields, Footer, MAX_CHUNK_HEAD, Records, SummaryOffset,
};
use crate::recording::mcap::format::wire::{MAGIC, MessageHead, RECORD_HEAD, opcode};
use crate::recording::mcap::read::block::{self, Store};
use crate::recording::mcap::read::damage::{Damage, Damages};
use crate::recording::mcap::read::definition::Definitions;
use crate::recording::mcap::read::index::{self, Contents, END, footer, read_summary};
use crate::recording::mcap::read::piece::{NO_CHANNEL, Piece, records};
use crate::recording::mcap::read::place::{RecordPlace, place};
use crate::recording::mcap::read::salvage::next_record;
use crate::recording::mcap::read::scan::{chunk, define};

/// How much is read at once for the checksum of the data section.
const HASHED: u64 = 8 << 20;

/// What a file holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The bytes of the file.
    pub size: u64,
    /// Messages that are ours.
    pub messages: u64,
    /// Messages of other schemas.
    pub foreign: u64,
    /// Chunks.
    pub chunks: u64,
    /// Attachments.
    pub attachments: u64,
    /// Metadata records.
    pub metadata: u64,
    /// Records with unknown opcodes.
    pub unknown: u64,
    /// Checksums of data that were there and were looked at; that of the summary is too, and is not
    /// counted.
    pub checksums: u64,
    /// Whether the file has an end; its writer died or is still at it otherwise.
    pub is_closed: bool,
    /// Whether it has a summary; without one, readers read it through to find their way.
    pub has_summary: bool,
    /// Messages whose time is not later than that of the one before. Ours have none; others may
    /// well be written in another order.
    pub out_of_order: u64,
    /// What is wrong, the first thousand of it.
    pub damages: Vec<Damage>,
    /// How much there is.
    pub damaged_places: u64,
}

impl Verification {
    /// Returns whether nothing is wrong with the file.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged_places == 0
    }
}

/// Reads a whole file and checks everything in it.
///
/// # Errors
/// If the file cannot be read, or is no MCAP file at all.
pub fn verify(path: &Path) -> Result<Verification> {
    let failed = || Error::file("read", path);
    let not =
        |reason: &str| Error::NotARecording { path: path.to_owned(), reason: reason.to_owned() };
    let file = block::open(path)?;
    let mut store = Store::growing(file);
    if store.look(0, MAGIC.len()).map_err(failed())? != MAGIC {
        return Err(not("it does not begin as an MCAP file does").into());
    }
    let mut verifier = Verifier::default();
    verifier.run(&mut store).map_err(failed())?;
    let Verifier { mut found, damages, .. } = verifier;
    (found.damages, found.damaged_places) = (damages.first, damages.count);
    Ok(found)
}

#[derive(Default)]
struct Verifier {
    found: Verification,
    damages: Damages,
    definitions: Definitions,
    by_channel: BTreeMap<u16, u64>,
    /// The chunks, attachments and metadata, to be compared with the summary.
    pieces: Vec<Piece>,
    beside: Vec<RecordPlace>,
    last_time: Option<u64>,
    span: Option<(u64, u64)>,
}

/// The messages of a chunk: times and offsets of each channel.
type Indexes = BTreeMap<u16, Vec<(u64, u64)>>;

impl Verifier {
    fn run(&mut self, store: &mut Store) -> io::Result<()> {
        let length = store.length()?;
        self.found.size = length;
        let footer = footer(store, length)?;
        self.found.is_closed = footer.is_some();
        let mut summary = None;
        let mut end = length;
        if let Some(footer) = footer {
            store.seal_broken();
            match read_summary(store, footer, length)? {
                // A summary may be left out.
                Err(_) if footer.summary == 0 => {}
                Ok(contents) => {
                    self.found.has_summary = true;
                    end = footer.summary;
                    summary = Some(contents);
                    self.summary_offsets(store, &footer, length)?;
                }
                Err(reason) => self.damages.add(footer.summary.min(length), 0, reason),
            }
        }
        self.walk(store, end)?;
        if footer.is_none() {
            let what = "it has no end: its writer is still at it, or died";
            self.damages.add(length, 0, what);
        }
        if let Some(summary) = summary {
            self.compare(&summary, end);
        }
        Ok(())
    }

    /// Looks at each record of the data; those of a closed file have an end.
    fn walk(&mut self, store: &mut Store, end: u64) -> io::Result<()> {
        let mut at = MAGIC.len() as u64;
        while let Some(found) =
            next_record(store, &mut at, end, &self.definitions, &mut self.damages)
        {
            match found.opcode {
                opcode::HEADER | opcode::MESSAGE_INDEX => {}
                opcode::SCHEMA | opcode::CHANNEL => {
                    define(store, found, &mut self.definitions)?;
                }
                opcode::MESSAGE => {
                    let block = store.block(found.fields())?;
                    self.message(block.bytes(), found.at);
                }
                opcode::CHUNK => at = self.chunk(store, found, end)?,
                opcode::ATTACHMENT => self.attachment(store, found)?,
                opcode::METADATA => {
                    self.found.metadata += 1;
                    self.beside.push(found);
                    if index::metadata(store, found)?.is_none() {
                        self.damages.add(found.at, 0, "metadata are damaged");
                    }
                }
                opcode::DATA_END => {
                    return self.data_end(store, found);
                }
                opcode::FOOTER => break,
                _ => self.found.unknown += 1,
            }
        }
        if self.found.is_closed {
            self.damages.add(at.min(end), 0, "the end of the data is not there");
        }
        Ok(())
    }

    /// Counts a message and looks at its parts.
    fn message(&mut self, fields: &[u8], at: u64) -> Option<MessageHead> {
        let Some((head, data)) = record::message(fields) else {
            self.damages.add(at, 0, "a message is too short");
            return None;
        };
        *self.by_channel.entry(head.channel).or_default() += 1;
        let (first, last) = self.span.unwrap_or((head.log_time, head.log_time));
        self.span = Some((first.min(head.log_time), last.max(head.log_time)));
        if self.definitions.ours(head.channel).is_none() {
            self.found.foreign += 1;
            if !self.definitions.knows(head.channel) {
                self.damages.add(at, 0, NO_CHANNEL);
            }
            return Some(head);
        }
        self.found.messages += 1;
        if self.last_time.is_some_and(|last| head.log_time <= last) {
            self.found.out_of_order += 1;
        }
        self.last_time = Some(head.log_time);
        if let Some(Err(error)) = PartRanges::of(data).find(std::result::Result::is_err) {
            self.damages.add(at, 0, format!("the parts of a message are damaged: {error}"));
        }
        Some(head)
    }

    /// Checks a chunk and the message indexes behind it, and returns where those end.
    fn chunk(&mut self, store: &mut Store, found: RecordPlace, end: u64) -> io::Result<u64> {
        self.found.chunks += 1;
        let Some(mut piece) = chunk(store, found)? else { return Ok(found.end()) };
        let length = usize::try_from(found.length).unwrap_or(usize::MAX).min(MAX_CHUNK_HEAD);
        let head = ChunkHead::read(store.look(found.fields().start, length)?);
        let (crc, is_plain) =
            head.map_or((0, false), |head| (head.crc, head.compression.is_empty()));
        let unpacked = records(store, &piece)?;
        self.found.checksums += u64::from(crc != 0);
        if let Some(fault) = unpacked.fault {
            self.damages.add(found.at, 0, fault);
        } else if is_plain && crc != 0 && crc32fast::hash(unpacked.records.bytes()) != crc {
            self.damages.add(found.at, 0, "the checksum of a chunk does not match");
        }
        let mut messages = Indexes::new();
        let mut span = None;
        for record in Records::of(unpacked.records.bytes()) {
            let record = match record {
                Ok(record) => record,
                Err(at) => {
                    let what =
                        format!("a record is cut off, at byte {at} of the records of a chunk");
                    self.damages.add(found.at, 0, what);
                    break;
                }
            };
            let known = match record.opcode {
                opcode::SCHEMA => self.definitions.schema(record.fields),
                opcode::CHANNEL => self.definitions.channel(record.fields),
                opcode::MESSAGE => {
                    let head = self.message(record.fields, found.at);
                    if let Some(head) = head {
                        let (first, last) = span.unwrap_or((head.log_time, head.log_time));
                        span = Some((first.min(head.log_time), last.max(head.log_time)));
                        let entry = (head.log_time, record.at as u64);
                        messages.entry(head.channel).or_default().push(entry);
                    }
                    head.map(|_| ())
                }
                _ => Some(()),
            };
            if known.is_none() && record.opcode != opcode::MESSAGE {
                self.damages.add(found.at, 0, "a schema or channel in a chunk is damaged");
            }
        }
        if span.is_some_and(|span| span != (piece.first, piece.last)) {
            self.damages.add(found.at, 0, "a chunk has other times than its messages");
        }
        let mut at = found.end();
        let mut indexes = Indexes::new();
        while let Some(index) = place(store, at, end)?
            && index.opcode == opcode::MESSAGE_INDEX
        {
            let block = store.block(index.fields())?;
            match record::message_index(block.bytes()) {
                Some((channel, entries)) => indexes.entry(channel).or_default().extend(entries),
                None => self.damages.add(at, 0, "a message index is damaged"),
            }
            at = index.end();
        }
        indexes.retain(|_, entries| !entries.is_empty());
        for entries in messages.values_mut().chain(indexes.values_mut()) {
            entries.sort_unstable();
        }
        if !indexes.is_empty() && indexes != messages {
            self.damages.add(found.at, 0, "the message indexes of a chunk do not match it");
        }
        piece.index = at - found.end();
        self.pieces.push(piece);
        Ok(at)
    }

    fn attachment(&mut self, store: &mut Store, found: RecordPlace) -> io::Result<()> {
        self.found.attachments += 1;
        self.beside.push(found);
        let block = store.block(found.fields())?;
        let Some(attachment) = Attachment::read(block.bytes()) else {
            self.damages.add(found.at, 0, "an attachment is damaged");
            return Ok(());
        };
        self.found.checksums += u64::from(attachment.crc != 0);
        if !attachment.is_sound() {
            self.damages.add(found.at, 0, "the checksum of an attachment does not match");
        }
        Ok(())
    }

    /// Checks the data section against its checksum, if it has one.
    fn data_end(&mut self, store: &mut Store, found: RecordPlace) -> io::Result<()> {
        let is_sound = are_data_sound(store, found)?;
        self.found.checksums += u64::from(is_sound.is_some());
        if is_sound == Some(false) {
            self.damages.add(found.at, 0, "the checksum of the data does not match");
        }
        Ok(())
    }

    /// Checks what says where in the summary is what.
    fn summary_offsets(
        &mut self,
        store: &mut Store,
        footer: &Footer,
        length: u64,
    ) -> io::Result<()> {
        if footer.offsets == 0 {
            return Ok(());
        }
        let block = store.block(footer.offsets..length.saturating_sub(END))?;
        for record in Records::of(block.bytes()) {
            let offset = record.ok().filter(|record| record.opcode == opcode::SUMMARY_OFFSET);
            let group = offset.and_then(|record| SummaryOffset::read(record.fields));
            let is_there = match group {
                // Python's writer lists groups that do not exist.
                Some(SummaryOffset { length: 0, .. }) => true,
                Some(group) if group.is_within(footer.summary..footer.offsets) => {
                    store.look(group.start, 1)?.first() == Some(&group.opcode)
                }
                _ => false,
            };
            if !is_there {
                self.damages.add(footer.offsets, 0, "the offsets of the summary are damaged");
                return Ok(());
            }
        }
        Ok(())
    }

    /// Compares what was found with what the summary, which begins at `at`, says.
    fn compare(&mut self, summary: &Contents, at: u64) {
        let mut indexed: Vec<_> = summary.pieces.clone();
        indexed.sort_unstable_by_key(|piece| piece.start);
        let shape = |piece: &Piece| {
            (piece.start, piece.length, piece.first, piece.last, piece.unpacked, piece.index)
        };
        if !indexed.iter().map(shape).eq(self.pieces.iter().map(shape)) && !indexed.is_empty() {
            self.damages.add(at, 0, "the chunk indexes do not match the chunks");
        }
        for (indexed, opcode, what) in [
            (&summary.attachments, opcode::ATTACHMENT, "the attachment indexes do not match"),
            (&summary.metadata, opcode::METADATA, "the metadata indexes do not match"),
        ] {
            let mut indexed = indexed.clone();
            indexed.sort_unstable_by_key(|place| place.at);
            let found = self.beside.iter().filter(|place| place.opcode == opcode);
            if !indexed.is_empty() && !indexed.iter().eq(found) {
                self.damages.add(at, 0, what);
            }
        }
        // A summary may leave them out, all of them.
        let listed = &summary.definitions;
        if !listed.is_empty() && !listed.include(&self.definitions) {
            let what = "the schemas and channels of the summary are not those of the data";
            self.damages.add(at, 0, what);
        }
        let Some(statistics) = &summary.statistics else { return };
        let messages = self.found.messages.saturating_add(self.found.foreign);
        let counts = statistics.messages == messages
            && u64::from(statistics.chunks) == self.found.chunks
            && u64::from(statistics.attachments) == self.found.attachments
            && u64::from(statistics.metadata) == self.found.metadata;
        let mut by_channel = statistics.by_channel.clone();
        by_channel.retain(|(_, messages)| *messages > 0);
        by_channel.sort_unstable();
        let by_channel = by_channel.into_iter().eq(self.by_channel.clone());
        let span = self.span.is_none_or(|span| span == (statistics.first, statistics.last));
        if !(counts && by_channel && span) {
            self.damages.add(at, 0, "the statistics do not match what is there");
        }
    }
}

/// Returns whether the data ahead of their end match the checksum that is there; none if none is.
pub(super) fn are_data_sound(store: &mut Store, end: RecordPlace) -> io::Result<Option<bool>> {
    let crc = Fields(store.look(end.at + RECORD_HEAD as u64, 4)?).u32().unwrap_or(0);
    if crc == 0 {
        return Ok(None);
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 0;
    while at < end.at {
        let next = end.at.min(at + HASHED);
        hasher.update(store.block(at..next)?.bytes());
        at = next;
    }
    Ok(Some(hasher.finalize() == crc))
}
