//! Two threads for the files of many messages: one makes them, the other fills them, and the first
//! one helps where filling takes longer.
//!
//! Where something cannot be written, all that comes after it is taken away and written once more,
//! in its order: in the folder are the messages before the one that is told of, and no others.
//!
//! Small files take about as long to be made as to be written and closed, and the system lets only
//! one thread at a time make one in a folder. Writing large ones is all the work, and two threads
//! write two of them at once.

use std::collections::VecDeque;

use rustix::process::{Resource, getrlimit};

use super::draft::Draft;
use super::filler::{Filled, Filler};
use crate::Result;

/// A message with more parts is written by one thread: each part holds a descriptor.
const MOST_PARTS: usize = 16;
/// So many files are handed over together at most: waking a thread takes as long as some twenty.
const BATCH: usize = 160;
/// Files of so many bytes are handed over, however few they are.
const BATCH_BYTES: usize = 256 << 10;
/// So many batches are handed over and not done at most.
const UNDER_WAY: usize = 3;
/// No batch is handed over while so many bytes are handed over and not done: they would leave the
/// processor's cache.
const BYTES_UNDER_WAY: usize = 1 << 20;
/// So many batches are not written for good at most, before the one that is not handed over.
const MOST_STEPS: usize = 2 * UNDER_WAY;
/// Batches that are handed over, and the next, have no more than this share of the descriptors that
/// there may be.
const SHARE: usize = 8;

/// Messages on their way into a folder, in their order.
///
/// After an error nothing is on its way any more.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// How many files a batch has at most.
    most_files: usize,
    /// Begun, and not handed over.
    next: Batch,
    /// What comes before.
    under_way: VecDeque<Step>,
    filler: Option<Filler>,
}

/// Messages that are written together.
#[derive(Debug, Default)]
struct Batch {
    drafts: Vec<Draft>,
    files: usize,
    bytes: usize,
}

/// A batch that is not written for good.
#[derive(Debug)]
enum Step {
    /// Handed over.
    Handed { messages: usize, bytes: usize },
    /// Written by this thread, which is good once those before are.
    Ahead(Vec<Draft>),
}

impl Step {
    fn messages(&self) -> usize {
        match self {
            Self::Handed { messages, .. } => *messages,
            Self::Ahead(drafts) => drafts.len(),
        }
    }

    /// Returns how many bytes are handed over.
    fn handed(&self) -> Option<usize> {
        match self {
            Self::Handed { bytes, .. } => Some(*bytes),
            Self::Ahead(_) => None,
        }
    }
}

