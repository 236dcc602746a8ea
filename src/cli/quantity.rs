//! Durations, sizes and rates as people write them.

use std::num::{IntErrorKind, ParseIntError};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Bytes of a KiB, MiB, GiB and TiB.
const KIBIBYTE: f64 = 1024.0;
const MEBIBYTE: f64 = 1024.0 * KIBIBYTE;
const GIBIBYTE: f64 = 1024.0 * MEBIBYTE;
const TEBIBYTE: f64 = 1024.0 * GIBIBYTE;

/// Reads `500ms`, `10s`, `2m` or `2min`, `1h` or `1d`, in any case; a bare number is seconds.
///
/// # Errors
/// If it is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 7] = [
        ("us", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("min", 60.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", 86400.0),
    ];
    let expected = "a duration such as 500ms, 10s or 2m";
    let seconds = Quantity::of(text).scaled(&UNITS, 1.0, expected)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("expected {expected}, found '{text}'"))
}

/// Reads a duration as [`parse_duration`] does, above 0.
///
/// # Errors
/// If it is no duration, or zero.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("expected a duration above 0".to_owned()),
        interval => Ok(interval),
    }
}

/// Reads a number of 1 or more, because the type `N` has no 0.
///
/// # Errors
/// If it is no such number.
pub fn parse_count<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => format!("'{text}' is too large"),
        _ => format!("expected a number from 1 on, found '{text}'"),
    })
}

/// A size from the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// In whole bytes.
    pub bytes: usize,
    /// In MB as m_generate prints it: a bare number is printed unchanged, as psi-mflow does,
    /// although it is in MiB.
    pub megabytes: f64,
}

/// Reads a size such as `64KiB`, `8MB` or `10G`; a bare number is MiB, as in the original, and may be
/// a fraction. As for GNU's tools, `K`, `M`, `G` and `T` alone are powers of 1024, with a `B` of 1000.
/// The case matters for `b` alone, which may be bits.
///
/// # Errors
/// If it is none of these, or more than a PB.
pub fn parse_size(text: &str) -> Result<Size, String> {
    const UNITS: [(&str, f64); 13] = [
        ("KiB", KIBIBYTE),
        ("MiB", MEBIBYTE),
        ("GiB", GIBIBYTE),
        ("TiB", TEBIBYTE),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("B", 1.0),
        ("K", KIBIBYTE),
        ("M", MEBIBYTE),
        ("G", GIBIBYTE),
        ("T", TEBIBYTE),
    ];
    let expected = "a size such as 64KiB, 8MB or 1.5 (MiB)";
    let quantity = Quantity::of(text);
    let size = quantity.scaled(&UNITS, MEBIBYTE, expected)?;
    if size > 1e15 {
        return Err(format!("expected {expected}, up to 1 PB, found '{text}'"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, checked to be in range, and a fraction of a byte is to be cut off"
    )]
    let bytes = size as usize;
    let megabyte = if quantity.unit.is_empty() { MEBIBYTE } else { 1e6 };
    Ok(Size { bytes, megabytes: size / megabyte })
}

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MessageRate {
    /// At full speed.
    Max,
    /// Messages per second.
    Hertz(f64),
}

impl MessageRate {
    /// Returns the messages per second; none at full speed.
    #[must_use]
    pub fn hertz(self) -> Option<f64> {
        match self {
            Self::Max => None,
            Self::Hertz(rate) => Some(rate),
        }
    }
}

/// Reads `100`, `100Hz` or `2.5kHz` as messages per second, from one in eleven days to one in a
/// nanosecond, or `max`.
///
/// # Errors
/// If it is none of these.
pub fn parse_rate(text: &str) -> Result<MessageRate, String> {
    if text.eq_ignore_ascii_case("max") {
        return Ok(MessageRate::Max);
    }
    let expected = "a rate such as 100, 100Hz, 2kHz or max";
    let rate = Quantity::of(text).scaled(&HERTZ, 1.0, expected)?;
    let rate = Some(rate).filter(|rate| HERTZ_RANGE.contains(rate));
    rate.map(MessageRate::Hertz)
        .ok_or_else(|| format!("expected {expected}, from 1e-6 Hz to 1e9 Hz, found '{text}'"))
}

/// The units of messages per second.
pub(super) const HERTZ: [(&str, f64); 3] = [("kHz", 1e3), ("MHz", 1e6), ("Hz", 1.0)];
/// How many messages per second there may be.
pub(super) const HERTZ_RANGE: RangeInclusive<f64> = 1e-6..=1e9;

/// A number and its unit, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantity<'a> {
    text: &'a str,
    number: Option<f64>,
    pub(super) unit: &'a str,
}

impl<'a> Quantity<'a> {
    /// Reads a number and, behind it, its unit.
    pub(super) fn of(text: &'a str) -> Self {
        let is_digit = |c: char| c.is_ascii_digit() || c == '.';
        let end = text.rfind(is_digit).map_or(0, |at| at + 1);
        let (number, unit) = text.split_at(end);
        Self { text, number: number.parse().ok(), unit: unit.trim_start() }
    }

