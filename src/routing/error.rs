//! [`Error`]: failures of splits and their configurations.

use std::fmt;
use std::path::PathBuf;

use crate::error::{self, ErrorKind};

/// What failed with a split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration that cannot be used.
    #[error("{}: {}{reason}", file.display(), Prefix(key))]
    Config {
        /// The file.
        file: PathBuf,
        /// The key in it, such as `streams[1].modulo`; empty for the whole.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// All outputs of a split have failed. Each has an error of its own.
    #[error("no output is left")]
    NoOutput,
}

/// A key and a colon; nothing if there is no key.
struct Prefix<'a>(&'a str);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let (kind, place) = match &error {
            Error::Config { file, .. } => (ErrorKind::Configuration, file.display().to_string()),
            Error::NoOutput => (ErrorKind::Io, String::new()),
        };
        Self::new(kind, place, error)
    }
}
