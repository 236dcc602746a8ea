//! The records of an MCAP file as they are read: lengths come from outside, so each is checked
//! against what is there, and nothing is allocated by them.
//!
//! How they look is drawn in [`wire`](super::wire), which writes them.

use std::ops::Range;
use std::str;

use super::wire::{AttachmentHead, MAGIC, MESSAGE_HEAD, MessageHead, RECORD_HEAD, opcode};

/// The fields of a record, read from the first to the last; none if they are cut off.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads bytes behind their number.
    pub(crate) fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (sized, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(sized)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.sized()?).ok()
    }

    /// Reads keys and values.
    pub(crate) fn map(&mut self) -> Option<Vec<(String, String)>> {
        let mut fields = Fields(self.sized()?);
        let mut entries = Vec::new();
        while !fields.0.is_empty() {
            entries.push((fields.text()?.to_owned(), fields.text()?.to_owned()));
        }
        Some(entries)
    }
}

/// The opcode of a record and the number of its bytes behind that.
pub(crate) fn record_head(bytes: &[u8]) -> Option<(u8, u64)> {
    let (opcode, rest) = bytes.split_first()?;
    Some((*opcode, Fields(rest).u64()?))
}

/// A record among others in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) opcode: u8,
    /// Where the record begins.
    pub(crate) at: usize,
    /// Its fields.
    pub(crate) fields: &'a [u8],
}

/// The records in some bytes, one after another. What is no record ends them with an error: where.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn read(&mut self) -> Option<Record<'a>> {
        let at = self.at;
        let (opcode, length) = record_head(&self.bytes[at..])?;
        let start = at + RECORD_HEAD;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let fields = self.bytes.get(start..end)?;
        self.at = end;
        (opcode != 0).then_some(Record { opcode, at, fields })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let at = self.at;
        let record = self.read().ok_or(at);
        if record.is_err() {
            self.at = self.bytes.len();
        }
        Some(record)
    }
}

/// Reads the head of a message; its data are behind that.
pub(crate) fn message(fields: &[u8]) -> Option<(MessageHead, &[u8])> {
    let mut fields = Fields(fields);
    let head = MessageHead {
        channel: fields.u16()?,
        sequence: fields.u32()?,
        log_time: fields.u64()?,
        publish_time: fields.u64()?,
    };
    Some((head, fields.0))
}

/// Where the data of a message begin in its fields.
pub(crate) const MESSAGE_DATA: usize = MESSAGE_HEAD - RECORD_HEAD;

/// The longest head of a chunk that is looked at: the names of compressions are short.
pub(crate) const MAX_CHUNK_HEAD: usize = 40 + 32;

/// What a chunk says of itself ahead of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkHead<'a> {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The bytes of its records once they are decompressed.
    pub(crate) unpacked: u64,
    /// The CRC-32 of those, 0 for none.
    pub(crate) crc: u32,
    pub(crate) compression: &'a str,
    /// The bytes of its records as they are.
    pub(crate) records: u64,
    /// The bytes ahead of its records, which follow.
    pub(crate) length: usize,
}

impl<'a> ChunkHead<'a> {
    /// Reads the fields of a chunk, or just the first [`MAX_CHUNK_HEAD`] bytes of them.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            first: fields.u64()?,
            last: fields.u64()?,
            unpacked: fields.u64()?,
            crc: fields.u32()?,
            compression: fields.text()?,
            records: fields.u64()?,
            length: bytes.len() - fields.0.len(),
        })
    }
}

/// An attachment.
#[derive(Clone, Debug)]
pub(crate) struct Attachment<'a> {
    pub(crate) head: AttachmentHead,
    pub(crate) data: &'a [u8],
    /// The CRC-32 of all but itself, 0 for none.
    pub(crate) crc: u32,
    covered: &'a [u8],
}

impl<'a> Attachment<'a> {
    /// Reads the first fields: its time of reception, and its name.
    pub(crate) fn time_and_name(fields: &mut Fields<'a>) -> Option<(u64, &'a str)> {
        let (log_time, _create_time) = (fields.u64()?, fields.u64()?);
        Some((log_time, fields.text()?))
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let [log_time, create_time] = [fields.u64()?, fields.u64()?];
        let [name, media_type] = [fields.text()?.to_owned(), fields.text()?.to_owned()];
        let head = AttachmentHead { log_time, create_time, name, media_type, data: fields.u64()? };
        let (data, crc) = fields.0.split_at_checked(usize::try_from(head.data).ok()?)?;
        let covered = bytes.strip_suffix(crc)?;
        let whole = crc.len() == 4;
        let crc = Fields(crc).u32()?;
        whole.then_some(Self { head, data, crc, covered })
    }

