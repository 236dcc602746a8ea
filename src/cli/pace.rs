//! How fast to replay and where to start, as people write it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::quantity::{HERTZ, HERTZ_RANGE, Quantity, parse_duration};
use crate::endpoint::Timestamp;
use crate::recording::Place;
use crate::tools::replay::Rate;

/// Reads `recorded`, `2x`, `100Hz`, `400MB/s`, `5Gbit/s` or `max`; a bare number is messages per
/// second, as it is for m_generate.
///
/// # Errors
/// If it is none of these, or too slow or too fast to make sense.
pub fn parse_pace(text: &str) -> Result<Rate, String> {
    const BYTES: [(&str, f64); 11] = [
        ("kbit/s", 125.0),
        ("Mbit/s", 125e3),
        ("Gbit/s", 125e6),
        ("bit/s", 0.125),
        ("KiB/s", 1024.0),
        ("MiB/s", 1_048_576.0),
        ("GiB/s", 1_073_741_824.0),
        ("kB/s", 1e3),
        ("MB/s", 1e6),
        ("GB/s", 1e9),
        ("B/s", 1.0),
    ];
    let expected = "a rate such as recorded, 2x, 100 or 100Hz, 400MB/s, 5Gbit/s or max";
    let quantity = Quantity::of(text);
    let within = |units: &[(&str, f64)], range: RangeInclusive<f64>| {
        let value = quantity.scaled(units, 1.0, expected)?;
        let value = Some(value).filter(|value| range.contains(value));
        value.ok_or_else(|| format!("expected {expected}, found '{text}'"))
    };
    if text.eq_ignore_ascii_case("recorded") {
        Ok(Rate::Recorded(1.0))
    } else if text.eq_ignore_ascii_case("max") {
        Ok(Rate::Max)
    } else if quantity.unit.contains('/') {
        within(&BYTES, 1e-6..=1e15).map(Rate::Bytes)
    } else if quantity.unit.eq_ignore_ascii_case("x") {
        within(&[("x", 1.0)], 1e-6..=1e6).map(Rate::Recorded)
    } else {
        within(&HERTZ, HERTZ_RANGE).map(Rate::Messages)
    }
}

/// From this bare number on, it cannot mean seconds from the start: three years.
const TOO_LONG: Duration = Duration::from_secs(100_000_000);

/// Reads a time in a recording: a duration from its start such as `10s`, a time of day such as
/// `2026-01-31T12:00:00.5Z` or `2026-01-31T13:00:00+01:00`, or `@1769860800.5` in seconds since 1970.
///
/// # Errors
/// If it is none of these.
pub fn parse_moment(text: &str) -> Result<Place, String> {
    let error = |what: &str| {
        format!("expected {what} such as 10s, 2026-01-31T12:00:00Z or @1769860800, found '{text}'")
    };
    if let Some(seconds) = text.strip_prefix('@') {
        let time = parse_unix(seconds).ok_or_else(|| error("a time"))?;
        return Ok(Place::Time(time));
    }
    if text.as_bytes().get(4) == Some(&b'-') {
        let time = parse_rfc3339(text).ok_or_else(|| error("a time with its zone"))?;
        return Ok(Place::Time(time));
    }
    match parse_duration(text) {
        Ok(offset) if offset < TOO_LONG => Ok(Place::Offset(offset)),
        Ok(_) => Err(error(
            "a time from the start of the recording, or one with @ in seconds since 1970,",
        )),
        Err(_) => Err(error("a time")),
    }
}

/// Reads seconds since 1970 to the nanosecond.
fn parse_unix(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nanoseconds = number::<u64>(whole)?.checked_mul(1_000_000_000)?;
    Some(Timestamp::from_nanos(nanoseconds.checked_add(billionths(fraction)?)?))
}

/// Reads `2026-01-31T12:00:00.5+01:00`.
fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// Reads digits alone: no sign, which Rust would accept.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// Reads the decimals of seconds as nanoseconds; further decimals are cut off.
fn billionths(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number(&format!("{digits:0<9.9}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_speed_or_a_rate_of_messages_or_bytes() {
        for (text, rate) in [
            ("recorded", Rate::Recorded(1.0)),
            ("2x", Rate::Recorded(2.0)),
            ("0.5x", Rate::Recorded(0.5)),
            ("100", Rate::Messages(100.0)),
            ("2kHz", Rate::Messages(2000.0)),
            ("400MB/s", Rate::Bytes(4e8)),
            ("1 MiB/s", Rate::Bytes(1_048_576.0)),
            ("5Gbit/s", Rate::Bytes(6.25e8)),
            ("8bit/s", Rate::Bytes(1.0)),
            ("max", Rate::Max),
            ("Max", Rate::Max),
            ("Recorded", Rate::Recorded(1.0)),
            ("2X", Rate::Recorded(2.0)),
            ("10hz", Rate::Messages(10.0)),
            ("5gbit/s", Rate::Bytes(6.25e8)),
            ("1 KB/S", Rate::Bytes(1000.0)),
        ] {
            assert_eq!(parse_pace(text), Ok(rate), "{text}");
        }
        for text in ["", "x", "0x", "-1x", "0", "1/s", "MB/s", "0B/s", "fast", "1e300x", "5 Gb/s"] {
            assert!(parse_pace(text).is_err(), "{text}");
        }
        let error = parse_pace("5 Gb/s").unwrap_err();
        assert!(error.ends_with("found '5 Gb/s': GB/s or Gbit/s?"), "{error}");
    }

    #[test]
    fn a_moment_is_an_offset_or_a_time() {
        let time = |nanoseconds| Ok(Place::Time(Timestamp::from_nanos(nanoseconds)));
        const NOON: u64 = 1_769_860_800_000_000_000;
        for (text, place) in [
            ("10s", Ok(Place::Offset(Duration::from_secs(10)))),
            ("1.5", Ok(Place::Offset(Duration::from_millis(1500)))),
            ("2026-01-31T12:00:00Z", time(NOON)),
            ("2026-01-31 12:00:00.25z", time(NOON + 250_000_000)),
            ("2026-01-31T13:00:00.000000001+01:00", time(NOON + 1)),
            ("2026-01-31T06:30:00-05:30", time(NOON)),
            ("@1769860800", time(NOON)),
            ("@1769860800.0000000019", time(NOON + 1)),
            ("1970-01-01T00:00:00Z", time(0)),
            ("2000-02-29T00:00:00Z", time(951_782_400_000_000_000)),
            ("2100-03-01T00:00:00Z", time(4_107_542_400_000_000_000)),
        ] {
            assert_eq!(parse_moment(text), place, "{text}");
        }
        for text in [
            "",
            "@",
            "@-1",
            "@1.",
            "@99999999999",
            "1769860800",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00+99:00",
            "2026-01-31T+2:00:00Z",
            "2026-ä1-31T12:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "9999-01-01T00:00:00Z",
            "soon",
        ] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }
}
