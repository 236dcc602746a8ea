//! The start messages of series that a file has as attachments, for who begins to read in the middle
//! of one.

use std::io;

use super::block::Store;
use super::place::RecordPlace;
use super::record::{Attachment, Fields};
use crate::endpoint::Timestamp;
use crate::frame::Frames;

/// What is looked at to tell which attachment it is: more than its times and its name have.
const HEAD: u64 = 64;

/// The start message of a series that a file keeps as an attachment.
#[derive(Clone, Debug)]
pub struct SeriesStart {
    /// When it was received.
    pub time: Timestamp,
    /// The name of the attachment, such as `series-7-header`.
    pub name: String,
    place: RecordPlace,
}

/// Finds those of a series, or of any one, that were received by a time, the latest first.
pub(super) fn find(
    store: &Store,
    attachments: &[RecordPlace],
    series: Option<u64>,
    by: Timestamp,
) -> io::Result<Vec<SeriesStart>> {
    let is_wanted = |of: &str| match series {
        Some(series) => of == name(series),
        None => of.starts_with("series-") && of.ends_with("-header"),
    };
    let mut found = Vec::new();
    for place in attachments {
        let fields = place.fields();
        let head = store.block(fields.start..fields.end.min(fields.start + HEAD))?;
        if let Some((time, of)) = Attachment::time_and_name(&mut Fields(head.bytes()))
            && is_wanted(of)
            && time <= by.as_nanos()
        {
            let (time, name) = (Timestamp::from_nanos(time), of.to_owned());
            found.push(SeriesStart { time, name, place: *place });
        }
    }
    found.sort_by_key(|start| std::cmp::Reverse(start.time));
    Ok(found)
}

impl SeriesStart {
    /// Reads its parts; none where they are damaged.
    pub(super) fn read(&self, store: &Store) -> io::Result<Option<Frames>> {
        let block = store.block(self.place.fields())?;
        let attachment = Attachment::read(block.bytes()).filter(Attachment::is_sound);
        Ok(attachment.and_then(|attachment| {
            let data = attachment.data.as_ptr().addr() - block.bytes().as_ptr().addr();
            block.frames(data..data + attachment.data.len())
        }))
    }
}

/// Returns the name of the attachment that has the start of a series.
pub(super) fn name(series: u64) -> String {
    format!("series-{series}-header")
}
