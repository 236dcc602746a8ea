//! [`Definition`]: what a data header says of a channel.

use std::num::NonZeroU64;

use serde_json::{Map, Value, json};
use smallvec::smallvec;

use super::codec::Compression;
use super::kind::Kind;
use super::timestamp::integer;
use crate::array::{ByteOrder, Extents, UnknownByteOrder, UnknownType};
use crate::compression::UnknownCompression;

/// What a data header says of a channel: its name, and how its values lie in their part.
///
/// ```
/// use mflow_handlers::bsread::{Compression, Definition, Kind};
///
/// let camera = Definition::new("CAMERA", Kind::Uint16)
///     .with_shape(&[100, 83])
///     .with_compression(Compression::BitshuffleLz4);
/// assert_eq!(camera.shape(), Some(&[100, 83][..]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    name: Box<str>,
    kind: Result<Kind, UnknownType>,
    /// In C order; `None` if it is no list of whole numbers.
    shape: Option<Extents>,
    order: Result<ByteOrder, UnknownByteOrder>,
    compression: Result<Compression, UnknownCompression>,
    modulo: NonZeroU64,
    offset: i64,
}

impl Definition {
    /// Defines a channel of single values, little endian, not compressed, at every pulse.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind: Ok(kind),
            shape: Some(smallvec![1]),
            order: Ok(ByteOrder::Little),
            compression: Ok(Compression::None),
            modulo: NonZeroU64::MIN,
            offset: 0,
        }
    }

    /// Sets the shape in C order, the slowest dimension first. `[1]` stands for a single value.
    #[must_use]
    pub fn with_shape(mut self, shape: &[usize]) -> Self {
        self.shape = Some(if shape.is_empty() { smallvec![1] } else { shape.into() });
        self
    }

    /// Sets the byte order of values and timestamps.
    #[must_use]
    pub fn with_order(mut self, order: ByteOrder) -> Self {
        self.order = Ok(order);
        self
    }

    /// Sets how values are compressed.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Ok(compression);
        self
    }

    /// Sets at which pulses there is a value: those which `modulo` divides when `offset` was taken
    /// off.
    #[must_use]
    pub fn with_schedule(mut self, modulo: NonZeroU64, offset: i64) -> Self {
        self.modulo = modulo;
        self.offset = offset;
        self
    }

    /// Returns the name; it is empty if the data header has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the type of the values, float64 by default.
    ///
    /// # Errors
    ///
    /// [`UnknownType`], with the name in the data header.
    pub fn kind(&self) -> Result<Kind, &UnknownType> {
        self.kind.as_ref().copied()
    }

    /// Returns the shape in C order, the slowest dimension first, `[1]` by default. `None` if the
    /// data header has something else than a shape.
    pub fn shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// Returns the byte order of values and timestamps, little endian by default.
    ///
    /// # Errors
    ///
    /// [`UnknownByteOrder`], with the name in the data header. Such a channel is read as
    /// little endian.
    pub fn order(&self) -> Result<ByteOrder, &UnknownByteOrder> {
        self.order.as_ref().copied()
    }

    /// Returns how values are compressed.
    ///
    /// # Errors
    ///
    /// [`UnknownCompression`], with the name in the data header.
    pub fn compression(&self) -> Result<Compression, &UnknownCompression> {
        self.compression.as_ref().copied()
    }

    /// Returns every how many pulses there is a value.
    pub fn modulo(&self) -> NonZeroU64 {
        self.modulo
    }

    /// Returns by how many pulses the first one with a value is behind pulse 0.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Returns whether there should be a value at a pulse. The EPICS driver of 2015 adds the
    /// offset; the other senders subtract it.
    pub fn is_due(&self, pulse_id: i64) -> bool {
        let pulse = i128::from(pulse_id) - i128::from(self.offset);
        pulse.rem_euclid(i128::from(self.modulo.get())) == 0
    }

    /// Returns whether a value is a single one.
    pub(super) fn is_scalar(&self) -> bool {
        matches!(self.shape(), Some([1]))
    }

    /// Returns the byte order to read with.
    pub(super) fn order_or_little(&self) -> ByteOrder {
        *self.order.as_ref().unwrap_or(&ByteOrder::Little)
    }

    /// Returns the number of elements of the shape, if memory could hold them.
    pub(super) fn elements(&self) -> Option<usize> {
        self.shape()?.iter().try_fold(1_usize, |count, &extent| count.checked_mul(extent))
    }

    /// Reads what a data header says of a channel, and of all channels in its own `encoding`.
    pub(super) fn of_json(channel: &Value, header_encoding: Option<&Value>) -> Self {
        let field = |key| channel.get(key).filter(|value| !value.is_null());
        let order = match field("encoding").or(header_encoding.filter(|value| !value.is_null())) {
            Some(Value::String(name)) => name.parse(),
            Some(other) => Err(UnknownByteOrder(other.to_string().into())),
            None => Ok(ByteOrder::Little),
        };
        Self {
            name: field("name").and_then(Value::as_str).unwrap_or_default().into(),
            kind: match field("type") {
                Some(Value::String(name)) => name.parse(),
                Some(other) => Err(UnknownType(other.to_string().into())),
                None => Ok(Kind::Float64),
            },
            shape: field("shape").map_or_else(|| Some(smallvec![1]), shape),
            order,
            compression: match field("compression") {
                Some(Value::String(name)) => name.parse(),
                Some(other) => Err(UnknownCompression(other.to_string().into())),
                None => Ok(Compression::None),
            },
            modulo: field("modulo")
                .and_then(integer)
                .and_then(|modulo| NonZeroU64::new(modulo.unsigned_abs()))
                .unwrap_or(NonZeroU64::MIN),
            offset: field("offset").and_then(integer).unwrap_or(0),
        }
    }

    /// Makes the object that stands in a data header. Unknown values are sent unchanged.
    pub(super) fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut insert = |key: &str, value: Value| object.insert(key.to_owned(), value);
        insert("name", (*self.name).into());
        insert(
            "type",
            self.kind.as_ref().map_or_else(|unknown| &*unknown.0, |kind| kind.name()).into(),
        );
        let shape: Vec<usize> = self.shape.iter().flatten().rev().copied().collect();
        insert("shape", shape.into());
        insert(
            "encoding",
            self.order.as_ref().map_or_else(|unknown| &*unknown.0, |order| order.name()).into(),
        );
        match &self.compression {
            Ok(Compression::None) => {}
            Ok(compression) => drop(insert("compression", compression.name().into())),
            Err(unknown) => drop(insert("compression", (*unknown.0).into())),
        }
        if (self.modulo.get(), self.offset) != (1, 0) {
            insert("modulo", json!(self.modulo));
            insert("offset", self.offset.into());
        }
        object.into()
    }
}

