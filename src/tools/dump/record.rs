//! [`RecordOptions`]: how to record.

use std::path::{Path, PathBuf};

use crate::endpoint::WhenFull;
use crate::error::Result;
use crate::os::is_in_memory;
use crate::recording::{
    FolderWriter, Fsync, McapOptions, McapWriter, RecordWriter, Recorder, RecorderOptions,
    RotatingWriter, Rotation,
};
use crate::stream::{Mode, Options};

/// How many bytes wait at most for MCAP files: those that arrive while a disk stalls.
const ON_DISK: usize = 256 << 20;
/// The same for files in memory, which do not stall, if the sender can wait: more bytes would only
/// leave the processor's cache.
const IN_MEMORY: usize = 16 << 20;

/// How to record; by default into one MCAP file or folder, with the default memory.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    /// How many bytes wait at most to be written.
    pub max_memory: Option<usize>,
    /// What to do when that is full; by default the sender of a PULL waits, and messages of a SUB are
    /// dropped.
    pub when_full: Option<WhenFull>,
    /// When to continue in another MCAP file.
    pub rotation: Rotation,
    /// When to flush to the disk.
    pub fsync: Fsync,
    /// What to note in an MCAP file, as keys and values.
    pub meta: Vec<(String, String)>,
    /// Whether to add checksums of all data to an MCAP file.
    pub crc: bool,
}

impl RecordOptions {
    /// Starts to record into MCAP files; `options` has further notes. Of two notes with the same
    /// key, the one in [`meta`](Self::meta) is kept.
    ///
    /// # Errors
    /// If there is such a file already, or it cannot be made.
    pub fn start_file(
        &self,
        path: &Path,
        mode: Mode,
        mut options: McapOptions,
    ) -> Result<Recorder> {
        options.user.retain(|(key, _)| !self.meta.iter().any(|(new, _)| new == key));
        options.user.extend_from_slice(&self.meta);
        options.crc = self.crc;
        if self.rotation == Rotation::default() {
            self.start(McapWriter::create(path, options)?, path, mode)
        } else {
            self.start(RotatingWriter::create(path, options, self.rotation)?, path, mode)
        }
    }

    /// Returns the file that [`start_file`](Self::start_file) makes.
    #[must_use]
    pub fn first_file(&self, path: &Path) -> PathBuf {
        match self.rotation == Rotation::default() {
            true => path.to_owned(),
            false => RotatingWriter::first_file(path),
        }
    }

    /// Starts to record into a folder.
    ///
    /// # Errors
    /// If the process may have no more threads or descriptors.
    pub fn start_folder(&self, folder: FolderWriter, mode: Mode) -> Result<Recorder> {
        Recorder::start(folder, self.recorder(mode, FolderWriter::MAX_MEMORY))
    }

    /// Returns how many messages should wait in the socket at most.
    #[must_use]
    pub fn usual_queue_size(&self, mode: Mode) -> u32 {
        match self.when_full(mode) {
            WhenFull::Block => Recorder::QUEUE_SIZE,
            _ => Options::DEFAULT_QUEUE_SIZE,
        }
    }

    /// Starts to record with a writer that has made its first file.
    fn start(
        &self,
        writer: impl RecordWriter + 'static,
        path: &Path,
        mode: Mode,
    ) -> Result<Recorder> {
        let may_wait = self.when_full(mode) == WhenFull::Block;
        let is_in_memory = is_in_memory(&self.first_file(path));
        let usual_memory = if may_wait && is_in_memory { IN_MEMORY } else { ON_DISK };
        Recorder::start(writer, self.recorder(mode, usual_memory))
    }

    fn recorder(&self, mode: Mode, usual_memory: usize) -> RecorderOptions {
        let max_memory = self.max_memory.unwrap_or(usual_memory);
        RecorderOptions { max_memory, when_full: self.when_full(mode), fsync: self.fsync }
    }

    fn when_full(&self, mode: Mode) -> WhenFull {
        // Messages that are not received from a PUB are lost uncounted, in any case.
        let usual = if mode == Mode::Sub { WhenFull::DropNewest } else { WhenFull::Block };
        self.when_full.unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_messages_wait_where_the_sender_can() {
        let queue_size = |when_full, mode| {
            RecordOptions { when_full, ..Default::default() }.usual_queue_size(mode)
        };
        assert_eq!(queue_size(None, Mode::Pull), Recorder::QUEUE_SIZE);
        assert_eq!(queue_size(None, Mode::Sub), Options::DEFAULT_QUEUE_SIZE);
        let drop = Some(WhenFull::DropNewest);
        assert_eq!(queue_size(drop, Mode::Pull), Options::DEFAULT_QUEUE_SIZE);
        assert_eq!(queue_size(Some(WhenFull::Block), Mode::Sub), Recorder::QUEUE_SIZE);
    }
}
