//! Finds addresses that cannot be used together, however they are written.

use std::path::PathBuf;

use crate::location::Location;
use crate::stream::Attach;

/// Why two addresses of a configuration cannot be used together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// They are the same place.
    Same,
    /// Only one of them can be bound.
    Bound,
    /// Messages sent to one arrive from the other.
    Loop,
}

impl Clash {
    /// Returns why an address cannot be used beside one that is taken.
    pub(super) fn of(
        (address, attach): (&Location, Attach),
        (taken, taken_attach): (&Location, Attach),
    ) -> Option<Self> {
        if place(address) == place(taken) && !address.to_string().ends_with(":*") {
            return Some(Self::Same);
        }
        let (address, taken) = (address.address()?, taken.address()?);
        match (attach, taken_attach) {
            _ if !address.excludes(&taken) => None,
            (Attach::Bind, Attach::Bind) => Some(Self::Bound),
            (Attach::Bind, Attach::Connect) if taken.is_loopback() => Some(Self::Loop),
            _ => None,
        }
    }

    /// Describes the clash for an address; `other` is the key of the one that is taken.
    pub(super) fn describe(self, address: &Location, other: &str, taken: &Location) -> String {
        match self {
            Self::Same if address == taken => format!("'{address}' is the address of {other} too"),
            Self::Same => format!("'{address}' is the address of {other} too, as '{taken}'"),
            Self::Bound => format!("'{address}' is bound by {other} already, as '{taken}'"),
            Self::Loop => format!("'{address}' would send to {other}, which connects to '{taken}'"),
        }
    }
}

/// Returns a comparable form of a location: the components of a path, without `./` and a slash at
/// the end.
fn place(location: &Location) -> PathBuf {
    let address = location.address();
    let path = location.path().or_else(|| address.as_ref()?.socket_path());
    match path {
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            path.components().collect()
        }
        None => location.as_os_str().into(),
    }
}
