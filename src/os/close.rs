//! Closing a file and hearing of it.
#![allow(unsafe_code, reason = "the standard library closes files without a word")]

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;

use rustix::io::{Errno, try_close};

/// Closes a file.
///
/// # Errors
/// If what was written has no room after all: a file system on another machine, or one with
/// quotas, may report this only now.
pub(crate) fn close(file: File) -> io::Result<()> {
    // SAFETY: the descriptor was owned, and has no other owner.
    match unsafe { try_close(file.into_raw_fd()) } {
        // An interrupted one is closed all the same.
        Ok(()) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
