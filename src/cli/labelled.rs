//! Sources that have a name of their own on a command line.

use std::convert::Infallible;
use std::path::Path;
use std::str::FromStr;

/// The address or path of a source, as `tcp://host:9999` or with its name in a recording, as
/// `a=tcp://host:9999`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The name, where it has one.
    pub label: Option<String>,
    /// The address or path.
    pub address: String,
}

impl FromStr for Labelled {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_name = |label: &str| {
            let mut chars = label.chars();
            chars.next().is_some_and(char::is_alphanumeric)
                && chars.all(|char| char.is_alphanumeric() || "_.-".contains(char))
        };
        Ok(match text.split_once('=') {
            Some((label, address)) if is_name(label) && !Path::new(text).exists() => {
                Self { label: Some(label.to_owned()), address: address.to_owned() }
            }
            _ => Self { label: None, address: text.to_owned() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_before_the_first_equals_sign() {
        for (text, label, address) in [
            ("a=tcp://host:1", Some("a"), "tcp://host:1"),
            ("eiger-2=ipc:///tmp/x=y", Some("eiger-2"), "ipc:///tmp/x=y"),
            ("tcp://host:1", None, "tcp://host:1"),
            ("./run=5.mcap", None, "./run=5.mcap"),
            ("=tcp://host:1", None, "=tcp://host:1"),
        ] {
            let label = label.map(str::to_owned);
            let expected = Labelled { label, address: address.to_owned() };
            assert_eq!(text.parse(), Ok(expected));
        }
    }
}
