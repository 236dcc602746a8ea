//! Addresses of streams: what libzmq calls an endpoint, checked before a socket sees it.
//!
//! libzmq returns `Invalid argument` for everything that it cannot parse, and resolves the host to
//! connect to later, without a report. People at a beamline need a clear error.

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::str::FromStr;

use super::options::Attach;
use crate::endpoint;
use crate::error;
use crate::stream::Error;

/// A ZMQ endpoint, `tcp://host:port`, `ipc://path` or `inproc://name`.
///
/// ```
/// use mflow::Address;
/// let address: Address = "tcp://127.0.0.1:9999".parse()?;
/// assert_eq!(address.to_string(), "tcp://127.0.0.1:9999");
/// assert!("127.0.0.1:9999".parse::<Address>().is_err());
/// # Ok::<(), mflow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Returns the address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns how the command lines attach to this address by default: `tcp://*:PORT`
    /// binds, everything else connects.
    #[must_use]
    pub fn usual_attach(&self) -> Attach {
        if self.0.starts_with("tcp://*:") { Attach::Bind } else { Attach::Connect }
    }

    /// Returns whether only one of two addresses can be bound at a time: they have the same port,
    /// and the same host or one that includes it.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let (Some((host, port)), Some((other, same))) = (self.tcp_port(), other.tcp_port()) else {
            return false;
        };
        // `*` is every host of IPv4 alone, as sockets do IPv6 only if an address has it.
        let includes = |one: &str, other: &str| match one {
            "[::]" | "[*]" => true,
            "*" | "0.0.0.0" => !other.contains('['),
            _ => one == other,
        };
        port == same && (includes(host, other) || includes(other, host))
    }

    /// Returns the host and the port of a TCP address; none if any port will do.
    fn tcp_port(&self) -> Option<(&str, u16)> {
        let (host, port) = self.0.strip_prefix("tcp://")?.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some((host, port))
    }

    /// Returns whether this is a TCP address of the loopback interface, so that what is sent never
    /// leaves the machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
        host.is_some_and(|(host, _)| {
            let host = without_brackets(host);
            let ip = host.split_once('%').map_or(host, |(ip, _zone)| ip).parse();
            ip.map_or(["localhost", "lo"].contains(&host), |ip: IpAddr| ip.is_loopback())
        })
    }

    /// Returns whether this is a name within the process.
    pub(crate) fn is_inproc(&self) -> bool {
        self.0.starts_with("inproc://")
    }

    /// Returns whether the address is one of IPv6, for which sockets have to be prepared.
    pub(crate) fn is_ipv6(&self) -> bool {
        self.0.contains('[')
    }

    /// Checks that a stream can attach so: some addresses can be bound only, and names within the
    /// program need a context that both sides share.
    pub(crate) fn check(&self, attach: Attach, has_context: bool) -> Result<(), error::Error> {
        let reject = |reason: &'static str| {
            Err(endpoint::Error::Address { address: self.0.clone(), reason: reason.into() }.into())
        };
        let port = self.0.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
        match (attach, port) {
            (Attach::Connect, Some((_, "*"))) => reject("expected the port to connect to, not any"),
            (Attach::Connect, Some((_, port))) if port.parse() == Ok(0) => {
                reject("expected the port to connect to, from 1 to 65535")
            }
            _ if self.is_inproc() && !has_context => {
                reject("inproc:// is for streams of one program that share a context")
            }
            _ => Ok(()),
        }
    }

    /// Returns the path that binding this address makes a socket at.
    pub(crate) fn socket_path(&self) -> Option<&Path> {
        // `ipc://@name` has no path, and `ipc://*` one that libzmq chooses.
        let path = self.0.strip_prefix("ipc://").filter(|path| !path.starts_with(['@', '*']));
        path.map(Path::new)
    }

    /// Looks the host up, to report an unknown name; libzmq would look it up for ever.
    /// Returns whether it has addresses of IPv6 alone, for which sockets have to be prepared.
    pub(crate) fn resolve(&self) -> Result<bool, error::Error> {
        let Some(rest) = self.0.strip_prefix("tcp://") else {
            return Ok(false);
        };
        // `tcp://source;target` connects to the target from a chosen local address.
        let target = rest.rsplit(';').next().unwrap_or(rest);
        // The resolver of the system accepts names of IPv6 zones, and no brackets.
        let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
        match (without_brackets(host), port.parse().unwrap_or(0)).to_socket_addrs() {
            Ok(mut found) => Ok(found.all(|address| address.is_ipv6())),
            Err(source) => Err(Error::Resolve { address: self.0.clone(), source }.into()),
        }
    }
}

