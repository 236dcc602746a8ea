//! Messages of many pieces in the order of their times.
//!
//! Pieces of a recording of ours follow each other in time, and so there is one at hand at a time.
//! If chunks of another writer overlap, all of these are in memory and their messages are merged.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use super::block::{Block, Store};
use super::damage::Faults;
use super::index::Contents;
use super::piece::{self, Entry, Loaded};

/// The most messages of pieces that overlap in time: 32 bytes each.
const MAX_ENTRIES: usize = 1 << 24;
/// What pieces that overlap in time may hold of memory together, or one of them alone.
const MAX_HELD: usize = 256 << 20;
/// A piece with messages that were not returned yet.
#[derive(Debug)]
struct Active {
    piece: usize,
    start: u64,
    entries: Vec<Entry>,
    next: usize,
    records: Option<Block>,
    /// Messages that should be there and are not.
    missing: u64,
}

impl Active {
    fn key(&self) -> (u64, u64) {
        (self.entries.get(self.next).map_or(u64::MAX, |entry| entry.time), self.start)
    }
}

/// The earliest message is the greatest.
impl Ord for Active {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Active {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Active {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Active {}

/// The place between two messages of a file whose pieces are sorted.
#[derive(Debug, Default)]
pub(crate) struct Order {
    active: BinaryHeap<Active>,
    /// How many pieces were at hand so far.
    admitted: usize,
    /// The number of the next message.
    number: u64,
}

impl Order {
    /// Starts at a piece whose first message has this number, and that no piece before overlaps.
    pub(crate) fn at(piece: usize, number: u64) -> Self {
        Self { active: BinaryHeap::new(), admitted: piece, number }
    }

    /// Returns how many pieces were at hand so far: those behind may still be sorted.
    pub(crate) fn admitted(&self) -> usize {
        self.admitted
    }

    /// Returns the number of the next message.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the time of the next message; none at the end.
    pub(crate) fn time(
        &mut self,
        store: &Store,
        contents: &mut Contents,
        faults: &mut Faults,
    ) -> io::Result<Option<u64>> {
        while let Some(piece) = contents.pieces.get(self.admitted) {
            let earlier = self.active.peek().is_some_and(|active| active.key() < piece.key());
            if earlier {
                break;
            }
            let index = self.admitted;
            self.admitted += 1;
            if piece.messages != Some(0) {
                self.admit(index, store, contents, faults)?;
            }
        }
        Ok(self.active.peek().map(|active| active.key().0))
    }

    fn admit(
        &mut self,
        index: usize,
        store: &Store,
        contents: &mut Contents,
        faults: &mut Faults,
    ) -> io::Result<()> {
        let piece = &mut contents.pieces[index];
        let Loaded { records, entries, foreign, fault } =
            piece::load(store, piece, &mut contents.definitions)?;
        let found = entries.len() as u64;
        let missing = piece.messages.unwrap_or(found).saturating_sub(found);
        if let Some(fault) = fault
            && !piece.read
        {
            faults.add(piece.start, fault, missing);
        } else if missing > 0 && !piece.read {
            faults.add(piece.start, "a piece has fewer messages than its index", missing);
        }
        piece.read = true;
        piece.messages = Some(piece.messages.unwrap_or(found).max(found));
        piece.foreign = foreign;
        let held: usize = self.active.iter().map(|active| active.entries.len()).sum();
        if held > 0 && held + entries.len() > MAX_ENTRIES {
            let what = "too many messages have overlapping times";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        if entries.is_empty() {
            self.number = self.number.saturating_add(missing);
            return Ok(());
        }
        let start = piece.start;
        self.make_room(records.memory());
        let records = Some(records);
        self.active.push(Active { piece: index, start, entries, next: 0, records, missing });
        Ok(())
    }

    /// Lets go of records in memory if another block would be too much; they are read again.
    fn make_room(&mut self, memory: usize) {
        let blocks = self.active.iter().filter_map(|active| active.records.as_ref());
        let held: usize = blocks.map(Block::memory).sum();
        if held > 0 && held + memory > MAX_HELD {
            let mut all = std::mem::take(&mut self.active).into_vec();
            for active in &mut all {
                active.records = None;
            }
            self.active = all.into();
        }
    }

    /// Takes the next message, after [`time`](Self::time) has found one.
    pub(crate) fn take(
        &mut self,
        store: &Store,
        contents: &Contents,
    ) -> io::Result<Option<(Entry, Block)>> {
        let Some(first) = self.active.peek() else { return Ok(None) };
        let entry = first.entries.get(first.next).copied();
        let records = match &first.records {
            Some(records) => records.clone(),
            None => {
                let piece = first.piece;
                let records = piece::records(store, &contents.pieces[piece]);
                // Bytes that cannot be read are skipped, so that a caller that continues reaches
                // the end.
                let records = records.inspect_err(|_| self.skip())?.records;
                self.make_room(records.memory());
                if let Some(mut first) = self.active.peek_mut() {
                    first.records = Some(records.clone());
                }
                records
            }
        };
        self.skip();
        let there = |entry: &Entry| {
            let end = entry.data.checked_add(entry.length);
            end.is_some_and(|end| end <= records.bytes().len())
        };
        Ok(entry.filter(there).map(|entry| (entry, records)))
    }

    /// Skips the next message, after [`time`](Self::time) has found one.
    pub(crate) fn skip(&mut self) {
        let Some(mut first) = self.active.peek_mut() else { return };
        first.next += 1;
        self.number = self.number.saturating_add(1);
        if first.next == first.entries.len() {
            self.number = self.number.saturating_add(first.missing);
            PeekMut::pop(first);
        }
    }
}
