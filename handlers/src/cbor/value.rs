//! [`Cbor`], any value as it lies in a message, and [`Value`], what it is.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::reader::{CborError, Head, MAX_DEPTH, MESSAGE_DEPTH, Reader};
use super::scalar::into_text;
use super::writer::Writer;

/// Any CBOR value as it lies in a message, whose bytes it shares.
///
/// It is checked to be whole and not too deep. Its content is read on request. Two are equal if
/// their bytes are.
///
/// ```
/// use mflow_handlers::cbor::{Cbor, Value};
///
/// let user_data = Value::Map(vec![("sample".into(), "lysozyme".into())]).encode()?;
/// assert_eq!(user_data.bytes()[..], *b"\xa1\x66sample\x68lysozyme");
/// assert_eq!(user_data.value()?.get("sample"), Some(&"lysozyme".into()));
/// # Ok::<(), mflow_handlers::cbor::CborError>(())
/// ```
#[derive(Clone)]
pub struct Cbor(Bytes);

impl Cbor {
    /// Makes it from bytes that should be one CBOR value.
    ///
    /// # Errors
    ///
    /// [`CborError`] if they are none, or more follows.
    pub fn parse(bytes: Bytes) -> Result<Self, CborError> {
        let mut reader = Reader::new(&bytes);
        reader.skip(MAX_DEPTH)?;
        match reader.remaining() {
            0 => Ok(Self(bytes)),
            bytes => Err(CborError::Trailing { bytes }),
        }
    }

    /// Writes a value that is one, and not too deep.
    pub(crate) fn write(write: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer::default();
        write(&mut writer);
        Self(writer.finish().into())
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// [`CborError::NotUtf8`] if a text in it is not.
    pub fn value(&self) -> Result<Value, CborError> {
        read(&mut Reader::new(&self.0), &self.0)
    }

    pub(crate) fn item(&self) -> Item<'_> {
        Item { bytes: &self.0, source: &self.0 }
    }
}

impl PartialEq for Cbor {
    fn eq(&self, other: &Self) -> bool {
        let is_same = self.0.as_ptr() == other.0.as_ptr() && self.0.len() == other.0.len();
        is_same || self.0 == other.0
    }
}

impl Eq for Cbor {}

/// Shows the bytes, of long ones their number.
impl fmt::Debug for Cbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0..=64 => write!(f, "Cbor({:?})", self.0),
            length => write!(f, "Cbor({length} bytes)"),
        }
    }
}

/// A value that was checked, borrowed from the bytes of its message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) source: &'a Bytes,
}

/// A key of a map, which is a text mostly.
#[derive(Debug, Clone)]
pub(crate) struct Key<'a> {
    pub(crate) item: Item<'a>,
    text: Option<Cow<'a, str>>,
}

impl<'a> Key<'a> {
    /// Takes the next value of a reader as a key, which may have `depth` levels.
    pub(crate) fn next(
        reader: &mut Reader<'a>,
        depth: usize,
        source: &'a Bytes,
    ) -> Result<Self, CborError> {
        let mut behind = reader.clone();
        if let Head::Text(text) = behind.next()? {
            let bytes = reader.bytes_to(&behind);
            *reader = behind;
            return Ok(Self { item: Item { bytes, source }, text });
        }
        let item = Item { bytes: reader.next_bytes(depth)?, source };
        let text = item.scalar().and_then(into_text);
        Ok(Self { item, text })
    }

    /// Returns the key, if it is a text.
    pub(crate) fn name(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl<'a> Item<'a> {
    pub(crate) fn reader(self) -> Reader<'a> {
        Reader::new(self.bytes)
    }

    /// Returns the value's head behind any tags.
    pub(crate) fn scalar(self) -> Option<Head<'a>> {
        self.reader().next_untagged().ok()
    }

    /// Returns whether the value says that there is none: null, or undefined.
    pub(crate) fn is_nothing(self) -> bool {
        matches!(self.scalar(), Some(Head::Null | Head::Undefined))
    }

    /// Shares the value's bytes.
    pub(crate) fn keep(self) -> Cbor {
        Cbor(self.source.slice_ref(self.bytes))
    }

    /// Takes the next value of a reader that reads this one.
    pub(crate) fn next(self, reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self { bytes: reader.next_bytes(MESSAGE_DEPTH).ok()?, ..self })
    }
}

