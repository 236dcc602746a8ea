//! A lease of a file: the system guarantees that no one changes it before its holder agrees.
//!
//! Linux grants one for a file that no one has open to write, to its owner and to the superuser, if
//! the file system knows leases (those of networks mostly do not). A program that opens the file to
//! write or truncates it then waits until the lease is given back, though no longer than
//! `/proc/sys/fs/lease-break-time`, which is 45 seconds. An open with `O_NONBLOCK`, as in
//! truncate(1), fails and should be tried again. Elsewhere there are no leases.
//!
//! A process and those it has forked without exec share a lease: one of them gives it back for all.
#![cfg_attr(target_os = "linux", allow(unsafe_code, reason = "no library has leases"))]

use std::fs::File;
use std::sync::Arc;

/// A lease of a file that was opened to be read. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Lease(#[cfg_attr(not(target_os = "linux"), expect(dead_code))] Arc<File>);

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsRawFd;

    use libc::c_int;

    use super::{Arc, File, Lease};

    /// Sets the signal for a lease that is wanted back: from `fcntl.h`, because libc does not have
    /// it.
    const F_SETSIG: c_int = 10;

    impl Lease {
        /// Takes a lease; none if the system does not grant it.
        pub(in crate::os) fn take(file: &Arc<File>) -> Option<Self> {
            // The signal that nothing is done by: the usual one would end the process.
            let is_granted = control(file, F_SETSIG, libc::SIGURG).is_some()
                && control(file, libc::F_SETLEASE, libc::F_RDLCK).is_some();
            is_granted.then(|| Self(Arc::clone(file)))
        }

        /// Returns whether a program waits for it, or the system took it away because its holder
        /// waited too long.
        pub(in crate::os) fn is_wanted_back(&self) -> bool {
            control(&self.0, libc::F_GETLEASE, 0) != Some(libc::F_RDLCK)
        }
    }

    impl Drop for Lease {
        fn drop(&mut self) {
            // A lease that was taken away has no holder.
            let _ = control(&self.0, libc::F_SETLEASE, libc::F_UNLCK);
        }
    }

    fn control(file: &File, command: c_int, argument: c_int) -> Option<c_int> {
        // SAFETY: the descriptor is open, and these commands take a number.
        let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
        (answer >= 0).then_some(answer)
    }
}

#[cfg(not(target_os = "linux"))]
impl Lease {
    pub(super) fn take(_: &Arc<File>) -> Option<Self> {
        None
    }

    pub(super) fn is_wanted_back(&self) -> bool {
        true
    }
}
