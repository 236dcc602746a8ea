//! Files of a directory, and the mark of those that are not whole yet.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, unlinkat};

use super::{PROBE, PartNumber};
use crate::{Error, Frame, Result};

/// What a file may be used for, less what the user's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o666);
/// What a file may not be used for until it is whole.
const READABLE: Mode = Mode::from_raw_mode(0o444);

/// A folder that parts are written to.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    opened: File,
    /// What a new file may be used for; none where that cannot be changed.
    usual_mode: OnceLock<Option<Mode>>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = File::open(path).map_err(Error::file("read", path))?;
        Ok(Self { path: path.to_owned(), opened, usual_mode: OnceLock::new() })
    }

    pub(super) fn path_of(&self, number: PartNumber) -> PathBuf {
        self.path.join(number.file_name())
    }

    /// Writes a part that does not exist yet; nothing is left of one that cannot be written.
    pub(super) fn write(&self, number: PartNumber, frame: &Frame) -> Result<()> {
        self.write_file(&number.file_name(), frame)
            .map_err(|error| Error::file("write", &self.path_of(number))(error))
    }

    /// Writes the first part of a message, which makes the message whole. Nobody may read it until
    /// it is whole itself; where this process is killed before, nobody ever may.
    pub(super) fn publish(&self, number: PartNumber, frame: &Frame) -> Result<()> {
        self.publish_file(&number.file_name(), frame)
            .map_err(|error| Error::file("write", &self.path_of(number))(error))
    }

    /// Takes a part away that is of no use; if it stays, readers skip it.
    pub(super) fn remove(&self, number: PartNumber) {
        self.unlink(&number.file_name());
    }

    fn write_file(&self, name: &str, frame: &Frame) -> io::Result<()> {
        let mut file = self.create(name, MODE)?;
        file.write_all(frame.as_ref()).inspect_err(|_| self.unlink(name))
    }

    fn publish_file(&self, name: &str, frame: &Frame) -> io::Result<()> {
        let Some(usual) = self.usual_mode(name)? else { return self.write_file(name, frame) };
        let mut file = self.begin(name, usual)?;
        file.write_all(frame.as_ref())
            .and_then(|()| Ok(fchmod(&file, usual)?))
            .inspect_err(|_| self.unlink(name))
    }

    /// Makes a file that nobody may read yet.
    fn begin(&self, name: &str, usual: Mode) -> io::Result<File> {
        self.create(name, usual.difference(READABLE))
    }

    /// Returns what a new file may be used for here, which is decided by the user's mask and by the
    /// access lists of the folder; none where that cannot be changed later.
    fn usual_mode(&self, name: &str) -> io::Result<Option<Mode>> {
        if let Some(mode) = self.usual_mode.get() {
            return Ok(*mode);
        }
        let name = format!("{name}{PROBE}");
        let file = self.create(&name, MODE)?;
        self.unlink(&name);
        // What its owner may not read would count as unfinished.
        let usual = Mode::from_raw_mode(file.metadata()?.mode()).union(Mode::RUSR);
        let changes = fchmod(&file, usual.difference(READABLE)).is_ok()
            && file.metadata().is_ok_and(|file| is_unfinished(&file));
        Ok(*self.usual_mode.get_or_init(|| changes.then_some(usual)))
    }

    /// Makes a file that does not exist yet.
    fn create(&self, name: &str, mode: Mode) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.opened, name, flags, mode)?))
    }

    /// Takes a file away; if it stays, it is no part, or readers skip it.
    fn unlink(&self, name: &str) {
        let _ = unlinkat(&self.opened, name, AtFlags::empty());
    }
}

/// Tells whether a first part is not whole: not even its owner may read it.
pub(crate) fn is_unfinished(first: &Metadata) -> bool {
    !Mode::from_raw_mode(first.mode()).contains(Mode::RUSR)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_first_part_is_unreadable_until_it_is_whole_and_then_as_any_file() {
        let path = std::env::temp_dir().join(format!("mflow-publish-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let directory = Directory::open(&path).unwrap();
        let [other, first] = [1, 0].map(|part| PartNumber { message: 0, part });
        directory.write(other, &Frame::from(&b"other"[..])).unwrap();

        let (name, usual) = (first.file_name(), directory.usual_mode("probe").unwrap().unwrap());
        let begun = directory.begin(&name, usual).unwrap();
        assert!(is_unfinished(&begun.metadata().unwrap()));
        directory.remove(first);

        directory.publish(first, &Frame::from(&b"first"[..])).unwrap();
        let error = directory.publish(first, &Frame::from(&b"second"[..])).unwrap_err();
        let [other, first] = [other, first].map(|number| directory.path_of(number));
        assert_eq!(error.to_string(), format!("cannot write '{}'", first.display()));
        assert_eq!(fs::read(&first).unwrap(), b"first");
        let [other, first] = [other, first].map(|path| fs::metadata(path).unwrap());
        assert_eq!(first.mode(), other.mode());
        assert!(!is_unfinished(&first));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        fs::remove_dir_all(path).unwrap();
    }
}
