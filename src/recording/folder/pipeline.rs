//! Two threads for the files of small messages: one makes them, the other fills them.
//!
//! Making a file takes about as long as writing and closing it, and the system lets only one thread
//! at a time make one in a folder.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, getrlimit};

use super::draft::Draft;
use crate::{Error, Result};

/// A message with more parts is written by one thread: each part holds a descriptor.
const MOST_PARTS: usize = 16;
/// A larger message is written by one thread: making its files is little of the work.
const MOST_BYTES: usize = 16 << 10;
/// So many files are handed over together: waking a thread takes as long as some twenty.
const BATCH: usize = 192;
/// So many batches are handed over and not done at most.
const UNDER_WAY: usize = 2;

/// Messages on their way into a folder, in their order.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// How many files make a batch.
    batch: usize,
    /// Begun, and not handed over.
    drafts: Vec<Draft>,
    /// How many files they have.
    files: usize,
    helper: Option<Helper>,
}

impl Pipeline {
    pub(super) fn new() -> Self {
        // All batches together hold no more than half of the descriptors there may be.
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let share = usize::try_from(descriptors).unwrap_or(usize::MAX) / (2 * (UNDER_WAY + 1));
        let batch = share.min(BATCH);
        Self { batch, drafts: Vec::new(), files: 0, helper: None }
    }

    /// Writes a message, now or soon.
    ///
    /// # Errors
    /// Where this or an earlier message cannot be written; no later one is.
    pub(super) fn push(&mut self, mut draft: Draft) -> Result<()> {
        let is_small = draft.parts() <= MOST_PARTS && draft.bytes() <= MOST_BYTES;
        // Where a file cannot be made now, it may be that too many are open.
        if !is_small || draft.begin().is_err() {
            self.rest()?;
            return draft.complete();
        }
        self.files += draft.parts();
        self.drafts.push(draft);
        if self.files < self.batch { Ok(()) } else { self.hand_over() }
    }

    /// Writes what waits, and waits for what is under way.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn rest(&mut self) -> Result<()> {
        match &self.helper {
            Some(helper) if helper.under_way > 0 => self.hand_over()?,
            _ => self.complete()?,
        }
        self.helper.as_mut().map_or(Ok(()), |helper| helper.wait_until(0))
    }

    fn hand_over(&mut self) -> Result<()> {
        if self.helper.is_none() {
            // Where there may be no more threads, this one has to do.
            self.helper = Helper::start().ok();
        }
        let Some(helper) = &mut self.helper else { return self.complete() };
        self.files = 0;
        let next = Vec::with_capacity(self.drafts.len());
        helper.hand_over(std::mem::replace(&mut self.drafts, next))
    }

    fn complete(&mut self) -> Result<()> {
        self.files = 0;
        self.drafts.drain(..).try_for_each(Draft::complete)
    }
}

/// The thread that fills files, until it cannot.
#[derive(Debug)]
struct Helper {
    /// Dropped first: this ends the thread.
    drafts: Option<Sender<Vec<Draft>>>,
    results: Receiver<Result<()>>,
    under_way: usize,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    fn start() -> io::Result<Self> {
        let (drafts, received) = channel::<Vec<Draft>>();
        let (told, results) = channel();
        let fill = move || {
            for drafts in received {
                let result = drafts.into_iter().try_for_each(Draft::complete);
                let has_failed = result.is_err();
                // Who does not wait for it any more is about to drop this.
                if told.send(result).is_err() || has_failed {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("folder".into()).spawn(fill)?;
        Ok(Self { drafts: Some(drafts), results, under_way: 0, thread: Some(thread) })
    }

    fn hand_over(&mut self, drafts: Vec<Draft>) -> Result<()> {
        self.wait_until(UNDER_WAY - 1)?;
        self.under_way += 1;
        // Where the thread has ended, the next wait says why.
        let _ = self.drafts.as_ref().map(|to| to.send(drafts));
        Ok(())
    }

    /// Waits until no more than so many batches are under way.
    fn wait_until(&mut self, under_way: usize) -> Result<()> {
        while self.under_way > under_way {
            self.under_way -= 1;
            self.results.recv().unwrap_or_else(|_| {
                let source = io::Error::other("the thread that fills files has ended");
                Err(Error::System { what: "the recording", source })
            })?;
        }
        Ok(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.drafts = None;
        if let Some(thread) = self.thread.take() {
            // What it could not write is taken away again.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use crate::recording::folder::directory::Directory;
    use crate::recording::{FolderReader, Recording};
    use crate::{Event, Frames, Source};

    /// Enough for several batches, and not a whole number of them.
    const MESSAGES: u64 = 501;

    fn fresh(name: &str) -> (PathBuf, Arc<Directory>) {
        let path =
            std::env::temp_dir().join(format!("mflow-pipeline-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let directory = Arc::new(Directory::open(&path).unwrap());
        (path, directory)
    }

    fn message(number: u64) -> Frames {
        let size = if number % 50 == 7 { MOST_BYTES } else { 9 };
        let parts = if number % 70 == 5 { MOST_PARTS } else { 1 };
        let header = format!("{{\"frame\":{number}}}").into_bytes();
        std::iter::once(header).chain(vec![vec![7; size]; parts]).map(Into::into).collect()
    }

    fn push(pipeline: &mut Pipeline, directory: &Arc<Directory>) -> Result<()> {
        (0..MESSAGES)
            .try_for_each(|number| {
                pipeline.push(Draft::new(directory, number, message(number), usize::MAX))
            })
            .and_then(|()| pipeline.rest())
    }

    /// Returns the numbers of the messages in a folder that are as they were sent.
    fn whole(path: &Path) -> Vec<u64> {
        let mut reader = FolderReader::open(path).unwrap();
        let mut numbers = Vec::new();
        while let Event::Message(received) = reader.poll().unwrap() {
            assert_eq!(received.frames, message(reader.position()));
            numbers.push(reader.position());
        }
        assert_eq!(reader.damaged(), 0);
        numbers
    }

    #[test]
    fn messages_of_all_sizes_are_whole_once_it_rests() {
        let (path, directory) = fresh("whole");
        let mut pipeline = Pipeline::new();
        push(&mut pipeline, &directory).unwrap();
        assert_eq!(whole(&path), (0..MESSAGES).collect::<Vec<_>>());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_cannot_be_written_ends_it_and_nothing_of_that_message_or_a_later_one_stays() {
        let (path, directory) = fresh("fails");
        let in_the_way = path.join("000150_000.raw");
        fs::write(&in_the_way, "somebody's").unwrap();
        let mut pipeline = Pipeline::new();
        let error = push(&mut pipeline, &directory).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write '{}'", in_the_way.display()));
        drop(pipeline);
        assert_eq!(fs::read(&in_the_way).unwrap(), b"somebody's");
        fs::remove_file(in_the_way).unwrap();
        assert_eq!(whole(&path), (0..150).collect::<Vec<_>>());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_was_begun_and_never_handed_over_is_taken_away() {
        let (path, directory) = fresh("dropped");
        let mut pipeline = Pipeline::new();
        pipeline.push(Draft::new(&directory, 0, message(0), usize::MAX)).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        drop(pipeline);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        fs::remove_dir_all(path).unwrap();
    }
}
