//! [`Stream2`]: a message of any type.

use bytes::Bytes;
use smallvec::SmallVec;

use super::error::TypedArrayError;
use super::fields::{Fields, Received};
use super::message::{End, Image, Other, Start};
use crate::cbor::{
    Cbor, CborError, Head, Item, Key, MESSAGE_DEPTH, Reader, Writer, into_count, text,
};
use crate::header::stream2::{HTYPE, SELF_DESCRIBED};
use crate::message::{DecodeError, EncodeError, Message, Parts, Place, Warning, chain, warning};

/// A message of the stream V2, by its type.
///
/// ```
/// use mflow_handlers::dectris::stream2::{Image, Stream2};
/// use mflow_handlers::{Data, Registry};
///
/// let registry = Registry::default();
/// let image = Stream2::from(Image::new(4, "01HBV3JPF9T4ZDPADX6EMK6XMZ", 17));
/// let message = registry.encode(&image.clone().into())?;
/// assert_eq!(message.htype().as_deref(), Some("stream2"));
/// assert_eq!(registry.decode(message), Data::from(image));
/// # Ok::<(), mflow_handlers::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Stream2 {
    /// The detector was armed.
    Start(Box<Start>),
    /// An image.
    Image(Image),
    /// The series has ended.
    End(End),
    /// A message of another type, or of none.
    Other(Other),
}

/// Evaluates the same expression for a message of any type.
macro_rules! each {
    ($stream2:expr, $message:ident => $result:expr) => {
        match $stream2 {
            Stream2::Start($message) => $result,
            Stream2::Image($message) => $result,
            Stream2::End($message) => $result,
            Stream2::Other($message) => $result,
        }
    };
}

