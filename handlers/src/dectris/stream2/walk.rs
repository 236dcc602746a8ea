//! Walks a message, as its canonical JSON shows it: the map itself.

use bytes::Bytes;
use serde_json::{Value, json};

use super::any::Stream2;
use super::blob::is_compressed_tag;
use super::error::TypedArrayError;
use super::fields::Fields;
use super::message::{End, Image, Start};
use super::typed_array::{TypedArray, is_array_tag};
use crate::cbor::{
    Cbor, CborError, Head, Item, Items, MESSAGE_DEPTH, Reader, magnitude, share, to_float,
};
use crate::compression::Options;
use crate::header::stream2::SELF_DESCRIBED;
use crate::message::{Message, chain};
use crate::walk::{Builder, Read, ReadError, Shown, Unread, Visitor, bytes, float};

impl Stream2 {
    /// Visits the values of the message, as it was received or would be sent.
    ///
    /// ```text
    /// an array, a damaged one    as an array; {"error": "…", "raw": bytes}
    /// what should be an array    the same
    /// a date and a time          its text; a number of seconds as text in UTC
    /// a bignum                   a number, rounded if JSON has none
    /// an unknown tag             {"tag": n, "value": …}, left out before numbers and texts
    /// keys that are no text      their JSON as text; for lists and maps, their CBOR as bytes
    /// ```
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        let levels = match self {
            Self::Start(_) => Start::levels,
            Self::Image(_) => Image::levels,
            Self::End(_) => End::levels,
            Self::Other(_) => |_: &str| None,
        };
        match self.encode().map(Message::into_parts) {
            Ok(parts) => {
                let part = parts.into_iter().next().unwrap_or_default();
                let mut reader = Reader::new(&part);
                if let Ok(Head::Map(items)) = reader.next_untagged() {
                    let walked = pairs(&mut reader, items, &part, &levels, visitor);
                    if let Err(error) = walked {
                        let raw = Item { bytes: &part, source: &part }.keep();
                        visitor.key("error");
                        visitor.unread(Box::new(Damaged { error, raw }));
                    }
                }
            }
            Err(error) => visitor.entry("error", &|| chain(&error).into()),
        }
        if !self.more_parts().is_empty() {
            visitor.entry("more_parts", &|| self.more_parts().iter().map(bytes).collect());
        }
    }
}

/// Walks the pairs of a map. Some keys hold arrays, a given number of levels below.
fn pairs<'d>(
    reader: &mut Reader<'_>,
    mut items: Items,
    part: &Bytes,
    levels: &dyn Fn(&str) -> Option<usize>,
    visitor: &mut dyn Visitor<'d>,
) -> Result<(), CborError> {
    while reader.has_more(&mut items)? {
        let key = key(reader, part)?;
        visitor.key(&key);
        match levels(&key) {
            Some(levels) => arrays(reader, part, levels, visitor)?,
            None => value(reader, part, visitor)?,
        }
    }
    Ok(())
}

/// Walks the values of a list.
fn list<'a>(
    reader: &mut Reader<'a>,
    mut items: Items,
    mut walk: impl FnMut(&mut Reader<'a>) -> Result<(), CborError>,
) -> Result<(), CborError> {
    while reader.has_more(&mut items)? {
        walk(reader)?;
    }
    Ok(())
}

fn key(reader: &mut Reader<'_>, part: &Bytes) -> Result<String, CborError> {
    let mut start = reader.clone();
    let mut builder = Builder::default();
    value(reader, part, &mut builder)?;
    Ok(match builder.finish() {
        Value::String(text) => text,
        // Keys within keys, as JSON in JSON, would double their backslashes at each level.
        Value::Array(_) | Value::Object(_) => {
            bytes(&part.slice_ref(start.next_bytes(MESSAGE_DEPTH)?)).to_string()
        }
        key => key.to_string(),
    })
}

/// Walks a value that should be an array, or hold arrays a given number of levels below.
fn arrays<'d>(
    reader: &mut Reader<'_>,
    part: &Bytes,
    levels: usize,
    visitor: &mut dyn Visitor<'d>,
) -> Result<(), CborError> {
    let is_array = matches!(reader.clone().next()?, Head::Tag(tag) if is_array_tag(tag));
    let mut behind = reader.clone();
    match (behind.next_untagged()?, levels.checked_sub(1)) {
        (Head::Map(items), Some(levels)) if !is_array => {
            *reader = behind;
            visitor.map();
            let walked = pairs(reader, items, part, &|_| Some(levels), visitor);
            visitor.end();
            walked?;
        }
        (Head::Array(items), Some(levels)) if !is_array => {
            *reader = behind;
            visitor.list();
            let walked = list(reader, items, |reader| arrays(reader, part, levels, visitor));
            visitor.end();
            walked?;
        }
        _ => {
            let cbor = next(reader, part)?;
            visitor.unread(Box::new(TypedArray::from(cbor)));
        }
    }
    Ok(())
}

