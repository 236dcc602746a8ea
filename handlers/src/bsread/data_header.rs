//! [`DataHeader`]: part 2 of a message, the channels in the order of their parts.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::build_error::BuildError;
use super::codec::Compression;
use super::definition::Definition;
use super::kind::Kind;
use crate::array::ByteOrder;
use crate::compression::{CompressionError, Options};
use crate::header::Json;
use crate::message::{DecodeError, Place};

/// The most bytes of JSON that a compressed data header may make.
const LIMIT: usize = 16 << 20;

/// The channels of a message, in the order of their parts. A clone shares them.
///
/// ```
/// use mflow_handlers::bsread::{DataHeader, Definition, Kind};
///
/// let channels = [Definition::new("CURRENT", Kind::Float64), Definition::new("STATE", Kind::Text)];
/// let header = DataHeader::new(channels)?;
/// assert_eq!(header.definition("STATE").unwrap().kind(), Ok(Kind::Text));
/// # Ok::<(), mflow_handlers::bsread::BuildError>(())
/// ```
#[derive(Clone)]
pub struct DataHeader(Arc<Content>);

struct Content {
    part: Bytes,
    compression: Compression,
    json: Json,
    hash: OnceLock<Box<str>>,
    has_channels: bool,
    is_old: bool,
    definitions: Box<[Definition]>,
    by_name: HashMap<Box<str>, usize>,
}

impl DataHeader {
    /// Makes a data header of channels, to be sent with any number of pulses.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if a channel has no name or that of another one, or if a text has a shape.
    pub fn new(channels: impl IntoIterator<Item = Definition>) -> Result<Self, BuildError> {
        Self::build(channels, Compression::None)
    }

    /// Makes a data header as [`new`](Self::new) does, compressed by `bitshuffle_lz4`: receivers do
    /// not agree how one is that is compressed by `lz4`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if it is too large to be compressed.
    pub fn new_compressed(
        channels: impl IntoIterator<Item = Definition>,
    ) -> Result<Self, BuildError> {
        Self::build(channels, Compression::BitshuffleLz4)
    }

    fn build(
        channels: impl IntoIterator<Item = Definition>,
        compression: Compression,
    ) -> Result<Self, BuildError> {
        let definitions: Box<[Definition]> = channels.into_iter().collect();
        for (index, definition) in definitions.iter().enumerate() {
            if definition.name().is_empty() {
                return Err(BuildError::NoName { index });
            }
            if definition.kind() == Ok(Kind::Text) && !definition.is_scalar() {
                return Err(BuildError::TextShape { name: definition.name().into() });
            }
        }
        let by_name = index(&definitions);
        if let Some((_, twice)) =
            definitions.iter().enumerate().find(|(i, channel)| by_name[channel.name()] != *i)
        {
            return Err(BuildError::Duplicate { name: twice.name().into() });
        }
        let channels: Vec<Value> = definitions.iter().map(Definition::to_json).collect();
        let text = json!({"htype": "bsr_d-1.1", "channels": channels}).to_string();
        let part = compression.encode(text.clone().into(), 1, ByteOrder::Big)?;
        Ok(Self(Arc::new(Content {
            part,
            compression,
            json: Json::checked(text.into(), None),
            hash: OnceLock::new(),
            has_channels: true,
            is_old: false,
            definitions,
            by_name,
        })))
    }

    /// Reads a data header.
    ///
    /// # Errors
    ///
    /// If it cannot be decompressed, to 16 MiB at the most, or is not a JSON object.
    pub fn decode(part: Bytes, compression: Compression) -> Result<Self, DataHeaderError> {
        let options = Options { limit: LIMIT, ..Options::default() };
        let text = compression.decode(&part, 1, ByteOrder::Big, None, &options)?;
        let json = Json::parse(text)?;
        // What is remembered keeps the text, and not the value as well.
        let read = json.clone();
        let value = read.value();
        if !value.is_object() {
            return Err(DataHeaderError::NotAnObject);
        }
        let channels = value.get("channels").and_then(Value::as_array);
        let encoding = value.get("encoding");
        let definitions: Box<[Definition]> = channels
            .into_iter()
            .flatten()
            .map(|channel| Definition::of_json(channel, encoding))
            .collect();
        Ok(Self(Arc::new(Content {
            part,
            compression,
            json,
            hash: OnceLock::new(),
            has_channels: channels.is_some(),
            is_old: value.get("htype").and_then(Value::as_str) == Some("bsr_d-1.0"),
            by_name: index(&definitions),
            definitions,
        })))
    }

    /// Returns the channels.
    #[inline]
    pub fn definitions(&self) -> &[Definition] {
        &self.0.definitions
    }

