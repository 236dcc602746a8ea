//! The start messages of series that a file has as attachments, for who begins to read in the middle
//! of one; or those that it points to, if they are messages of it and large.

use std::io;

use mflow_handlers::{Peek, Stage};

use super::START;
use super::block::Store;
use super::definition::MAX_DEFINITION;
use super::index::Contents;
use super::place::RecordPlace;
use super::record::{Attachment, Fields};
use super::wire::Entries;
use crate::endpoint::Timestamp;
use crate::frame::Frames;

/// What is looked at to tell which attachment it is: more than its times and its name have.
const HEAD: u64 = 64;

/// The start message of a series that a file keeps as an attachment, or has among its messages.
#[derive(Clone, Debug)]
pub struct SeriesStart {
    /// When it was received.
    pub time: Timestamp,
    /// The name of the attachment, such as `series-7-header`.
    pub name: String,
    pub(super) place: StartPlace,
}

/// Where a start message is.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartPlace {
    /// In an attachment.
    Attachment(RecordPlace),
    /// Among the messages, at its time.
    Message,
}

/// Finds those of a series, or of any one, that were received by a time, the latest first.
pub(super) fn find(
    store: &Store,
    contents: &Contents,
    series: Option<u64>,
    by: Timestamp,
) -> io::Result<Vec<SeriesStart>> {
    let is_wanted = |of: &str| match series {
        Some(series) => of == name(series),
        None => of.starts_with("series-") && of.ends_with("-header"),
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
        found.extend(pointed_to(&mut Fields(block.bytes())));
    }
    found.retain(|start| is_wanted(&start.name) && start.time <= by);
    found.sort_by_key(|start| std::cmp::Reverse(start.time));
    Ok(found)
}

/// Reads metadata that point to a start message.
fn pointed_to(fields: &mut Fields<'_>) -> Option<SeriesStart> {
    fields.text().filter(|name| *name == START)?;
    let entries = fields.map()?;
    let number = |key| entries.iter().find(|(of, _)| of == key)?.1.parse::<u64>().ok();
    let (series, time) = (number(SERIES)?, number(TIME)?);
    let (time, name) = (Timestamp::from_nanos(time), name(series));
    Some(SeriesStart { time, name, place: StartPlace::Message })
}

const SERIES: &str = "series";
const TIME: &str = "time";

/// Returns metadata that point to the start message of a series.
pub(super) fn pointer(series: u64, time: Timestamp) -> Entries {
    let entries = [(SERIES, series), (TIME, time.as_nanos())];
    entries.map(|(key, value)| (key.to_owned(), value.to_string())).into()
}

impl SeriesStart {
    /// Tells whether a message is this one.
    pub(super) fn is(&self, frames: &Frames) -> bool {
        let peek = frames.first().map(|part| Peek::of(part.as_ref())).unwrap_or_default();
        let is_of = |series| name(series) == self.name;
        peek.stage == Some(Stage::Start) && peek.series.is_some_and(is_of)
    }
}

/// Reads the parts of a start message from its attachment; none if they are damaged.
pub(super) fn read(store: &Store, place: RecordPlace) -> io::Result<Option<Frames>> {
    let block = store.block(place.fields())?;
    let attachment = Attachment::read(block.bytes()).filter(Attachment::is_sound);
    Ok(attachment.and_then(|attachment| {
        let data = attachment.data.as_ptr().addr() - block.bytes().as_ptr().addr();
        block.frames(data..data + attachment.data.len())
    }))
}

/// Returns the name of the attachment that has the start of a series.
pub(super) fn name(series: u64) -> String {
    format!("series-{series}-header")
}