impl Pipeline {
    pub(super) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self::with_batch((limit / SHARE / (UNDER_WAY + 1)).min(BATCH))
    }

    fn with_batch(most_files: usize) -> Self {
        Self { most_files, next: Batch::default(), under_way: VecDeque::new(), filler: None }
    }

    /// Writes a message, now or soon.
    ///
    /// # Errors
    /// Where this or an earlier message cannot be written; no later one is.
    pub(super) fn push(&mut self, mut draft: Draft) -> Result<()> {
        let is_full =
            self.next.bytes >= BATCH_BYTES || self.next.files + draft.parts() > self.most_files;
        if is_full && !self.next.drafts.is_empty() {
            self.hand_over()?;
        }
        let is_welcome = (1..=MOST_PARTS.min(self.most_files)).contains(&draft.parts());
        // Where a file cannot be made now, it may be that too many are open.
        if !is_welcome || draft.begin().is_err() {
            self.rest()?;
            return draft.complete();
        }
        self.next.files += draft.parts();
        self.next.bytes += draft.bytes();
        self.next.drafts.push(draft);
        Ok(())
    }

    /// Returns how many messages are not written for good yet.
    pub(super) fn put_off(&self) -> usize {
        self.next.drafts.len() + self.under_way.iter().map(Step::messages).sum::<usize>()
    }

    /// Writes some of the messages that are not written yet.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn settle(&mut self) -> Result<()> {
        if !self.next.drafts.is_empty() {
            self.write()
        } else if !self.under_way.is_empty() {
            self.wait()
        } else {
            Ok(())
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

    /// Hands the next batch over, or writes it where the other thread has enough to do.
    fn hand_over(&mut self) -> Result<()> {
        while let Some(filled) = self.filler.as_ref().and_then(Filler::poll) {
            self.learn(filled)?;
        }
        if self.under_way.len() >= MOST_STEPS {
            self.wait()?;
        }
        let handed = self.under_way.iter().filter_map(Step::handed);
        if handed.clone().count() >= UNDER_WAY || handed.sum::<usize>() >= BYTES_UNDER_WAY {
            return self.write();
        }
        if self.filler.is_none() {
            // Where there may be no more threads, this one has to do.
            self.filler = Filler::start().ok();
        }
        let Some(filler) = &self.filler else { return self.write() };
        let room = Vec::with_capacity(self.next.drafts.len());
        let batch = std::mem::replace(&mut self.next, Batch { drafts: room, ..Batch::default() });
        self.under_way.push_back(Step::Handed { messages: batch.drafts.len(), bytes: batch.bytes });
        filler.hand_over(batch.drafts);
        Ok(())
    }

    /// Writes the next batch, ahead of what is under way.
    fn write(&mut self) -> Result<()> {
        if self.next.drafts.iter_mut().try_for_each(Draft::write).is_ok() {
            let written = std::mem::take(&mut self.next).drafts;
            self.under_way.push_back(Step::Ahead(written));
            self.keep();
            return Ok(());
        }
        while !self.under_way.is_empty() {
            self.wait()?;
        }
        self.write_again(Vec::new())
    }

    /// Waits until the first batch that was handed over is done with.
    fn wait(&mut self) -> Result<()> {
        let filled = self.filler.as_ref().map_or(Ok(Ok(())), Filler::wait)?;
        self.learn(filled)
    }

    /// Deals with what became of the first batch that was handed over.
    fn learn(&mut self, filled: Filled) -> Result<()> {
        self.under_way.pop_front();
        match filled {
            Ok(()) => {
                self.keep();
                Ok(())
            }
            Err(drafts) => self.write_again(drafts),
        }
    }

    /// Keeps what was written ahead of nothing.
    fn keep(&mut self) {
        while let Some(Step::Ahead(drafts)) = self.under_way.front_mut() {
            drafts.drain(..).for_each(Draft::keep);
            self.under_way.pop_front();
        }
    }

    /// Takes everything away again that was written out of its order, and writes it in its order:
    /// the first message that cannot be written is the error, whatever was seen first.
    fn write_again(&mut self, mut drafts: Vec<Draft>) -> Result<()> {
        for step in std::mem::take(&mut self.under_way) {
            match (step, &self.filler) {
                (Step::Handed { .. }, Some(filler)) => {
                    drafts.extend(filler.wait()?.err().unwrap_or_default());
                }
                (Step::Handed { .. }, None) => {}
                (Step::Ahead(written), _) => drafts.extend(written),
            }
        }
        self.filler = None;
        drafts.extend(std::mem::take(&mut self.next).drafts);
        drafts.iter_mut().for_each(Draft::take_back);
        drafts.into_iter().try_for_each(Draft::complete)
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
            frames.push(vec![8; BATCH_BYTES].into());
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
    fn whole(path: &Path, message: impl Fn(u64) -> Frames) -> Vec<u64> {
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
            assert!((1..=10 * (MOST_STEPS + 1)).contains(&pipeline.put_off()));
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

    /// Hands ten messages over and writes the next ten ahead of them, with files of others in the
    /// way of some.
    fn write_ahead(name: &str, in_the_way: &[u64]) -> (PathBuf, Result<()>) {
        let path = fresh(name);
        // The threads make the first parts where nothing is marked, and so they meet the errors.
        let directory = Arc::new(open(&path, false));
        for message in in_the_way {
            fs::write(path.join(format!("{message:06}_000.raw")), "somebody's").unwrap();
        }
        let mut pipeline = Pipeline::with_batch(20);
        let push = |pipeline: &mut Pipeline, numbers: std::ops::Range<u64>| {
            for number in numbers {
                pipeline.push(Draft::new(&directory, number, small(number))).unwrap();
            }
        };
        push(&mut pipeline, 0..10);
        pipeline.hand_over().unwrap();
        assert_eq!(pipeline.put_off(), 10);
        push(&mut pipeline, 10..20);
        let written = pipeline.write();
        if written.is_ok() {
            assert_eq!(pipeline.put_off(), 20);
        }
        let result = written.and_then(|()| pipeline.rest());
        assert_eq!(pipeline.put_off(), 0);
        (path, result)
    }

    #[test]
    fn what_is_written_ahead_stays_only_if_what_comes_before_does() {
        let (path, result) = write_ahead("ahead", &[]);
        result.unwrap();
        assert_eq!(whole(&path, small), (0..20).collect::<Vec<_>>());
        fs::remove_dir_all(path).unwrap();

        for (name, in_the_way) in [("before", vec![4]), ("ahead-too", vec![4, 13])] {
            let (path, result) = write_ahead(name, &in_the_way);
            let first = path.join("000004_000.raw");
            let message = format!("cannot write '{}'", first.display());
            assert_eq!(result.unwrap_err().to_string(), message);
            for message in in_the_way {
                fs::remove_file(path.join(format!("{message:06}_000.raw"))).unwrap();
            }
            assert_eq!(whole(&path, small), (0..4).collect::<Vec<_>>());
            fs::remove_dir_all(path).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_written_ahead_leaves_what_comes_before_it() {
        let (path, result) = write_ahead("not-ahead", &[13]);
        let in_the_way = path.join("000013_000.raw");
        let message = format!("cannot write '{}'", in_the_way.display());
        assert_eq!(result.unwrap_err().to_string(), message);
        fs::remove_file(in_the_way).unwrap();
        assert_eq!(whole(&path, small), (0..13).collect::<Vec<_>>());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn each_large_message_is_handed_over_alone() {
        let path = fresh("large");
        let mut pipeline = Pipeline::with_batch(BATCH);
        let directory = Arc::new(Directory::open(&path).unwrap());
        let large = |number: u64| Frames::from([number.to_le_bytes().repeat(BATCH_BYTES / 8)]);
        for number in 0..6 {
            pipeline.push(Draft::new(&directory, number, large(number))).unwrap();
            assert_eq!(pipeline.next.drafts.len(), 1);
            assert_eq!(pipeline.filler.is_some(), number > 0);
        }
        pipeline.rest().unwrap();
        assert_eq!(whole(&path, large), (0..6).collect::<Vec<_>>());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn no_more_files_are_open_than_all_batches_have() {
        let path = fresh("open");
        let mut pipeline = Pipeline::with_batch(20);
        let directory = Arc::new(Directory::open(&path).unwrap());
        let frames: Frames = vec![vec![1]; MOST_PARTS].into();
        for number in 0..100 {
            pipeline.push(Draft::new(&directory, number, frames.clone())).unwrap();
            assert!(pipeline.next.files <= 20);
            assert!(pipeline.put_off() <= MOST_STEPS + 1);
        }
        drop(pipeline);
        fs::remove_dir_all(path).unwrap();
    }
}