/// Reads a shape, fast dimension first, to C order. A number alone is a single dimension.
fn shape(value: &Value) -> Option<Extents> {
    let extent = |value| usize::try_from(integer(value)?).ok();
    match value {
        Value::Array(list) if list.is_empty() => Some(smallvec![1]),
        Value::Array(list) => list.iter().rev().map(extent).collect(),
        value => Some(smallvec![extent(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_has_a_default() {
        let read = Definition::of_json(&json!({"name": "A"}), None);
        assert_eq!(read, Definition::new("A", Kind::Float64));
        let nulls = json!({"name": "A", "type": null, "shape": null, "encoding": null,
                           "compression": null, "modulo": null, "offset": null});
        assert_eq!(Definition::of_json(&nulls, Some(&Value::Null)), read);
        assert_eq!(Definition::of_json(&json!({"name": "A", "shape": []}), None), read);
    }

    #[test]
    fn the_encoding_of_the_header_is_for_channels_without_their_own() {
        let order = |channel| Definition::of_json(&channel, Some(&json!("big"))).order_or_little();
        assert_eq!(order(json!({"name": "A"})), ByteOrder::Big);
        assert_eq!(order(json!({"name": "A", "encoding": "little"})), ByteOrder::Little);
        assert_eq!(order(json!({"name": "A", "encoding": ">"})), ByteOrder::Big);
        assert_eq!(order(json!({"name": "A", "encoding": "middle"})), ByteOrder::Little);
    }

    #[test]
    fn shapes_are_read_to_c_order() {
        let read = |shape| {
            let channel = json!({"name": "A", "shape": shape});
            Definition::of_json(&channel, None).shape().map(<[usize]>::to_vec)
        };
        assert_eq!(read(json!([83, 100.0])), Some(vec![100, 83]));
        assert_eq!(read(json!(5)), Some(vec![5]));
        for other in [json!([-1]), json!(["5"]), json!("5"), json!({}), json!([1.5])] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn a_definition_reads_back_equal() {
        let definition = Definition::new("A", Kind::Int16)
            .with_shape(&[3, 4])
            .with_order(ByteOrder::Big)
            .with_compression(Compression::Lz4)
            .with_schedule(NonZeroU64::new(10).unwrap(), 3);
        let json = definition.to_json();
        assert_eq!(
            json,
            json!({"name": "A", "type": "int16", "shape": [4, 3], "encoding": "big",
                   "compression": "lz4", "modulo": 10, "offset": 3})
        );
        assert_eq!(Definition::of_json(&json, None), definition);
    }

    #[test]
    fn pulses_are_due_by_modulo_and_offset() {
        let definition =
            Definition::new("A", Kind::Int16).with_schedule(NonZeroU64::new(10).unwrap(), 3);
        let due: Vec<i64> = (-10..20).filter(|&pulse| definition.is_due(pulse)).collect();
        assert_eq!(due, [-7, 3, 13]);
        assert!(!definition.is_due(i64::MIN));
    }
}
