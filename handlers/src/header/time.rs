//! Times as headers have them: [`Timestamp`] of bsread; [`DateTime`] and [`Rational`] of the stream V2.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cbor::{Head, Reader, into_count, to_float};

/// More seconds than any clock has: these are milliseconds, or bytes in the wrong order.
pub(crate) const ABSURD: i64 = 100_000_000_000;

/// A time since the beginning of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// The seconds.
    pub seconds: i64,
    /// The nanoseconds in the second.
    pub nanoseconds: i64,
}

impl Timestamp {
    /// Makes a timestamp.
    pub const fn new(seconds: i64, nanoseconds: i64) -> Self {
        Self { seconds, nanoseconds }
    }

    /// Returns the nanoseconds since 1970; `None` if they are negative or too many.
    pub fn unix_nanoseconds(self) -> Option<u64> {
        let time = i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds);
        time.try_into().ok()
    }

    /// Makes a time from the two numbers of a main header.
    pub(crate) fn of_main_header(seconds: i64, nanoseconds: i64) -> Self {
        if seconds <= ABSURD {
            return Self::new(seconds, nanoseconds);
        }
        // These are milliseconds. `ns` holds either a fraction of one millisecond, or all
        // nanoseconds of the second.
        let milliseconds = if (0..1_000_000).contains(&nanoseconds) { seconds % 1000 } else { 0 };
        Self::new(seconds / 1000, nanoseconds.saturating_add(milliseconds * 1_000_000))
    }
}

/// The seconds and the nanoseconds, as in canonical JSON.
impl From<Timestamp> for Value {
    fn from(Timestamp { seconds, nanoseconds }: Timestamp) -> Self {
        json!([seconds, nanoseconds])
    }
}

/// A date and a time as text, as RFC 3339 writes them: `2023-10-03T17:47:49.434+02:00`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DateTime(pub String);

impl DateTime {
    /// Returns the nanoseconds since 1970; `None` if the text does not follow RFC 3339, or its time
    /// is before 1970.
    ///
    /// ```
    /// use mflow_handlers::header::DateTime;
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
/// use mflow_handlers::header::Rational;
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

    pub(crate) fn parse(mut reader: Reader<'_>) -> Option<Self> {
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
