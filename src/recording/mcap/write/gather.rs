//! The bytes of a record that are gathered for one write: framing of ours, and parts as they are.

use std::io::IoSlice;
use std::ops::Range;

use crate::frame::{Frame, Frames};
use crate::recording::mcap::format::parts::part_head;

/// Up to this many bytes a part is copied into the framing around it: cheaper than a slice more.
pub(super) const COPY: usize = 4096;

/// Framing, and the parts between its pieces.
#[derive(Debug, Default)]
pub(super) struct Gather {
    framing: Vec<u8>,
    /// The framing ahead of each part, and the part's index.
    pieces: Vec<(Range<usize>, usize)>,
}

impl Gather {
    /// Lets go of everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.framing.clear();
        self.pieces.clear();
    }

    /// Returns the framing, to be gone on with.
    pub(super) fn framing(&mut self) -> &mut Vec<u8> {
        &mut self.framing
    }

    /// Adds parts with their heads, and padding ahead of one of them.
    pub(super) fn push_parts(&mut self, frames: &Frames, padding: Option<(usize, &[u8])>) {
        for (index, frame) in frames.iter().enumerate() {
            if let Some((_, zeros)) = padding.filter(|(at, _)| *at == index) {
                self.framing.extend(zeros);
            }
            self.framing.extend(part_head(frame.len()));
            if frame.len() <= COPY {
                self.framing.extend(frame.as_ref());
            } else {
                self.pieces.push((self.last()..self.framing.len(), index));
            }
        }
    }

    /// Where the framing behind the last part begins.
    fn last(&self) -> usize {
        self.pieces.last().map_or(0, |(framing, _)| framing.end)
    }

    /// Returns everything in order.
    pub(super) fn slices<'a>(&'a self, frames: &'a Frames) -> impl Iterator<Item = &'a [u8]> {
        let pieces = self.pieces.iter().flat_map(|(framing, part)| {
            [&self.framing[framing.clone()], Frame::as_ref(&frames[*part])]
        });
        pieces.chain([&self.framing[self.last()..]])
    }

    /// Returns the CRC-32 of everything.
    pub(super) fn crc(&self, frames: &Frames) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        self.slices(frames).for_each(|slice| hasher.update(slice));
        hasher.finalize()
    }

    /// Returns everything, with the bytes ahead of it and behind it.
    pub(super) fn between<'a>(
        &'a self,
        ahead: &'a [u8],
        frames: &'a Frames,
        behind: &'a [u8],
    ) -> Vec<IoSlice<'a>> {
        let all = [ahead].into_iter().chain(self.slices(frames)).chain([behind]);
        all.map(IoSlice::new).collect()
    }
}
