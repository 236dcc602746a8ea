//! Waiting for a socket of libzmq by its descriptor.
#![allow(unsafe_code, reason = "the descriptor of a socket of libzmq can be borrowed only so")]

use std::os::fd::BorrowedFd;

use crate::endpoint::WaitSet;

/// Adds a socket to a wait, which then ends when libzmq has news for the socket.
///
/// The last call on the socket must have reported that there is nothing to receive or, after a look
/// at its events, no room to send. Anything that was there before is no news.
pub(super) fn watch<'a>(socket: &'a zmq::Socket, set: &mut WaitSet<'a>) {
    match descriptor_of(socket) {
        Ok(descriptor) => set.readable(descriptor),
        // The next call on the socket returns the error.
        Err(_) => set.ready(),
    }
}

/// Returns the descriptor of a socket, readable when libzmq has unread news.
pub(super) fn descriptor_of(socket: &zmq::Socket) -> Result<BorrowedFd<'_>, zmq::Error> {
    let descriptor = socket.get_fd()?;
    // SAFETY: the socket keeps its descriptor open as long as it is borrowed.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}
