//! What the formats of the stream V1 have in common: parts that may be left out, and free text.

use std::error::Error;

use bytes::Bytes;

use super::free_text::FreeText;
use crate::header::Json;
use crate::message::{EncodeError, Message, Place, Warning, chain};
use crate::walk::{Visitor, bytes, extra_parts};

/// Makes a message of parts. Parts at the end may be left out, but no part before one that is
/// present: that one would be read in its place.
pub(super) fn in_order(
    htype: &str,
    parts: impl IntoIterator<Item = Option<Bytes>>,
) -> Result<Message, EncodeError> {
    let mut message = Message::default();
    let mut missing = None;
    for (part, number) in parts.into_iter().zip(1..) {
        match (part, missing) {
            (Some(_), Some(missing)) => {
                return Err(EncodeError::Gap { place: Place::new(Some(htype), missing) });
            }
            (Some(part), None) => message.extend([part]),
            (None, _) => missing = missing.or(Some(number)),
        }
    }
    Ok(message)
}

/// Visits a text under a key if it is JSON, else its bytes under another key.
pub(crate) fn text_or_bytes<'d>(key: &str, text: &FreeText, visitor: &mut dyn Visitor<'d>) {
    match text.json() {
        Some(json) => visitor.part(key, &json),
        None => visitor.entry(&format!("{key}_raw"), &|| bytes(text.bytes())),
    }
}

/// Visits the appendix and the extra parts, which may follow the parts of a format.
pub(super) fn tail<'d>(
    appendix: Option<&FreeText>,
    extra: &[Bytes],
    visitor: &mut dyn Visitor<'d>,
) {
    if let Some(appendix) = appendix {
        text_or_bytes("appendix", appendix, visitor);
    }
    extra_parts(extra, visitor);
}

/// Returns a warning about a part whose htype does not belong to its position.
pub(super) fn unexpected_htype(
    json: &Json,
    part: usize,
    expected: &'static str,
) -> Option<Warning> {
    let found = json.peek().htype;
    (found.as_deref() != Some(expected)).then(|| Warning::Htype {
        part,
        expected,
        found: found.map(Box::from),
    })
}

/// Makes the warning about a binary part that is no array, with all causes.
pub(super) fn no_array(part: usize, error: &dyn Error) -> Warning {
    Warning::NoArray { part, reason: chain(error).into() }
}
