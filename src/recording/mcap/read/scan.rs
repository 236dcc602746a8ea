//! Walking the data section of a file record by record, if there is no summary to believe.
//!
//! Only the heads of records are read, and never more than some KiB at once.

use std::io;

use super::block::Store;
use super::definition::{Definitions, MAX_DEFINITION};
use super::index::Contents;
use super::piece::{Kind, Piece, load};
use super::place::{RecordPlace, examine};
use crate::recording::mcap::format::record::{self, ChunkHead, MAX_CHUNK_HEAD, MESSAGE_DATA};
use crate::recording::mcap::format::wire::{MAGIC, RECORD_HEAD, opcode};

/// Messages outside of chunks are read together up to this many bytes.
pub(crate) const LOOSE: u64 = 1 << 20;

/// The walk through a file that is not closed. It continues when the file grows.
#[derive(Debug)]
pub(crate) struct Scan {
    at: u64,
    finished: bool,
}

impl Scan {
    /// Starts behind the magic.
    pub(crate) fn new() -> Self {
        Self { at: MAGIC.len() as u64, finished: false }
    }

    /// Returns whether the end of the data section was seen.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Returns how many bytes there are after the last whole record, in a file of so many.
    pub(crate) fn rest(&self, length: u64) -> u64 {
        if self.finished { 0 } else { length.saturating_sub(self.at) }
    }

    /// Continues to the last whole record, and adds the pieces that it finds.
    pub(crate) fn advance(&mut self, store: &mut Store, contents: &mut Contents) -> io::Result<()> {
        let Contents { pieces, definitions, .. } = contents;
        let end = store.length()?;
        let mut open = false;
        while !self.finished
            && let Ok(place) = examine(store, self.at, end, definitions)?
        {
            match place.opcode {
                opcode::SCHEMA | opcode::CHANNEL => {
                    define(store, place, definitions)?;
                }
                opcode::CHUNK => {
                    let Some(mut piece) = chunk(store, place)? else { return Ok(()) };
                    self.at = place.end();
                    self.read_indexes(store, end, definitions, &mut piece)?;
                    if piece.messages.is_none() {
                        let loaded = load(store, &piece, definitions)?;
                        piece.learn(&loaded);
                    }
                    pieces.push(piece);
                    open = false;
                    continue;
                }
                opcode::MESSAGE => {
                    let fields = store.look(place.fields().start, MESSAGE_DATA)?;
                    let head = record::message(fields).map(|(head, _)| head);
                    let ours = head.filter(|head| definitions.ours(head.channel).is_some());
                    let fits = |piece: &&mut Piece| open && place.end() - piece.start <= LOOSE;
                    if pieces.last_mut().filter(fits).is_none() {
                        pieces.push(Piece::loose(place.at));
                        open = true;
                    }
                    if let Some(piece) = pieces.last_mut() {
                        piece.add(place, ours.map(|head| head.log_time));
                    }
                }
                opcode::METADATA => contents.metadata.push(place),
                opcode::ATTACHMENT => contents.attachments.push(place),
                opcode::DATA_END | opcode::FOOTER => self.finished = true,
                _ => {}
            }
            self.at = place.end();
        }
        Ok(())
    }

    /// Reads how many messages the message indexes behind a chunk list, if that is certain.
    fn read_indexes(
        &mut self,
        store: &mut Store,
        end: u64,
        definitions: &Definitions,
        piece: &mut Piece,
    ) -> io::Result<()> {
        let (mut ours, mut foreign, mut indexes, mut sure) = (0, 0, 0, true);
        while let Ok(place) = examine(store, self.at, end, definitions)?
            && place.opcode == opcode::MESSAGE_INDEX
        {
            let mut fields = record::Fields(store.look(self.at + RECORD_HEAD as u64, 6)?);
            if let (Some(channel), Some(length)) = (fields.u16(), fields.u32()) {
                let messages = u64::from(length / 16);
                sure &= definitions.knows(channel) && u64::from(length) + 6 == place.length;
                indexes += 1;
                piece.channel = (indexes == 1).then_some(channel);
                match definitions.ours(channel) {
                    Some(_) => ours += messages,
                    None => foreign += messages,
                }
            }
            piece.index += place.end() - place.at;
            self.at = place.end();
        }
        if sure && indexes > 0 {
            (piece.messages, piece.foreign) = (Some(ours), foreign);
        }
        Ok(())
    }
}

/// Reads a schema or a channel; none if it is damaged or too much.
pub(crate) fn define(
    store: &mut Store,
    place: RecordPlace,
    definitions: &mut Definitions,
) -> io::Result<Option<()>> {
    if place.length > MAX_DEFINITION {
        return Ok(None);
    }
    let length = usize::try_from(place.length).unwrap_or(0);
    let fields = store.look(place.fields().start, length)?;
    Ok(match place.opcode {
        opcode::SCHEMA => definitions.schema(fields),
        _ => definitions.channel(fields),
    })
}

/// Makes a piece of a chunk; none if its head is damaged.
pub(crate) fn chunk(store: &mut Store, place: RecordPlace) -> io::Result<Option<Piece>> {
    let length = usize::try_from(place.length).unwrap_or(usize::MAX).min(MAX_CHUNK_HEAD);
    let Some(head) = ChunkHead::read(store.look(place.fields().start, length)?) else {
        return Ok(None);
    };
    Ok(Some(Piece {
        kind: Kind::Chunk,
        start: place.at,
        length: place.end() - place.at,
        first: head.first,
        last: head.last,
        unpacked: head.unpacked,
        messages: None,
        foreign: 0,
        channel: None,
        index: 0,
        read: false,
    }))
}
