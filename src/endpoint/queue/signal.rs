//! [`Signal`]: a descriptor that is readable while something is signalled.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// A descriptor that is readable from [`raise`](Self::raise) to [`lower`](Self::lower).
///
/// The owner calls both under one lock.
#[derive(Debug)]
pub(super) struct Signal {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Signal {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer })
    }

    pub(super) fn raise(&self, is_raised: &mut bool) {
        if !std::mem::replace(is_raised, true) {
            // The pipe is empty and this process holds its other end: one byte always fits.
            let _ = (&self.writer).write(&[1]);
        }
    }

    pub(super) fn lower(&self, is_raised: &mut bool) {
        if std::mem::take(is_raised) {
            // There is a byte in the pipe: it was written before the flag was set.
            let _ = (&self.reader).read(&mut [0]);
        }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
