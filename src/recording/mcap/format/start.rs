//! How a file keeps the start message of a series: as an attachment with a copy, or as metadata
//! that point to it.

use super::record::Fields;
use super::wire::Entries;

/// Metadata that point to the start message of a series by its `series` and its `time`: the message
/// is in the file and too large for a copy as an attachment.
pub const START: &str = "mflow.start";
/// A start message of up to this many bytes is also copied to an attachment.
pub const SMALL_START: usize = 1 << 20;
/// The media type of attachments: the data of a message.
pub(crate) const MEDIA_TYPE: &str = "application/x-protobuf";

const SERIES: &str = "series";
const TIME: &str = "time";

/// Returns the name of the attachment that has the start of a series.
pub(crate) fn name(series: u64) -> String {
    format!("series-{series}-header")
}

/// Returns whether an attachment of this name has the start of a series.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with("series-") && name.ends_with("-header")
}

/// Returns metadata that point to the start message of a series, which has this time.
pub(crate) fn pointer(series: u64, time: u64) -> Entries {
    [(SERIES, series), (TIME, time)].map(|(key, value)| (key.to_owned(), value.to_string())).into()
}

/// Reads metadata that point to a start message: its series and its time; none if they are others.
pub(crate) fn read_pointer(mut fields: Fields<'_>) -> Option<(u64, u64)> {
    fields.text().filter(|name| *name == START)?;
    let entries = fields.map()?;
    let number = |key| entries.iter().find(|(of, _)| of == key)?.1.parse::<u64>().ok();
    Some((number(SERIES)?, number(TIME)?))
}
