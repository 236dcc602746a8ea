//! [`Field`]: the types of the fields of a message, how they are read and written.

use std::borrow::Cow;

use super::typed_array::TypedArray;
use crate::cbor::{Cbor, Head, Item, Writer, into_count, list, pairs, text, to_float};
use crate::header::{DateTime, Rational};

/// A type of field. A value of another type than expected reads as none.
pub(super) trait Field: Sized {
    /// What is expected, for warnings.
    const EXPECTED: &'static str;

    /// The number of levels of maps around the arrays in the field; `None` if it holds no arrays.
    const LEVELS: Option<usize> = None;

    fn read(item: Item<'_>) -> Option<Self>;

    fn write(&self, writer: &mut Writer);

    /// Returns whether two are the same: NaN is the same as itself.
    fn is_same(&self, other: &Self) -> bool;

    /// Visits the arrays of the field, each with its name.
    fn arrays(&self, _name: &str, _visit: &mut dyn FnMut(&str, &TypedArray)) {}
}

/// Values by name, in the order they were sent: of channels, or of axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName<T>(pub Vec<(String, T)>);

impl<T> ByName<T> {
    /// Returns the value of a name; the last if there are several.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().rfind(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Returns the names and values in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, T)> {
        self.0.iter()
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, N: Into<String>> FromIterator<(N, T)> for ByName<T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(values: I) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl<'a, T> IntoIterator for &'a ByName<T> {
    type Item = &'a (String, T);
    type IntoIter = std::slice::Iter<'a, (String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Field for u64 {
    const EXPECTED: &'static str = "a whole number from 0 up";

    fn read(item: Item<'_>) -> Option<Self> {
        into_count(item.scalar()?)
    }

    fn write(&self, writer: &mut Writer) {
        writer.unsigned(*self);
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Field for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(item: Item<'_>) -> Option<Self> {
        match item.scalar()? {
            Head::Integer(number) => Some(to_float(number)),
            Head::Float(number) => Some(number),
            _ => None,
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.float(*self);
    }

    fn is_same(&self, other: &Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl Field for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(item: Item<'_>) -> Option<Self> {
        match item.scalar()? {
            Head::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.simple(20 + u8::from(*self));
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Field for String {
    const EXPECTED: &'static str = "a text";

    fn read(item: Item<'_>) -> Option<Self> {
        text(item).map(Cow::into_owned)
    }

    fn write(&self, writer: &mut Writer) {
        writer.text(self);
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Field for DateTime {
    const EXPECTED: &'static str = "a date and a time as text";

    fn read(item: Item<'_>) -> Option<Self> {
        String::read(item).map(Self)
    }

    fn write(&self, writer: &mut Writer) {
        writer.tag(0);
        writer.text(&self.0);
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Field for Rational {
    const EXPECTED: &'static str = "a numerator and a denominator";

    fn read(item: Item<'_>) -> Option<Self> {
        Self::parse(item.reader())
    }

    fn write(&self, writer: &mut Writer) {
        writer.array(2);
        writer.unsigned(self.numerator);
        writer.unsigned(self.denominator);
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl<T: Field> Field for Vec<T> {
    const EXPECTED: &'static str = "a list";

    fn read(item: Item<'_>) -> Option<Self> {
        list(item)?.into_iter().map(T::read).collect()
    }

    fn write(&self, writer: &mut Writer) {
        writer.array(self.len());
        self.iter().for_each(|value| value.write(writer));
    }

    fn is_same(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().zip(other).all(|(value, other)| value.is_same(other))
    }
}

impl<const N: usize> Field for [f64; N] {
    const EXPECTED: &'static str = "a list of so many numbers";

    fn read(item: Item<'_>) -> Option<Self> {
        Vec::read(item)?.try_into().ok()
    }

    fn write(&self, writer: &mut Writer) {
        writer.array(N);
        self.iter().for_each(|number| number.write(writer));
    }

    fn is_same(&self, other: &Self) -> bool {
        self.iter().zip(other).all(|(number, other)| number.is_same(other))
    }
}

impl Field for Cbor {
    const EXPECTED: &'static str = "anything";

    fn read(item: Item<'_>) -> Option<Self> {
        Some(item.keep())
    }

    fn write(&self, writer: &mut Writer) {
        writer.encoded(self.bytes());
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Field for TypedArray {
    const EXPECTED: &'static str = "a typed array";
    const LEVELS: Option<usize> = Some(0);

    fn read(item: Item<'_>) -> Option<Self> {
        (!item.is_nothing()).then(|| item.keep().into())
    }

    fn write(&self, writer: &mut Writer) {
        self.cbor().write(writer);
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    fn arrays(&self, name: &str, visit: &mut dyn FnMut(&str, &TypedArray)) {
        visit(name, self);
    }
}

impl<T: Field> Field for ByName<T> {
    const EXPECTED: &'static str = "a map";
    const LEVELS: Option<usize> = match T::LEVELS {
        Some(levels) => Some(levels + 1),
        None => None,
    };

    fn read(item: Item<'_>) -> Option<Self> {
        let mut values = Vec::new();
        for (key, value) in pairs(item)? {
            // A channel may have no array.
            if !value.is_nothing() {
                values.push((key.name()?.to_owned(), T::read(value)?));
            }
        }
        Some(Self(values))
    }

    fn write(&self, writer: &mut Writer) {
        writer.map(self.0.len());
        for (name, value) in self {
            writer.text(name);
            value.write(writer);
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .iter()
                .zip(other)
                .all(|(own, other)| own.0 == other.0 && own.1.is_same(&other.1))
    }

    fn arrays(&self, name: &str, visit: &mut dyn FnMut(&str, &TypedArray)) {
        for (channel, value) in self {
            value.arrays(&format!("{name}.{channel}"), visit);
        }
    }
}
