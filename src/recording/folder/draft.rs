//! A message on its way into a folder: whole in the end, or not there.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::PartNumber;
use super::directory::Directory;
use crate::{Frames, Result};

/// A message that is not in its folder yet, or not for good.
///
/// Where it is dropped before it is kept, its files are taken away again.
#[derive(Debug)]
pub(super) struct Draft {
    directory: Arc<Directory>,
    message: u64,
    frames: Frames,
    /// Files that exist and are empty, from the last part on downwards.
    begun: SmallVec<[File; 4]>,
    /// The parts that there are files of: the last ones.
    made: Range<usize>,
}

impl Draft {
    pub(super) fn new(directory: &Arc<Directory>, message: u64, frames: Frames) -> Self {
        let directory = Arc::clone(directory);
        let made = frames.len()..frames.len();
        Self { directory, message, frames, begun: SmallVec::new(), made }
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
    /// Where a file cannot be made; [`write`](Self::write) tries once more.
    pub(super) fn begin(&mut self) -> Result<()> {
        for part in (0..self.parts()).rev() {
            let Some(file) = self.directory.begin(self.number(part))? else { break };
            self.begun.push(file);
            self.made.start = part;
        }
        Ok(())
    }

    /// Writes the parts, the first one last: it makes the message whole.
    ///
    /// # Errors
    /// Where a file cannot be made or written; the message is not whole then.
    pub(super) fn write(&mut self) -> Result<()> {
        let mut begun = std::mem::take(&mut self.begun).into_iter();
        for (part, frame) in self.frames.iter().enumerate().rev() {
            let number = self.number(part);
            let file = match begun.next() {
                Some(file) => file,
                None => {
                    let file = self.directory.create(number)?;
                    self.made.start = part;
                    file
                }
            };
            self.directory.fill(file, number, frame)?;
        }
        Ok(())
    }

    /// Leaves what is written in the folder.
    pub(super) fn keep(mut self) {
        self.made.start = self.made.end;
    }

    /// Writes the message for good.
    ///
    /// # Errors
    /// As [`write`](Self::write); nothing of the message is left behind then.
    pub(super) fn complete(mut self) -> Result<()> {
        self.write().map(|()| self.keep())
    }

    /// Takes the files away again.
    pub(super) fn take_back(&mut self) {
        self.begun.clear();
        // First the part that would make the rest look whole.
        for part in std::mem::replace(&mut self.made, self.frames.len()..self.frames.len()) {
            self.directory.remove(self.number(part));
        }
    }

    fn number(&self, part: usize) -> PartNumber {
        PartNumber { message: self.message, part }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.take_back();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::recording::folder::is_unfinished;

    #[test]
    fn a_message_that_was_begun_is_unfinished_until_it_is_complete_and_gone_if_it_never_is() {
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

        let mut draft = Draft::new(&directory, 0, frames.clone());
        draft.begin().unwrap();
        let begun = files();
        assert_eq!(begun.len(), 2);
        assert!(is_unfinished(&begun[0].metadata().unwrap()));
        assert!(!is_unfinished(&begun[1].metadata().unwrap()));
        draft.complete().unwrap();
        assert_eq!(files(), begun);
        assert_eq!(fs::read(&begun[0]).unwrap(), b"first");
        assert_eq!(fs::read(&begun[1]).unwrap(), b"other");
        let modes = begun.iter().map(|file| file.metadata().unwrap().permissions().mode());
        assert_eq!(modes.clone().min(), modes.max());

        let mut draft = Draft::new(&directory, 1, frames);
        draft.begin().unwrap();
        assert_eq!(files().len(), 4);
        drop(draft);
        assert_eq!(files(), begun);
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
            assert_eq!(fs::read(&in_the_way).unwrap(), b"somebody's");
            assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
            fs::remove_dir_all(path).unwrap();
        }
    }
}
