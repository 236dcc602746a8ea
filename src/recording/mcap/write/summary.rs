//! What stands at the end of an MCAP file: where everything is, and how much there is of it.

use super::channel::{Channels, SCHEMA};
use crate::recording::mcap::format::parts::{DESCRIPTOR, ENCODING, SCHEMA_NAME};
use crate::recording::mcap::format::wire::{self, AttachmentHead, Counts, FOOTER};

/// What goes into the summary, written already.
#[derive(Debug, Default)]
pub(super) struct Summary {
    counts: Counts,
    chunks: Vec<u8>,
    attachments: Vec<u8>,
    metadata: Vec<u8>,
}

impl Summary {
    /// Adds a chunk of so many messages.
    pub(super) fn add_chunk(&mut self, index: &wire::ChunkIndex, messages: u64) {
        wire::chunk_index(&mut self.chunks, index);
        let counts = &mut self.counts;
        counts.chunks = counts.chunks.saturating_add(1);
        counts.messages += messages;
        let first = counts.span.map_or(index.first, |(first, _)| first);
        counts.span = Some((first, index.last));
    }

    /// Adds an attachment at an offset of the file.
    pub(super) fn add_attachment(&mut self, at: u64, head: &AttachmentHead) {
        wire::attachment_index(&mut self.attachments, at, head);
        self.counts.attachments = self.counts.attachments.saturating_add(1);
    }

    /// Appends metadata to what begins at an offset of the file.
    pub(super) fn add_metadata(
        &mut self,
        bytes: &mut Vec<u8>,
        offset: u64,
        name: &str,
        entries: &[(String, String)],
    ) {
        let start = bytes.len();
        wire::metadata(bytes, name, entries);
        let (at, length) = (offset + start as u64, (bytes.len() - start) as u64);
        wire::metadata_index(&mut self.metadata, at, length, name);
        self.counts.metadata += 1;
    }

    /// Appends the summary, its offsets and the footer to what begins at an offset of the file.
    pub(super) fn write(&mut self, bytes: &mut Vec<u8>, offset: u64, channels: &Channels) {
        use wire::opcode;
        let messages = channels.all().iter();
        let messages = messages.map(|channel| (channel.number, channel.tally.messages));
        self.counts.channels = messages.collect();
        self.counts.schemas = 1;
        let start = bytes.len();
        let mut offsets = Vec::new();
        let mut group = |bytes: &mut Vec<u8>, opcode, write: &dyn Fn(&mut Vec<u8>)| {
            let from = bytes.len();
            write(bytes);
            let length = (bytes.len() - from) as u64;
            if length > 0 {
                wire::summary_offset(&mut offsets, opcode, offset + from as u64, length);
            }
        };
        group(bytes, opcode::SCHEMA, &schema);
        group(bytes, opcode::CHANNEL, &|bytes| {
            channels.all().iter().for_each(|channel| channel.write(bytes));
        });
        group(bytes, opcode::STATISTICS, &|bytes| wire::statistics(bytes, &self.counts));
        group(bytes, opcode::CHUNK_INDEX, &|bytes| bytes.extend(&self.chunks));
        group(bytes, opcode::ATTACHMENT_INDEX, &|bytes| bytes.extend(&self.attachments));
        group(bytes, opcode::METADATA_INDEX, &|bytes| bytes.extend(&self.metadata));
        let offsets_at = offset + bytes.len() as u64;
        bytes.extend(offsets);
        let footer = bytes.len();
        wire::footer(bytes, offset + start as u64, offsets_at, 0);
        // Of everything up to the checksum itself: it is short, and all else is found by it.
        let (summary, crc) = bytes[start..].split_at_mut(footer - start + FOOTER - 4);
        crc.copy_from_slice(&crc32fast::hash(summary).to_le_bytes());
    }
}

/// Appends the schema of all messages.
pub(super) fn schema(into: &mut Vec<u8>) {
    wire::schema(into, SCHEMA, SCHEMA_NAME, ENCODING, DESCRIPTOR);
}
