//! Addresses that cannot be used beside each other, whatever they are called.

use std::path::Path;

use crate::location::Location;
use crate::stream::Attach;

/// Why two addresses of a configuration cannot be used together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// They are the same place.
    Same,
    /// Only one of them can be bound.
    Bound,
    /// What is sent to one comes back from the other.
    Loop,
}

impl Clash {
    /// Tells why an address cannot be used beside one that is taken.
    pub(super) fn of(
        (address, attach): (&Location, Attach),
        (taken, taken_attach): (&Location, Attach),
    ) -> Option<Self> {
        if place(address) == place(taken) && !address.to_string().ends_with(":*") {
            return Some(Self::Same);
        }
        let (Location::Stream(address), Location::Stream(taken)) = (address, taken) else {
            return None;
        };
        match (attach, taken_attach) {
            _ if !address.excludes(taken) => None,
            (Attach::Bind, Attach::Bind) => Some(Self::Bound),
            (Attach::Bind, Attach::Connect) if taken.is_loopback() => Some(Self::Loop),
            _ => None,
        }
    }

    /// Says so of an address; `other` is the key of the one that is taken.
    pub(super) fn tell(self, address: &Location, other: &str, taken: &Location) -> String {
        match self {
            Self::Same if address == taken => format!("'{address}' is the address of {other} too"),
            Self::Same => format!("'{address}' is the address of {other} too, as '{taken}'"),
            Self::Bound => format!("'{address}' is bound by {other} already, as '{taken}'"),
            Self::Loop => format!("'{address}' would send to {other}, which connects to '{taken}'"),
        }
    }
}

/// Returns what an address or a path stands for.
fn place(location: &Location) -> Location {
    // The components of a path say nothing of `./` and of a slash at the end.
    let path = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Location::Recording(path.components().collect())
    };
    match location {
        Location::Recording(name) => path(name),
        Location::Stream(address) => address.socket_path().map_or_else(|| location.clone(), path),
    }
}
