//! Files that appear in a directory whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat, unlinkat};
use rustix::io::Errno;

use super::{PartNumber, UNFINISHED};
use crate::{Error, Frame, Result};

/// What a file may be used for, less what the user's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o666);

/// A folder that parts are written to.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    opened: File,
    /// Whether a file can be written before it has a name.
    has_nameless: AtomicBool,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = File::open(path).map_err(Error::file("read", path))?;
        let has_nameless = AtomicBool::new(cfg!(target_os = "linux"));
        Ok(Self { path: path.to_owned(), opened, has_nameless })
    }

    pub(super) fn path_of(&self, number: PartNumber) -> PathBuf {
        self.path.join(number.file_name())
    }

    /// Writes a part that does not exist yet; nothing is left of one that cannot be written.
    pub(super) fn write(&self, number: PartNumber, frame: &Frame) -> Result<()> {
        self.write_file(&number.file_name(), frame)
            .map_err(|error| Error::file("write", &self.path_of(number))(error))
    }

    /// Writes a part that does not exist yet, so that it is there whole or not at all even where
    /// this process is killed.
    pub(super) fn publish(&self, number: PartNumber, frame: &Frame) -> Result<()> {
        self.publish_file(&number.file_name(), frame)
            .map_err(|error| Error::file("write", &self.path_of(number))(error))
    }

    /// Takes a part away that is of no use; if it stays, readers skip it.
    pub(super) fn remove(&self, number: PartNumber) {
        let _ = unlinkat(&self.opened, number.file_name(), AtFlags::empty());
    }

    fn write_file(&self, name: &str, frame: &Frame) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.opened, name, flags, MODE)?);
        file.write_all(frame.as_ref()).inspect_err(|_| {
            let _ = unlinkat(&self.opened, name, AtFlags::empty());
        })
    }

    fn publish_file(&self, name: &str, frame: &Frame) -> io::Result<()> {
        if self.has_nameless.load(Ordering::Relaxed) {
            if self.publish_nameless(name, frame)? {
                return Ok(());
            }
            self.has_nameless.store(false, Ordering::Relaxed);
        }
        self.publish_renamed(name, frame)
    }

    /// Writes a file that has no name, and so goes if this process does, and then gives it one;
    /// false where the file system cannot.
    #[cfg(target_os = "linux")]
    fn publish_nameless(&self, name: &str, frame: &Frame) -> io::Result<bool> {
        use std::os::fd::AsRawFd;

        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mut file = match openat(&self.opened, ".", flags, MODE) {
            Ok(file) => File::from(file),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        file.write_all(frame.as_ref())?;
        match linkat(&file, "", &self.opened, name, AtFlags::EMPTY_PATH) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
            // Linux before 6.10 lets only the superuser do that.
            Err(_) => {}
        }
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        match linkat(CWD, link, &self.opened, name, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(true),
            // There is no /proc, or the folder has gone: the other way tells which.
            Err(Errno::NOENT | Errno::OPNOTSUPP | Errno::INVAL | Errno::XDEV) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn publish_nameless(&self, _name: &str, _frame: &Frame) -> io::Result<bool> {
        Ok(false)
    }

    /// Writes a file under another name, and gives it its own once it is whole.
    fn publish_renamed(&self, name: &str, frame: &Frame) -> io::Result<()> {
        let path = self.path.join(name);
        let unfinished = path.with_extension(UNFINISHED);
        let mut file = File::create_new(&unfinished)?;
        let written = file.write_all(frame.as_ref());
        // Renaming would replace it; that somebody makes it just now is not provided against.
        let free = || if path.exists() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) };
        written.and_then(|()| free()).and_then(|()| fs::rename(&unfinished, &path)).inspect_err(
            |_| {
                let _ = fs::remove_file(&unfinished);
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_publish_write_a_file_once_and_leave_nothing_else() {
        let path = std::env::temp_dir().join(format!("mflow-publish-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let directory = Directory::open(&path).unwrap();
        for message in 0..2 {
            let number = PartNumber { message, part: 0 };
            directory.publish(number, &Frame::from(&b"first"[..])).unwrap();
            let error = directory.publish(number, &Frame::from(&b"second"[..])).unwrap_err();
            let path = directory.path_of(number);
            assert_eq!(error.to_string(), format!("cannot write '{}'", path.display()));
            assert_eq!(fs::read(path).unwrap(), b"first");
            directory.has_nameless.store(false, Ordering::Relaxed);
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        fs::remove_dir_all(path).unwrap();
    }
}
