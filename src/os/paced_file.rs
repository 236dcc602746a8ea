//! A file that is written from its beginning to its end, whose way to the disk begins early.
//!
//! Left alone, Linux collects what is written until there is very much of it, and then has the
//! writer wait for seconds. So each [`WINDOW`] is sent to the disk as soon as it is written; once
//! [`AHEAD`] more are on their way, it is waited for and dropped from the cache, which nobody reads
//! it from. That is no promise that anything survives a loss of power: [`PacedFile::sync`] is.
//!
//! Other systems have a plain file, and so have file systems in memory. A pipe is written directly:
//! written bytes cannot be removed, and are not on a disk.
#![cfg_attr(
    target_os = "linux",
    allow(unsafe_code, reason = "the call that paces a file has no safe binding")
)]

use std::fs::{self, File};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::{Stat, fstat};

use super::close::close;
use super::pipe::open_to_write;

/// How much is sent to the disk at once.
#[cfg(target_os = "linux")]
const WINDOW: u64 = 8 << 20;
/// How many windows are on their way to the disk at a time.
#[cfg(target_os = "linux")]
const AHEAD: u64 = 4;

/// Returns whether a file is in memory, which does not stall as disks do; false if unknown.
pub(crate) fn is_in_memory(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    let is_in_memory = rustix::fs::statfs(path).is_ok_and(|system| linux::is_memory(&system));
    #[cfg(not(target_os = "linux"))]
    let is_in_memory = false;
    is_in_memory
}

/// A new file and how far it is written.
#[derive(Debug)]
pub(crate) struct PacedFile {
    file: File,
    kind: Kind,
    position: u64,
    /// Whether the file was truncated: later appends hide that.
    is_shortened: bool,
    #[cfg(target_os = "linux")]
    pace: Option<linux::Pace>,
}

/// What kind of file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A file that was created.
    New,
    /// A file on the standard output.
    Given,
    /// A pipe, or a device.
    Pipe,
}