impl Stream2 {
    /// Returns the type, if the message has one.
    pub fn r#type(&self) -> Option<String> {
        match self {
            Self::Start(_) => Some("start".into()),
            Self::Image(_) => Some("image".into()),
            Self::End(_) => Some("end".into()),
            Self::Other(other) => other.r#type(),
        }
    }

    /// Returns the number of the series.
    pub fn series_id(&self) -> Option<u64> {
        match self {
            Self::Start(start) => start.series_id,
            Self::Image(image) => image.series_id,
            Self::End(end) => end.series_id,
            Self::Other(other) => other.entries.get("series_id").and_then(Cbor::count),
        }
    }

    /// Returns the number of the image in its series, from 0.
    pub fn image_id(&self) -> Option<u64> {
        match self {
            Self::Image(image) => image.image_id,
            Self::Other(other) => other.entries.get("image_id").and_then(Cbor::count),
            Self::Start(_) | Self::End(_) => None,
        }
    }

    /// Returns the parts behind the first one, which the format does not know.
    pub fn more_parts(&self) -> &[Bytes] {
        each!(self, message => &message.more_parts)
    }

    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// If the first part is missing, is not CBOR, or is no map.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        let part = parts.next_part()?;
        let mut message = match read(&part) {
            Ok(Some(message)) => message,
            Ok(None) => return Err(DecodeError::NotAMap { place: parts.place() }),
            Err(source) => return Err(DecodeError::NotCbor { place: parts.place(), source }),
        };
        each!(&mut message, message => {
            message.received = Received(Some(part));
            message.more_parts = parts.rest().collect();
        });
        Ok(message)
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Differs`] if it would not read back equal, because a field is among the extra
    /// ones, and [`EncodeError::NotCbor`] if a value is nested too deeply.
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let received = each!(self, message => message.received.bytes());
        let unedited =
            received.filter(|part| matches!(read(part), Ok(Some(it)) if self.is_same(&it)));
        let part = match unedited {
            Some(part) => part.clone(),
            None => self.build()?,
        };
        Ok(std::iter::once(part).chain(self.more_parts().iter().cloned()).collect())
    }

    /// Returns whether two messages have equal first parts.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Start(message), Self::Start(other)) => message.is_same(other),
            (Self::Image(message), Self::Image(other)) => message.is_same(other),
            (Self::End(message), Self::End(other)) => message.is_same(other),
            (Self::Other(message), Self::Other(other)) => message.is_same(other),
            _ => false,
        }
    }

    /// Writes the first part: the tag, and the type before everything else.
    fn build(&self) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::default();
        writer.tag(SELF_DESCRIBED);
        match self {
            Self::Start(start) => write("start", &**start, &mut writer),
            Self::Image(image) => write("image", image, &mut writer),
            Self::End(end) => write("end", end, &mut writer),
            Self::Other(other) => {
                writer.map(other.count());
                other.write(&mut writer);
            }
        }
        let part = Bytes::from(writer.finish());
        let place = Place::new(Some(HTYPE), 1);
        match read(&part) {
            Ok(Some(read)) if self.is_same(&read) => Ok(part),
            Ok(_) => Err(EncodeError::Differs { place }),
            Err(source) => Err(EncodeError::NotCbor { place, source }),
        }
    }

    /// Returns what was tolerated in the message, and what keeps its arrays from being read without
    /// decompressing them.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = match self {
            Self::Start(start) => unreadable(&**start),
            Self::Image(image) => unreadable(image),
            Self::End(end) => unreadable(end),
            Self::Other(_) => Vec::new(),
        };
        each!(self, message => {
            if let Some(part) = message.received.bytes() {
                let mut reader = Reader::new(part);
                let behind = reader.skip(MESSAGE_DEPTH).map_or(0, |()| reader.remaining());
                if behind > 0 {
                    warnings.push(Warning::TrailingBytes { part: 1, bytes: behind });
                }
            }
            warnings.extend(warning::extra_parts(1, message.more_parts.len()));
        });
        warnings
    }
}

macro_rules! from {
    ($($message:ident => |$value:ident| $stream2:expr;)*) => {$(
        impl From<$message> for Stream2 {
            fn from($value: $message) -> Self {
                $stream2
            }
        }
    )*};
}

from! {
    Start => |start| Self::Start(Box::new(start));
    Image => |image| Self::Image(image);
    End => |end| Self::End(end);
    Other => |other| Self::Other(other);
}

impl Cbor {
    fn count(&self) -> Option<u64> {
        self.item().scalar().and_then(into_count)
    }
}

/// Reads a part and checks all of it; `None` if it is no map.
fn read(part: &Bytes) -> Result<Option<Stream2>, CborError> {
    let mut reader = Reader::new(part);
    let mut depth = MESSAGE_DEPTH;
    let mut items = loop {
        let position = reader.position();
        depth = depth.checked_sub(1).ok_or(CborError::TooDeep { position })?;
        match reader.next()? {
            Head::Tag(_) => {}
            Head::Map(items) => break items,
            _ => return Ok(None),
        }
    };
    let mut pairs: SmallVec<[_; 16]> = SmallVec::new();
    let mut r#type = None;
    while reader.has_more(&mut items)? {
        let key = Key::next(&mut reader, depth, part)?;
        let value = Item { bytes: reader.next_bytes(depth)?, source: part };
        if key.name() == Some("type")
            && let Some(text) = text(value)
        {
            r#type = Some(text);
        }
        pairs.push((key, value));
    }
    Ok(Some(match r#type.as_deref() {
        Some("start") => fill::<Start>(&pairs).into(),
        Some("image") => fill::<Image>(&pairs).into(),
        Some("end") => fill::<End>(&pairs).into(),
        _ => {
            let mut other = Other::default();
            pairs.iter().for_each(|(key, value)| other.fill(key, *value));
            other.into()
        }
    }))
}

fn fill<T: Fields>(pairs: &[(Key<'_>, Item<'_>)]) -> T {
    let mut message = T::default();
    for (key, value) in pairs {
        // The type follows from the struct.
        if key.name() != Some("type") || text(*value).is_none() {
            message.fill(key, *value);
        }
    }
    message
}

fn write<T: Fields>(r#type: &str, message: &T, writer: &mut Writer) {
    writer.map(1 + message.count());
    writer.text("type");
    writer.text(r#type);
    message.write(writer);
}

/// Returns warnings about fields that cannot be read: fields of a wrong type, and damaged arrays.
fn unreadable<T: Fields>(message: &T) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (key, value) in &message.extra().0 {
        let name = text(key.item()).unwrap_or_default();
        if let Some(expected) = T::expected(&name)
            && !value.item().is_nothing()
        {
            let reason = format!("expected {expected}").into();
            warnings.push(Warning::Field { field: name.into(), reason });
        }
    }
    message.arrays(&mut |name, array| {
        if let Err(error) = array.check()
            && error != TypedArrayError::Absent
        {
            warnings.push(Warning::Field { field: name.into(), reason: chain(&error).into() });
        }
    });
    warnings
}
