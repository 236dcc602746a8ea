//! How wide a terminal is.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// Returns how many characters fit into a line of an output; none if it is no terminal, or its
/// width is unknown.
pub(super) fn columns(output: impl AsFd) -> Option<u16> {
    tcgetwinsize(output).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}
