//! Writing a folder of `.raw` files.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::directory::Directory;
use super::publisher::{Publisher, Unpublished};
use super::{PartNumber, list};
use crate::recording::{Fsync, RecordWriter};
use crate::{Error, Frame, Frames, Offer, Received, Result, Sink, Unconfirmed, WaitSet};

/// How long after the last message it is looked what became of it, where nobody asks before.
const SETTLE: Duration = Duration::from_millis(20);

/// A folder that grows by a file for each part of each message.
///
/// Part 0 of a message is written last, and without a name until it is whole (under another one,
/// `000000_000.raw.part`, where the file system knows no nameless files): so a killed writer leaves
/// no message that looks whole and is not. A message that could not be written whole is taken away
/// again.
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
    keep: usize,
    /// Writes first parts, once somebody records.
    publisher: Option<Publisher>,
    settled_at: Option<Instant>,
}

impl FolderWriter {
    /// Starts a recording in a folder, which is made where it does not exist.
    ///
    /// # Errors
    /// Where the folder holds a recording already, or cannot be made or read.
    pub fn create(folder: &Path) -> Result<Self> {
        let writer = Self::append(folder)?;
        if writer.next > 0 {
            return Err(Error::RecordingExists { path: folder.to_owned() });
        }
        Ok(writer)
    }

    /// Goes on after the highest message number in a folder, or starts one.
    ///
    /// # Errors
    /// Where the folder cannot be made or read.
    pub fn append(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let next = list(folder)?.end;
        Ok(Self {
            directory: Arc::new(Directory::open(folder)?),
            name: folder.display().to_string(),
            next,
            keep: usize::MAX,
            publisher: None,
            settled_at: None,
        })
    }

    /// Keeps only the first parts of each message, none where `parts` is zero.
    #[must_use]
    pub fn keep_parts(mut self, parts: usize) -> Self {
        self.keep = parts;
        self
    }

    /// Writes a message.
    ///
    /// # Errors
    /// Where a file cannot be written; nothing of the message is left behind then.
    pub fn write(&mut self, frames: &Frames) -> Result<()> {
        let kept = self.write_others(frames)?;
        if let Some(first) = kept.first() {
            let published = self.directory.publish(self.number(0), first);
            published.inspect_err(|_| self.remove(1..kept.len()))?;
        }
        self.next += 1;
        Ok(())
    }

    /// Writes a message, its first part on another thread; says later what became of that.
    fn write_apart(&mut self, frames: &Frames) -> Result<()> {
        let publisher = match &mut self.publisher {
            Some(publisher) => publisher,
            none => none.insert(Publisher::start(&self.directory)?),
        };
        publisher.check()?;
        let kept = match self.write_others(frames) {
            Ok(kept) => kept,
            // A failure of a message before is the one to tell.
            Err(error) => return self.settle().and(Err(error)),
        };
        if let (Some(first), Some(publisher)) = (kept.first(), &mut self.publisher) {
            let (first, parts) = (first.clone(), kept.len());
            publisher.publish(Unpublished { message: self.next, first, parts })?;
            self.settled_at = Instant::now().checked_add(SETTLE);
        }
        self.next += 1;
        Ok(())
    }

    /// Waits for what was written apart.
    fn settle(&mut self) -> Result<()> {
        self.settled_at = None;
        self.publisher.as_mut().map_or(Ok(()), Publisher::settle)
    }

    /// Writes all parts of a message that are kept but the first, and returns them all.
    fn write_others<'a>(&self, frames: &'a Frames) -> Result<&'a [Frame]> {
        let kept = &frames[..frames.len().min(self.keep)];
        for (part, frame) in kept.iter().enumerate().skip(1).rev() {
            let written = self.directory.write(self.number(part), frame);
            written.inspect_err(|_| self.remove(part + 1..kept.len()))?;
        }
        Ok(kept)
    }

    /// Takes parts away that are of no use alone.
    fn remove(&self, mut parts: Range<usize>) {
        parts.by_ref().for_each(|part| self.directory.remove(self.number(part)));
    }

    fn number(&self, part: usize) -> PartNumber {
        PartNumber { message: self.next, part }
    }
}

/// Two threads share the work: creating a file costs more than all else where messages are small.
impl RecordWriter for FolderWriter {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn record(&mut self, message: &Received, _number: u64) -> Result<()> {
        self.write_apart(&message.frames)
    }

