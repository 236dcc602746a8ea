//! Reading a folder of `.raw` files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Listing, PartNumber, list};
use crate::{Error, Event, Frame, Frames, Origin, Received, Result, Source, Timestamp, WaitSet};

/// The messages of a folder, in the order of their numbers.
///
/// A message that lacks a part is skipped and counted as damaged: a writer that was killed leaves
/// one. Memory: 16 bytes for each file while reading, and the message at hand.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("mflow-reader-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use mflow::{Event, Source, recording::FolderReader};
/// std::fs::write(folder.join("000000_000.raw"), b"{}")?;
/// let mut reader = FolderReader::open(&folder)?;
/// assert_eq!(reader.messages(), 1);
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
    origin: Arc<Origin>,
    messages: u64,
    foreign: usize,
    damaged: u64,
    /// The end of the parts whose damage is counted already: reading them again counts none twice.
    counted: usize,
}

impl FolderReader {
    /// Opens a folder and lists it.
    ///
    /// # Errors
    /// Where the folder cannot be read, or holds no message.
    pub fn open(folder: &Path) -> Result<Self> {
        let Listing { mut parts, foreign, .. } = list(folder)?;
        if parts.is_empty() {
            return Err(Error::NoRecording { path: folder.to_owned() });
        }
        parts.sort_unstable();
        let messages = parts.chunk_by(|a, b| a.message == b.message).count() as u64;
        Ok(Self {
            folder: folder.to_owned(),
            parts,
            next: 0,
            origin: Origin::new(folder.display().to_string()),
            messages,
            foreign,
            damaged: 0,
            counted: 0,
        })
    }

    /// Returns how many messages the folder holds, damaged ones included.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns how many messages are missing between the first and the last one.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        match (self.parts.first(), self.parts.last()) {
            (Some(first), Some(last)) => (last.message - first.message) - (self.messages - 1),
            _ => 0,
        }
    }

    /// Returns how many files in the folder do not belong to a recording.
    #[must_use]
    pub fn foreign_files(&self) -> usize {
        self.foreign
    }

    /// Returns the number of the message that was read last, or of the first one.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.parts.get(self.next.saturating_sub(1)).map_or(0, |part| part.message)
    }

    /// Goes back to the first message.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Reads the next whole message.
    fn read_next(&mut self) -> Result<Option<Frames>> {
        while let Some(first) = self.parts.get(self.next) {
            let rest = &self.parts[self.next..];
            let count = rest.iter().take_while(|part| part.message == first.message).count();
            let message = &rest[..count];
            let missing = (0..).zip(message).find(|(index, part)| *index != part.part);
            self.next += count;
            match missing {
                None => {
                    let frames: Result<Frames> =
                        message.iter().map(|part| self.read_part(*part)).collect();
                    return frames.map(Some);
                }
                Some(_) if self.next <= self.counted => {}
                Some((part, number)) => {
                    self.counted = self.next;
                    self.damaged += 1;
                    let message = number.message;
                    let folder = &self.origin.name;
                    tracing::info!(%folder, "message {message} lacks part {part}: skipped");
                }
            }
        }
        Ok(None)
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

    /// Returns how many messages were skipped so far because they lack parts, each counted once.
    fn damaged(&self) -> u64 {
        self.damaged
    }
}
