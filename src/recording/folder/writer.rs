//! Writing a folder of `.raw` files.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::directory::Directory;
use super::draft::Draft;
use super::list;
use super::pipeline::Pipeline;
use crate::counted::Counted;
use crate::endpoint::{Origin, Received};
use crate::error::Result;
use crate::frame::Frames;
use crate::recording::Error;
use crate::recording::{Fsync, RecordWriter};

/// A folder that grows by a file for each part of each message.
///
/// Part 0 of a message is written last, and is not readable until it is whole, not even its
/// owner: so a killed writer leaves no message that looks whole and is not, as long as the file
/// system, and whatever copies the folder, knows permissions. A message that could not be written
/// whole is taken away again.
///
/// A [`Recorder`](crate::recording::Recorder) makes a sink of it, and has it write with two threads
/// if many messages wait.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("mflow-writer-{}", std::process::id()));
/// use mflow::{Frames, recording::FolderWriter};
/// let mut writer = FolderWriter::create(&folder)?;
/// writer.write(&Frames::from([&b"{}"[..], b"data"]))?;
/// assert_eq!(std::fs::read(folder.join("000000_001.raw"))?, b"data");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FolderWriter {
    directory: Arc<Directory>,
    name: String,
    next: u64,
    pipeline: Pipeline,
    /// The number of the first message, how many were given to be recorded since, and how many are
    /// known to be dropped.
    first: u64,
    given: u64,
    dropped: u64,
    /// The number of files of the given messages.
    files: u64,
    has_failed: bool,
}

impl FolderWriter {
    /// A good [`max_memory`](crate::recording::RecorderOptions::max_memory) for a folder, which is
    /// slow as it has so many files: more would wait for nothing but to leave the processor's cache.
    pub const MAX_MEMORY: usize = 16 << 20;

    /// Starts a recording in a folder, which is made if it does not exist.
    ///
    /// # Errors
    /// If the folder holds a recording already, or cannot be made or read.
    pub fn create(folder: &Path) -> Result<Self> {
        let writer = Self::append(folder)?;
        if writer.next > 0 {
            return Err(Error::RecordingExists { path: folder.to_owned() }.into());
        }
        Ok(writer)
    }

    /// Continues after the highest message number in a folder, or starts a folder.
    ///
    /// # Errors
    /// If the folder cannot be made or read.
    pub fn append(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let next = list(folder)?.end;
        Ok(Self {
            directory: Arc::new(Directory::open(folder)?),
            name: folder.display().to_string(),
            next,
            pipeline: Pipeline::new(),
            first: next,
            given: 0,
            dropped: 0,
            files: 0,
            has_failed: false,
        })
    }

    /// Writes a message.
    ///
    /// # Errors
    /// If a file cannot be written; nothing of the message is left behind then.
    pub fn write(&mut self, frames: &Frames) -> Result<()> {
        self.pipeline.rest()?;
        self.draft(frames.clone()).complete()?;
        self.next += 1;
        Ok(())
    }

    fn draft(&self, frames: Frames) -> Draft {
        Draft::new(&self.directory, self.next, frames)
    }

    /// Checks that all files that were written are still there.
    fn check_presence(&mut self) -> Result<()> {
        let found = self.directory.count(&(self.first..self.next))?;
        let removed = self.files.saturating_sub(found.files);
        if removed == 0 {
            return Ok(());
        }
        self.dropped += self.given.saturating_sub(found.messages);
        let reason = format!("{} removed while it was written", Counted(removed, "file").were());
        let reason = io::Error::new(io::ErrorKind::NotFound, reason);
        Err(Error::file("close", self.directory.path())(reason))
    }

    fn note(&mut self, result: Result<()>) -> Result<()> {
        self.has_failed |= result.is_err();
        result
    }
}

impl RecordWriter for FolderWriter {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn record(&mut self, message: Received, _number: u64) -> Result<()> {
        self.given += 1;
        self.files += message.frames.len() as u64;
        let pushed = self.pipeline.push(self.draft(message.frames));
        self.next += u64::from(pushed.is_ok());
        self.note(pushed)
    }

    fn count_dropped(&mut self, _origin: &Arc<Origin>, _htype: Option<&str>, messages: u64) {
        self.dropped += messages;
    }

    fn put_off(&self) -> usize {
        self.pipeline.put_off()
    }

    fn settle(&mut self) -> Result<()> {
        let settled = self.pipeline.settle();
        self.note(settled)
    }

    /// Does nothing: a folder has too many files for it.
    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(&mut self, _fsync: Fsync) -> Result<()> {
        let closed = self.pipeline.rest();
        self.note(closed)?;
        // After a failure, the folder is checked anyway.
        if self.has_failed { Ok(()) } else { self.check_presence() }
    }

    /// Where writing has failed, the folder is looked at: messages before the first that could not be
    /// written are there, and none of the others.
    fn dropped(&self) -> u64 {
        if !self.has_failed {
            return self.dropped;
        }
        let next = list(Path::new(&self.name)).map_or(self.first, |list| list.end);
        self.dropped + self.given.saturating_sub(next.saturating_sub(self.first))
    }
}

impl Drop for FolderWriter {
    fn drop(&mut self) {
        // Who drops it does not want to know.
        let _ = self.pipeline.rest();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::endpoint::{Event, Source};
    use crate::recording::{FolderReader, Recording};

    #[test]
    fn what_a_killed_writer_left_is_no_message_and_its_number_is_not_used_again() {
        let name = format!("mflow-killed-writer-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let message = |text: &str| Frames::from([text.as_bytes(), b"data"]);
        let mut writer = FolderWriter::create(&folder).unwrap();
        writer.write(&message("one")).unwrap();
        // It had written the other parts of message 1 already, and half of its first one.
        let half = folder.join("000001_000.raw");
        fs::write(folder.join("000001_001.raw"), "data").unwrap();
        fs::write(&half, "tw").unwrap();
        fs::set_permissions(&half, fs::Permissions::from_mode(0o200)).unwrap();
        // It was about to look what files may be used for.
        fs::write(folder.join("000002_000.raw.part"), "").unwrap();
        FolderWriter::append(&folder).unwrap().write(&message("three")).unwrap();

        let mut reader = FolderReader::open(&folder).unwrap();
        let mut read = Vec::new();
        while let Event::Message(received) = reader.poll().unwrap() {
            read.push((reader.position(), received.frames));
        }
        assert_eq!(read, [(0, message("one")), (3, message("three"))]);
        assert_eq!((reader.report().damaged, reader.foreign_files()), (1, 1));
        fs::remove_dir_all(folder).unwrap();
    }
}