/// Reads a text behind any tags.
pub(crate) fn text(item: Item<'_>) -> Option<Cow<'_, str>> {
    into_text(item.scalar()?)
}

/// Reads the values of a list.
pub(crate) fn list(item: Item<'_>) -> Option<Vec<Item<'_>>> {
    let mut reader = item.reader();
    let Head::Array(mut items) = reader.next_untagged().ok()? else {
        return None;
    };
    let mut values = Vec::new();
    while reader.has_more(&mut items).ok()? {
        values.push(item.next(&mut reader)?);
    }
    Some(values)
}

/// Reads the keys and values of a map.
pub(crate) fn pairs(item: Item<'_>) -> Option<Vec<(Key<'_>, Item<'_>)>> {
    let mut reader = item.reader();
    let Head::Map(mut items) = reader.next_untagged().ok()? else {
        return None;
    };
    let mut pairs = Vec::new();
    while reader.has_more(&mut items).ok()? {
        let key = Key::next(&mut reader, MESSAGE_DEPTH, item.source).ok()?;
        pairs.push((key, item.next(&mut reader)?));
    }
    Some(pairs)
}

/// What a CBOR value is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Null,
    /// CBOR's other nothing.
    Undefined,
    /// True or false.
    Bool(bool),
    /// A simple value without an assigned meaning.
    Simple(u8),
    /// A whole number; a bignum too if it fits.
    Integer(i128),
    /// A number of any of the three precisions.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// A list of values.
    Array(Vec<Value>),
    /// Pairs in the order they were sent; keys can be anything and can be there twice.
    Map(Vec<(Value, Value)>),
    /// A value with a tag that says what it means.
    Tag(u64, Box<Value>),
}

impl Value {
    /// Returns what a map has under a text; the last if there are several.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Self::Map(pairs) = self else {
            return None;
        };
        let is_key = |pair: &&(Value, Value)| matches!(&pair.0, Self::Text(text) if text == key);
        pairs.iter().rfind(is_key).map(|(_, value)| value)
    }

    /// Writes the value.
    ///
    /// # Errors
    ///
    /// [`CborError::TooDeep`].
    pub fn encode(&self) -> Result<Cbor, CborError> {
        let mut writer = Writer::default();
        write(self, &mut writer, MAX_DEPTH)?;
        Ok(Cbor(writer.finish().into()))
    }
}

macro_rules! from {
    ($($source:ty => |$name:ident| $value:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($name: $source) -> Self {
                $value
            }
        }
    )*};
}

from! {
    bool => |flag| Self::Bool(flag);
    u64 => |number| Self::Integer(number.into());
    i64 => |number| Self::Integer(number.into());
    f64 => |number| Self::Float(number);
    &str => |text| Self::Text(text.to_owned());
    String => |text| Self::Text(text);
    Bytes => |bytes| Self::Bytes(bytes);
    Vec<Value> => |items| Self::Array(items);
}

fn read(reader: &mut Reader<'_>, source: &Bytes) -> Result<Value, CborError> {
    let position = reader.position();
    Ok(match reader.next()? {
        Head::Null => Value::Null,
        Head::Undefined => Value::Undefined,
        Head::Bool(flag) => Value::Bool(flag),
        Head::Simple(value) => Value::Simple(value),
        Head::Integer(number) => Value::Integer(number),
        Head::Float(number) => Value::Float(number),
        Head::Bytes(bytes) => Value::Bytes(share(bytes, source)),
        Head::Text(text) => Value::Text(text.ok_or(CborError::NotUtf8 { position })?.into_owned()),
        Head::Array(mut items) => {
            let mut values = Vec::new();
            while reader.has_more(&mut items)? {
                values.push(read(reader, source)?);
            }
            Value::Array(values)
        }
        Head::Map(mut items) => {
            let mut pairs = Vec::new();
            while reader.has_more(&mut items)? {
                pairs.push((read(reader, source)?, read(reader, source)?));
            }
            Value::Map(pairs)
        }
        Head::Tag(tag) => {
            let value = read(reader, source)?;
            match bignum(tag, &value) {
                Some(number) => Value::Integer(number),
                None => Value::Tag(tag, Box::new(value)),
            }
        }
    })
}

