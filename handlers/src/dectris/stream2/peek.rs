//! What a message tells at a glance: whether it is one, its series and its image.

use super::SELF_DESCRIBED;
use super::field::{into_count, into_text};
use super::reader::{CborError, Head, MESSAGE_DEPTH, Reader};

/// Tells whether a part is a message of this format: the tag that CBOR describes itself by, or a map
/// whose first key is a text.
pub(crate) fn is_stream2(part: &[u8]) -> bool {
    // JSON and most else ends here.
    if !matches!(part.first(), Some(0xa0..=0xbf | 0xd9)) {
        return false;
    }
    let mut reader = Reader::new(part);
    match reader.next() {
        Ok(Head::Tag(tag)) => tag == SELF_DESCRIBED,
        Ok(Head::Map(_)) => matches!(part.get(reader.position()), None | Some(0x60..=0x7f)),
        _ => false,
    }
}

/// Reads the numbers of the series and of the image, as far as they can be read.
pub(crate) fn peek(part: &[u8]) -> (Option<u64>, Option<u64>) {
    let (mut series, mut image) = (None, None);
    let mut reader = Reader::new(part);
    let Ok(Head::Map(mut items)) = reader.next_untagged() else {
        return (series, image);
    };
    let mut has_images = true;
    while let Ok(true) = reader.has_more(&mut items) {
        let Ok((key, value)) = pair(&mut reader) else {
            break;
        };
        match into_text(key).as_deref() {
            Some("series_id") => series = into_count(value).or(series),
            Some("image_id") => image = into_count(value).or(image),
            Some("type") => {
                has_images = !matches!(into_text(value).as_deref(), Some("start" | "end"));
            }
            _ => {}
        }
        // What follows are arrays mostly; a key that is there twice is not worth to look for.
        if series.is_some() && (image.is_some() || !has_images) {
            break;
        }
    }
    (series, image.filter(|_| has_images))
}

/// Takes a key and its value, and returns what they begin with.
fn pair<'a>(reader: &mut Reader<'a>) -> Result<(Head<'a>, Head<'a>), CborError> {
    let mut next = || Reader::new(reader.next_bytes(MESSAGE_DEPTH)?).next_untagged();
    Ok((next()?, next()?))
}
