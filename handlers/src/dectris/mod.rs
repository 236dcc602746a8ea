//! The streams of DECTRIS detectors. The second version, in CBOR, is in [`stream2`]; here is the first version ("legacy" in their manuals): a header when
//! the detector is armed, an image for each frame, and an end.
//!
//! Shapes list the fastest dimension first there, `[width, height]`; in this crate's values they are
//! in C order. Sources: public readers of the stream and frames recorded from detectors.

mod encoding;
mod free_text;
pub(crate) mod header;
mod image;
mod series_end;
pub mod stream2;

pub use encoding::{Encoding, UnknownEncoding};
pub use free_text::FreeText;
pub use header::{DetectorHeader, Table, Tables};
pub use image::{Image, PixelError};
pub use series_end::SeriesEnd;

use std::error::Error;

use bytes::Bytes;

use crate::error::{EncodeError, Place, chain};
use crate::json::Json;
use crate::message::Message;
use crate::walk::{Visitor, bytes, extra_parts};
use crate::warning::Warning;

/// Makes a message of parts of which the later ones may be left out, but none before one that is
/// there, as it would be taken for it.
fn in_order(
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

/// Visits a text under a key if it is JSON, else as bytes under another.
pub(crate) fn text_or_bytes<'d>(key: &str, text: &FreeText, visitor: &mut dyn Visitor<'d>) {
    match text.json() {
        Some(json) => visitor.part(key, &json),
        None => visitor.entry(&format!("{key}_raw"), &|| bytes(text.bytes())),
    }
}

/// Visits what may follow the parts of a format.
fn tail<'d>(appendix: Option<&FreeText>, extra: &[Bytes], visitor: &mut dyn Visitor<'d>) {
    if let Some(appendix) = appendix {
        text_or_bytes("appendix", appendix, visitor);
    }
    extra_parts(extra, visitor);
}

/// Tells of a part whose htype is not the one of its position.
fn unexpected_htype(json: &Json, part: usize, expected: &'static str) -> Option<Warning> {
    let found = json.peek().htype;
    (found.as_deref() != Some(expected)).then(|| Warning::Htype {
        part,
        expected,
        found: found.map(Box::from),
    })
}

/// Tells of a binary part that is no array, with everything that is wrong.
fn no_array(part: usize, error: &dyn Error) -> Warning {
    Warning::NoArray { part, reason: chain(error).into() }
}