fn value<'d>(
    reader: &mut Reader<'_>,
    part: &Bytes,
    visitor: &mut dyn Visitor<'d>,
) -> Result<(), CborError> {
    let start = reader.clone();
    match reader.next()? {
        Head::Null | Head::Undefined => visitor.json(&|| Value::Null),
        Head::Bool(flag) => visitor.json(&|| flag.into()),
        Head::Simple(value) => visitor.json(&|| json!({ "simple": value })),
        Head::Integer(number) => visitor.json(&|| integer(number)),
        Head::Float(number) => visitor.json(&|| float(number)),
        Head::Bytes(string) => visitor.json(&|| bytes(&share(string.clone(), part))),
        Head::Text(Some(text)) => visitor.json(&|| text.as_ref().into()),
        Head::Text(None) => {
            let error = CborError::NotUtf8 { position: start.position() };
            *reader = start;
            let raw = next(reader, part)?;
            visitor.unread(Box::new(Damaged { error, raw }));
        }
        Head::Array(items) => {
            visitor.list();
            let walked = list(reader, items, |reader| value(reader, part, visitor));
            visitor.end();
            walked?;
        }
        Head::Map(items) => {
            visitor.map();
            let walked = pairs(reader, items, part, &|_| None, visitor);
            visitor.end();
            walked?;
        }
        Head::Tag(tag) if is_array_tag(tag) => {
            *reader = start;
            visitor.unread(Box::new(TypedArray::from(next(reader, part)?)));
        }
        Head::Tag(tag) if is_compressed_tag(tag) => {
            *reader = start;
            visitor.unread(Box::new(Compressed(next(reader, part)?)));
        }
        Head::Tag(tag) => tagged(tag, reader, part, visitor)?,
    }
    Ok(())
}

/// Walks a value behind its tag.
fn tagged<'d>(
    tag: u64,
    reader: &mut Reader<'_>,
    part: &Bytes,
    visitor: &mut dyn Visitor<'d>,
) -> Result<(), CborError> {
    let start = reader.clone();
    let head = reader.next()?;
    let number = match (tag, &head) {
        (1, Head::Integer(seconds)) => utc(*seconds, 0),
        (1, Head::Float(seconds)) => from_float(*seconds),
        (2, Head::Bytes(digits)) => {
            Some(magnitude(digits).map_or_else(|| large(digits, 1.0), integer))
        }
        (3, Head::Bytes(digits)) => {
            let negative = |number| integer(-1 - number);
            Some(magnitude(digits).map_or_else(|| large(digits, -1.0), negative))
        }
        _ => None,
    };
    if let Some(number) = number {
        visitor.json(&|| number.clone());
        return Ok(());
    }
    *reader = start;
    // Without its tag, the meaning of a list, a map or bytes is unknown.
    if matches!(head, Head::Bytes(_) | Head::Array(_) | Head::Map(_)) && !is_transparent(tag) {
        visitor.map();
        visitor.entry("tag", &|| tag.into());
        visitor.key("value");
        let walked = value(reader, part, visitor);
        visitor.end();
        return walked;
    }
    value(reader, part, visitor)
}

/// Returns the next value, which shares its bytes.
fn next(reader: &mut Reader<'_>, part: &Bytes) -> Result<Cbor, CborError> {
    Ok(Item { bytes: reader.next_bytes(MESSAGE_DEPTH)?, source: part }.keep())
}

impl Unread for TypedArray {
    fn read(&self) -> Result<Read, ReadError> {
        match self.array() {
            Ok(array) => Ok(Read::Array(array)),
            Err(TypedArrayError::Absent) => Ok(Read::Absent),
            Err(error) => Err(ReadError::new(error)),
        }
    }

    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        read.map_or_else(
            |error| match (error.get_ref().downcast_ref(), self.blob()) {
                (Some(TypedArrayError::Tag(_)), Ok(blob)) => bytes(&blob).into(),
                _ => damaged(&error, self.cbor()),
            },
            Shown::from,
        )
    }
}

/// Bytes that are compressed, and no array.
struct Compressed(Cbor);

impl Unread for Compressed {
    fn read(&self) -> Result<Read, ReadError> {
        self.0.byte_string(&Options::default()).map(Read::Bytes).map_err(ReadError::new)
    }

    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        read.map_or_else(|error| damaged(&error, &self.0), Shown::from)
    }
}

/// Bytes that should be a text and are not, or a value that failed its check.
struct Damaged {
    error: CborError,
    raw: Cbor,
}

impl Unread for Damaged {
    fn read(&self) -> Result<Read, ReadError> {
        Err(ReadError::new(self.error.clone()))
    }

    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        read.map_or_else(|error| damaged(&error, &self.raw), Shown::from)
    }
}

/// Shows why a value cannot be read, and its bytes.
fn damaged(error: &ReadError, cbor: &Cbor) -> Shown {
    json!({ "error": chain(error), "raw": bytes(cbor.bytes()) }).into()
}

/// Returns whether a tag adds nothing to the JSON: self-described CBOR, fractions, homogeneous
/// lists, expected conversions of bytes.
fn is_transparent(tag: u64) -> bool {
    matches!(tag, SELF_DESCRIBED | 30 | 41 | 21..=23)
}

fn integer(number: i128) -> Value {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => float(to_float(number)),
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
    // Years begin in March here, so that a leap day is the last day of a year.
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