/// Shares bytes with the message, unless they were in pieces.
pub(crate) fn share(bytes: Cow<'_, [u8]>, source: &Bytes) -> Bytes {
    match bytes {
        Cow::Borrowed(bytes) => source.slice_ref(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// Reads a number of many bytes, if it is one and fits.
fn bignum(tag: u64, value: &Value) -> Option<i128> {
    let (2 | 3, Value::Bytes(bytes)) = (tag, value) else {
        return None;
    };
    let number = magnitude(bytes)?;
    Some(if tag == 2 { number } else { -1 - number })
}

/// Reads bytes as a whole number, the most significant first.
pub(crate) fn magnitude(bytes: &[u8]) -> Option<i128> {
    let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let mut word = [0; 16];
    word.get_mut(16_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    i128::try_from(u128::from_be_bytes(word)).ok()
}

fn write(value: &Value, writer: &mut Writer, depth: usize) -> Result<(), CborError> {
    let inner = || depth.checked_sub(1).ok_or(CborError::TooDeep { position: 0 });
    match value {
        Value::Null => writer.simple(22),
        Value::Undefined => writer.simple(23),
        Value::Bool(flag) => writer.simple(20 + u8::from(*flag)),
        Value::Simple(value) => writer.simple(*value),
        Value::Integer(number) => writer.integer(*number),
        Value::Float(number) => writer.float(*number),
        Value::Text(text) => writer.text(text),
        Value::Bytes(bytes) => writer.bytes(bytes),
        Value::Array(values) => {
            let depth = inner()?;
            writer.array(values.len());
            for value in values {
                write(value, writer, depth)?;
            }
        }
        Value::Map(pairs) => {
            let depth = inner()?;
            writer.map(pairs.len());
            for (key, value) in pairs {
                write(key, writer, depth)?;
                write(value, writer, depth)?;
            }
        }
        Value::Tag(tag, value) => {
            let depth = inner()?;
            writer.tag(*tag);
            write(value, writer, depth)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &'static [u8]) -> Value {
        Cbor::parse(Bytes::from_static(bytes)).unwrap().value().unwrap()
    }

    #[test]
    fn a_value_that_was_written_reads_back_equal() {
        let values = vec![
            Value::Null,
            Value::Undefined,
            true.into(),
            Value::Simple(7),
            Value::Simple(255),
            Value::Integer(0),
            Value::Integer(-1),
            Value::Integer(23),
            Value::Integer(24),
            Value::Integer(65536),
            Value::Integer(u64::MAX.into()),
            Value::Integer(-(1 << 64)),
            Value::Integer(1 << 64),
            Value::Integer(-(1 << 64) - 1),
            Value::Integer(i128::MAX),
            Value::Integer(i128::MIN),
            1.5.into(),
            "é".into(),
            Bytes::from_static(b"\x00\xff").into(),
            Value::Map(vec![(Value::Integer(1), "a".into()), (Value::Null, "b".into())]),
            Value::Tag(300, Box::new("x".into())),
        ];
        let values = Value::Array(values);
        assert_eq!(values.encode().unwrap().value(), Ok(values));
    }

    #[test]
    fn pieces_and_short_floats_are_read() {
        assert_eq!(value(b"\x7f\x61a\x61b\xff"), "ab".into());
        assert_eq!(value(b"\x5f\x41a\x41b\xff"), Bytes::from_static(b"ab").into());
        assert_eq!(value(b"\xf9\x3c\x00"), 1.0.into());
        assert_eq!(value(b"\xc2\x43\x00\x00\x07"), Value::Integer(7));
        let large = Cbor::parse(Bytes::from([&b"\xc2\x51\x01"[..], &[0; 16]].concat())).unwrap();
        assert!(matches!(large.value().unwrap(), Value::Tag(2, _)));
        assert_eq!(value(b"\xbf\x61a\x01\x61a\x02\xff").get("a"), Some(&Value::Integer(2)));
    }

    #[test]
    fn a_text_that_is_not_utf8_is_told_when_it_is_read() {
        let value = Cbor::parse(Bytes::from_static(b"\x81\x61\xff")).unwrap().value();
        assert_eq!(value, Err(CborError::NotUtf8 { position: 1 }));
    }

    #[test]
    fn more_than_one_value_is_refused() {
        let error = Cbor::parse(Bytes::from_static(b"\x01\x02")).unwrap_err();
        assert_eq!(error.to_string(), "1 bytes follow after the value");
    }

    #[test]
    fn what_would_be_too_deep_is_not_written() {
        let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::Array(vec![value]));
        let deepest = nested(MAX_DEPTH);
        assert_eq!(deepest.encode().unwrap().value(), Ok(deepest));
        assert!(nested(MAX_DEPTH + 1).encode().is_err());
    }
}
