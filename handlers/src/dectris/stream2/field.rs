//! [`Field`]: the types of the fields of a message, how they are read and written.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::reader::{Head, MESSAGE_DEPTH, Reader};
use super::typed_array::TypedArray;
use super::value::{Cbor, Item, Key};
use super::writer::Writer;

/// A type of field. A value of another type than expected reads as none.
pub(super) trait Field: Sized {
    /// What is expected, for warnings.
    const EXPECTED: &'static str;

    /// How many levels of maps are around the arrays that the field holds; `None` if it holds none.
    const LEVELS: Option<usize> = None;

    fn read(item: Item<'_>) -> Option<Self>;

    fn write(&self, writer: &mut Writer);

    /// Tells whether two are the same, as a number that is none is the same as itself.
    fn is_same(&self, other: &Self) -> bool;

    /// Visits the arrays of the field, each with its name.
    fn arrays(&self, _name: &str, _visit: &mut dyn FnMut(&str, &TypedArray)) {}
}

/// A date and a time as text, as RFC 3339 writes them: `2023-10-03T17:47:49.434+02:00`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DateTime(pub String);

impl DateTime {
    /// Returns the nanoseconds since 1970; `None` if the text is not as RFC 3339 has it, or tells a
    /// time before that.
    ///
    /// ```
    /// use mflow_handlers::dectris::stream2::DateTime;
    ///
    /// let date = DateTime("2023-10-03T17:47:49.434+02:00".into());
    /// assert_eq!(date.unix_nanoseconds(), Some(1_696_348_069_434_000_000));
    /// ```
    pub fn unix_nanoseconds(&self) -> Option<u64> {
        let (date, time) = self.0.split_at_checked(10)?;
        let mut date = date.splitn(3, '-').map(digits);
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let time = time.strip_prefix(['T', 't', ' '])?;
        let (time, zone) = time.split_at(time.find(['Z', 'z', '+', '-'])?);
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.splitn(3, ':').map(digits);
        let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
        let nanoseconds = digits(&format!("{:0<9}", fraction.get(..fraction.len().min(9))?))?;
        let ahead = match zone.strip_prefix(['+', '-']) {
            Some(ahead) => {
                let (hours, minutes) = ahead.split_once(':')?;
                let minutes = digits(hours)? * 60 + digits(minutes)?;
                if zone.starts_with('-') { -minutes } else { minutes }
            }
            None => 0,
        };
        let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
        let in_day = hour < 24 && minute < 60 && second <= 60;
        let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - ahead;
        let seconds = u64::try_from(minutes * 60 + second).ok().filter(|_| in_range && in_day)?;
        seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(nanoseconds).ok()?)
    }
}

/// Reads at most nine digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let are_digits =
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// Returns the days from 1970 to a day of the Gregorian calendar; years begin in March here, so that
/// a leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number of seconds as a fraction, exact in the ticks of the detector's clock.
///
/// ```
/// use mflow_handlers::dectris::stream2::Rational;
///
/// let time = Rational { numerator: 500_000, denominator: 50_000_000 };
/// assert_eq!(time.seconds(), Some(0.01));
/// assert_eq!(time.duration(), Some(std::time::Duration::from_millis(10)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rational {
    /// The ticks.
    pub numerator: u64,
    /// The ticks in a second.
    pub denominator: u64,
}

impl Rational {
    /// Returns the number in seconds; `None` if the denominator is 0.
    pub fn seconds(self) -> Option<f64> {
        (self.denominator > 0)
            .then(|| to_float(self.numerator.into()) / to_float(self.denominator.into()))
    }

    /// Returns the number as a duration, rounded down to nanoseconds; `None` if the denominator is 0.
    pub fn duration(self) -> Option<Duration> {
        let (numerator, denominator) = (u128::from(self.numerator), u128::from(self.denominator));
        let seconds = u64::try_from(numerator.checked_div(denominator)?).ok()?;
        let nanoseconds = numerator % denominator * 1_000_000_000 / denominator;
        Some(Duration::new(seconds, u32::try_from(nanoseconds).ok()?))
    }

    pub(super) fn parse(mut reader: Reader<'_>) -> Option<Self> {
        let Head::Array(mut items) = reader.next_untagged().ok()? else {
            return None;
        };
        let mut next = || match reader.has_more(&mut items).ok()? {
            true => into_count(reader.next_untagged().ok()?),
            false => None,
        };
        let (numerator, denominator) = (next()?, next()?);
        let is_end = !reader.has_more(&mut items).ok()?;
        is_end.then_some(Self { numerator, denominator })
    }
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

/// Returns the float next to a whole number.
pub(super) fn to_float(number: i128) -> f64 {
    let magnitude = number.unsigned_abs();
    let word = |shift: u32| {
        let [b0, b1, b2, b3, ..] = (magnitude >> shift).to_le_bytes();
        f64::from(u32::from_le_bytes([b0, b1, b2, b3]))
    };
    let scale = 4_294_967_296.0;
    let float = ((word(96) * scale + word(64)) * scale + word(32)) * scale + word(0);
    if number < 0 { -float } else { float }
}

/// Returns the whole number that a float is, if it is one.
fn to_count(number: f64) -> Option<u64> {
    let is_exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    // The text of a whole float of up to 2^53 is that of a whole number.
    is_exact.then(|| format!("{number:.0}").parse().ok()).flatten()
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
            // A channel may have none.
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

/// Reads a text behind any tags.
pub(super) fn text(item: Item<'_>) -> Option<Cow<'_, str>> {
    into_text(item.scalar()?)
}

pub(super) fn into_text(head: Head<'_>) -> Option<Cow<'_, str>> {
    match head {
        Head::Text(text) => text,
        _ => None,
    }
}

/// Returns the whole number from 0 up that a value is, if it is one.
pub(super) fn into_count(head: Head<'_>) -> Option<u64> {
    match head {
        Head::Integer(number) => number.try_into().ok(),
        Head::Float(number) => to_count(number),
        _ => None,
    }
}

/// Reads the values of a list.
fn list(item: Item<'_>) -> Option<Vec<Item<'_>>> {
    let mut reader = item.reader();
    let Head::Array(mut items) = reader.next_untagged().ok()? else {
        return None;
    };
    let mut values = Vec::new();
    while reader.has_more(&mut items).ok()? {
        values.push(item.next(&mut reader)?);
    }
    Some(values)
}

/// Reads the keys and values of a map.
pub(super) fn pairs(item: Item<'_>) -> Option<Vec<(Key<'_>, Item<'_>)>> {
    let mut reader = item.reader();
    let Head::Map(mut items) = reader.next_untagged().ok()? else {
        return None;
    };
    let mut pairs = Vec::new();
    while reader.has_more(&mut items).ok()? {
        let key = Key::next(&mut reader, MESSAGE_DEPTH, item.source).ok()?;
        pairs.push((key, item.next(&mut reader)?));
    }
    Some(pairs)
}
