//! Which libzmq is linked.

use std::fmt;

/// The libzmq that this program is linked with; prints as `libzmq 4.3.5, curve=yes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Libzmq {
    /// Major, minor and patch number.
    pub version: (i32, i32, i32),
    /// Whether it encrypts connections (CURVE).
    pub curve: bool,
}

/// Returns which libzmq this program is linked with.
///
/// mflow's own programs have libzmq 4.3.5 with CURVE. A crate that depends on mflow has the one that
/// the registry's `zmq-sys` builds, which is older and has no CURVE, unless its `Cargo.toml` says:
///
/// ```toml
/// [patch.crates-io]
/// zmq-sys = { git = "the repository of mflow" }
/// ```
///
/// ```
/// let linked = mflow::libzmq();
/// assert!(linked.version >= (4, 3, 0));
/// println!("{linked}");
/// ```
#[must_use]
pub fn libzmq() -> Libzmq {
    Libzmq { version: zmq::version(), curve: zmq::has("curve") == Some(true) }
}

impl fmt::Display for Libzmq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.version;
        let curve = if self.curve { "yes" } else { "no" };
        write!(f, "libzmq {major}.{minor}.{patch}, curve={curve}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_libzmq_has_curve() {
        if option_env!("ZMQ_SYS_USE_PKG_CONFIG").is_none() {
            assert_eq!(libzmq().to_string(), "libzmq 4.3.5, curve=yes");
        }
    }
}
