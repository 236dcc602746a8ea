//! The records of an MCAP file as bytes: magic, opcodes, and one function for each record written.
//!
//! ```text
//! record   opcode u8 | length u64 | that many bytes of fields          integers are little endian
//! text     length u32 | UTF-8
//! map      bytes u32 | key, value, key, value, …
//! ```
//!
//! Source: the specification at <https://mcap.dev/spec>. In which order records make a file is told
//! with [`mcap`](super).

/// What an MCAP file begins and ends with.
pub(crate) const MAGIC: [u8; 8] = *b"\x89MCAP0\r\n";

/// The bytes of a record ahead of its fields: its opcode and its length.
pub(crate) const RECORD_HEAD: usize = 9;
/// The bytes of a message record ahead of its data.
pub(crate) const MESSAGE_HEAD: usize = RECORD_HEAD + 22;
/// The bytes of an uncompressed chunk record ahead of its records.
pub(crate) const CHUNK_HEAD: usize = RECORD_HEAD + 40;
/// The bytes of a footer record, which the last magic follows.
pub(crate) const FOOTER: usize = RECORD_HEAD + 20;

/// The first byte of a record: its type.
pub(crate) mod opcode {
    pub(crate) const HEADER: u8 = 0x01;
    pub(crate) const FOOTER: u8 = 0x02;
    pub(crate) const SCHEMA: u8 = 0x03;
    pub(crate) const CHANNEL: u8 = 0x04;
    pub(crate) const MESSAGE: u8 = 0x05;
    pub(crate) const CHUNK: u8 = 0x06;
    pub(crate) const MESSAGE_INDEX: u8 = 0x07;
    pub(crate) const CHUNK_INDEX: u8 = 0x08;
    pub(crate) const ATTACHMENT: u8 = 0x09;
    pub(crate) const ATTACHMENT_INDEX: u8 = 0x0a;
    pub(crate) const STATISTICS: u8 = 0x0b;
    pub(crate) const METADATA: u8 = 0x0c;
    pub(crate) const METADATA_INDEX: u8 = 0x0d;
    pub(crate) const SUMMARY_OFFSET: u8 = 0x0e;
    pub(crate) const DATA_END: u8 = 0x0f;
}

/// Keys and values, in the order they are written.
pub(crate) type Entries = Vec<(String, String)>;

/// Appends a record whose fields `write` appends.
fn record(into: &mut Vec<u8>, opcode: u8, write: impl FnOnce(&mut Fields<'_>)) {
    into.push(opcode);
    let length_at = into.len();
    into.extend([0; 8]);
    write(&mut Fields(into));
    let length = (into.len() - length_at - 8) as u64;
    into[length_at..length_at + 8].copy_from_slice(&length.to_le_bytes());
}

/// Appends fields to a record.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64s<const N: usize>(&mut self, values: [u64; N]) -> &mut Self {
        for value in values {
            self.u64(value);
        }
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.sized(|fields| fields.0.extend(text.as_bytes()))
    }

    fn map(&mut self, entries: &[(String, String)]) -> &mut Self {
        self.sized(|fields| {
            for (key, value) in entries {
                fields.text(key).text(value);
            }
        })
    }

    /// Appends what `write` appends, behind its number of bytes.
    fn sized(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        let at = self.0.len();
        self.u32(0);
        write(self);
        let length = u32::try_from(self.0.len() - at - 4).expect("a field is far below 4 GiB");
        self.0[at..at + 4].copy_from_slice(&length.to_le_bytes());
        self
    }
}

/// Appends the record that a file begins with, behind the magic.
pub(crate) fn header(into: &mut Vec<u8>, profile: &str, library: &str) {
    record(into, opcode::HEADER, |fields| {
        fields.text(profile).text(library);
    });
}

/// Appends a schema.
pub(crate) fn schema(into: &mut Vec<u8>, id: u16, name: &str, encoding: &str, data: &[u8]) {
    record(into, opcode::SCHEMA, |fields| {
        fields.u16(id).text(name).text(encoding).sized(|fields| fields.0.extend(data));
    });
}