    fn flush_due(&self) -> Option<Instant> {
        self.settled_at
    }

    /// Looks what became of the last messages, where none follow that would tell.
    fn flush(&mut self) -> Result<()> {
        self.settle()
    }

    /// Does nothing: a folder has too many files for it.
    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(mut self: Box<Self>, _fsync: Fsync) -> Result<()> {
        self.settle()
    }
}

impl Sink for FolderWriter {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        self.write(&message.frames).map(|()| Offer::Taken)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.ready();
    }

    fn finish(self: Box<Self>, _patience: Duration) -> Result<Unconfirmed> {
        Ok(Unconfirmed::Count(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{FolderReader, Recording};
    use crate::{Event, Source};

    #[test]
    fn what_a_killed_writer_left_is_no_message_and_its_number_is_not_used_again() {
        let name = format!("mflow-killed-writer-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let message = |text: &str| Frames::from([text.as_bytes(), b"data"]);
        let mut writer = FolderWriter::create(&folder).unwrap();
        writer.write(&message("one")).unwrap();
        // It had written the other parts of message 1 already, and half of its first one.
        fs::write(folder.join("000001_001.raw"), "data").unwrap();
        fs::write(folder.join("000001_000.raw.part"), "tw").unwrap();
        // Of message 2, which has one part, there is half of that.
        fs::write(folder.join("000002_000.raw.part"), "").unwrap();
        FolderWriter::append(&folder).unwrap().write(&message("three")).unwrap();

        let mut reader = FolderReader::open(&folder).unwrap();
        let mut read = Vec::new();
        while let Event::Message(received) = reader.poll().unwrap() {
            read.push((reader.position(), received.frames));
        }
        assert_eq!(read, [(0, message("one")), (3, message("three"))]);
        assert_eq!((reader.damaged(), reader.foreign_files()), (1, 2));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_in_the_way_is_not_replaced_and_nothing_of_the_message_stays() {
        let name = format!("mflow-in-the-way-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let mut writer = FolderWriter::create(&folder).unwrap();
        fs::write(folder.join("000000_000.raw"), "somebody's").unwrap();
        let error = writer.write(&Frames::from([&b"mine"[..], b"data"])).unwrap_err();
        let path = folder.join("000000_000.raw");
        assert_eq!(error.to_string(), format!("cannot write '{}'", path.display()));
        assert_eq!(fs::read(&path).unwrap(), b"somebody's");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_first_failure_of_two_threads_is_told_and_nothing_of_later_messages_stays() {
        let name = format!("mflow-two-threads-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let mut writer: Box<dyn RecordWriter> = Box::new(FolderWriter::create(&folder).unwrap());
        // Each in the way of the thread that comes there.
        fs::write(folder.join("000030_000.raw"), "somebody's").unwrap();
        fs::write(folder.join("000040_001.raw"), "somebody's").unwrap();
        let frames = Frames::from([&b"{}"[..], b"data", b"more"]);
        let origin = crate::Origin::new("x");
        let message = Received { frames, time: crate::Timestamp::from_nanos(1), origin };
        let error = (0..100).find_map(|number| writer.record(&message, number).err()).unwrap();
        let path = folder.join("000030_000.raw");
        assert_eq!(error.to_string(), format!("cannot write '{}'", path.display()));
        writer.close(Fsync::Never).unwrap();
        // Thirty whole messages, and what was in the way.
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 30 * 3 + 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_was_recorded_last_is_settled_without_another_message() {
        let name = format!("mflow-settled-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let mut writer: Box<dyn RecordWriter> = Box::new(FolderWriter::create(&folder).unwrap());
        assert_eq!(writer.flush_due(), None);
        fs::write(folder.join("000000_000.raw"), "somebody's").unwrap();
        let origin = crate::Origin::new("x");
        let frames = Frames::from([&b"{}"[..]]);
        let message = Received { frames, time: crate::Timestamp::from_nanos(1), origin };
        // Whether it was seen at once or later.
        let seen = writer.record(&message, 0).and_then(|()| {
            assert!(writer.flush_due().is_some());
            writer.flush()
        });
        let path = folder.join("000000_000.raw");
        assert_eq!(seen.unwrap_err().to_string(), format!("cannot write '{}'", path.display()));
        fs::remove_dir_all(folder).unwrap();
    }
}