    /// Returns the channel of a name, the last one if there are several.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.0.definitions.get(self.index(name)?)
    }

    /// Returns the JSON, with every key the sender put there.
    pub fn json(&self) -> &Json {
        &self.0.json
    }

    /// Returns the part as it is sent.
    pub fn part(&self) -> &Bytes {
        &self.0.part
    }

    /// Returns how the part is compressed.
    pub fn compression(&self) -> Compression {
        self.0.compression
    }

    /// Returns the MD5 of the part as it is sent, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        self.0.hash.get_or_init(|| {
            let digest = Md5::digest(&self.0.part);
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        })
    }

    /// Returns the index of the channel of a name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.0.by_name.get(name).copied()
    }

    /// Returns whether there is a list of channels at all.
    pub(super) fn has_channels(&self) -> bool {
        self.0.has_channels
    }

    /// Returns whether this is version 1.0.
    pub(super) fn is_old(&self) -> bool {
        self.0.is_old
    }

    /// Returns whether this was read from such a part.
    pub(super) fn is_of(&self, part: &[u8], compression: Compression) -> bool {
        self.0.compression == compression && self.0.part == part
    }

    /// Returns the bytes of JSON.
    pub(super) fn text_length(&self) -> usize {
        self.0.json.to_bytes().len()
    }

    /// Returns whether two share what was read.
    #[cfg(test)]
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Why a part is no data header.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataHeaderError {
    /// It cannot be decompressed.
    #[error("the data header cannot be decompressed")]
    Compression(#[from] CompressionError),
    /// It is not JSON.
    #[error("the data header is not valid JSON")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but not an object.
    #[error("the data header is JSON, but not an object")]
    NotAnObject,
}

impl DataHeaderError {
    /// Names the part of the message that it is.
    pub(super) fn at(self, place: Place) -> DecodeError {
        match self {
            Self::Compression(source) => DecodeError::Compressed { place, source },
            Self::NotJson(source) => DecodeError::NotJson { place, source },
            Self::NotAnObject => DecodeError::NotAnObject { place },
        }
    }
}

fn index(definitions: &[Definition]) -> HashMap<Box<str>, usize> {
    let names = definitions.iter().map(|definition| definition.name().into());
    names.zip(0..).collect()
}

/// Equal parts, compressed alike, are equal data headers.
impl PartialEq for DataHeader {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.is_of(other.part(), other.compression())
    }
}

impl fmt::Debug for DataHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DataHeader").field(&self.0.json).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_header_reads_back_as_it_was_built() {
        let channels = [Definition::new("A", Kind::Int8), Definition::new("B", Kind::Text)];
        for compression in [Compression::None, Compression::Lz4, Compression::BitshuffleLz4] {
            let built = DataHeader::build(channels.clone(), compression).unwrap();
            let read = DataHeader::decode(built.part().clone(), compression).unwrap();
            assert_eq!(read, built);
            assert_eq!(read.definitions(), channels);
            assert_eq!((read.hash(), read.json()), (built.hash(), built.json()));
        }
    }

    #[test]
    fn channels_that_cannot_be_told_apart_are_refused() {
        let new = |names: &[&str]| {
            let channels = names.iter().map(|name| Definition::new(name, Kind::Int8));
            DataHeader::new(channels).unwrap_err().to_string()
        };
        assert_eq!(new(&["A", "B", "A"]), "there are two channels 'A'");
        assert_eq!(new(&["A", ""]), "channel 2 has no name");
        let text = Definition::new("T", Kind::Text).with_shape(&[5]);
        let error = DataHeader::new([text]).unwrap_err();
        assert_eq!(error.to_string(), "channel 'T' is a text, which has no shape");
    }

    #[test]
    fn what_is_no_data_header_says_why() {
        let error = |part: &'static [u8], compression| {
            DataHeader::decode(Bytes::from_static(part), compression).unwrap_err().to_string()
        };
        assert_eq!(error(b"{", Compression::None), "the data header is not valid JSON");
        assert_eq!(error(b"[]", Compression::None), "the data header is JSON, but not an object");
        let compressed = "the data header cannot be decompressed";
        assert_eq!(error(b"{}", Compression::Lz4), compressed);
        assert_eq!(error(b"\xff\xff\xff\xff {}", Compression::Lz4), compressed);
        assert_eq!(error(b"\xff\xff\xff\xff {}", Compression::BitshuffleLz4), compressed);
    }

    #[test]
    fn a_channel_that_is_none_keeps_its_place() {
        let part = r#"{"channels":[7,{"type":"int8"},{"name":"B"},null]}"#;
        let header = DataHeader::decode(part.into(), Compression::None).unwrap();
        let names: Vec<_> = header.definitions().iter().map(Definition::name).collect();
        assert_eq!(names, ["", "", "B", ""]);
        assert_eq!(header.index("B"), Some(2));
    }
}
