//! [`Timestamp`] of a channel or a pulse, as each of its writers sends it.
//!
//! ```text
//! 8 bytes   seconds since 1970      } signed, in the byte order of the channel; one writer
//! 8 bytes   nanoseconds             } sends little endian always
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

use crate::array::ByteOrder;
use crate::header::{ABSURD, Timestamp};

/// Bytes of the timestamp of a channel.
const LENGTH: usize = 16;

impl Timestamp {
    fn is_sane(self) -> bool {
        (0..=ABSURD).contains(&self.seconds) && (0..1_000_000_000).contains(&self.nanoseconds)
    }

    fn swapped(self) -> Self {
        Self::new(self.seconds.swap_bytes(), self.nanoseconds.swap_bytes())
    }

    /// Reads the timestamp of a channel, and returns whether it is in the other byte order. `None` if
    /// it is too short.
    #[inline]
    pub(super) fn read(part: &[u8], order: ByteOrder) -> Option<(Self, bool)> {
        let (words, _) = part.get(..LENGTH)?.as_chunks::<8>();
        let read = |word: [u8; 8]| match order {
            ByteOrder::Little => i64::from_le_bytes(word),
            ByteOrder::Big => i64::from_be_bytes(word),
        };
        let sent = Self::new(read(*words.first()?), read(*words.get(1)?));
        let is_swapped = !sent.is_sane() && sent.swapped().is_sane();
        Some((if is_swapped { sent.swapped() } else { sent }, is_swapped))
    }

    /// Makes the timestamp of a channel.
    pub(super) fn to_part(self, order: ByteOrder) -> Bytes {
        let mut part = BytesMut::with_capacity(LENGTH);
        for number in [self.seconds, self.nanoseconds] {
            match order {
                ByteOrder::Little => part.put_i64_le(number),
                ByteOrder::Big => part.put_i64(number),
            }
        }
        part.freeze()
    }

    /// Reads the timestamp of a main header: `sec` or `epoch`, in seconds or in milliseconds, and
    /// `ns`.
    pub(super) fn of_json(value: &Value) -> Option<Self> {
        let field = |key| value.get(key).and_then(integer);
        let seconds = field("sec").or_else(|| field("epoch"))?;
        Some(Self::of_main_header(seconds, field("ns").unwrap_or(0)))
    }
}

/// Reads a whole number, also one that was written as a float.
pub(super) fn integer(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked in the same line")]
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TIME: Timestamp = Timestamp::new(1_700_000_000, 123_456_789);

    #[test]
    fn the_byte_order_is_that_of_the_channel_unless_the_other_makes_sense() {
        for (order, other) in
            [(ByteOrder::Little, ByteOrder::Big), (ByteOrder::Big, ByteOrder::Little)]
        {
            assert_eq!(Timestamp::read(&TIME.to_part(order), order), Some((TIME, false)));
            assert_eq!(Timestamp::read(&TIME.to_part(order), other), Some((TIME, true)));
            let absurd = Timestamp::new(-1, -1);
            assert_eq!(Timestamp::read(&absurd.to_part(order), order), Some((absurd, false)));
            assert_eq!(Timestamp::read(&[0; 16], order), Some((Timestamp::new(0, 0), false)));
            assert_eq!(Timestamp::read(&[0; 15], order), None);
        }
    }

    #[test]
    fn main_headers_have_seconds_or_milliseconds() {
        let read = |value| Timestamp::of_json(&value);
        assert_eq!(read(json!({"sec": 7, "ns": 8})), Some(Timestamp::new(7, 8)));
        assert_eq!(read(json!({"epoch": 7.0, "ns": 8})), Some(Timestamp::new(7, 8)));
        assert_eq!(read(json!({"sec": 7})), Some(Timestamp::new(7, 0)));
        let millisecond = Timestamp::new(1_427_960_013, 647_000_005);
        assert_eq!(read(json!({"epoch": 1_427_960_013_647_i64, "ns": 5})), Some(millisecond));
        assert_eq!(
            read(json!({"epoch": 1_427_960_013_647_i64, "ns": 647_000_005})),
            Some(millisecond)
        );
        for other in [json!({}), json!(7), json!({"sec": "7", "ns": 8}), json!({"sec": 1e300})] {
            assert_eq!(read(other), None);
        }
    }
}