/// Returns a host as resolvers accept it: an IPv6 address without its brackets.
fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl FromStr for Address {
    type Err = error::Error;

    fn from_str(text: &str) -> Result<Self, error::Error> {
        let reject = |reason: &'static str| {
            Err(endpoint::Error::Address { address: text.to_owned(), reason: reason.into() }.into())
        };
        if text.contains('\0') {
            return reject("it contains a NUL character");
        }
        match text.split_once("://") {
            None => reject("expected tcp://host:port, ipc://path or inproc://name"),
            Some(("ipc" | "inproc", "")) => reject("the name after :// is missing"),
            Some(("ipc" | "inproc", _)) => Ok(Self(text.to_owned())),
            Some(("tcp", rest)) => match rest.rsplit_once(':') {
                None => reject("expected a port, as in tcp://host:port"),
                Some(("", _)) => reject("expected a host, as in tcp://host:port"),
                Some((host, _)) if host.contains(':') && !host.contains(['[', ';']) => {
                    reject("an IPv6 host goes in brackets, as in tcp://[::1]:9999")
                }
                Some((_, "*")) => Ok(Self(text.to_owned())),
                Some((_, port)) if port.parse::<u16>().is_ok() => Ok(Self(text.to_owned())),
                Some(_) => reject("expected a port from 0 to 65535, or *"),
            },
            Some(_) => reject("expected one of the schemes tcp, ipc and inproc"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_addresses_have_different_errors() {
        let reasons = [
            ("localhost", "expected tcp://host:port, ipc://path or inproc://name"),
            ("udp://h:1", "expected one of the schemes tcp, ipc and inproc"),
            ("tcp://h", "expected a port, as in tcp://host:port"),
            ("tcp://:1", "expected a host, as in tcp://host:port"),
            ("tcp://::1:9", "an IPv6 host goes in brackets, as in tcp://[::1]:9999"),
            ("tcp://h:65536", "expected a port from 0 to 65535, or *"),
            ("tcp://h:p", "expected a port from 0 to 65535, or *"),
            ("ipc://", "the name after :// is missing"),
            ("tcp://a\0b:1", "it contains a NUL character"),
        ];
        for (text, expected) in reasons {
            match text.parse::<Address>().unwrap_err().get() {
                Some(endpoint::Error::Address { address, reason }) => {
                    assert_eq!((address.as_str(), reason.as_ref()), (text, expected));
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_kind_of_address_is_taken() {
        for text in [
            "tcp://*:9999",
            "tcp://127.0.0.1:*",
            "tcp://[::1]:9999",
            "tcp://eth0:9999",
            "tcp://10.0.0.1:0;sf-lc:9999",
            "ipc:///tmp/x",
            "inproc://x",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn one_port_is_bound_once_whatever_its_host_is_called() {
        let excludes = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<Address>().unwrap());
            assert_eq!(one.excludes(&other), other.excludes(&one));
            one.excludes(&other)
        };
        for (one, other) in [
            ("tcp://*:9", "tcp://0.0.0.0:9"),
            ("tcp://*:9", "tcp://127.0.0.1:9"),
            ("tcp://*:9", "tcp://eth0:9"),
            ("tcp://127.0.0.1:9", "tcp://127.0.0.1:09"),
            ("tcp://[::]:9", "tcp://*:9"),
            ("tcp://[::]:9", "tcp://127.0.0.1:9"),
            ("tcp://[::]:9", "tcp://[::1]:9"),
        ] {
            assert!(excludes(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("tcp://*:9", "tcp://*:8"),
            ("tcp://*:*", "tcp://*:*"),
            ("tcp://*:0", "tcp://*:0"),
            ("tcp://127.0.0.1:9", "tcp://127.0.0.2:9"),
            ("tcp://*:9", "tcp://[::1]:9"),
            ("ipc://9", "tcp://*:9"),
        ] {
            assert!(!excludes(one, other), "{one} {other}");
        }
    }

    #[test]
    fn addresses_of_the_loopback_interface_are_known() {
        let is_loopback = |text: &str| text.parse::<Address>().unwrap().is_loopback();
        for text in [
            "tcp://127.0.0.1:9999",
            "tcp://127.1.2.3:*",
            "tcp://[::1]:9",
            "tcp://[::1%lo]:9",
            "tcp://localhost:9",
            "tcp://lo:*",
        ] {
            assert!(is_loopback(text), "{text}");
        }
        for text in
            ["tcp://*:9999", "tcp://0.0.0.0:9", "tcp://local:9", "tcp://10.0.0.1:9", "ipc:///tmp/x"]
        {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn a_host_of_ipv6_alone_is_recognised() {
        let resolve = |text: &str| text.parse::<Address>().unwrap().resolve().unwrap();
        for (text, is_ipv6) in [
            ("tcp://[::1]:9", true),
            ("tcp://127.0.0.1:9", false),
            ("tcp://127.0.0.1:0;[::1]:9", true),
            ("tcp://[fe80::1%1]:9", true),
            ("tcp://[fe80::1%lo]:9", true),
            ("ipc://[::1]", false),
        ] {
            assert_eq!(resolve(text), is_ipv6, "{text}");
        }
    }

    #[test]
    fn only_a_star_host_binds_by_itself() {
        let attach = |text: &str| text.parse::<Address>().unwrap().usual_attach();
        assert_eq!(attach("tcp://*:9999"), Attach::Bind);
        assert_eq!(attach("tcp://127.0.0.1:9999"), Attach::Connect);
    }
}
