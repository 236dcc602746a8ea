//! Waiting for a socket of libzmq by its descriptor.
#![allow(unsafe_code, reason = "the descriptor of a socket of libzmq can be borrowed only so")]

use std::os::fd::BorrowedFd;

use crate::endpoint::WaitSet;

/// Adds a socket to what is waited for, to be woken when libzmq has news for it.
///
/// The last call on the socket must have reported that there is nothing to receive or, after a look
/// at its events, no room to send. What was there before that is no news.
pub(super) fn watch<'a>(socket: &'a zmq::Socket, set: &mut WaitSet<'a>) {
    match descriptor_of(socket) {
        Ok(descriptor) => set.readable(descriptor),
        // Trying the socket again returns what is wrong with it.
        Err(_) => set.ready(),
    }
}

/// Returns the descriptor of a socket, readable when libzmq has news that were not looked at.
pub(super) fn descriptor_of(socket: &zmq::Socket) -> Result<BorrowedFd<'_>, zmq::Error> {
    let descriptor = socket.get_fd()?;
    // SAFETY: the socket keeps its descriptor open as long as it is borrowed.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}
