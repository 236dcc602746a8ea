//! The file being written: each record is appended whole, or not at all.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::os::PacedFile;
use crate::recording::Error;

/// A new file that records are appended to.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: PacedFile,
    /// The checksum of the file so far, if it has checksums.
    crc: Option<crc32fast::Hasher>,
    /// Whether a failed write left bytes that could not be removed.
    is_broken: bool,
}

impl Output {
    /// Makes the file, which must not be there yet.
    pub(super) fn create(path: &Path, with_crc: bool) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: PacedFile::create(path).map_err(Error::file("create", path))?,
            crc: with_crc.then(crc32fast::Hasher::new),
            is_broken: false,
        })
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes of the file so far.
    pub(super) fn position(&self) -> u64 {
        self.file.position()
    }

    /// Appends all or nothing.
    pub(super) fn append(&mut self, slices: &mut [IoSlice<'_>]) -> Result<()> {
        let failure = |source| Error::File { verb: "write", path: self.path.clone(), source };
        if self.is_broken {
            return Err(failure(io::ErrorKind::InvalidData.into()).into());
        }
        let start = self.file.position();
        let mut crc = self.crc.clone();
        if let Some(crc) = &mut crc {
            slices.iter().for_each(|slice| crc.update(slice));
        }
        self.file.append(slices).map_err(failure).inspect_err(|_| {
            // An incomplete record would hide all that follows.
            self.is_broken = self.file.truncate(start).is_err();
        })?;
        self.crc = crc;
        Ok(())
    }

    /// Ends the checksum: returns the checksum of the file and of the next bytes; 0 if it has none.
    pub(super) fn take_crc(&mut self, next: &[u8]) -> u32 {
        self.crc.take().map_or(0, |mut crc| {
            crc.update(next);
            crc.finalize()
        })
    }

    /// Flushes the file to the disk.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.file.sync().map_err(Error::file("write", &self.path))
    }

    /// Removes the file, if it was made for the recording.
    pub(super) fn discard(&self) {
        self.file.discard(&self.path);
    }

    /// Returns whether the file was removed.
    pub(super) fn is_removed(&self) -> bool {
        self.file.is_removed()
    }

    /// Fails if the file was removed.
    pub(super) fn check_presence(&self) -> Result<()> {
        self.file.check_presence().map_err(Error::file("close", &self.path))
    }

    /// Fails if a part of the file could not be written.
    pub(super) fn check(&self) -> Result<()> {
        self.file.check().map_err(Error::file("close", &self.path))
    }
}
