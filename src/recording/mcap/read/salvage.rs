//! Finding records in a damaged file: what cannot be one is passed over, up to the next thing that
//! cannot well be anything else.

use std::io;

use super::block::Store;
use super::damage::{Damages, unreadable};
use super::definition::Definitions;
use super::index::Contents;
use super::piece::{Kind, NO_CHANNEL, Piece, load};
use super::place::{Form, NO_RECORD, RecordPlace, examine, implausible, parts_are_whole, place};
use super::scan::{LOOSE, chunk, define};
use crate::recording::mcap::format::record::{self, ChunkHead, MAX_CHUNK_HEAD, MESSAGE_DATA};
use crate::recording::mcap::format::wire::{MAGIC, RECORD_HEAD, opcode};

/// How much of a damaged range is searched at once, at first and at most: most damage is short.
const SEARCHED_FIRST: usize = 4 << 10;
const SEARCHED: usize = 1 << 20;
/// What a disk reads at once, or does not.
const PAGE: u64 = 4096;
/// How much is passed over at once at most if nothing can be read.
const UNREAD: u64 = 64 << 10;
/// Something in damaged bytes with more parts than this is taken for no message, and a channel that is
/// longer for none: looking at them again and again takes too long.
const MAX_SURE_PARTS: u64 = 4096;
const MAX_SURE_CHANNEL: u64 = 4096;
/// How many parts are looked at in a search, however short it is, and in so many bytes another one:
/// the search takes no longer for bytes that were made to look like messages again and again.
const FREE_PARTS: u64 = 64 << 10;
const BYTES_PER_PART: u64 = 16;
/// Returns the next record and goes behind it. What cannot be one, or cannot be read, is passed over
/// and noted.
pub(crate) fn next_record(
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

/// Returns where the next thing is that cannot well be anything but a record; `end` if nothing is.
fn resume(store: &mut Store, from: u64, end: u64, definitions: &Definitions) -> u64 {
    let mut at = from;
    let mut left = FREE_PARTS;
    let mut size = SEARCHED_FIRST;
    // How far to go if nothing can be read: each try may take a broken disk long.
    let mut unread = PAGE;
    while at + (RECORD_HEAD as u64) < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(size);
        size = (2 * size).min(SEARCHED);
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
                opcode::SCHEMA
                    | opcode::CHANNEL
                    | opcode::MESSAGE
                    | opcode::CHUNK
                    | opcode::MESSAGE_INDEX
            );
            // No record here has a TiB.
            if !sought || searched[offset + 6..offset + 9] != [0; 3] {
                continue;
            }
            let candidate = at + offset as u64;
            if is_sure(store, candidate, end, definitions, &mut left).unwrap_or(false) {
                return candidate;
            }
        }
        left = left.saturating_add(searched.len() as u64 / BYTES_PER_PART);
        // The last bytes may begin a record that continues behind them, unless nothing can be read
        // there.
        at += if searched.len() == length { places } else { searched.len() } as u64;
    }
    end
}

/// Returns whether something that looks like a record in damaged bytes is one, looking at no more parts
/// than are left to be looked at.
fn is_sure(
    store: &mut Store,
    at: u64,
    end: u64,
    definitions: &Definitions,
    left: &mut u64,
) -> io::Result<bool> {
    let Some(found) = place(store, at, end)? else { return Ok(false) };
    if found.opcode == opcode::MESSAGE {
        let head = record::message(store.look(found.fields().start, MESSAGE_DATA)?);
        let ours = head.is_some_and(|(head, _)| definitions.ours(head.channel).is_some());
        // A message without parts is too easily found in zeros.
        if !ours || found.length <= MESSAGE_DATA as u64 {
            return Ok(false);
        }
        let data = found.fields().start + MESSAGE_DATA as u64..found.end();
        let most = MAX_SURE_PARTS.min(*left);
        let mut unseen = most;
        let are_whole = parts_are_whole(store, data, Some(&mut unseen));
        *left -= most - unseen;
        return are_whole;
    }
    if matches!(found.opcode, opcode::SCHEMA | opcode::CHANNEL) && found.length > MAX_SURE_CHANNEL {
        return Ok(false);
    }
    if found.opcode == opcode::MESSAGE_INDEX && found.length < 22 {
        return Ok(false);
    }
    Ok(implausible(store, found, end, definitions, Form::Exact)?.is_none())
}

/// Finds everything in a file up to `end` that can be read.
pub(crate) fn salvage(store: &mut Store, contents: &mut Contents, end: u64) -> Damages {
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
    // Up to where records of a chunk are looked at one by one.
    let mut inside = at;
    while let Some(found) = next_record(store, &mut at, end, &contents.definitions, &mut damages) {
        open &= found.at == expected;
        let taken = match found.opcode {
            opcode::SCHEMA | opcode::CHANNEL => {
                define(store, found, &mut contents.definitions).map(|_| ())
            }
            opcode::CHUNK => {
                open = false;
                inside = found.end();
                salvage_chunk(store, contents, found, &mut damages).map(|next| at = next)
            }
            opcode::MESSAGE => salvage_message(store, contents, found, open, &mut damages)
                .map(|taken| open |= taken),
            opcode::METADATA => {
                contents.metadata.push(found);
                Ok(())
            }
            opcode::ATTACHMENT => {
                contents.attachments.push(found);
                Ok(())
            }
            opcode::DATA_END => {
                contents.data_end = Some(found);
                break;
            }
            opcode::FOOTER => break,
            _ if found.at < inside => {
                damages.add(found.at, found.end() - found.at, NO_RECORD);
                Ok(())
            }
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

/// Takes a chunk, and returns where to continue: within it, if its records are damaged.
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
    }
    if !loaded.entries.is_empty() || loaded.foreign > 0 {
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
    damages: &mut Damages,
) -> io::Result<bool> {
    let block = store.block(found.fields())?;
    let Some((head, _)) = record::message(block.bytes()) else { return Ok(false) };
    if !contents.definitions.knows(head.channel) {
        damages.add(found.at, found.end() - found.at, NO_CHANNEL);
        return Ok(false);
    }
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
            let Some(piece) = contents.pieces.last_mut() else { return Ok(false) };
            piece.read = true;
            piece
        }
    };
    piece.add(found, is_ours.then_some(time));
    Ok(true)
}
