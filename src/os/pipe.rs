//! Files that are read or written once, from beginning to end: pipes, FIFOs, terminals, devices.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The path of the standard input.
pub(crate) const STDIN: &str = "/dev/stdin";
/// The path of the standard output.
pub(crate) const STDOUT: &str = "/dev/stdout";

/// Returns whether there is a pipe at a path, or another file that cannot seek.
pub(crate) fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_char_device() || kind.is_socket()
    })
}

/// Opens a pipe to be read, and waits for a FIFO to have a writer.
///
/// # Errors
/// If it cannot be opened, or is a terminal.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let file =
        if path == Path::new(STDIN) { shared(io::stdin().as_fd())? } else { File::open(path)? };
    if file.is_terminal() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a terminal"));
    }
    Ok(file)
}

/// Opens a pipe to be written, and waits for a FIFO to have a reader; none if nothing or something
/// else is at the path. The standard output may be a file, which must be empty.
///
/// # Errors
/// If it cannot be opened, is a terminal, or is a file that is not empty.
pub(crate) fn open_to_write(path: &Path) -> io::Result<Option<File>> {
    let file = if path == Path::new(STDOUT) {
        shared(io::stdout().as_fd())?
    } else if is_pipe(path) {
        File::options().write(true).open(path)?
    } else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    if file.is_terminal() {
        let reason = "refusing to write a recording to a terminal";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    if metadata.is_file() && metadata.len() > 0 {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(Some(file))
}

fn shared(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}
