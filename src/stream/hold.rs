//! Holding back what the threads of libzmq tell a socket while it is given the parts of a message.
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

/// What keeps a socket from hearing of anything for a while.
///
/// A socket hears of peers that come and go by one end of a pair of sockets, which libzmq asks
/// before it takes a part. For as long as something silent has the number of that end, there is
/// nothing to hear; what is told meanwhile waits in the pair.
pub(super) struct Hold {
    /// The number that libzmq knows its end by.
    end: ManuallyDrop<OwnedFd>,
    /// The same end by a number of ours.
    told: OwnedFd,
    silence: UnixDatagram,
}

impl Hold {
    /// Prepares to hold back what a socket hears.
    ///
    /// Returns `None`, and warns once, if libzmq was built for `eventfd` (a system's libzmq usually
    /// is): one number stands for both ends there, and holding would lose what its threads send.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub(super) fn new(socket: &zmq::Socket) -> io::Result<Option<Self>> {
        let end = descriptor_of(socket).map_err(io::Error::other)?;
        let told = File::from(end.try_clone_to_owned()?);
        if !told.metadata()?.file_type().is_socket() {
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
        // SAFETY: nothing closes it by this name; it is open while its socket is.
        let end = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(end.as_raw_fd()) });
        Ok(Some(Self { end, told: told.into(), silence: UnixDatagram::unbound()? }))
    }

    /// Does something with the socket, which must be open, while it hears of nothing.
    ///
    /// # Errors
    /// Where the system refuses; nothing was done then.
    pub(super) fn during<T>(&mut self, action: impl FnOnce() -> T) -> io::Result<T> {
        put(&self.silence, &mut self.end)?;
        let _end = Held(self);
        Ok(action())
    }
}

/// Has the socket hear again when it goes.
struct Held<'a>(&'a mut Hold);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // What has just been done to the number the other way round can be done again.
        let _ = put(&self.0.told, &mut self.0.end);
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
