//! Fields of JSON objects, read tolerantly: a field of another type than expected reads as absent,
//! and the rest of the text is still checked. So one pass over a header both reads and checks it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::time::Timestamp;
use crate::array::Extents;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Any JSON value, read to its end with every check that building a [`serde_json::Value`] makes.
///
/// [`IgnoredAny`](serde::de::IgnoredAny) is laxer: it lets pass invalid UTF-8, numbers out of range
/// and nesting without limit, on which building the value later would fail.
pub(crate) struct Valid;

/// A text, or the first text in a list, as old senders write an htype.
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

/// A whole number from 0 up. Whole floats are accepted: Python writes `262.0` after a division.
pub(crate) struct Count(pub(crate) Option<u64>);

/// A time since 1970 as bsread writes it, an object; as far as it has whole numbers from 0 up.
pub(crate) struct Moment(pub(crate) Option<Timestamp>);

/// A list of whole numbers from 0 up.
#[derive(Debug)]
pub(crate) struct Shape(pub(crate) Option<Extents>);

/// A type of field: what it makes of each kind of JSON value.
trait Field<'a>: Sized {
    fn other() -> Self;

    fn text(_: Cow<'a, str>) -> Self {
        Self::other()
    }

    fn count(_: u64) -> Self {
        Self::other()
    }

    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Valid>()?.is_some() {}
        Ok(Self::other())
    }

    fn object<A: MapAccess<'a>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Valid, Valid>()?.is_some() {}
        Ok(Self::other())
    }
}

impl Field<'_> for Valid {
    fn other() -> Self {
        Self
    }
}

impl<'a> Field<'a> for Text<'a> {
    fn other() -> Self {
        Self(None)
    }

    fn text(text: Cow<'a, str>) -> Self {
        Self(Some(text))
    }

    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let first = list.next_element::<Self>()?;
        while list.next_element::<Valid>()?.is_some() {}
        Ok(Self(first.and_then(|text| text.0)))
    }
}

impl Field<'_> for Count {
    fn other() -> Self {
        Self(None)
    }

    fn count(count: u64) -> Self {
        Self(Some(count))
    }
}

impl<'a> Field<'a> for Moment {
    fn other() -> Self {
        Self(None)
    }

    fn object<A: MapAccess<'a>>(mut map: A) -> Result<Self, A::Error> {
        let (mut seconds, mut epoch, mut nanoseconds) = (None, None, None);
        while let Some(Text(key)) = map.next_key()? {
            let field = match key.as_deref() {
                Some("sec") => &mut seconds,
                Some("epoch") => &mut epoch,
                Some("ns") => &mut nanoseconds,
                _ => {
                    map.next_value::<Valid>()?;
                    continue;
                }
            };
            let Count(count) = map.next_value()?;
            *field = count.and_then(|count| i64::try_from(count).ok());
        }
        let seconds = seconds.or(epoch);
        Ok(Self(
            seconds.map(|seconds| Timestamp::of_main_header(seconds, nanoseconds.unwrap_or(0))),
        ))
    }
}

impl<'a> Field<'a> for Shape {
    fn other() -> Self {
        Self(None)
    }

    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let mut extents = Some(Extents::new());
        while let Some(Count(count)) = list.next_element()? {
            match (&mut extents, count.and_then(|count| usize::try_from(count).ok())) {
                (Some(extents), Some(count)) => extents.push(count),
                _ => extents = None,
            }
        }
        Ok(Self(extents))
    }
}

macro_rules! deserialize {
    ($($field:ty),*) => {$(
        impl<'a> Deserialize<'a> for $field {
            fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Tolerant(PhantomData))
            }
        }
    )*};
}

deserialize!(Valid, Text<'a>, Count, Moment, Shape);

/// Visits any JSON value and makes a field of it.
struct Tolerant<T>(PhantomData<T>);

impl<'a, T: Field<'a>> Visitor<'a> for Tolerant<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(u64::try_from(number).map_or_else(|_| T::other(), T::count))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::count(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(whole(number).map_or_else(T::other, T::count))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

/// Converts a float that is a whole number from 0 up, within the range in which floats are exact.
fn whole(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked in the same line"
    )]
    (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use smallvec::SmallVec;

    use super::*;

    fn shape(text: &str) -> Option<Vec<usize>> {
        serde_json::from_str::<Shape>(text).unwrap().0.map(SmallVec::into_vec)
    }

    #[test]
    fn a_shape_is_a_list_of_whole_numbers() {
        assert_eq!(shape("[]"), Some(vec![]));
        assert_eq!(shape("[1, 262.0]"), Some(vec![1, 262]));
        for other in [
            "[-1]",
            "[1.5]",
            "[1e300]",
            "[1, \"2\"]",
            "[[1]]",
            "[null]",
            "5",
            "\"5\"",
            "null",
            "{}",
        ] {
            assert_eq!(shape(other), None, "{other}");
        }
    }

    #[test]
    fn valid_accepts_what_a_value_can_be_built_of() {
        let deep = |n| "[".repeat(n) + &"]".repeat(n);
        let texts = [
            "1e308",
            "1e309",
            "-1e309",
            "{\"a\":[1,{\"b\":null}]}",
            "{\"a\" 1}",
            "\"\\ud800\"",
            "\"\\n\"",
            "\"\n\"",
            "01",
            "-0",
            "1.",
            "nul",
            "",
            "18446744073709551616",
            &deep(100),
            &deep(127),
            &deep(128),
            &deep(129),
        ];
        for text in texts {
            let valid = serde_json::from_str::<Valid>(text).is_ok();
            assert_eq!(valid, serde_json::from_str::<Value>(text).is_ok(), "{text}");
        }
    }
}
