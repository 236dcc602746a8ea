//! Finds the start messages of series in a file, for a reader that begins in the middle of one:
//! they are attachments, or large messages to which the file points.

use std::io;

use mflow_handlers::Stage;

use super::block::Store;
use super::definition::MAX_DEFINITION;
use super::index::Contents;
use super::place::RecordPlace;
use crate::endpoint::Timestamp;
use crate::frame::Frames;
use crate::recording::mcap::format::record::{Attachment, Fields};
use crate::recording::mcap::format::start;

/// How much of an attachment is read to identify it: more than its times and its name.
const HEAD: u64 = 64;

/// The start message of a series that a file keeps as an attachment, or has among its messages.
#[derive(Clone, Debug)]
pub struct SeriesStart {
    /// When it was received.
    pub time: Timestamp,
    /// The name of the attachment, such as `series-7-header`.
    pub name: String,
    pub(crate) place: StartPlace,
}

/// Where a start message is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StartPlace {
    /// In an attachment.
    Attachment(RecordPlace),
    /// Among the messages, at its time.
    Message,
}

/// Finds the start messages of one series, or of any, that were received by a time, the latest
/// first.
pub(crate) fn find(
    store: &Store,
    contents: &Contents,
    series: Option<u64>,
    by: Timestamp,
) -> io::Result<Vec<SeriesStart>> {
    let is_wanted = |of: &str| match series {
        Some(series) => of == start::name(series),
        None => start::is_name(of),
    };
    let mut found = Vec::new();
    for place in &contents.attachments {
        let fields = place.fields();
        let head = store.block(fields.start..fields.end.min(fields.start.saturating_add(HEAD)))?;
        if let Some((time, of)) = Attachment::time_and_name(&mut Fields(head.bytes())) {
            let (time, name) = (Timestamp::from_nanos(time), of.to_owned());
            found.push(SeriesStart { time, name, place: StartPlace::Attachment(*place) });
        }
    }
    for place in contents.metadata.iter().filter(|place| place.length <= MAX_DEFINITION) {
        let block = store.block(place.fields())?;
        if let Some((series, time)) = start::read_pointer(Fields(block.bytes())) {
            let (time, name) = (Timestamp::from_nanos(time), start::name(series));
            found.push(SeriesStart { time, name, place: StartPlace::Message });
        }
    }
    found.retain(|found| is_wanted(&found.name) && found.time <= by);
    found.sort_by_key(|found| std::cmp::Reverse(found.time));
    Ok(found)
}

impl SeriesStart {
    /// Returns whether a message is this one.
    pub(crate) fn is(&self, frames: &Frames) -> bool {
        let peek = frames.peek();
        let is_of = |series| start::name(series) == self.name;
        peek.stage == Some(Stage::Start) && peek.series.is_some_and(is_of)
    }
}

/// Reads the parts of a start message from its attachment; none if they are damaged.
pub(crate) fn read(store: &Store, place: RecordPlace) -> io::Result<Option<Frames>> {
    let block = store.block(place.fields())?;
    let attachment = Attachment::read(block.bytes()).filter(Attachment::is_sound);
    Ok(attachment.and_then(|attachment| {
        let data = attachment.data.as_ptr().addr() - block.bytes().as_ptr().addr();
        block.frames(data..data + attachment.data.len())
    }))
}
