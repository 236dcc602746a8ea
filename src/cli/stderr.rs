//! What the programs print besides their results: it cannot control the terminal.

use std::fmt;
use std::io::{Write, stderr};

use crate::printable::{printable, printable_lines};

/// Writes a line to stderr, at once. A failed write is ignored: the run continues.
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
