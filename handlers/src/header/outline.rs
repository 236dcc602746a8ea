//! [`Outline`]: the fields of a JSON part that more than one reader asks for, read in one pass which
//! checks the whole text. array-1.0 and the images and tables of DECTRIS describe arrays alike; here
//! is what they share.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::byte_order_mark::without_byte_order_mark;
use super::field::{Count, Moment, Shape, Text, Valid};
use super::non_number;
use super::stage::Stage;
use super::stream2;
use super::time::Timestamp;
use crate::array::{Array, ArrayError, ByteOrder, Dtype, Extents, byte_length};

/// The fields of a JSON part. A field that is missing or has a wrong type is `None`. If a key is
/// repeated, the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Outline<'a> {
    pub(crate) htype: Option<Cow<'a, str>>,
    pub(crate) series: Option<u64>,
    pub(crate) frame: Option<u64>,
    /// Under `pulse_id`.
    pub(crate) pulse: Option<u64>,
    /// When it was taken, under `global_timestamp`; or the time of a stream V2 message.
    pub(crate) time: Option<u64>,
    /// Its role in its series.
    pub(crate) stage: Option<Stage>,
    pub(crate) encoding: Option<Cow<'a, str>>,
    /// Under `cmpr`, as chunk-1.0 has it.
    pub(crate) compression: Option<Cow<'a, str>>,
    dtype: Option<Cow<'a, str>>,
    shape: Option<Shape>,
    /// Under `endianness`.
    order: Option<Cow<'a, str>>,
    /// Under `endianess`, as the specification of array-1.0 writes it in its example.
    misspelled_order: Option<Cow<'a, str>>,
    /// The text that was read in place of the part, if it has floats that are no numbers.
    pub(crate) valid: Option<Box<[u8]>>,
}

/// In which order a `shape` lists the dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axes {
    /// C order, the fastest dimension last: array-1.0.
    SlowFirst,
    /// The fastest dimension first, `[width, height]`: DECTRIS.
    FastFirst,
}

impl<'a> Outline<'a> {
    /// Reads a part, up to the first fault in it. A part in CBOR gives its series and image; it is
    /// no JSON.
    ///
    /// The error is the fault, a data error if the part is JSON but not an object.
    pub(crate) fn of(part: &'a [u8]) -> (Self, Result<(), serde_json::Error>) {
        let part = without_byte_order_mark(part);
        let mut deserializer = serde_json::Deserializer::from_slice(part);
        if stream2::is_stream2(part) {
            // Its other fields are read by its decoder, or by `Peek`.
            let htype = Some(Cow::Borrowed(stream2::HTYPE));
            let result = Valid::deserialize(&mut deserializer).map(drop);
            return (Self { htype, ..Self::default() }, result);
        }
        let (outline, result) = Self::read(&mut deserializer);
        match result.and_then(|()| deserializer.end()) {
            Err(error) => match Self::of_python(part, &error) {
                Some(outline) => (outline, Ok(())),
                None => (outline, Err(error)),
            },
            Ok(()) => (outline, Ok(())),
        }
    }

    /// Reads a part that failed as it has floats that are no numbers, if nothing else is wrong.
    fn of_python(part: &[u8], error: &serde_json::Error) -> Option<Self> {
        let valid = non_number::replaced(part, error)?;
        let mut deserializer = serde_json::Deserializer::from_slice(&valid);
        let (outline, result) = Outline::read(&mut deserializer);
        result.and_then(|()| deserializer.end()).ok()?;
        let own = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Some(Self {
            htype: own(outline.htype),
            series: outline.series,
            frame: outline.frame,
            pulse: outline.pulse,
            time: outline.time,
            stage: outline.stage,
            encoding: own(outline.encoding),
            compression: own(outline.compression),
            dtype: own(outline.dtype),
            shape: outline.shape,
            order: own(outline.order),
            misspelled_order: own(outline.misspelled_order),
            valid: Some(valid),
        })
    }

