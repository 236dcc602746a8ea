//! Two threads for the files of small messages: one makes them, the other fills them.
//!
//! Making a file takes about as long as writing and closing it, and the system lets only one thread
//! at a time make one in a folder.

use std::collections::VecDeque;
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
/// So many files are handed over together at most: waking a thread takes as long as some twenty.
const BATCH: usize = 160;
/// So many batches are handed over and not done at most.
const UNDER_WAY: usize = 3;
/// All batches together hold no more than this share of the descriptors that there may be.
const SHARE: usize = 8;

/// Messages on their way into a folder, in their order: some hundred small ones at most.
///
/// After an error nothing is on its way any more.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// How many files make a batch.
    batch: usize,
    /// Begun, and not handed over.
    drafts: Vec<Draft>,
    /// How many files they have.
    files: usize,
    filler: Option<Filler>,
}

impl Pipeline {
    pub(super) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self::with_batch((limit / SHARE / (UNDER_WAY + 1)).min(BATCH))
    }

    fn with_batch(batch: usize) -> Self {
        Self { batch, drafts: Vec::new(), files: 0, filler: None }
    }

    /// Writes a message, now or soon.
    ///
    /// # Errors
    /// Where this or an earlier message cannot be written; no later one is.
    pub(super) fn push(&mut self, mut draft: Draft) -> Result<()> {
        let is_small = (1..=MOST_PARTS.min(self.batch)).contains(&draft.parts())
            && draft.bytes() <= MOST_BYTES;
        if is_small && self.files + draft.parts() > self.batch {
            self.hand_over()?;
        }
        // Where a file cannot be made now, it may be that too many are open.
        if !is_small || draft.begin().is_err() {
            self.rest()?;
            return draft.complete();
        }
        self.files += draft.parts();
        self.drafts.push(draft);
        Ok(())
    }

    /// Returns how many messages are not written yet.
    pub(super) fn put_off(&self) -> usize {
        let under_way = self.filler.as_ref().map_or(0, |filler| filler.under_way.iter().sum());
        self.drafts.len() + under_way
    }

    /// Writes some of the messages that are not written yet.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn settle(&mut self) -> Result<()> {
        match &self.filler {
            Some(filler) if !filler.under_way.is_empty() => {
                if !self.drafts.is_empty() {
                    self.hand_over()?;
                }
                self.filler.as_mut().map_or(Ok(()), Filler::wait)
            }
            _ => self.complete(),
        }
    }

    /// Writes all messages that are not written yet.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn rest(&mut self) -> Result<()> {
        while self.put_off() > 0 {
            self.settle()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        if self.filler.is_none() {
            // Where there may be no more threads, this one has to do.
            self.filler = Filler::start().ok();
        }
        let Some(filler) = &mut self.filler else { return self.complete() };
        self.files = 0;
        let next = Vec::with_capacity(self.drafts.len());
        filler.hand_over(std::mem::replace(&mut self.drafts, next))
    }

    fn complete(&mut self) -> Result<()> {
        self.files = 0;
        self.drafts.drain(..).try_for_each(Draft::complete)
    }
}

/// The thread that fills files, until it cannot.
#[derive(Debug)]
struct Filler {
    /// Dropped first: this ends the thread.
    drafts: Option<Sender<Vec<Draft>>>,
    results: Receiver<Result<()>>,
    /// How many messages are in each batch that is not known to be done.
    under_way: VecDeque<usize>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
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
        let thread = thread::Builder::new().name("filler".into()).spawn(fill)?;
        Ok(Self { drafts: Some(drafts), results, under_way: VecDeque::new(), thread: Some(thread) })
    }

    fn hand_over(&mut self, drafts: Vec<Draft>) -> Result<()> {
        if self.under_way.len() >= UNDER_WAY {
            self.wait()?;
        }
        self.under_way.push_back(drafts.len());
        // Where the thread has ended, the next wait says why.
        let _ = self.drafts.as_ref().map(|to| to.send(drafts));
        Ok(())
    }

    /// Waits until the first batch that is under way is done. After an error no other is.
    fn wait(&mut self) -> Result<()> {
        let result = self.results.recv().unwrap_or_else(|_| {
            let source = io::Error::other("the thread that fills files has ended");
            Err(Error::System { what: "the recording", source })
        });
        match result {
            Ok(()) => drop(self.under_way.pop_front()),
            Err(_) => self.under_way.clear(),
        }
        result
    }
}

