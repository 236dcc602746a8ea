//! How wide a terminal is.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// Returns how many characters fit into a line of an output; none where it is no terminal, or one
/// that does not tell.
pub(super) fn columns(output: impl AsFd) -> Option<u16> {
    tcgetwinsize(output).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}
