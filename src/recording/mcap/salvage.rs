//! Finding records in a damaged file: what cannot be one is passed over, up to the next thing that
//! cannot well be anything else.

use std::io;
use std::ops::Range;

use serde::Serialize;

use super::block::Store;
use super::definition::{Definitions, MAX_DEFINITION};
use super::index::Contents;
use super::parts::PartRanges;
use super::piece::{Kind, Piece, load};
use super::record::{self, ChunkHead, Fields, MAX_CHUNK_HEAD, MESSAGE_DATA};
use super::scan::{LOOSE, RecordPlace, chunk, define, place};
use super::wire::{MAGIC, RECORD_HEAD, opcode};

/// How much of a damaged range is searched at once.
const SEARCHED: usize = 1 << 20;
/// What a disk reads at once, or does not.
const PAGE: u64 = 4096;
/// How much is passed over at once at most where nothing can be read.
const UNREAD: u64 = 64 << 10;
/// Something in damaged bytes with more parts than this is taken for no message: looking at it again
/// and again takes too long.
const MAX_SURE_PARTS: u64 = 4096;
/// How many damages are told of; the rest is counted.
pub(super) const MAX_DAMAGES: usize = 1000;

/// A place of a file that is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// Where it begins, in bytes.
    pub at: u64,
    /// How many bytes were passed over to the next record.
    pub bytes: u64,
    /// What is wrong.
    pub what: String,
}

/// Damaged places in order: the first of them, and how many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Damages {
    pub(super) first: Vec<Damage>,
    pub(super) count: u64,
}

impl Damages {
    pub(super) fn add(&mut self, at: u64, bytes: u64, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < MAX_DAMAGES {
            self.first.push(Damage { at, bytes, what: what.into() });
        }
    }
}

/// Returns the next record and goes behind it. What cannot be one, or cannot be read, is passed over
/// and noted.
pub(super) fn next_record(
    store: &mut Store,
    at: &mut u64,
    end: u64,
    definitions: &Definitions,
    damages: &mut Damages,
) -> Option<RecordPlace> {
    while *at < end {
        let fault = match examine(store, *at, end, definitions) {
            Ok(Ok(found)) => {
                *at = found.end();
                return Some(found);
            }
            Ok(Err(fault)) => fault.to_owned(),
            Err(error) => unreadable(&error),
        };
        let next = resume(store, *at + 1, end, definitions);
        damages.add(*at, next - *at, fault);
        *at = next;
    }
    None
}

/// Says that something cannot be read.
pub(super) fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// Returns the record at an offset, or why there is none.
fn examine(
    store: &mut Store,
    at: u64,
    end: u64,
    definitions: &Definitions,
) -> io::Result<Result<RecordPlace, &'static str>> {
    let Some(found) = place(store, at, end)? else { return Ok(Err("a record is cut off")) };
    Ok(implausible(store, found, end, definitions)?.map_or(Ok(found), Err))
}

/// Says why a record cannot be one, where that is so.
fn implausible(
    store: &mut Store,
    found: RecordPlace,
    end: u64,
    definitions: &Definitions,
) -> io::Result<Option<&'static str>> {
    let start = found.fields().start;
    let good = match found.opcode {
        opcode::SCHEMA | opcode::CHANNEL if found.length > MAX_DEFINITION => false,
        opcode::SCHEMA => {
            let length = usize::try_from(found.length).unwrap_or(0);
            let mut fields = Fields(store.look(start, length)?);
            let texts = fields.u16().and_then(|_| fields.text()).and_then(|_| fields.text());
            texts.is_some() && fields.sized().is_some() && fields.0.is_empty()
        }
        opcode::CHANNEL => {
            let length = usize::try_from(found.length).unwrap_or(0);
            let mut fields = Fields(store.look(start, length)?);
            let numbers = fields.u16().zip(fields.u16());
            let texts = numbers.and_then(|_| fields.text()).and_then(|_| fields.text());
            texts.is_some() && fields.map().is_some() && fields.0.is_empty()
        }
        opcode::MESSAGE => {
            let head = record::message(store.look(start, MESSAGE_DATA)?).map(|(head, _)| head);
            let Some(head) = head.filter(|_| found.length >= MESSAGE_DATA as u64) else {
                return Ok(Some("a message is too short"));
            };
            if definitions.ours(head.channel).is_some() {
                parts_are_whole(store, start + MESSAGE_DATA as u64..found.end(), u64::MAX)?
            } else {
                found.end() == end || place(store, found.end(), end)?.is_some()
            }
        }
        opcode::CHUNK => {
            let length = usize::try_from(found.length).unwrap_or(usize::MAX).min(MAX_CHUNK_HEAD);
            ChunkHead::read(store.look(start, length)?).is_some_and(|head| {
                let lengths = (head.length as u64).checked_add(head.records) == Some(found.length);
                let packed = matches!(head.compression, "zstd" | "lz4");
                lengths && (packed || head.compression.is_empty() && head.unpacked == head.records)
            })
        }
        opcode::MESSAGE_INDEX => {
            let mut fields = Fields(store.look(start, 6)?);
            let length = fields.u16().and_then(|_| fields.u32()).map(u64::from);
            length.is_some_and(|length| length % 16 == 0 && length + 6 == found.length)
        }
        opcode::ATTACHMENT | opcode::METADATA | opcode::HEADER | 0x10.. => {
            found.end() == end || place(store, found.end(), end)?.is_some()
        }
        opcode::DATA_END => found.length == 4,
        opcode::FOOTER => found.length == 20,
        // All others belong into the summary.
        _ => false,
    };
    Ok(if good { None } else { Some("there is no record where one should be") })
}

