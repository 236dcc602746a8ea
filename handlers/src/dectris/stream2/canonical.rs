//! A message as canonical JSON: the map itself.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Stream2;
use super::blob::is_compressed_tag;
use super::reader::{CborError, Head, Items, MESSAGE_DEPTH, Reader};
use super::typed_array::{TypedArray, TypedArrayError, is_array_tag};
use super::value::{Item, magnitude, share};
use crate::canonical::{array, bytes, float};
use crate::compression::Options;
use crate::error::chain;
use crate::message::Message;

/// Returns the map, as it was received or would be sent.
///
/// ```text
/// an array, a damaged one    as an array; {"error": "…", "raw": bytes}
/// a date and a time          its text; a number of seconds as text in UTC
/// a bignum                   a number, rounded where JSON has none
/// a tag nobody knows         {"tag": n, "value": …}, left away before numbers and texts
/// keys that are no text      their JSON as text; that of their CBOR as bytes for lists and maps
/// ```
///
/// Where something is damaged the message is not whole.
pub(crate) fn canonical(message: &Stream2, is_whole: &mut bool) -> Map<String, Value> {
    let mut object = match message.encode().map(Message::into_parts) {
        Ok(parts) => {
            let part = parts.into_iter().next().unwrap_or_default();
            let source = Source { part: &part, is_whole: Cell::new(*is_whole) };
            let read = value(&mut Reader::new(&part), &source);
            *is_whole = source.is_whole.get();
            match read {
                Ok(Value::Object(object)) => object,
                _ => Map::new(),
            }
        }
        Err(error) => Map::from_iter([("error".to_owned(), chain(&error).into())]),
    };
    if !message.more_parts().is_empty() {
        let parts = message.more_parts().iter().map(bytes).collect();
        object.insert("more_parts".into(), parts);
    }
    object
}

/// The part that is read, and what came of it.
struct Source<'a> {
    part: &'a Bytes,
    is_whole: Cell<bool>,
}

fn value(reader: &mut Reader<'_>, source: &Source<'_>) -> Result<Value, CborError> {
    let start = reader.clone();
    Ok(match reader.next()? {
        Head::Null | Head::Undefined => Value::Null,
        Head::Bool(flag) => flag.into(),
        Head::Simple(value) => json!({ "simple": value }),
        Head::Integer(number) => integer(number),
        Head::Float(number) => float(number),
        Head::Bytes(string) => bytes(&share(string, source.part)),
        Head::Text(Some(text)) => text.into_owned().into(),
        Head::Text(None) => {
            let position = start.position();
            raw(start, source, CborError::NotUtf8 { position })?
        }
        Head::Array(mut items) => {
            let mut values = Vec::new();
            while reader.has_more(&mut items)? {
                values.push(value(reader, source)?);
            }
            values.into()
        }
        Head::Map(items) => map(reader, items, source)?,
        Head::Tag(tag) => {
            *reader = start;
            tagged(tag, reader, source)?
        }
    })
}

fn map(reader: &mut Reader<'_>, mut items: Items, source: &Source<'_>) -> Result<Value, CborError> {
    let mut object = Map::new();
    while reader.has_more(&mut items)? {
        let mut start = reader.clone();
        let key = match value(reader, source)? {
            Value::String(text) => text,
            // As JSON in JSON, keys within keys would double their backslashes at each level.
            Value::Array(_) | Value::Object(_) => {
                let item = source.part.slice_ref(start.next_bytes(MESSAGE_DEPTH)?);
                bytes(&item).to_string()
            }
            key => key.to_string(),
        };
        let value = value(reader, source)?;
        object.insert(key, value);
    }
    Ok(object.into())
}

fn tagged(tag: u64, reader: &mut Reader<'_>, source: &Source<'_>) -> Result<Value, CborError> {
    if is_array_tag(tag) || is_compressed_tag(tag) {
        let start = reader.clone();
        let cbor = Item { bytes: reader.next_bytes(MESSAGE_DEPTH)?, source: source.part }.keep();
        let typed = TypedArray::from(cbor);
        let read = match is_compressed_tag(tag) {
            true => typed.cbor().byte_string(&Options::default()).map(|string| bytes(&string)),
            false => typed.array().map(|elements| array(&elements)),
        };
        return match (read, typed.blob()) {
            (Ok(read), _) => Ok(read),
            (Err(TypedArrayError::Tag(_)), Ok(blob)) => Ok(bytes(&blob)),
            (Err(error), _) => raw(start, source, error),
        };
    }
    reader.next()?;
    let start = reader.clone();
    let head = reader.next()?;
    Ok(match (tag, head) {
        (1, Head::Integer(seconds)) => utc(seconds, 0).unwrap_or_else(|| integer(seconds)),
        (1, Head::Float(seconds)) => from_float(seconds).unwrap_or_else(|| float(seconds)),
        (2, Head::Bytes(digits)) => magnitude(&digits).map_or_else(|| large(&digits, 1.0), integer),
        (3, Head::Bytes(digits)) => {
            magnitude(&digits).map_or_else(|| large(&digits, -1.0), |number| integer(-1 - number))
        }
        // What a list, a map or bytes are for is not known without their tag.
        (tag, Head::Bytes(_) | Head::Array(_) | Head::Map(_)) if !is_transparent(tag) => {
            *reader = start;
            json!({ "tag": tag, "value": value(reader, source)? })
        }
        _ => {
            *reader = start;
            value(reader, source)?
        }
    })
}

/// Tells whether a tag says nothing that the JSON does not: self-described CBOR, fractions, lists of
/// elements that are alike, what to convert bytes to.
fn is_transparent(tag: u64) -> bool {
    matches!(tag, super::SELF_DESCRIBED | 30 | 41 | 21..=23)
}

/// What cannot be read: why, and its bytes.
fn raw(
    mut start: Reader<'_>,
    source: &Source<'_>,
    error: impl std::error::Error,
) -> Result<Value, CborError> {
    source.is_whole.set(false);
    let item = source.part.slice_ref(start.next_bytes(MESSAGE_DEPTH)?);
    Ok(json!({ "error": chain(&error), "raw": bytes(&item) }))
}

fn integer(number: i128) -> Value {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => float(super::field::to_float(number)),
    }
}

/// A bignum of more than 127 bits, the most significant byte first.
fn large(digits: &[u8], sign: f64) -> Value {
    let magnitude = digits.iter().fold(0.0, |number, &byte| number * 256.0 + f64::from(byte));
    float(sign * magnitude)
}

fn from_float(seconds: f64) -> Option<Value> {
    let microseconds = (seconds * 1e6).round();
    let exact = (microseconds.abs() < 1e18).then(|| format!("{microseconds:.0}"))?;
    let microseconds: i128 = exact.parse().ok()?;
    utc(microseconds.div_euclid(1_000_000), microseconds.rem_euclid(1_000_000))
}

/// Returns seconds since 1970 as a date and a time, if they are in years of four digits.
fn utc(seconds: i128, microseconds: i128) -> Option<Value> {
    const DAY: i128 = 86_400;
    if !(-62_135_596_800..253_402_300_800).contains(&seconds) {
        return None;
    }
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years begin in March here, so that a leap day is a year's last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i128::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match microseconds {
        0 => String::new(),
        _ => format!(".{microseconds:06}"),
    };
    let time = format!("{hour:02}:{minute:02}:{second:02}{fraction}+00:00");
    Some(format!("{year:04}-{month:02}-{day:02}T{time}").into())
}
