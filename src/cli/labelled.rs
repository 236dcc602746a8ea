//! Sources that have a name of their own on a command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::builder::{OsStringValueParser, TypedValueParser};

use super::standard::input;
use crate::error::Result;
use crate::location::Location;
use crate::printable::is_hidden;
use crate::tools::dump::Input;

/// The most bytes that the name of a source has.
const LONGEST: usize = 128;

/// The address or path of a source, as `tcp://host:9999` or with its name in a recording, as
/// `a=tcp://host:9999`.
///
/// The text before the first `=` is a name if an address follows. A path has no name, because its
/// recording has the names of its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The name, if it has one.
    pub label: Option<String>,
    /// The address or path.
    pub address: OsString,
}

impl Labelled {
    /// Returns a parser for clap.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().try_map(|text| Self::parse(&text))
    }

    /// Reads `NAME=ADDRESS`, or an address or a path alone.
    ///
    /// # Errors
    /// If the name is not valid.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let unnamed = || Self { label: None, address: text.to_owned() };
        let bytes = text.as_bytes();
        let Some(at) = bytes.iter().position(|byte| *byte == b'=') else { return Ok(unnamed()) };
        let (label, address) =
            (OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..]));
        let is_address = |text: &OsStr| Location::has_scheme(text);
        // The path of a recording may contain an `=`, and so may an address.
        let is_named = is_address(address) || is_plain(label);
        if !is_named || is_address(label) || Path::new(text).exists() {
            return Ok(unnamed());
        }
        Ok(Self { label: Some(check(label)?), address: address.to_owned() })
    }

    /// Returns whether it is a stream.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        Location::has_scheme(&self.address)
    }

    /// Returns the path, if it is no stream: that of the standard input for `-`.
    #[must_use]
    pub fn path(&self) -> &Path {
        input(&self.address)
    }

    /// Returns it as a source of messages.
    ///
    /// # Errors
    /// If it is neither an address nor a path.
    pub fn input(&self) -> Result<Input> {
        let location = self.path().as_os_str().try_into()?;
        Ok(Input { label: self.label.clone(), location })
    }
}

/// Returns whether this is a name and cannot be a path, whatever follows.
fn is_plain(label: &OsStr) -> bool {
    let mut chars = label.to_str().unwrap_or_default().chars();
    chars.next().is_some_and(char::is_alphanumeric)
        && chars.all(|char| char.is_alphanumeric() || "_.-".contains(char))
}

/// Checks the name of a source.
fn check(label: &OsStr) -> Result<String, String> {
    let name = label.to_string_lossy();
    let reason = if name.is_empty() {
        "it is empty"
    } else if label.to_str().is_none() {
        "it is not UTF-8"
    } else if name.contains(is_hidden) {
        "it has a character that is not visible"
    } else if name.len() > LONGEST {
        "it is longer than 128 bytes"
    } else {
        return Ok(name.into_owned());
    };
    Err(format!("'{name}' is no name of a source: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_text_before_the_first_equals_sign_and_an_address() {
        for (text, label, address) in [
            ("a=tcp://host:1", Some("a"), "tcp://host:1"),
            ("eiger-2=ipc:///tmp/x=y", Some("eiger-2"), "ipc:///tmp/x=y"),
            ("det 1=tcp://host:1", Some("det 1"), "tcp://host:1"),
            ("a/b=tcp://host:1", Some("a/b"), "tcp://host:1"),
            ("SAR-BPM:EvtSet=tcp://host:1", Some("SAR-BPM:EvtSet"), "tcp://host:1"),
            ("$(P)m1.RBV=tcp://host:1", Some("$(P)m1.RBV"), "tcp://host:1"),
            ("Detektor süd=tcp://host:1", Some("Detektor süd"), "tcp://host:1"),
            ("tcp://host:1", None, "tcp://host:1"),
            ("ipc:///tmp/x=y", None, "ipc:///tmp/x=y"),
            ("./run=5.mcap", None, "./run=5.mcap"),
            ("a=run.mcap", Some("a"), "run.mcap"),
        ] {
            let expected = Labelled { label: label.map(str::to_owned), address: address.into() };
            assert_eq!(Labelled::parse(OsStr::new(text)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_label_that_is_refused_is_named() {
        let long = format!("{}=tcp://host:1", "x".repeat(129));
        for (text, name, reason) in [
            (&b"=tcp://host:1"[..], "", "it is empty"),
            (b"a\x1b[2J=tcp://host:1", "a\x1b[2J", "it has a character that is not visible"),
            (b"a\xe4=tcp://host:1", "a\u{fffd}", "it is not UTF-8"),
            (long.as_bytes(), &long[..129], "it is longer than 128 bytes"),
        ] {
            let expected = format!("'{name}' is no name of a source: {reason}");
            assert_eq!(Labelled::parse(OsStr::from_bytes(text)), Err(expected));
        }
    }
}