/// Tells whether there is part after part in a range, at most so many, without reading them.
fn parts_are_whole(store: &mut Store, range: Range<u64>, most: u64) -> io::Result<bool> {
    let mut at = range.start;
    let mut fields = 0;
    while at < range.end {
        let head = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(11);
        let head = store.look(at, head)?;
        let Some((length, behind)) = field_head(head) else {
            // Fields that are none of ours are allowed; they are looked at where that is cheap.
            if most < u64::MAX {
                return Ok(false);
            }
            let data = store.block(range)?;
            return Ok(PartRanges::of(data.bytes()).all(|part| part.is_ok()));
        };
        let end = at.saturating_add(behind).saturating_add(length);
        fields += 1;
        if end > range.end || fields > most {
            return Ok(false);
        }
        at = end;
    }
    Ok(true)
}

/// Reads the head of a part or of padding: its length, and the bytes ahead of it.
fn field_head(bytes: &[u8]) -> Option<(u64, u64)> {
    let (key, rest) = bytes.split_first()?;
    if !matches!(key, 0x0a | 0x7a) {
        return None;
    }
    let mut length = 0;
    for (index, byte) in (0..9).zip(rest) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((length, index + 2));
        }
    }
    None
}

/// Returns where the next thing is that cannot well be anything but a record; `end` if nothing is.
fn resume(store: &mut Store, from: u64, end: u64, definitions: &Definitions) -> u64 {
    let mut at = from;
    // How far to go where nothing can be read: each try may take a broken disk long.
    let mut unread = PAGE;
    while at + (RECORD_HEAD as u64) < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(SEARCHED);
        let searched = match store.readable(at, length) {
            Ok(searched) if searched.is_empty() => break,
            Ok(searched) => searched,
            Err(_) => {
                at = (at - at % PAGE).saturating_add(unread);
                unread = (2 * unread).min(UNREAD);
                continue;
            }
        };
        unread = PAGE;
        let places = searched.len().saturating_sub(RECORD_HEAD);
        for offset in 0..places {
            let sought = matches!(
                searched[offset],
                opcode::CHANNEL | opcode::MESSAGE | opcode::CHUNK | opcode::MESSAGE_INDEX
            );
            // No record here has a TiB.
            if !sought || searched[offset + 6..offset + 9] != [0; 3] {
                continue;
            }
            let candidate = at + offset as u64;
            if is_sure(store, candidate, end, definitions).unwrap_or(false) {
                return candidate;
            }
        }
        // The last bytes may begin a record that goes on behind them, unless nothing can be read there.
        at += if searched.len() == length { places } else { searched.len() } as u64;
    }
    end
}

/// Tells whether something that looks like a record in damaged bytes is one.
fn is_sure(store: &mut Store, at: u64, end: u64, definitions: &Definitions) -> io::Result<bool> {
    let Some(found) = place(store, at, end)? else { return Ok(false) };
    if found.opcode == opcode::MESSAGE {
        let head = record::message(store.look(found.fields().start, MESSAGE_DATA)?);
        let ours = head.is_some_and(|(head, _)| definitions.ours(head.channel).is_some());
        // A message without parts is too easily found in zeros.
        if !ours || found.length <= MESSAGE_DATA as u64 {
            return Ok(false);
        }
        let data = found.fields().start + MESSAGE_DATA as u64..found.end();
        return parts_are_whole(store, data, MAX_SURE_PARTS);
    }
    if found.opcode == opcode::MESSAGE_INDEX && found.length < 22 {
        return Ok(false);
    }
    Ok(implausible(store, found, end, definitions)?.is_none())
}

