//! Reads from a message of the stream V2 of DECTRIS, without decoding it: whether it is one, its
//! series, its image and its time. It is in CBOR, and has no JSON header.

use super::stage::Stage;
use super::time::{DateTime, Rational};
use crate::cbor::{CborError, Head, MESSAGE_DEPTH, Reader, into_count, into_text};

/// The name of messages of this format, which have no htype.
pub const HTYPE: &str = "stream2";

/// The tag that marks CBOR.
pub(crate) const SELF_DESCRIBED: u64 = 55799;

/// Returns whether a part is a message of this format: the tag that CBOR describes itself by, or a map
/// whose first key is `type`, with a text. Pixels may begin as any map does.
pub(crate) fn is_stream2(part: &[u8]) -> bool {
    // JSON and most else ends here.
    if !matches!(part.first(), Some(0xa0..=0xbf | 0xd9)) {
        return false;
    }
    let mut reader = Reader::new(part);
    match reader.next() {
        Ok(Head::Tag(tag)) => tag == SELF_DESCRIBED,
        Ok(Head::Map(_)) => {
            matches!(reader.next(), Ok(Head::Text(Some(key))) if key == "type")
                && matches!(reader.next_untagged(), Ok(Head::Text(Some(_))))
        }
        _ => false,
    }
}

/// The fields of a message, as far as they can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) series: Option<u64>,
    pub(crate) image: Option<u64>,
    /// The begin of the exposure, in nanoseconds since 1970.
    pub(crate) time: Option<u64>,
    pub(crate) stage: Option<Stage>,
}

/// Reads the fields of a message.
pub(crate) fn peek(part: &[u8]) -> Glance {
    let mut glance = Glance::default();
    let (mut date, mut start) = (None, None);
    let mut reader = Reader::new(part);
    let Ok(Head::Map(mut items)) = reader.next_untagged() else {
        return glance;
    };
    let mut r#type = None;
    while let Ok(true) = reader.has_more(&mut items) {
        let Ok((key, value)) = pair(&mut reader) else {
            break;
        };
        match into_text(key).as_deref() {
            Some("series_id") => {
                glance.series = first(value).and_then(into_count).or(glance.series);
            }
            Some("image_id") => glance.image = first(value).and_then(into_count).or(glance.image),
            Some("type") => r#type = first(value).and_then(into_text),
            Some("series_date") => date = first(value).and_then(into_text),
            Some("start_time") => start = Rational::parse(Reader::new(value)),
            _ => {}
        }
        // What follows are arrays mostly; a key that is there twice is not worth to look for.
        let is_known = match r#type.as_deref() {
            Some("start" | "end") => true,
            Some(_) => glance.image.is_some() && date.is_some() && start.is_some(),
            None => false,
        };
        if glance.series.is_some() && is_known {
            break;
        }
    }
    if matches!(r#type.as_deref(), Some("start" | "end")) {
        glance.image = None;
    } else if let (Some(date), Some(start)) = (date, start.and_then(Rational::duration)) {
        let date = DateTime(date.into_owned()).unix_nanoseconds();
        let start = u64::try_from(start.as_nanos()).ok();
        glance.time = date.zip(start).and_then(|(date, start)| date.checked_add(start));
    }
    glance.stage = match r#type.as_deref() {
        Some("start") => Some(Stage::Start),
        Some("image") => Some(Stage::Image),
        Some("end") => Some(Stage::End),
        _ => None,
    };
    glance
}

/// Reads what a value begins with.
fn first(value: &[u8]) -> Option<Head<'_>> {
    Reader::new(value).next_untagged().ok()
}

/// Reads a key and its value: the beginning of the key, and the whole value.
fn pair<'a>(reader: &mut Reader<'a>) -> Result<(Head<'a>, &'a [u8]), CborError> {
    let key = Reader::new(reader.next_bytes(MESSAGE_DEPTH)?).next_untagged()?;
    Ok((key, reader.next_bytes(MESSAGE_DEPTH)?))
}
