//! The start messages of series: the last one of each channel, and the attachment that has it again.

use std::io::IoSlice;
use std::sync::Arc;

use super::gather::Gather;
use crate::endpoint::Received;
use crate::frame::{Frame, Frames};
use crate::recording::mcap::format::parts::framed_length;
use crate::recording::mcap::format::start::{self, MEDIA_TYPE};
use crate::recording::mcap::format::wire::{self, AttachmentHead};

/// The last start message of each channel.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<(usize, Received)>);

impl Starts {
    /// Whether these are the parts of the last start message of a channel.
    pub(super) fn has(&self, channel: usize, frames: &Frames) -> bool {
        self.0.iter().any(|(of, last)| *of == channel && last.frames == *frames)
    }

    /// Keeps a message as the last one of its channel, as a copy if it would pin a buffer.
    pub(super) fn keep(&mut self, channel: usize, message: &Received) {
        let Received { frames, time, origin } = message;
        let kept = Received { frames: frames.detach(), time: *time, origin: Arc::clone(origin) };
        match self.0.iter_mut().find(|(of, _)| *of == channel) {
            Some((_, last)) => *last = kept,
            None => self.0.push((channel, kept)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Received> {
        self.0.iter().map(|(_, message)| message)
    }
}

/// The record of an attachment that holds a start message.
pub(super) struct Attachment<'a> {
    pub(super) head: AttachmentHead,
    frames: &'a Frames,
    /// The opcode and the length of the record.
    opening: Vec<u8>,
    gather: Gather,
    crc: u32,
}

impl<'a> Attachment<'a> {
    /// Makes the attachment of a message; none if it has no series.
    pub(super) fn of(message: &'a Received, with_crc: bool) -> Option<Self> {
        let frames = &message.frames;
        let series = frames.peek().series?;
        let head = AttachmentHead {
            log_time: message.time.as_nanos(),
            create_time: message.time.as_nanos(),
            name: start::name(series),
            media_type: MEDIA_TYPE.to_owned(),
            data: framed_length(frames.iter().map(Frame::len)),
        };
        let mut opening = Vec::new();
        wire::attachment_head(&mut opening, &head);
        let mut gather = Gather::default();
        gather.framing().extend(opening.split_off(wire::RECORD_HEAD));
        gather.push_parts(frames, None);
        let crc = if with_crc { gather.crc(frames) } else { 0 };
        Some(Self { head, frames, opening, gather, crc })
    }

    /// Has the bytes of the record written.
    pub(super) fn write<T>(&self, write: impl FnOnce(&mut [IoSlice<'_>]) -> T) -> T {
        let crc = self.crc.to_le_bytes();
        write(&mut self.gather.between(&self.opening, self.frames, &crc))
    }
}
