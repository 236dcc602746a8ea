//! [`Channel`]: a channel at one pulse, whose value is read when it is asked for.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::codec::Compression;
use super::definition::Definition;
use super::kind::Kind;
use super::message::Bsread;
use super::value::Value;
use crate::array::{Array, ArrayError, ByteOrder, Dtype, Extents, UnknownType};
use crate::compression::{CompressionError, Options, UnknownCompression};
use crate::header::Timestamp;
use crate::message::{Warning, chain};
use crate::walk::{self, Read, ReadError, Shown, Unread};

/// A channel at one pulse. Its value is read, and decompressed, each time it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Channel<'m> {
    message: &'m Bsread,
    definition: &'m Definition,
    value: Option<&'m Bytes>,
    timestamp: Option<&'m Bytes>,
    /// The number of the part of the value, the first part of the message being 1.
    part: usize,
}

/// Why the value of a channel cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The type is unknown.
    #[error(transparent)]
    UnknownType(#[from] UnknownType),
    /// The compression is unknown.
    #[error(transparent)]
    UnknownCompression(#[from] UnknownCompression),
    /// The value cannot be decompressed.
    #[error("the value cannot be decompressed")]
    Compression(#[from] CompressionError),
    /// The value ends within an element.
    #[error("{bytes} bytes are no whole number of elements of {dtype}")]
    Element {
        /// The bytes of the value.
        bytes: usize,
        /// The type of its elements.
        dtype: Dtype,
    },
    /// The text is none.
    #[error("the text is not valid UTF-8")]
    NotText(#[from] std::str::Utf8Error),
    /// The elements make no array.
    #[error(transparent)]
    NotTheArray(#[from] ArrayError),
}

impl<'m> Channel<'m> {
    /// Returns the name.
    pub fn name(&self) -> &'m str {
        self.definition.name()
    }

    /// Returns what the data header says of the channel.
    pub fn definition(&self) -> &'m Definition {
        self.definition
    }

    /// Returns the value: `None` if there is none at this pulse, or if it cannot be read, about
    /// which there is a warning.
    ///
    /// A value whose length does not fit the shape is an array of one dimension.
    #[inline]
    pub fn value(&self) -> Option<Value> {
        match self.single() {
            Some((kind, order, bytes)) => Value::scalar(kind, order, bytes),
            None => self.read(&Options::default()).ok().flatten(),
        }
    }

    /// Returns what a value is read from that is a single one and not compressed, as most are.
    #[inline]
    fn single(&self) -> Option<(Kind, ByteOrder, &'m [u8])> {
        let (Ok(kind), Ok(Compression::None), true) =
            (self.definition.kind(), self.definition.compression(), self.definition.is_scalar())
        else {
            return None;
        };
        let is_single = |part: &&Bytes| part.len() == kind.size() && kind != Kind::Text;
        Some((kind, self.definition.order_or_little(), self.value.filter(is_single)?))
    }

    /// Reads the value: `None` if there is none at this pulse.
    ///
    /// # Errors
    ///
    /// [`ValueError`] if there is one and it cannot be read.
    pub fn read(&self, options: &Options) -> Result<Option<Value>, ValueError> {
        if let Some((kind, order, bytes)) = self.single() {
            return Ok(Value::scalar(kind, order, bytes));
        }
        let Some(part) = self.value.filter(|part| !part.is_empty()) else {
            return Ok(None);
        };
        let definition = self.definition;
        let kind = definition.kind().map_err(UnknownType::clone)?;
        let compression = definition.compression().map_err(UnknownCompression::clone)?;
        let order = definition.order_or_little();
        let expected = match kind {
            Kind::Text => None,
            _ => definition.elements().and_then(|elements| elements.checked_mul(kind.size())),
        };
        let bytes = compression.decode(part, kind.size(), order, expected, options)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let Some(dtype) = kind.dtype() else {
            return Ok(Some(Value::Text(self.text(&bytes)?.to_owned())));
        };
        if definition.is_scalar()
            && let Some(value) = Value::scalar(kind, order, &bytes)
        {
            return Ok(Some(value));
        }
        if bytes.len() % dtype.size() != 0 {
            return Err(ValueError::Element { bytes: bytes.len(), dtype });
        }
        let shape = match definition.shape() {
            Some(shape) if expected == Some(bytes.len()) => Extents::from_slice(shape),
            _ => smallvec::smallvec![bytes.len() / dtype.size()],
        };
        Ok(Some(Value::Array(Array::from_extents(dtype, order, shape, bytes)?)))
    }

    /// Returns the text in bytes: all of them, or up to the first zero if they are padded.
    fn text<'b>(&self, bytes: &'b [u8]) -> Result<&'b str, std::str::Utf8Error> {
        let zero = bytes.iter().position(|&byte| byte == 0);
        let end = zero.filter(|_| self.message.has_padded_texts());
        std::str::from_utf8(&bytes[..end.unwrap_or(bytes.len())])
    }

    /// Returns when the value was taken: as the channel says, or else as the message says for
    /// all of them. Without a value there may be none.
    #[inline]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.own_timestamp().or_else(|| {
            self.value.filter(|part| !part.is_empty())?;
            self.message.global_timestamp()
        })
    }

    /// Returns when the value was taken, as the channel says.
    #[inline]
    pub fn own_timestamp(&self) -> Option<Timestamp> {
        Timestamp::read(self.timestamp?, self.definition.order_or_little())
            .map(|(timestamp, _)| timestamp)
    }

    /// Returns the value as it was sent.
    pub fn raw(&self) -> Option<&'m Bytes> {
        self.value
    }

    /// Returns what was tolerated in the channel, and what keeps its value from being read, which is
    /// tried.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |part: usize, reason: String| {
            let name = self.name().into();
            warnings.push(Warning::Channel { part, name, reason: reason.into() });
        };
        if self.name().is_empty() {
            warn(2, "it has no name".into());
        }
        if let Err(unknown) = self.definition.order() {
            warn(2, chain(unknown));
        }
        match self.read(&Options::default()) {
            Err(error) => warn(self.part, chain(&error)),
            Ok(Some(Value::Array(array))) if self.definition.shape() != Some(array.shape()) => {
                let found = array.len();
                warn(
                    self.part,
                    match self.definition.shape() {
                        Some(shape) => {
                            format!("expected elements of shape {shape:?}, found {found}")
                        }
                        None => "its shape is no list of whole numbers from 0 up".into(),
                    },
                );
            }
            Ok(_) => {}
        }
        if let Some(part) = self.timestamp.filter(|part| !part.is_empty()) {
            match Timestamp::read(part, self.definition.order_or_little()) {
                None => {
                    let found = part.len();
                    warn(self.part + 1, format!("expected 16 bytes of timestamp, found {found}"));
                }
                Some((_, true)) => {
                    warn(self.part + 1, "its timestamp is in the other byte order".into());
                }
                Some((_, false)) => {}
            }
        }
        warnings
    }
}

