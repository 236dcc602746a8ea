//! Where a record is in a file, and what it has to be like: bytes that happen to have a length that
//! fits are none.

use std::io;
use std::ops::Range;

use super::block::Store;
use super::definition::{Definitions, MAX_DEFINITION};
use crate::recording::mcap::format::parts::PartRanges;
use crate::recording::mcap::format::record::{
    self, ChunkHead, Fields, MAX_CHUNK_HEAD, MESSAGE_DATA, record_head,
};
use crate::recording::mcap::format::wire::{RECORD_HEAD, opcode};

/// The longest that is ahead of the data of an attachment.
const MAX_ATTACHMENT_HEAD: usize = 4096;
/// The bytes of a checksum.
const CRC: u64 = 4;

/// What is wrong where a record is expected.
pub(crate) const NO_RECORD: &str = "there is no record where one should be";

/// A record in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordPlace {
    pub(crate) opcode: u8,
    pub(crate) at: u64,
    /// The bytes of its fields.
    pub(crate) length: u64,
}

impl RecordPlace {
    /// Returns where the fields are.
    pub(crate) fn fields(&self) -> Range<u64> {
        let start = self.at + RECORD_HEAD as u64;
        start..start + self.length
    }

    pub(crate) fn end(&self) -> u64 {
        self.fields().end
    }
}

/// Returns the record at an offset; none if it goes beyond `end`, or there is none.
pub(crate) fn place(store: &mut Store, at: u64, end: u64) -> io::Result<Option<RecordPlace>> {
    let Some((opcode, length)) = record_head(store.look(at, RECORD_HEAD)?) else {
        return Ok(None);
    };
    let stop = at.checked_add(RECORD_HEAD as u64).and_then(|start| start.checked_add(length));
    let whole = stop.is_some_and(|stop| stop <= end);
    Ok((whole && opcode != 0).then_some(RecordPlace { opcode, at, length }))
}

/// Returns the record at an offset, or why there is none.
pub(crate) fn examine(
    store: &mut Store,
    at: u64,
    end: u64,
    definitions: &Definitions,
) -> io::Result<Result<RecordPlace, &'static str>> {
    let Some(found) = place(store, at, end)? else { return Ok(Err("a record is cut off")) };
    let form = Form::Extended;
    Ok(implausible(store, found, end, definitions, form)?.map_or(Ok(found), Err))
}

/// What a record may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has the fields that are known, and no others.
    Exact,
    /// Later versions may have given it more fields.
    Extended,
}

/// Says why a record cannot be one, if that is so.
pub(crate) fn implausible(
    store: &mut Store,
    found: RecordPlace,
    end: u64,
    definitions: &Definitions,
    form: Form,
) -> io::Result<Option<&'static str>> {
    let start = found.fields().start;
    let length = usize::try_from(found.length).unwrap_or(usize::MAX);
    let good = match found.opcode {
        opcode::HEADER | opcode::SCHEMA | opcode::CHANNEL | opcode::METADATA => {
            if found.length > MAX_DEFINITION {
                return Ok(Some(NO_RECORD));
            }
            match rest(found.opcode, store.look(start, length)?) {
                Some(0) => true,
                Some(_) => form == Form::Extended && is_followed(store, found, end)?,
                None => false,
            }
        }
        opcode::ATTACHMENT => {
            let looked = store.look(start, length.min(MAX_ATTACHMENT_HEAD))?;
            let mut fields = Fields(looked);
            let times = fields.u64().zip(fields.u64());
            let texts = times.and_then(|_| fields.text()).and_then(|_| fields.text());
            let data = texts.and_then(|_| fields.u64());
            let head = (looked.len() - fields.0.len()) as u64;
            let whole = data.and_then(|data| data.checked_add(head)?.checked_add(CRC));
            whole == Some(found.length)
        }
        opcode::MESSAGE => {
            let head = record::message(store.look(start, MESSAGE_DATA)?).map(|(head, _)| head);
            let Some(head) = head.filter(|_| found.length >= MESSAGE_DATA as u64) else {
                return Ok(Some("a message is too short"));
            };
            if definitions.ours(head.channel).is_some() {
                parts_are_whole(store, start + MESSAGE_DATA as u64..found.end(), None)?
            } else {
                is_followed(store, found, end)?
            }
        }
        opcode::CHUNK => is_chunk(store, found)?,
        opcode::MESSAGE_INDEX => {
            let mut fields = Fields(store.look(start, 6)?);
            let length = fields.u16().and_then(|_| fields.u32()).map(u64::from);
            length.is_some_and(|length| length % 16 == 0 && length + 6 == found.length)
        }
        opcode::DATA_END => found.length == 4,
        opcode::FOOTER => found.length == 20,
        // Others may have records of their own, but a chunk by another name is a damaged one.
        0x10.. => is_followed(store, found, end)? && !is_chunk(store, found)?,
        // All others belong into the summary.
        _ => false,
    };
    Ok(if good { None } else { Some(NO_RECORD) })
}

/// Returns how many bytes there are behind the fields that a record has to have; none if it has not.
fn rest(opcode: u8, fields: &[u8]) -> Option<usize> {
    let mut fields = Fields(fields);
    match opcode {
        opcode::HEADER => {
            fields.text()?;
            fields.text()?;
        }
        opcode::SCHEMA => {
            fields.u16()?;
            fields.text()?;
            fields.text()?;
            fields.sized()?;
        }
        opcode::CHANNEL => {
            fields.u16()?;
            fields.u16()?;
            fields.text()?;
            fields.text()?;
            fields.map()?;
        }
        _ => {
            fields.text()?;
            fields.map()?;
        }
    }
    Some(fields.0.len())
}

/// Returns whether there is another record behind one, or the end.
fn is_followed(store: &mut Store, found: RecordPlace, end: u64) -> io::Result<bool> {
    Ok(found.end() == end || place(store, found.end(), end)?.is_some())
}

/// Returns whether a record has the head of a chunk, whatever it says that it is.
fn is_chunk(store: &mut Store, found: RecordPlace) -> io::Result<bool> {
    let length = usize::try_from(found.length).unwrap_or(usize::MAX).min(MAX_CHUNK_HEAD);
    let head = ChunkHead::read(store.look(found.fields().start, length)?);
    Ok(head.is_some_and(|head| {
        let lengths = (head.length as u64).checked_add(head.records) == Some(found.length);
        let packed = matches!(head.compression, "zstd" | "lz4");
        lengths && (packed || head.compression.is_empty() && head.unpacked == head.records)
    }))
}

/// Returns whether there is part after part in a range, without reading them; if there may be so many
/// at most, counts them down, and takes no other fields.
pub(crate) fn parts_are_whole(
    store: &mut Store,
    range: Range<u64>,
    mut most: Option<&mut u64>,
) -> io::Result<bool> {
    let mut at = range.start;
    while at < range.end {
        let head = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(11);
        let head = store.look(at, head)?;
        let Some((length, behind)) = field_head(head) else {
            // Fields that are none of ours are allowed; they are looked at if that is cheap.
            if most.is_some() {
                return Ok(false);
            }
            let data = store.block(range)?;
            return Ok(PartRanges::of(data.bytes()).all(|part| part.is_ok()));
        };
        let end = at.saturating_add(behind).saturating_add(length);
        if end > range.end {
            return Ok(false);
        }
        if let Some(most) = &mut most {
            let Some(left) = most.checked_sub(1) else { return Ok(false) };
            **most = left;
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