/// Appends a channel.
pub(crate) fn channel(
    into: &mut Vec<u8>,
    id: u16,
    schema: u16,
    topic: &str,
    encoding: &str,
    metadata: &[(String, String)],
) {
    record(into, opcode::CHANNEL, |fields| {
        fields.u16(id).u16(schema).text(topic).text(encoding).map(metadata);
    });
}

/// The fields of a message record ahead of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageHead {
    pub(crate) channel: u16,
    pub(crate) sequence: u32,
    pub(crate) log_time: u64,
    pub(crate) publish_time: u64,
}

/// Appends the head of a message record, which as many bytes of data follow.
pub(crate) fn message_head(into: &mut Vec<u8>, head: MessageHead, data: u64) {
    into.push(opcode::MESSAGE);
    let mut fields = Fields(into);
    fields.u64((MESSAGE_HEAD - RECORD_HEAD) as u64 + data);
    fields.u16(head.channel).u32(head.sequence).u64s([head.log_time, head.publish_time]);
}

/// Appends the head of an uncompressed chunk, which as many bytes of records follow.
pub(crate) fn chunk_head(into: &mut Vec<u8>, first: u64, last: u64, crc: u32, records: u64) {
    into.push(opcode::CHUNK);
    let mut fields = Fields(into);
    fields.u64((CHUNK_HEAD - RECORD_HEAD) as u64 + records);
    fields.u64s([first, last, records]).u32(crc).text("").u64(records);
}

/// Appends the index of a chunk's messages on one channel: times, and offsets in the chunk.
pub(crate) fn message_index(into: &mut Vec<u8>, channel: u16, entries: &[(u64, u64)]) {
    record(into, opcode::MESSAGE_INDEX, |fields| {
        fields.u16(channel).sized(|fields| {
            for (time, offset) in entries {
                fields.u64s([*time, *offset]);
            }
        });
    });
}

/// Where an uncompressed chunk is and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkIndex {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) start: u64,
    /// The bytes of the chunk's record.
    pub(crate) length: u64,
    /// Where the message index of each channel is.
    pub(crate) indexes: smallvec::SmallVec<[(u16, u64); 1]>,
    /// The bytes of all message indexes, which follow the chunk.
    pub(crate) index_length: u64,
}

/// Appends the index of a chunk.
pub(crate) fn chunk_index(into: &mut Vec<u8>, index: &ChunkIndex) {
    record(into, opcode::CHUNK_INDEX, |fields| {
        fields.u64s([index.first, index.last, index.start, index.length]).sized(|fields| {
            for (channel, offset) in &index.indexes {
                fields.u16(*channel).u64(*offset);
            }
        });
        let records = index.length - CHUNK_HEAD as u64;
        fields.u64(index.index_length).text("").u64s([records, records]);
    });
}

/// A file within the file: the bytes ahead of its data, and its name in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttachmentHead {
    pub(crate) log_time: u64,
    pub(crate) create_time: u64,
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// The bytes of its data.
    pub(crate) data: u64,
}

impl AttachmentHead {
    /// Returns the bytes of the whole record: data, and a checksum behind it.
    pub(crate) fn record_length(&self) -> u64 {
        (RECORD_HEAD + 8 + 8 + 4 + self.name.len() + 4 + self.media_type.len() + 8 + 4) as u64
            + self.data
    }
}

/// Appends the head of an attachment, which its data and its CRC-32 (u32, 0 for none) follow.
pub(crate) fn attachment_head(into: &mut Vec<u8>, head: &AttachmentHead) {
    into.push(opcode::ATTACHMENT);
    let mut fields = Fields(into);
    fields.u64(head.record_length() - RECORD_HEAD as u64);
    fields.u64s([head.log_time, head.create_time]).text(&head.name).text(&head.media_type);
    fields.u64(head.data);
}

/// Appends the index of the attachment at an offset.
pub(crate) fn attachment_index(into: &mut Vec<u8>, offset: u64, head: &AttachmentHead) {
    record(into, opcode::ATTACHMENT_INDEX, |fields| {
        fields.u64s([offset, head.record_length(), head.log_time, head.create_time, head.data]);
        fields.text(&head.name).text(&head.media_type);
    });
}