/// The name of the array is the name of the channel alone.
impl Unread for Channel<'_> {
    fn name(&self) -> Option<String> {
        Some(Channel::name(self).to_owned())
    }

    fn read(&self) -> Result<Read, ReadError> {
        match Channel::read(self, &Options::default()).map_err(ReadError::new)? {
            Some(Value::Array(array)) => Ok(Read::Array(array)),
            Some(value) => Ok(Read::Value(value.to_json())),
            None => Ok(Read::Absent),
        }
    }

    /// A value of an unknown type or compression is shown as bytes.
    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        if matches!(read, Ok(Read::Absent)) {
            return Json::Null.into();
        }
        let is_unknown = self.definition.kind().is_err() || self.definition.compression().is_err();
        let timestamp = self.timestamp().map_or(Json::Null, Json::from);
        let mut object =
            json!({ "value": read.map_or(Json::Null, Read::into_json), "timestamp": timestamp });
        if let Some(raw) = self.raw().filter(|_| is_unknown) {
            object["raw"] = walk::bytes(raw);
        }
        object.into()
    }
}

impl Bsread {
    /// Returns the channels, in the order of the data header.
    #[inline]
    pub fn channels(&self) -> Channels<'_> {
        Channels::new(self)
    }

    /// Returns the channel of a name.
    pub fn channel(&self, name: &str) -> Option<Channel<'_>> {
        self.channels().get(name)
    }
}

/// The channels of a message, in the order of the data header.
#[derive(Debug, Clone)]
pub struct Channels<'m> {
    message: &'m Bsread,
    next: usize,
}

impl<'m> Channels<'m> {
    pub(super) fn new(message: &'m Bsread) -> Self {
        Self { message, next: 0 }
    }

    /// Returns the channel of a name, the last one if there are several.
    pub fn get(&self, name: &str) -> Option<Channel<'m>> {
        self.at(self.message.data_header().index(name)?)
    }

    #[inline]
    fn at(&self, index: usize) -> Option<Channel<'m>> {
        let definition = self.message.data_header().definitions().get(index)?;
        let (value, timestamp) = self.message.layout().slot(index);
        let parts = self.message.parts();
        Some(Channel {
            message: self.message,
            definition,
            value: parts.get(value),
            timestamp: timestamp.and_then(|part| parts.get(part)),
            part: value.saturating_add(3),
        })
    }
}

impl<'m> Iterator for Channels<'m> {
    type Item = Channel<'m>;

    #[inline]
    fn next(&mut self) -> Option<Channel<'m>> {
        let channel = self.at(self.next)?;
        self.next += 1;
        Some(channel)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.message.data_header().definitions().len() - self.next;
        (rest, Some(rest))
    }
}

impl ExactSizeIterator for Channels<'_> {}
