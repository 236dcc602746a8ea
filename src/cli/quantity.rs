//! Durations, sizes and rates as people write them.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

/// Bytes of a KiB, MiB, GiB and TiB.
const KIBIBYTE: f64 = 1024.0;
const MEBIBYTE: f64 = 1024.0 * KIBIBYTE;
const GIBIBYTE: f64 = 1024.0 * MEBIBYTE;
const TEBIBYTE: f64 = 1024.0 * GIBIBYTE;

/// Reads `500ms`, `10s`, `2m` or `2min`, `1h` or `1d`; a bare number is seconds.
///
/// # Errors
/// Where it is none of these.
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
    let error = || format!("expected a duration such as 500ms, 10s or 2m, found '{text}'");
    let seconds = scaled(text, &UNITS, 1.0).ok_or_else(error)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Reads a duration as [`parse_duration`] does, but not none at all.
///
/// # Errors
/// Where it is no duration, or zero.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("expected a duration above 0".to_owned()),
        interval => Ok(interval),
    }
}

/// Reads a number of 1 or more, as the type `N` takes no 0.
///
/// # Errors
/// Where it is none.
pub fn parse_count<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => format!("'{text}' is too large"),
        _ => format!("expected a number from 1 on, found '{text}'"),
    })
}

/// A size that somebody gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// In whole bytes.
    pub bytes: usize,
    /// In MiB, with its fraction.
    pub mebibytes: f64,
}

/// Reads a size such as `64KiB`, `8MB` or `10G`; a bare number is MiB, as in the original, and may be
/// a fraction. As for GNU's tools, `K`, `M`, `G` and `T` alone are powers of 1024, with a `B` of 1000.
///
/// # Errors
/// Where it is none of these, or more than a PB.
pub fn parse_size(text: &str) -> Result<Size, String> {
    const UNITS: [(&str, f64); 15] = [
        ("KiB", KIBIBYTE),
        ("MiB", MEBIBYTE),
        ("GiB", GIBIBYTE),
        ("TiB", TEBIBYTE),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("B", 1.0),
        ("k", KIBIBYTE),
        ("K", KIBIBYTE),
        ("M", MEBIBYTE),
        ("G", GIBIBYTE),
        ("T", TEBIBYTE),
    ];
    let size = scaled(text, &UNITS, MEBIBYTE).filter(|bytes| *bytes <= 1e15);
    let size = size.ok_or_else(|| {
        format!("expected a size such as 64KiB, 8MB or 1.5 (MiB), found '{text}'")
    })?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, checked to be in range, and a fraction of a byte is to be cut off"
    )]
    let bytes = size as usize;
    Ok(Size { bytes, mebibytes: size / MEBIBYTE })
}

/// Reads `100`, `100Hz` or `2.5kHz` as messages per second, from one in eleven days to one in a
/// nanosecond.
///
/// # Errors
/// Where it is none of these.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    const UNITS: [(&str, f64); 3] = [("kHz", 1e3), ("MHz", 1e6), ("Hz", 1.0)];
    scaled(text, &UNITS, 1.0).filter(|rate| (1e-6..=1e9).contains(rate)).ok_or_else(|| {
        format!(
            "expected a rate such as 100, 100Hz or 2kHz, from 1e-6 Hz to 1e9 Hz, found '{text}'"
        )
    })
}

/// Reads a number that is not negative with one of the units, or with none.
pub(super) fn scaled(text: &str, units: &[(&str, f64)], bare: f64) -> Option<f64> {
    let (number, scale) = units
        .iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))
        .unwrap_or((text, bare));
    let number: f64 = number.trim_end().parse().ok()?;
    let value = number * scale;
    (value.is_finite() && value >= 0.0).then_some(value)
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
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
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
        ] {
            assert_eq!(parse_size(text).map(|size| size.bytes), Ok(bytes), "{text}");
        }
        for text in ["", "-1", "1 parsec", "1e300", "9999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
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
        for (text, rate) in [("100", 100.0), ("2.5kHz", 2500.0), ("1e-6", 1e-6), ("1000 MHz", 1e9)]
        {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        for text in ["0", "-1", "1e-30", "9e-7 Hz", "1.1e9", "1e30", "inf"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
