//! Texts and numbers, read tolerantly: a whole number may be sent as a float, and a float as a
//! whole number.

use std::borrow::Cow;

use super::reader::Head;

/// Returns the float next to a whole number.
pub(crate) fn to_float(number: i128) -> f64 {
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
    // A whole float of up to 2^53 has the text of a whole number.
    is_exact.then(|| format!("{number:.0}").parse().ok()).flatten()
}

pub(crate) fn into_text(head: Head<'_>) -> Option<Cow<'_, str>> {
    match head {
        Head::Text(text) => text,
        _ => None,
    }
}

/// Returns the value as a whole number from 0 up, if it is one.
pub(crate) fn into_count(head: Head<'_>) -> Option<u64> {
    match head {
        Head::Integer(number) => number.try_into().ok(),
        Head::Float(number) => to_count(number),
        _ => None,
    }
}