    /// Returns the number, not negative, in the unit of 1; without a unit, `bare` is its unit.
    /// The case of a unit does not matter if it has one meaning only.
    pub(super) fn scaled(
        self,
        units: &[(&str, f64)],
        bare: f64,
        expected: &str,
    ) -> Result<f64, String> {
        let Self { text, number, unit } = self;
        let error = |hint: &str| format!("expected {expected}, found '{text}'{hint}");
        let known = units.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit));
        let scale = match known {
            Some((known, scale)) if *known == unit || !is_ambiguous(unit) => *scale,
            None if unit.is_empty() => bare,
            Some((known, _)) if number.is_some() => {
                let other = if *known == "MHz" { "mHz".to_owned() } else { bits(known) };
                return Err(error(&format!(": {known} or {other}?")));
            }
            _ => return Err(error("")),
        };
        let value = number.map(|number| number * scale);
        let value = value.filter(|value| value.is_finite() && *value >= 0.0);
        value.ok_or_else(|| error(""))
    }
}

/// Returns whether a unit in another case means something else: bits, or a thousandth.
fn is_ambiguous(unit: &str) -> bool {
    let size = unit.split('/').next().unwrap_or(unit);
    let has_bits = size.ends_with('b') && !size.ends_with("ib");
    has_bits || (unit.starts_with('m') && unit.eq_ignore_ascii_case("mhz"))
}

/// Returns the name of the same unit for bits.
fn bits(unit: &str) -> String {
    unit.replacen('B', if unit.contains('/') { "bit" } else { "b" }, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("2min", 120_000),
            ("1d", 86_400_000),
            ("1.5", 1500),
            ("0", 0),
            ("3 s", 3000),
            ("500MS", 500),
            ("10S", 10_000),
            ("2Min", 120_000),
            ("1D", 86_400_000),
            ("1e1s", 10_000),
            ("5us", 0),
        ] {
            let duration = parse_duration(text).map(|duration| duration.as_millis());
            assert_eq!(duration, Ok(milliseconds), "{text}");
        }
        for text in ["", "s", "-1", "1w", "nan", "inf", "1e300"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units_or_are_mebibytes() {
        for (text, bytes) in [
            ("1", 1 << 20),
            ("0.5", 1 << 19),
            ("64KiB", 65_536),
            ("8MB", 8_000_000),
            ("16B", 16),
            ("100KB", 100_000),
            ("1.5k", 1536),
            ("10G", 10 << 30),
            ("2TB", 2_000_000_000_000),
            ("100kB", 100_000),
            ("64kib", 65_536),
            ("8mB", 8_000_000),
            ("2m", 2 << 20),
        ] {
            assert_eq!(parse_size(text).map(|size| size.bytes), Ok(bytes), "{text}");
        }
        for text in ["", "-1", "1 parsec", "1e300", "9999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_with_a_unit_is_printed_as_it_was_meant() {
        for (text, megabytes) in [("8MB", 8.0), ("1MiB", 1.048_576), ("64KiB", 0.065_536)] {
            assert_eq!(parse_size(text).map(|size| size.megabytes), Ok(megabytes), "{text}");
        }
        // psi-mflow prints MiB as MB.
        assert_eq!(parse_size("1.5").map(|size| size.megabytes), Ok(1.5));
    }

    #[test]
    fn a_unit_with_two_meanings_is_an_error_that_names_both() {
        for (text, hint) in [("1mb", "MB or Mb?"), ("2Gb", "GB or Gb?"), ("16b", "B or b?")] {
            let expected = "expected a size such as 64KiB, 8MB or 1.5 (MiB), found";
            assert_eq!(parse_size(text), Err(format!("{expected} '{text}': {hint}")));
        }
        let error = parse_rate("2mHz").unwrap_err();
        assert!(error.ends_with("found '2mHz': MHz or mHz?"), "{error}");
        assert!(!parse_size("mb").unwrap_err().contains('?'), "there is no number");
    }

    #[test]
    fn counts_begin_with_one() {
        let count = parse_count::<std::num::NonZeroU64>;
        assert_eq!(count("7").unwrap().get(), 7);
        for (text, error) in [
            ("0", "expected a number from 1 on, found '0'"),
            ("-1", "expected a number from 1 on, found '-1'"),
            ("18446744073709551616", "'18446744073709551616' is too large"),
        ] {
            assert_eq!(count(text).unwrap_err(), error);
        }
    }

    #[test]
    fn rates_are_what_can_be_waited_for() {
        for (text, rate) in [
            ("100", 100.0),
            ("2.5kHz", 2500.0),
            ("1e-6", 1e-6),
            ("1000 MHz", 1e9),
            ("10hz", 10.0),
            ("2KHZ", 2000.0),
            ("1Mhz", 1e6),
        ] {
            assert_eq!(parse_rate(text), Ok(MessageRate::Hertz(rate)), "{text}");
        }
        for text in ["max", "MAX"] {
            assert_eq!(parse_rate(text), Ok(MessageRate::Max));
        }
        for text in ["0", "-1", "1e-30", "9e-7 Hz", "1.1e9", "1e30", "inf", "Hz", "1 MB"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