    pub(crate) fn read<D: Deserializer<'a>>(deserializer: D) -> (Self, Result<(), D::Error>) {
        let mut outline = Self::default();
        let result = deserializer.deserialize_map(Object(&mut outline));
        outline.stage = outline.htype.as_deref().and_then(Stage::of_htype);
        (outline, result)
    }

    /// Makes the array of a binary part, its byte order given by `type`, else by `order`.
    pub(crate) fn array(
        &self,
        axes: Axes,
        order: ByteOrder,
        bytes: Bytes,
    ) -> Result<Array, ArrayError> {
        let name = self.dtype.as_deref().ok_or(ArrayError::NoType)?;
        let (dtype, explicit_order) = Dtype::parse_ordered(name)?;
        let order = explicit_order.unwrap_or(order);
        let shape = self.extents(axes)?;
        if !self.has_ambiguous_type() {
            return Array::from_extents(dtype, order, shape, bytes);
        }
        // numpy's float has 64 bits, other senders' has 32: the length decides.
        Array::from_extents(dtype, order, shape.clone(), bytes.clone()).or_else(|error| {
            Array::from_extents(Dtype::Float32, order, shape, bytes).map_err(|_| error)
        })
    }

    /// Returns the bytes that the array has, uncompressed.
    pub(crate) fn byte_length(&self) -> Result<usize, ArrayError> {
        let name = self.dtype.as_deref().ok_or(ArrayError::NoType)?;
        let (dtype, _) = Dtype::parse_ordered(name)?;
        byte_length(dtype, &self.extents(Axes::FastFirst)?)
    }

    /// Returns whether what is described has no elements: its type is undefined, its shape is
    /// empty, or one of them is missing.
    pub(crate) fn is_empty(&self) -> bool {
        let has_type = !matches!(self.dtype.as_deref(), None | Some("" | "undefined"));
        let extents = self.shape.as_ref().and_then(|Shape(extents)| extents.as_deref());
        let has_shape = extents.is_some_and(|it| !it.is_empty() && !it.contains(&0));
        !has_type || !has_shape
    }

    /// Returns the type, if it is present and known.
    pub(crate) fn dtype(&self) -> Option<Dtype> {
        Some(Dtype::parse_ordered(self.dtype.as_deref()?).ok()?.0)
    }

    /// Returns the byte order beside the type, little endian by default.
    pub(crate) fn order(&self) -> Result<ByteOrder, ArrayError> {
        match self.order.as_deref().or(self.misspelled_order.as_deref()) {
            Some(name) => Ok(name.parse()?),
            None => Ok(ByteOrder::Little),
        }
    }

    /// Returns whether the byte order stands under the misspelled key alone.
    pub(crate) fn has_misspelled_order(&self) -> bool {
        self.order.is_none() && self.misspelled_order.is_some()
    }

    /// Returns whether the type is one whose size senders disagree about.
    pub(crate) fn has_ambiguous_type(&self) -> bool {
        matches!(self.dtype.as_deref(), Some("float" | "double"))
    }

    /// Returns the shape in C order. In array-1.0 none at all means a single element.
    fn extents(&self, axes: Axes) -> Result<Extents, ArrayError> {
        match (&self.shape, axes) {
            (Some(Shape(Some(extents))), Axes::SlowFirst) => Ok(extents.clone()),
            (Some(Shape(Some(extents))), Axes::FastFirst) => {
                Ok(extents.iter().rev().copied().collect())
            }
            (None, Axes::SlowFirst) => Ok(Extents::new()),
            _ => Err(ArrayError::NoShape),
        }
    }
}

/// Fills an [`Outline`] with the fields of an object.
struct Object<'o, 'a>(&'o mut Outline<'a>);

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let outline = self.0;
        while let Some(Text(key)) = map.next_key()? {
            match key.as_deref() {
                Some("htype") => outline.htype = map.next_value::<Text<'a>>()?.0,
                Some("series") => outline.series = map.next_value::<Count>()?.0,
                Some("frame") => outline.frame = map.next_value::<Count>()?.0,
                Some("pulse_id") => outline.pulse = map.next_value::<Count>()?.0,
                Some("global_timestamp") => {
                    outline.time =
                        map.next_value::<Moment>()?.0.and_then(Timestamp::unix_nanoseconds);
                }
                Some("encoding") => outline.encoding = map.next_value::<Text<'a>>()?.0,
                Some("cmpr") => outline.compression = map.next_value::<Text<'a>>()?.0,
                Some("type") => outline.dtype = map.next_value::<Text<'a>>()?.0,
                Some("shape") => outline.shape = Some(map.next_value()?),
                Some("endianness") => outline.order = map.next_value::<Text<'a>>()?.0,
                Some("endianess") => outline.misspelled_order = map.next_value::<Text<'a>>()?.0,
                _ => {
                    map.next_value::<Valid>()?;
                }
            }
        }
        Ok(())
    }
}
