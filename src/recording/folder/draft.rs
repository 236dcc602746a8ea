//! A message on its way into a folder: whole in the end, or not there.

use std::fs::File;
use std::sync::Arc;

use smallvec::SmallVec;

use super::PartNumber;
use super::directory::Directory;
use crate::error::{Error, Result};
use crate::frame::Frames;

/// A message that is not in its folder yet, or not whole.
///
/// Where it is dropped before it is complete, its files are taken away again.
#[derive(Debug)]
pub(super) struct Draft {
    directory: Arc<Directory>,
    message: u64,
    frames: Frames,
    /// Files that are open and empty, of the last parts before `written`, from the last one on
    /// downwards.
    begun: SmallVec<[File; 4]>,
    /// The first part that there is a file of: all later ones have theirs.
    made: usize,
    /// The first part that is written.
    written: usize,
    /// The first part, written, which is not readable yet.
    first: Option<File>,
    /// Why parts could not be written ahead.
    failed: Option<Box<Error>>,
}

impl Draft {
    pub(super) fn new(directory: &Arc<Directory>, message: u64, frames: Frames) -> Self {
        let directory = Arc::clone(directory);
        let (made, written) = (frames.len(), frames.len());
        let begun = SmallVec::new();
        Self { directory, message, frames, begun, made, written, first: None, failed: None }
    }

    /// Returns how many files the message will have.
    pub(super) fn parts(&self) -> usize {
        self.frames.len()
    }

    /// Returns how many bytes are to be written.
    pub(super) fn bytes(&self) -> usize {
        self.frames.bytes()
    }

    /// Makes the files, as far as they may be seen before they are whole.
    ///
    /// # Errors
    /// If a file cannot be made. None is there then, and [`complete`](Self::complete) tries once
    /// more.
    pub(super) fn begin(&mut self) -> Result<()> {
        for part in (0..self.parts()).rev() {
            match self.directory.begin(self.number(part)) {
                Ok(Some(file)) => self.begun.push(file),
                Ok(None) => break,
                Err(error) => {
                    self.take_back();
                    return Err(error);
                }
            }
            self.made = part;
        }
        Ok(())
    }

    /// Writes into the files that were begun. The message is as little to be seen as before; if it
    /// fails, [`complete`](Self::complete) reports it.
    pub(super) fn write_ahead(&mut self) {
        self.failed = self.write_begun().err().map(Box::new);
    }

    fn write_begun(&mut self) -> Result<()> {
        for file in std::mem::take(&mut self.begun) {
            let part = self.written - 1;
            self.directory.write(&file, self.number(part), &self.frames[part])?;
            match part {
                0 => self.first = Some(file),
                _ => self.directory.finish(file, self.number(part))?,
            }
            self.written = part;
        }
        Ok(())
    }

    /// Writes what is not written yet, the first part last: it makes the message whole.
    ///
    /// # Errors
    /// If a file cannot be made or written. What there is of the message then can be
    /// [taken back](Self::take_back), and goes with it.
    pub(super) fn complete(&mut self) -> Result<()> {
        if let Some(error) = self.failed.take()
            && !self.take_back()
        {
            return Err(*error);
        }
        let mut begun = std::mem::take(&mut self.begun).into_iter();
        for part in (0..self.written).rev() {
            let number = self.number(part);
            let file = match begun.next() {
                Some(file) => file,
                None => {
                    let file = self.directory.create(number)?;
                    self.made = part;
                    file
                }
            };
            self.directory.write(&file, number, &self.frames[part])?;
            self.directory.finish(file, number)?;
            self.written = part;
        }
        if let Some(first) = self.first.take() {
            self.directory.finish(first, self.number(0))?;
        }
        // There is nothing to take back any more.
        self.made = self.parts();
        Ok(())
    }

    /// Takes the files away again; returns whether they are gone. The message can be written anew
    /// then.
    pub(super) fn take_back(&mut self) -> bool {
        self.begun.clear();
        self.first = None;
        self.written = self.parts();
        // First the part that would make the rest look whole.
        let mut is_gone = true;
        for part in self.made..self.parts() {
            is_gone &= self.directory.remove(self.number(part));
        }
        if is_gone {
            self.made = self.parts();
        }
        is_gone
    }

    fn number(&self, part: usize) -> PartNumber {
        PartNumber { message: self.message, part }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What stays is no message: readers skip it.
        self.take_back();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::recording::folder::is_unfinished;

    #[test]
    fn a_message_is_unfinished_until_it_is_complete_and_gone_if_it_never_is() {
        let path = std::env::temp_dir().join(format!("mflow-draft-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let directory = Arc::new(Directory::open(&path).unwrap());
        let frames = Frames::from([&b"first"[..], b"other"]);
        let files = || {
            let files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = files.collect();
            files.sort();
            files
        };
        let is_unfinished = |file: &PathBuf| is_unfinished(&file.metadata().unwrap());

        for (number, is_ahead) in [(0, false), (1, true)] {
            let before = files();
            let mut draft = Draft::new(&directory, number, frames.clone());
            draft.begin().unwrap();
            let begun = files().split_off(before.len());
            assert_eq!(begun.iter().map(is_unfinished).collect::<Vec<_>>(), [true, false]);
            if is_ahead {
                draft.write_ahead();
                assert_eq!(begun.iter().map(is_unfinished).collect::<Vec<_>>(), [true, false]);
                assert_eq!(begun[0].metadata().unwrap().len(), 5);
                assert_eq!(fs::read(&begun[1]).unwrap(), b"other");
            }
            draft.complete().unwrap();
            drop(draft);
            assert_eq!(fs::read(&begun[0]).unwrap(), b"first");
            assert_eq!(fs::read(&begun[1]).unwrap(), b"other");
            let modes = begun.iter().map(|file| file.metadata().unwrap().permissions().mode());
            assert_eq!(modes.clone().min(), modes.max());

            let before = files();
            let mut draft = Draft::new(&directory, number + 10, frames.clone());
            draft.begin().unwrap();
            if is_ahead {
                draft.write_ahead();
            }
            assert_eq!(files().len(), before.len() + 2);
            drop(draft);
            assert_eq!(files(), before);
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_message_that_was_taken_back_is_written_anew() {
        let path = std::env::temp_dir().join(format!("mflow-anew-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let directory = Arc::new(Directory::open(&path).unwrap());
        let mut draft = Draft::new(&directory, 0, Frames::from([&b"first"[..], b"other"]));
        draft.begin().unwrap();
        draft.write_ahead();
        assert!(draft.take_back());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        draft.complete().unwrap();
        assert_eq!(fs::read(path.join("000000_000.raw")).unwrap(), b"first");
        assert_eq!(fs::read(path.join("000000_001.raw")).unwrap(), b"other");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_file_that_is_in_the_way_is_not_replaced_and_nothing_of_the_message_stays() {
        for begins in [false, true] {
            let name = format!("mflow-in-the-way-{}-{begins}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            let in_the_way = path.join("000000_000.raw");
            fs::write(&in_the_way, "somebody's").unwrap();
            let directory = Arc::new(Directory::open(&path).unwrap());
            let frames = Frames::from([&b"mine"[..], b"data"]);
            let mut draft = Draft::new(&directory, 0, frames);
            if begins {
                draft.begin().unwrap_err();
            }
            let error = draft.complete().unwrap_err();
            assert_eq!(error.to_string(), format!("cannot write '{}'", in_the_way.display()));
            drop(draft);
            assert_eq!(fs::read(&in_the_way).unwrap(), b"somebody's");
            assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
            fs::remove_dir_all(path).unwrap();
        }
    }
}
