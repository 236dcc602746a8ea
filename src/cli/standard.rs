//! `-` on a command line: the standard input or output.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::os::{STDIN, STDOUT};

/// The argument for the standard input or output; `./-` is a file of this name.
const STANDARD: &str = "-";

/// Returns the path to read: the standard input for `-`.
#[must_use]
pub(super) fn input(text: &OsStr) -> &Path {
    Path::new(if text == STANDARD { OsStr::new(STDIN) } else { text })
}

/// Returns the path to write: the standard output for `-`.
#[must_use]
pub fn output(text: &OsStr) -> &Path {
    Path::new(if text == STANDARD { OsStr::new(STDOUT) } else { text })
}

/// Returns a parser for clap of paths that are read.
pub fn input_parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| input(path.as_os_str()).to_owned())
}

/// Returns a parser for clap of paths that are written.
pub fn output_parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| output(path.as_os_str()).to_owned())
}

/// Returns whether a path is the standard input or output, and this is a terminal.
#[must_use]
pub fn is_terminal(path: &Path) -> bool {
    path == Path::new(STDIN) && io::stdin().is_terminal()
        || path == Path::new(STDOUT) && io::stdout().is_terminal()
}
