//! Holding back the reports of libzmq's threads to a socket while it gets the parts of a message.
#![allow(unsafe_code, reason = "libzmq keeps the descriptor, and another file takes its place")]

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::sync::Once;

use rustix::io::{DupFlags, Errno, dup3};

use super::descriptor::descriptor_of;
use super::libzmq;

/// Keeps reports from a socket for a while.
///
/// A socket learns of peers that connect and disconnect from one end of a pair of sockets, which
/// libzmq reads before it accepts a part. While a silent socket has the descriptor number of that
/// end, there is nothing to read, and reports wait in the pair.
pub(super) struct Hold {
    /// The descriptor that libzmq uses for its end.
    end: ManuallyDrop<OwnedFd>,
    /// A duplicate of the same end.
    reports: OwnedFd,
    silence: UnixDatagram,
}

impl Hold {
    /// Prepares to hold back the reports to a socket.
    ///
    /// Returns `None`, and warns once, if libzmq was built for `eventfd` (a system's libzmq usually
    /// is): then one descriptor is both ends, and holding would lose what the threads send.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub(super) fn new(socket: &zmq::Socket) -> io::Result<Option<Self>> {
        let end = descriptor_of(socket).map_err(io::Error::other)?;
        let reports = File::from(end.try_clone_to_owned()?);
        if !reports.metadata()?.file_type().is_socket() {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    "{} uses eventfd: if one of three or more receivers of a PUSH disconnects while \
                     a message is sent, parts of that message may go to another receiver",
                    libzmq()
                );
            });
            return Ok(None);
        }
        // SAFETY: nothing closes it through this value; it is open while its socket is.
        let end = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(end.as_raw_fd()) });
        Ok(Some(Self { end, reports: reports.into(), silence: UnixDatagram::unbound()? }))
    }

    /// Runs a function with the socket, which must be open, while reports are held back.
    ///
    /// # Errors
    /// If the system refuses; nothing was done then.
    pub(super) fn during<T>(&mut self, action: impl FnOnce() -> T) -> io::Result<T> {
        put(&self.silence, &mut self.end)?;
        let _end = Held(self);
        Ok(action())
    }
}

/// Lets the socket get reports again when it is dropped.
struct Held<'a>(&'a mut Hold);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // The replacement has just succeeded in the other direction, so it can be undone.
        let _ = put(&self.0.reports, &mut self.0.end);
    }
}

/// Puts a file in the place of another.
fn put(file: &impl AsFd, place: &mut OwnedFd) -> io::Result<()> {
    loop {
        match dup3(file, place, DupFlags::CLOEXEC) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