impl Drop for Filler {
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

    fn fresh(name: &str) -> PathBuf {
        let name = format!("mflow-pipeline-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    fn open(path: &Path, is_marked: bool) -> Directory {
        let open = if is_marked { Directory::open } else { Directory::open_unmarked };
        open(path).unwrap()
    }

    fn small(number: u64) -> Frames {
        Frames::from([format!("{{\"frame\":{number}}}").into_bytes(), vec![7; 9]])
    }

    /// Of all sizes: some are too large for a batch, and some have too many parts.
    fn mixed(number: u64) -> Frames {
        let mut frames = small(number);
        if number % 50 == 7 {
            frames.push(vec![8; MOST_BYTES].into());
        }
        if number % 70 == 5 {
            (0..MOST_PARTS).for_each(|_| frames.push(vec![9; 9].into()));
        }
        frames
    }

    fn push(
        pipeline: &mut Pipeline,
        directory: Directory,
        message: fn(u64) -> Frames,
    ) -> Result<()> {
        let directory = Arc::new(directory);
        (0..MESSAGES)
            .try_for_each(|number| pipeline.push(Draft::new(&directory, number, message(number))))
    }

    /// Returns the numbers of the messages in a folder, which are as they were sent.
    fn whole(path: &Path, message: fn(u64) -> Frames) -> Vec<u64> {
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
    fn what_another_thread_fills_is_whole_once_it_rests_also_where_nothing_is_marked() {
        for (name, is_marked) in [("marked", true), ("not", false)] {
            let path = fresh(name);
            let mut pipeline = Pipeline::with_batch(20);
            push(&mut pipeline, open(&path, is_marked), small).unwrap();
            assert!(pipeline.filler.is_some());
            assert!((1..=10 * (UNDER_WAY + 1)).contains(&pipeline.put_off()));
            pipeline.rest().unwrap();
            assert_eq!(pipeline.put_off(), 0);
            assert_eq!(whole(&path, small), (0..MESSAGES).collect::<Vec<_>>());
            fs::remove_dir_all(path).unwrap();
        }
    }

    #[test]
    fn messages_of_all_sizes_are_whole_once_it_rests() {
        for batch in [0, 2, 20, BATCH] {
            let path = fresh(&format!("mixed-{batch}"));
            let mut pipeline = Pipeline::with_batch(batch);
            push(&mut pipeline, Directory::open(&path).unwrap(), mixed).unwrap();
            pipeline.rest().unwrap();
            assert_eq!(whole(&path, mixed), (0..MESSAGES).collect::<Vec<_>>());
            fs::remove_dir_all(path).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_written_ends_it_and_nothing_of_that_message_or_a_later_one_stays() {
        // Where nothing is marked, the other thread makes the first parts, and so it meets the error.
        for (name, is_marked) in [("begin", true), ("fill", false)] {
            let path = fresh(name);
            let in_the_way = path.join("000150_000.raw");
            fs::write(&in_the_way, "somebody's").unwrap();
            let mut pipeline = Pipeline::with_batch(20);
            let pushed = push(&mut pipeline, open(&path, is_marked), small);
            let error = pushed.and_then(|()| pipeline.rest()).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot write '{}'", in_the_way.display()));
            assert_eq!(pipeline.put_off(), 0);
            drop(pipeline);
            assert_eq!(fs::read(&in_the_way).unwrap(), b"somebody's");
            fs::remove_file(in_the_way).unwrap();
            assert_eq!(whole(&path, small), (0..150).collect::<Vec<_>>());
            fs::remove_dir_all(path).unwrap();
        }
    }

    #[test]
    fn no_more_files_are_open_than_all_batches_have() {
        let path = fresh("open");
        let mut pipeline = Pipeline::with_batch(20);
        let directory = Arc::new(Directory::open(&path).unwrap());
        let frames: Frames = vec![vec![1]; MOST_PARTS].into();
        for number in 0..100 {
            pipeline.push(Draft::new(&directory, number, frames.clone())).unwrap();
            assert!(pipeline.files <= 20);
            assert!(pipeline.put_off() <= UNDER_WAY + 1);
        }
        drop(pipeline);
        fs::remove_dir_all(path).unwrap();
    }
}
