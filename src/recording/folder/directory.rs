//! Files of a directory, and the mark of those that are not whole yet.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fchmod, openat, unlinkat};
use rustix::io::Errno;

use super::{PROBE, PartNumber};
use crate::error::{self, Result};
use crate::frame::Frame;
use crate::os::close;
use crate::recording::Error;

/// What a file may be used for, less what the user's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o666);
/// What a file may not be used for until it is whole.
const READABLE: Mode = Mode::from_raw_mode(0o444);

/// The number of files of messages, and of first parts among them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) files: u64,
    pub(super) messages: u64,
}

/// A folder that parts are written to.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    opened: File,
    /// What a new file may be used for; none if that cannot be changed.
    usual_mode: OnceLock<Option<Mode>>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = File::open(path).map_err(Error::file("read", path))?;
        Ok(Self { path: path.to_owned(), opened, usual_mode: OnceLock::new() })
    }

    /// Opens a folder whose files keep no permissions.
    #[cfg(test)]
    pub(super) fn open_unmarked(path: &Path) -> Result<Self> {
        Ok(Self { usual_mode: OnceLock::from(None), ..Self::open(path)? })
    }

    /// Makes the file of a part, which must not exist yet. The first part of a message is not
    /// readable until the message is whole; if this process is killed before, it never becomes
    /// readable.
    pub(super) fn create(&self, number: PartNumber) -> Result<File> {
        self.create_part(number).map_err(self.failed(number))
    }

    /// Makes the file of a part before its turn; none if that would make a message look whole.
    pub(super) fn begin(&self, number: PartNumber) -> Result<Option<File>> {
        let is_marked =
            number.part > 0 || self.usual_mode(number).map_err(self.failed(number))?.is_some();
        is_marked.then(|| self.create(number)).transpose()
    }

    /// Writes a part into its file.
    pub(super) fn write(&self, mut file: &File, number: PartNumber, frame: &Frame) -> Result<()> {
        file.write_all(frame.as_ref()).map_err(self.failed(number))
    }

    /// Closes the file of a part that is written, and lets people read it.
    pub(super) fn finish(&self, file: File, number: PartNumber) -> Result<()> {
        let usual = if number.part == 0 { self.usual_mode.get().copied().flatten() } else { None };
        usual
            .map_or(Ok(()), |usual| Ok(fchmod(&file, usual)?))
            .and_then(|()| close(file))
            .map_err(self.failed(number))
    }

    /// Takes the file of a part away; returns whether it is gone. If it stays, readers skip it.
    pub(super) fn remove(&self, number: PartNumber) -> bool {
        self.unlink(&number.file_name())
    }

    /// Counts the files of these messages, and the first parts among them.
    pub(super) fn count(&self, messages: &Range<u64>) -> Result<Counted> {
        let failed = |error: Errno| Error::file("read", &self.path)(error.into());
        let mut counted = Counted::default();
        for entry in Dir::read_from(&self.opened).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let number = entry.file_name().to_str().ok().and_then(PartNumber::parse);
            if let Some(number) = number.filter(|number| messages.contains(&number.message)) {
                counted.files += 1;
                counted.messages += u64::from(number.part == 0);
            }
        }
        Ok(counted)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, number: PartNumber) -> impl FnOnce(io::Error) -> error::Error {
        move |error| Error::file("write", &self.path.join(number.file_name()))(error)
    }

    fn create_part(&self, number: PartNumber) -> io::Result<File> {
        let marked = if number.part == 0 { self.usual_mode(number)? } else { None };
        self.make(&number.file_name(), marked.map_or(MODE, |usual| usual.difference(READABLE)))
    }

    /// Returns what a new file may be used for here, which is decided by the user's mask and by the
    /// access lists of the folder; none if that cannot be changed later.
    fn usual_mode(&self, number: PartNumber) -> io::Result<Option<Mode>> {
        if let Some(mode) = self.usual_mode.get() {
            return Ok(*mode);
        }
        let name = number.file_name() + PROBE;
        let file = self.make(&name, MODE)?;
        // If it stays, it is no part.
        self.unlink(&name);
        // What its owner may not read would count as unfinished.
        let usual = Mode::from_raw_mode(file.metadata()?.mode()).union(Mode::RUSR);
        let changes = fchmod(&file, usual.difference(READABLE)).is_ok()
            && file.metadata().is_ok_and(|file| is_unfinished(&file));
        Ok(*self.usual_mode.get_or_init(|| changes.then_some(usual)))
    }

    /// Makes a file that does not exist yet.
    fn make(&self, name: &str, mode: Mode) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.opened, name, flags, mode)?))
    }

    /// Takes a file away; returns whether it is gone.
    fn unlink(&self, name: &str) -> bool {
        matches!(unlinkat(&self.opened, name, AtFlags::empty()), Ok(()) | Err(Errno::NOENT))
    }
}

/// Returns whether a first part is not whole: not even its owner may read it.
pub(super) fn is_unfinished(first: &Metadata) -> bool {
    !Mode::from_raw_mode(first.mode()).contains(Mode::RUSR)
}
