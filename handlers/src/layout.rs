//! [`Layout`]: what a JSON part says of the array in the binary part beside it. Shared by array-1.0
//! and the images and tables of DECTRIS, which use the same fields.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::array::{Array, ArrayError};
use crate::dtype::{ByteOrder, Dtype};
use crate::field::{Extents, Shape, Text, Valid};

/// In which order a `shape` lists the dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axes {
    /// C order, the fastest dimension last: array-1.0.
    SlowFirst,
    /// The fastest dimension first, `[width, height]`: DECTRIS.
    FastFirst,
}

/// What a JSON part says of an array, as far as it says it.
#[derive(Debug, Default)]
pub(crate) struct Layout<'a> {
    pub(crate) htype: Option<Cow<'a, str>>,
    pub(crate) encoding: Option<Cow<'a, str>>,
    dtype: Option<Cow<'a, str>>,
    shape: Option<Shape>,
    /// Under `endianness`.
    order: Option<Cow<'a, str>>,
    /// Under `endianess`, as the specification of array-1.0 writes it in its example.
    misspelled_order: Option<Cow<'a, str>>,
}

impl Layout<'_> {
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
        match Array::from_extents(dtype, order, shape.clone(), bytes.clone()) {
            // numpy's float has 64 bits, other senders' has 32: the length tells.
            Err(error) if self.has_ambiguous_type() => {
                Array::from_extents(Dtype::Float32, order, shape, bytes).map_err(|_| error)
            }
            result => result,
        }
    }

    /// Returns the byte order that the header tells beside the type, little if it tells none.
    pub(crate) fn order(&self) -> Result<ByteOrder, ArrayError> {
        match self.order.as_deref().or(self.misspelled_order.as_deref()) {
            Some(name) => Ok(name.parse()?),
            None => Ok(ByteOrder::Little),
        }
    }

    /// Tells whether the byte order stands under the misspelled key alone.
    pub(crate) fn has_misspelled_order(&self) -> bool {
        self.order.is_none() && self.misspelled_order.is_some()
    }

    /// Tells whether the type is one whose size senders disagree about.
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

impl<'a> Deserialize<'a> for Layout<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'a> Visitor<'a> for Object {
    type Value = Layout<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Layout<'a>, A::Error> {
        let mut layout = Layout::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_deref() {
                Some("htype") => layout.htype = map.next_value::<Text<'a>>()?.0,
                Some("type") => layout.dtype = map.next_value::<Text<'a>>()?.0,
                Some("shape") => layout.shape = Some(map.next_value()?),
                Some("encoding") => layout.encoding = map.next_value::<Text<'a>>()?.0,
                Some("endianness") => layout.order = map.next_value::<Text<'a>>()?.0,
                Some("endianess") => layout.misspelled_order = map.next_value::<Text<'a>>()?.0,
                _ => {
                    map.next_value::<Valid>()?;
                }
            }
        }
        Ok(layout)
    }
}