/// Finds everything in a file up to `end` that can be read.
pub(super) fn salvage(store: &mut Store, contents: &mut Contents, end: u64) -> Damages {
    let mut damages = Damages::default();
    contents.pieces.clear();
    let mut at = MAGIC.len() as u64;
    match store.look(0, MAGIC.len()) {
        Ok(magic) if magic == MAGIC => {}
        Ok(_) => damages.add(0, at, "it does not begin as an MCAP file does"),
        Err(error) => damages.add(0, at, unreadable(&error)),
    }
    // Whether a message may go to the last piece.
    let mut open = false;
    let mut expected = at;
    while let Some(found) = next_record(store, &mut at, end, &contents.definitions, &mut damages) {
        open &= found.at == expected;
        let taken = match found.opcode {
            opcode::SCHEMA | opcode::CHANNEL => {
                define(store, found, &mut contents.definitions).map(|_| ())
            }
            opcode::CHUNK => {
                open = false;
                salvage_chunk(store, contents, found, &mut damages).map(|next| at = next)
            }
            opcode::MESSAGE => salvage_message(store, contents, found, open).map(|()| open = true),
            opcode::METADATA => {
                contents.metadata.push(found);
                Ok(())
            }
            opcode::ATTACHMENT => {
                contents.attachments.push(found);
                Ok(())
            }
            opcode::DATA_END | opcode::FOOTER => break,
            _ => Ok(()),
        };
        if let Err(error) = taken {
            open = false;
            damages.add(found.at, found.end() - found.at, unreadable(&error));
        }
        expected = at;
    }
    damages
}

/// Takes a chunk, and returns where to go on: within it, where its records are damaged.
fn salvage_chunk(
    store: &mut Store,
    contents: &mut Contents,
    found: RecordPlace,
    damages: &mut Damages,
) -> io::Result<u64> {
    let Some(mut piece) = chunk(store, found)? else { return Ok(found.end()) };
    let length = usize::try_from(found.length).unwrap_or(usize::MAX).min(MAX_CHUNK_HEAD);
    let head = ChunkHead::read(store.look(found.fields().start, length)?);
    let (is_plain, head, crc) =
        head.map_or((false, 0, 0), |head| (head.compression.is_empty(), head.length, head.crc));
    let within = found.fields().start + head as u64;
    let loaded = match load(store, &piece, &mut contents.definitions) {
        Err(_) if is_plain => return Ok(within),
        loaded => loaded?,
    };
    if let Some(fault) = loaded.fault {
        if is_plain {
            return Ok(within);
        }
        damages.add(found.at, 0, fault);
    } else if is_plain && crc != 0 && crc32fast::hash(loaded.records.bytes()) != crc {
        damages.add(found.at, 0, "the checksum of a chunk does not match: it is kept as it is");
    }
    if let (Some(first), Some(last)) = (loaded.entries.first(), loaded.entries.last()) {
        (piece.first, piece.last) = (first.time, last.time);
        piece.messages = Some(loaded.entries.len() as u64);
        piece.foreign = loaded.foreign;
        piece.read = true;
        contents.pieces.push(piece);
    }
    Ok(found.end())
}

/// Takes a message outside of chunks.
fn salvage_message(
    store: &Store,
    contents: &mut Contents,
    found: RecordPlace,
    open: bool,
) -> io::Result<()> {
    let block = store.block(found.fields())?;
    let Some((head, _)) = record::message(block.bytes()) else { return Ok(()) };
    let is_ours = contents.definitions.ours(head.channel).is_some();
    let last = contents
        .pieces
        .last_mut()
        .filter(|piece| open && piece.kind == Kind::Loose && found.end() - piece.start <= LOOSE);
    let time = head.log_time;
    let piece = match last {
        Some(piece) => piece,
        None => {
            contents.pieces.push(Piece::loose(found.at));
            let Some(piece) = contents.pieces.last_mut() else { return Ok(()) };
            piece.read = true;
            piece
        }
    };
    piece.add(found, is_ours.then_some(time));
    Ok(())
}