/// Appends metadata.
pub(crate) fn metadata(into: &mut Vec<u8>, name: &str, entries: &[(String, String)]) {
    record(into, opcode::METADATA, |fields| {
        fields.text(name).map(entries);
    });
}

/// Appends the index of the metadata at an offset.
pub(crate) fn metadata_index(into: &mut Vec<u8>, offset: u64, length: u64, name: &str) {
    record(into, opcode::METADATA_INDEX, |fields| {
        fields.u64s([offset, length]).text(name);
    });
}

/// What the statistics record counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    pub(crate) schemas: u16,
    pub(crate) attachments: u32,
    pub(crate) metadata: u32,
    pub(crate) chunks: u32,
    /// Time of the first and of the last message.
    pub(crate) span: Option<(u64, u64)>,
    /// Messages of each channel.
    pub(crate) channels: Vec<(u16, u64)>,
}

/// Appends statistics.
pub(crate) fn statistics(into: &mut Vec<u8>, counts: &Counts) {
    record(into, opcode::STATISTICS, |fields| {
        let channels = u32::try_from(counts.channels.len()).expect("channels have 16-bit numbers");
        let (first, last) = counts.span.unwrap_or_default();
        fields.u64(counts.messages).u16(counts.schemas).u32(channels).u32(counts.attachments);
        fields.u32(counts.metadata).u32(counts.chunks).u64s([first, last]).sized(|fields| {
            for (channel, messages) in &counts.channels {
                fields.u16(*channel).u64(*messages);
            }
        });
    });
}

/// Appends where the records of one opcode are in the summary.
pub(crate) fn summary_offset(into: &mut Vec<u8>, opcode: u8, start: u64, length: u64) {
    record(into, self::opcode::SUMMARY_OFFSET, |fields| {
        fields.0.push(opcode);
        fields.u64s([start, length]);
    });
}

/// Appends the end of the data section, with the CRC-32 of all that is ahead of it, which is 0 if
/// it is not wanted.
pub(crate) fn data_end(into: &mut Vec<u8>, crc: u32) {
    record(into, opcode::DATA_END, |fields| {
        fields.u32(crc);
    });
}

/// Appends the footer: where summary and summary offsets start (0 for none), and the CRC-32 of
/// the summary up to itself, which is 0 if it is not wanted; the closing magic follows.
pub(crate) fn footer(into: &mut Vec<u8>, summary: u64, offsets: u64, crc: u32) {
    record(into, opcode::FOOTER, |fields| {
        fields.u64s([summary, offsets]).u32(crc);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_lengths_of_their_constants() {
        let mut bytes = Vec::new();
        let head = MessageHead { channel: 1, sequence: 2, log_time: 3, publish_time: 4 };
        message_head(&mut bytes, head, 100);
        assert_eq!(bytes.len(), MESSAGE_HEAD);
        assert_eq!(bytes[1..9], 122_u64.to_le_bytes());
        bytes.clear();
        chunk_head(&mut bytes, 1, 2, 3, 100);
        assert_eq!(bytes.len(), CHUNK_HEAD);
        assert_eq!(bytes[1..9], 140_u64.to_le_bytes());
        bytes.clear();
        footer(&mut bytes, 1, 2, 3);
        assert_eq!(bytes.len(), FOOTER);
    }

    #[test]
    fn an_attachment_is_as_long_as_it_says() {
        let head = AttachmentHead {
            log_time: 1,
            create_time: 2,
            name: "a".into(),
            media_type: "text/plain".into(),
            data: 3,
        };
        let mut bytes = Vec::new();
        attachment_head(&mut bytes, &head);
        bytes.extend(b"abc\0\0\0\0");
        assert_eq!(bytes.len() as u64, head.record_length());
        assert_eq!(bytes[1..9], (bytes.len() as u64 - 9).to_le_bytes());
    }

    #[test]
    fn texts_and_maps_are_counted_in_bytes() {
        let mut bytes = Vec::new();
        metadata(&mut bytes, "é", &[("k".into(), "v".into())]);
        assert_eq!(
            bytes,
            b"\x0c\x14\0\0\0\0\0\0\0\x02\0\0\0\xc3\xa9\x0a\0\0\0\x01\0\0\0k\x01\0\0\0v"
        );
    }
}
