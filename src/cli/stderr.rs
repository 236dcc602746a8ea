//! What the programs say besides their results: nothing in it controls the terminal.

use std::fmt;
use std::io::{Write, stderr};

use crate::printable::{printable, printable_lines};

/// Writes a line to stderr, at once. Whoever does not read it any more misses nothing else by it.
pub(super) fn say(text: fmt::Arguments<'_>) {
    write(&printable(&text.to_string()));
}

/// Writes lines to stderr, at once.
pub(super) fn say_lines(text: fmt::Arguments<'_>) {
    write(&printable_lines(&text.to_string()));
}

fn write(text: &str) {
    let _ = stderr().write_all(format!("{text}\n").as_bytes());
}