    /// Returns whether the checksum matches, if there is one.
    pub(crate) fn is_sound(&self) -> bool {
        self.crc == 0 || crc32fast::hash(self.covered) == self.crc
    }
}

/// A chunk as the summary knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkEntry<'a> {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// Channels and the offsets of their message indexes, 10 bytes each.
    indexes: &'a [u8],
    pub(crate) index_length: u64,
    pub(crate) unpacked: u64,
}

impl<'a> ChunkEntry<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let [first, last, start, length] =
            [fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?];
        let (indexes, index_length) = (fields.sized()?, fields.u64()?);
        let (_compression, _packed) = (fields.text()?, fields.u64()?);
        let unpacked = fields.u64()?;
        Some(Self { first, last, start, length, indexes, index_length, unpacked })
    }

    /// Returns the channels with the offsets of their message indexes, in the order of the file.
    pub(crate) fn indexes(&self) -> smallvec::SmallVec<[(u64, u16); 4]> {
        let entries = self.indexes.chunks_exact(10).filter_map(|entry| {
            let mut fields = Fields(entry);
            let channel = fields.u16()?;
            Some((fields.u64()?, channel))
        });
        let mut entries: smallvec::SmallVec<_> = entries.collect();
        entries.sort_unstable();
        entries
    }
}

/// Reads a message index: its channel, and times and offsets.
pub(crate) fn message_index(fields: &[u8]) -> Option<(u16, Vec<(u64, u64)>)> {
    let mut fields = Fields(fields);
    let (channel, entries) = (fields.u16()?, fields.sized()?);
    let entries = entries.chunks_exact(16).filter_map(|entry| {
        let mut fields = Fields(entry);
        fields.u64().zip(fields.u64())
    });
    Some((channel, entries.collect()))
}

/// Where in the summary the records of one kind are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SummaryOffset {
    pub(crate) opcode: u8,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl SummaryOffset {
    pub(crate) fn read(fields: &[u8]) -> Option<Self> {
        let (opcode, rest) = fields.split_first()?;
        let mut fields = Fields(rest);
        Some(Self { opcode: *opcode, start: fields.u64()?, length: fields.u64()? })
    }

    /// Returns whether the records are within a range of the file.
    pub(crate) fn is_within(&self, range: Range<u64>) -> bool {
        let end = self.start.checked_add(self.length);
        self.start >= range.start && end.is_some_and(|end| end <= range.end)
    }
}

/// The footer: where the summary starts, 0 for none, and its CRC-32, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) summary: u64,
    pub(crate) offsets: u64,
    pub(crate) crc: u32,
}

impl Footer {
    /// Reads the footer's record and the magic, which end a file.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (opcode, length) = record_head(bytes)?;
        let mut fields = Fields(bytes.get(RECORD_HEAD..)?);
        let footer = Self { summary: fields.u64()?, offsets: fields.u64()?, crc: fields.u32()? };
        let whole = opcode == opcode::FOOTER && length == 20 && fields.0 == MAGIC;
        whole.then_some(footer)
    }
}

/// What the statistics record counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) messages: u64,
    pub(crate) schemas: u16,
    pub(crate) channels: u32,
    pub(crate) attachments: u32,
    pub(crate) metadata: u32,
    pub(crate) chunks: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) by_channel: Vec<(u16, u64)>,
}

impl Statistics {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            messages: fields.u64()?,
            schemas: fields.u16()?,
            channels: fields.u32()?,
            attachments: fields.u32()?,
            metadata: fields.u32()?,
            chunks: fields.u32()?,
            first: fields.u64()?,
            last: fields.u64()?,
            by_channel: {
                let entries = fields.sized()?.chunks_exact(10);
                entries
                    .filter_map(|entry| {
                        let mut fields = Fields(entry);
                        Some((fields.u16()?, fields.u64()?))
                    })
                    .collect()
            },
        })
    }
}
