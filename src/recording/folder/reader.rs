//! Reading a folder of `.raw` files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Listing, PartNumber, is_unfinished, list};
use crate::counted::Counted;
use crate::endpoint::{Event, Origin, Received, Report, Source, Timestamp, WaitSet};
use crate::error::Result;
use crate::frame::{Frame, Frames};
use crate::recording::Error;
use crate::recording::{Recording, Seek};

/// The messages of a folder, in the order of their numbers.
///
/// A message that lacks a part, or of which the first one is not whole, is skipped and counted as
/// damaged: a writer that was killed leaves some at the end, a few hundred of small ones or seven
/// large ones at most. Memory: 16 bytes for each file while reading, and the message at hand.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("mflow-reader-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use mflow::recording::{FolderReader, Recording};
/// use mflow::{Event, Source};
/// std::fs::write(folder.join("000000_000.raw"), b"{}")?;
/// let mut reader = FolderReader::open(&folder)?;
/// assert_eq!(reader.messages(), Some(1));
/// assert!(matches!(reader.poll()?, Event::Message(_)));
/// assert!(matches!(reader.poll()?, Event::End));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FolderReader {
    folder: PathBuf,
    parts: Vec<PartNumber>,
    next: usize,
    position: u64,
    origin: Arc<Origin>,
    messages: u64,
    foreign: u64,
    damaged: u64,
    /// The end of the parts whose damage is counted already: reading them again counts none twice.
    counted: usize,
}

impl FolderReader {
    /// Opens a folder and lists it.
    ///
    /// # Errors
    /// If the folder cannot be read, or holds no message.
    pub fn open(folder: &Path) -> Result<Self> {
        let Listing { mut parts, foreign, .. } = list(folder)?;
        if parts.is_empty() {
            return Err(Error::NoRecording { path: folder.to_owned() }.into());
        }
        parts.sort_unstable();
        let messages = parts.chunk_by(|a, b| a.message == b.message).count() as u64;
        Ok(Self {
            folder: folder.to_owned(),
            position: parts.first().map_or(0, |first| first.message),
            parts,
            next: 0,
            origin: Origin::new(folder.display().to_string()),
            messages,
            foreign,
            damaged: 0,
            counted: 0,
        })
    }

    /// Returns how many messages are missing between the first and the last one.
    #[must_use]
    pub fn missing(&self) -> u64 {
        match (self.parts.first(), self.parts.last()) {
            (Some(first), Some(last)) => (last.message - first.message) - (self.messages - 1),
            _ => 0,
        }
    }

    /// Returns how many files in the folder do not belong to a recording.
    #[must_use]
    pub fn foreign_files(&self) -> u64 {
        self.foreign
    }

    /// Reads the next whole message.
    fn read_next(&mut self) -> Result<Option<Frames>> {
        while let Some(first) = self.parts.get(self.next) {
            let rest = &self.parts[self.next..];
            let count = rest.iter().take_while(|part| part.message == first.message).count();
            let message = &rest[..count];
            let missing = (0..).zip(message).find(|(index, part)| *index != part.part);
            self.next += count;
            let number = first.message;
            self.position = number;
            let damage = match missing {
                Some((part, _)) => format!("lacks part {part}"),
                None if self.is_whole(*first)? => {
                    let frames: Result<Frames> =
                        message.iter().map(|part| self.read_part(*part)).collect();
                    return frames.map(Some);
                }
                None => "has a first part that is not whole and cannot be opened".to_owned(),
            };
            if self.next > self.counted {
                self.counted = self.next;
                self.damaged += 1;
                let folder = &self.origin.name;
                tracing::info!(%folder, "message {number} {damage}: skipped");
            }
        }
        Ok(None)
    }

    /// Returns whether a first part was written to its end.
    fn is_whole(&self, first: PartNumber) -> Result<bool> {
        let path = self.folder.join(first.file_name());
        let file = fs::metadata(&path).map_err(Error::file("read", &path))?;
        Ok(!is_unfinished(&file))
    }

    fn read_part(&self, part: PartNumber) -> Result<Frame> {
        let path = self.folder.join(part.file_name());
        fs::read(&path).map(Frame::from).map_err(Error::file("read", &path))
    }
}

impl Source for FolderReader {
    fn name(&self) -> &str {
        &self.origin.name
    }

    fn poll(&mut self) -> Result<Event> {
        Ok(match self.read_next()? {
            Some(frames) => Event::Message(Received {
                frames,
                time: Timestamp::now(),
                origin: Arc::clone(&self.origin),
            }),
            None => Event::End,
        })
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.ready();
    }

    fn report(&self) -> Report {
        let mut notices = Vec::new();
        if self.foreign > 0 {
            notices.push(format!("ignoring {}", Counted(self.foreign, "other file")));
        }
        if self.missing() > 0 {
            notices.push(format!("{} missing in between", Counted(self.missing(), "message")));
        }
        Report { is_live: false, notices, damaged: self.damaged, ..Report::default() }
    }
}

impl Recording for FolderReader {
    fn messages(&self) -> Option<u64> {
        Some(self.messages)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn seek(&mut self, to: Seek) -> Result<()> {
        match to {
            Seek::Message(number) => {
                self.next = self.parts.partition_point(|part| part.message < number);
                let behind = self.parts.last().map_or(0, |last| last.message.saturating_add(1));
                self.position = self.parts.get(self.next).map_or(behind, |part| part.message);
                Ok(())
            }
            Seek::Time(_) => Err(Error::NoTimes { path: self.folder.clone() }.into()),
        }
    }

    fn origins(&self) -> &[Arc<Origin>] {
        std::slice::from_ref(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_from_a_number_or_the_next_one_there_is() {
        let folder = std::env::temp_dir().join(format!("mflow-seek-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for number in [2, 3, 7] {
            let name = PartNumber { message: number, part: 0 }.file_name();
            fs::write(folder.join(name), number.to_string()).unwrap();
        }
        let mut reader = FolderReader::open(&folder).unwrap();
        assert_eq!((reader.messages(), reader.position()), (Some(3), 2));
        assert_eq!(reader.report().notices, ["3 messages missing in between"]);
        for (to, found) in [(3, Some(3)), (0, Some(2)), (4, Some(7)), (8, None)] {
            reader.seek(Seek::Message(to)).unwrap();
            let read = reader.read_next().unwrap();
            assert_eq!(
                read,
                found.map(|number: u64| Frames::from([number.to_string().as_bytes()]))
            );
            assert_eq!(reader.position(), found.unwrap_or(8), "{to}");
        }
        let error = reader.seek(Seek::Time(Timestamp::now())).unwrap_err();
        assert!(matches!(error.get(), Some(Error::NoTimes { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }
}
