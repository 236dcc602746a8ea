//! [`Bsread`]: a message bsr_m-1.x, its main header read and its channels found.

use bytes::Bytes;
use serde_json::Value;

use super::codec::Compression;
use super::data_header::{DataHeader, DataHeaderError};
use super::layout::Layout;
use super::timestamp::integer;
use crate::compression::UnknownCompression;
use crate::header::{Json, Timestamp};
use crate::message::{DecodeError, EncodeError, Message, Parts, Place, Tail, Warning};
use crate::walk::Visitor;

/// The htype of this format, for errors.
const HTYPE: &str = "bsr_m-1.1";

/// The misspelled key of one sender of 2015.
const MISSPELLED: &str = "global_timespamp";

/// A message bsr_m-1.x: the values of many channels at one pulse.
///
/// ```
/// use mflow_handlers::bsread::{Timestamp, Value};
/// use mflow_handlers::{Data, Message, Registry};
///
/// let message = Message::new([
///     r#"{"htype":"bsr_m-1.1","pulse_id":500,"global_timestamp":{"sec":7,"ns":8}}"#.into(),
///     r#"{"htype":"bsr_d-1.1","channels":[{"name":"X","type":"int16"},{"name":"Y"}]}"#.into(),
///     vec![42, 0].into(),
///     vec![].into(),
///     vec![].into(),
///     vec![].into(),
/// ]);
/// let Data::Bsread(bsread) = Registry::default().decode(message) else { panic!() };
/// assert_eq!(bsread.pulse_id(), Some(500));
/// let x = bsread.channel("X").unwrap();
/// assert_eq!(x.value(), Some(Value::Int16(42)));
/// assert_eq!(x.timestamp(), Some(Timestamp::new(7, 8)));
/// let without: Vec<_> = bsread.channels().filter(|channel| channel.value().is_none()).collect();
/// assert_eq!(without[0].name(), "Y");
/// ```
#[derive(Debug, Clone)]
pub struct Bsread {
    /// Part 1: pulse, timestamp, and how part 2 is compressed.
    pub main_header: Json,
    data_header: DataHeader,
    parts: Tail,
    layout: Layout,
}

impl Bsread {
    /// Returns the number of the pulse.
    pub fn pulse_id(&self) -> Option<i64> {
        integer(self.main_header.get("pulse_id")?)
    }

    /// Returns the time of the pulse.
    pub fn global_timestamp(&self) -> Option<Timestamp> {
        let right = self.main_header.get("global_timestamp");
        Timestamp::of_json(right.or_else(|| self.main_header.get(MISSPELLED))?)
    }

    /// Returns what the channels are.
    #[inline]
    pub fn data_header(&self) -> &DataHeader {
        &self.data_header
    }

    /// Returns the parts of the channels as they are sent.
    #[inline]
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    pub(super) fn new(main_header: Json, data_header: DataHeader, parts: Tail) -> Self {
        let layout = Layout::of(&parts, data_header.definitions().len());
        Self { main_header, data_header, parts, layout }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns whether texts end at the first zero, as in version 1.0.
    pub(super) fn has_padded_texts(&self) -> bool {
        let is_old = || self.main_header.get("htype").is_some_and(|htype| htype == "bsr_m-1.0");
        self.data_header.is_old() || is_old()
    }

    /// Reads the parts of a message. The [`Decoder`](super::Decoder) of a registry does so faster,
    /// as it remembers data headers.
    ///
    /// # Errors
    ///
    /// If one of the first two parts is missing, cannot be decompressed or is not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Self::decode_with(parts, |part, compression, _| DataHeader::decode(part, compression))
    }

    /// Reads the parts of a message, its data header by a function of the hash.
    pub(super) fn decode_with(
        parts: &mut Parts<'_>,
        read: impl FnOnce(Bytes, Compression, Option<&str>) -> Result<DataHeader, DataHeaderError>,
    ) -> Result<Self, DecodeError> {
        let main_header = parts.next_object()?;
        let part = parts.next_part()?;
        let compression = compression(&main_header)
            .map_err(|source| DecodeError::UnknownCompression { place: parts.place(), source })?;
        let hash = main_header.get("hash").and_then(Value::as_str);
        let data_header = read(part, compression, hash).map_err(|error| error.at(parts.place()))?;
        Ok(Self::new(main_header, data_header, parts.tail()))
    }

    /// Visits the values of the message.
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        visitor.part("main_header", &self.main_header);
        visitor.part("data_header", self.data_header.json());
        visitor.entry("pulse_id", &|| self.pulse_id().into());
        visitor.entry("global_timestamp", &|| {
            self.global_timestamp().map_or(Value::Null, Value::from)
        });
        visitor.key("channels");
        visitor.map();
        for channel in self.channels() {
            visitor.key(channel.name());
            visitor.unread(Box::new(channel));
        }
        visitor.end();
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NotAnObject`] if the main header is not an object, and
    /// [`EncodeError::Compression`] if it was edited to name another compression of the data
    /// header.
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let main_header = self.main_header.encode(HTYPE, 1)?;
        let expected = self.data_header.compression();
        let found = compression(&self.main_header);
        if found != Ok(expected) {
            let found = found.map_or_else(|unknown| unknown.0, |found| found.name().into());
            let place = Place::new(Some(HTYPE), 2);
            return Err(EncodeError::Compression { place, expected: expected.name(), found });
        }
        Ok([main_header, self.data_header.part().clone()]
            .into_iter()
            .chain(self.parts.iter().cloned())
            .collect())
    }

    /// Returns what was tolerated in the message, and what keeps values from being read: all of them
    /// are, and decompressed.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.main_header.get("global_timestamp").is_none()
            && self.main_header.get(MISSPELLED).is_some()
        {
            let expected = "global_timestamp";
            warnings.push(Warning::Misspelled { expected, found: MISSPELLED });
        }
        if self.data_header.json().has_non_numbers() {
            warnings.push(Warning::NonNumbers { part: 2 });
        }
        if !self.data_header.has_channels() {
            warnings.push(Warning::NoChannels { part: 2 });
        }
        let expected = 2 + 2 * self.data_header.definitions().len();
        let found = 2 + self.parts.len();
        match &self.layout {
            Layout::Walked(_) => warnings.push(Warning::FewParts { expected, found }),
            Layout::Pairs if found < expected => {
                warnings.push(Warning::MissingPart { part: found + 1 });
            }
            Layout::Pairs if found > expected => {
                warnings.push(Warning::ExtraParts { expected, found });
            }
            Layout::Pairs => {}
        }
        warnings.extend(self.channels().flat_map(|channel| channel.warnings()));
        warnings
    }
}

/// Reads how the data header is compressed. A value that is no text means no compression.
fn compression(main_header: &Json) -> Result<Compression, UnknownCompression> {
    match main_header.get("dh_compression").and_then(Value::as_str) {
        Some(name) => name.parse(),
        None => Ok(Compression::None),
    }
}

/// Equal headers and parts are equal messages.
impl PartialEq for Bsread {
    fn eq(&self, other: &Self) -> bool {
        self.main_header == other.main_header
            && self.data_header == other.data_header
            && self.parts() == other.parts()
    }
}