impl PacedFile {
    /// Creates a file, or opens an existing pipe.
    ///
    /// # Errors
    /// If there is a file already, or it cannot be made; if the pipe is a terminal.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let (file, kind) = match open_to_write(path)? {
            Some(file) if file.metadata()?.is_file() => (file, Kind::Given),
            Some(file) => (file, Kind::Pipe),
            None => (File::create_new(path)?, Kind::New),
        };
        #[cfg(target_os = "linux")]
        let pace = linux::Pace::of(&file).filter(|_| kind != Kind::Pipe);
        Ok(Self {
            file,
            kind,
            position: 0,
            is_shortened: false,
            #[cfg(target_os = "linux")]
            pace,
        })
    }

    /// Returns how many bytes are written.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Appends all bytes of some slices, or as many as possible.
    ///
    /// # Errors
    /// If the system takes no more, or could not write what was appended before.
    pub(crate) fn append(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        if self.kind != Kind::Pipe {
            self.is_shortened |= self.is_too_short(&fstat(&self.file)?);
        }
        // Empty ones at the beginning would look like a file that accepts nothing.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.file.write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.position += count as u64;
                    IoSlice::advance_slices(&mut slices, count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        #[cfg(target_os = "linux")]
        if let Some(pace) = &mut self.pace
            && !pace.advance(&self.file, self.position)?
        {
            self.pace = None;
        }
        Ok(())
    }

    /// Removes the file of this path, if it was created by us.
    pub(crate) fn discard(&self, path: &Path) {
        if self.kind == Kind::New {
            let _ = fs::remove_file(path);
        }
    }

    /// Takes back what was appended behind a position.
    ///
    /// # Errors
    /// If the system cannot do it, as for a pipe.
    pub(crate) fn truncate(&mut self, position: u64) -> io::Result<()> {
        self.file.set_len(position)?;
        self.file.seek(SeekFrom::Start(position))?;
        self.position = position;
        Ok(())
    }

    /// Asks the file system whether it has room for all that was appended, as closing the file does.
    ///
    /// # Errors
    /// If it has not.
    pub(crate) fn check(&self) -> io::Result<()> {
        close(self.file.try_clone()?)
    }

    /// Returns whether the file was removed.
    pub(crate) fn is_removed(&self) -> bool {
        self.kind != Kind::Pipe && fstat(&self.file).is_ok_and(|file| file.st_nlink == 0)
    }

    fn is_too_short(&self, file: &Stat) -> bool {
        u64::try_from(file.st_size).is_ok_and(|length| length < self.position)
    }

    /// Checks that what was appended is still there.
    ///
    /// # Errors
    /// If the file was removed or truncated.
    pub(crate) fn check_presence(&self) -> io::Result<()> {
        if self.kind == Kind::Pipe {
            return Ok(());
        }
        let file = fstat(&self.file)?;
        let is_shortened = self.is_shortened || self.is_too_short(&file);
        let reason = match (file.st_nlink, is_shortened) {
            (0, _) => "it was removed while it was written",
            (_, true) => "it was made shorter while it was written",
            _ => return Ok(()),
        };
        Err(io::Error::new(io::ErrorKind::NotFound, reason))
    }

    /// Waits until everything is safely on the disk; does nothing for a pipe.
    ///
    /// # Errors
    /// If the system could not write it.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.kind == Kind::Pipe { Ok(()) } else { self.file.sync_data() }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io;
    use std::num::NonZeroU64;
    use std::os::fd::AsRawFd;

    use rustix::fs::{Advice, StatFs, fadvise, fstatfs};

    use super::{AHEAD, WINDOW};

    /// How far a file is on its way to the disk.
    #[derive(Debug)]
    pub(super) struct Pace {
        /// Up to here it is on its way.
        started: u64,
    }

    impl Pace {
        /// Begins a file's way; none if it lives in memory.
        pub(super) fn of(file: &File) -> Option<Self> {
            (!is_memory(&fstatfs(file).ok()?)).then_some(Self { started: 0 })
        }

        /// Sends to the disk what is written and waits for what was sent some windows before; false
        /// if the file knows nothing of it.
        pub(super) fn advance(&mut self, file: &File, written: u64) -> io::Result<bool> {
            while written >= self.started + WINDOW {
                if !sync_range(file, self.started, libc::SYNC_FILE_RANGE_WRITE)? {
                    return Ok(false);
                }
                if let Some(old) = self.started.checked_sub(AHEAD * WINDOW) {
                    let wait = libc::SYNC_FILE_RANGE_WAIT_BEFORE
                        | libc::SYNC_FILE_RANGE_WRITE
                        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
                    if !sync_range(file, old, wait)? {
                        return Ok(false);
                    }
                    forget(file, old);
                }
                self.started += WINDOW;
            }
            Ok(true)
        }
    }

    /// Returns whether a file system lives in memory.
    pub(super) fn is_memory(system: &StatFs) -> bool {
        system.f_type == libc::TMPFS_MAGIC
    }

    /// Has a window go to the disk; false if the file knows nothing of it.
    fn sync_range(file: &File, offset: u64, flags: libc::c_uint) -> io::Result<bool> {
        let Ok(offset) = libc::off64_t::try_from(offset) else { return Ok(false) };
        // SAFETY: the descriptor is open; no memory is involved.
        let status =
            unsafe { libc::sync_file_range(file.as_raw_fd(), offset, WINDOW.cast_signed(), flags) };
        if status == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ESPIPE | libc::EINVAL | libc::ENOSYS) => Ok(false),
            Some(libc::EINTR) => Ok(true),
            _ => Err(error),
        }
    }

    /// Drops a window from the cache, if it has arrived on the disk. It is advice: an error is none.
    fn forget(file: &File, offset: u64) {
        let _ = fadvise(file, offset, NonZeroU64::new(WINDOW), Advice::DontNeed);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn fresh(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("mflow-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn more_slices_than_the_system_takes_at_once_arrive_in_order() {
        let path = fresh("paced-slices");
        let bytes: Vec<u8> = (0..5000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut slices: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
        slices.insert(0, IoSlice::new(&[]));
        let mut file = PacedFile::create(&path).unwrap();
        file.append(&mut slices).unwrap();
        file.append(&mut [IoSlice::new(&[])]).unwrap();
        assert_eq!(file.position(), 5000);
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_of_many_windows_is_whole() {
        let path = fresh("paced-windows");
        let block: Vec<u8> = (0..=250).cycle().take(3 << 20).collect();
        let mut file = PacedFile::create(&path).unwrap();
        for _ in 0..20 {
            file.append(&mut [IoSlice::new(&block)]).unwrap();
        }
        file.sync().unwrap();
        let read = fs::read(&path).unwrap();
        assert_eq!(read.len(), 60 << 20);
        assert!(read.chunks(block.len()).all(|part| part == block));
        fs::remove_file(path).unwrap();
    }

    #[cfg(all(target_os = "linux", feature = "cli"))]
    #[test]
    fn file_systems_in_memory_are_recognised() {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let fields = mounts.lines().map(|line| line.split(' '));
        let mounts: std::collections::BTreeMap<_, _> =
            fields.filter_map(|mut fields| Some((fields.nth(1)?, fields.next()?))).collect();
        assert_eq!(mounts.get("/proc"), Some(&"proc"));
        for (path, kind) in mounts {
            let path = Path::new(path);
            // Not everybody may look at all of them, and that of the root may be of either kind.
            if kind != "rootfs" && rustix::fs::statfs(path).is_ok() {
                let expected = matches!(kind, "tmpfs" | "devtmpfs");
                assert_eq!(is_in_memory(path), expected, "{} is {kind}", path.display());
            }
        }
    }

    #[test]
    fn what_was_taken_back_is_written_over() {
        let path = fresh("paced-back");
        let mut file = PacedFile::create(&path).unwrap();
        file.append(&mut [IoSlice::new(b"one"), IoSlice::new(b"two")]).unwrap();
        file.truncate(3).unwrap();
        file.append(&mut [IoSlice::new(b"2")]).unwrap();
        assert_eq!((file.position(), fs::read(&path).unwrap()), (4, b"one2".to_vec()));
        assert_eq!(PacedFile::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(path).unwrap();
    }
}
