//! What the programs say besides their results.

use std::fmt;
use std::io::{Write, stderr};

/// Writes a line to stderr, at once. Whoever does not read it any more misses nothing else by it.
pub(super) fn say(text: fmt::Arguments<'_>) {
    let _ = stderr().write_all(format!("{text}\n").as_bytes());
}
