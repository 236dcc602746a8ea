//! Two threads for the files of many messages: one makes them, the other fills them, and the first
//! one helps if filling takes longer.
//!
//! Small files take about as long to be made as to be written and closed, and the system lets only
//! one thread at a time make one in a folder. Writing large ones is all the work, and two threads
//! write two of them at once.
//!
//! In either case, one thread completes the messages, in order. If one cannot be
//! written, what there is of later ones is taken away, which may make room, and all are tried once
//! more: the folder has the messages before the reported one, and no others.

use rustix::process::{Resource, getrlimit};

use super::draft::Draft;
use super::filler::{Batch, Filled, Filler};
use crate::error::{Error, Result};

/// A message with more parts is written by one thread: each part holds a descriptor.
const MOST_PARTS: usize = 16;
/// So many files are handed over together at most: waking a thread takes as long as some twenty.
const BATCH: usize = 80;
/// Files of so many bytes are handed over, however few they are.
const BATCH_BYTES: usize = 256 << 10;
/// At most this many batches are in progress.
const UNDER_WAY: usize = 6;
/// The other thread has enough to do with so many batches.
const ENOUGH: usize = 3;
/// The other thread has enough to do with so many bytes: more would leave the processor's cache.
const ENOUGH_BYTES: usize = 1 << 20;
/// Batches in progress, and the next one, have no more than this share of the descriptors that
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
    /// How many files that are.
    files: usize,
    filler: Option<Filler>,
}

impl Pipeline {
    pub(super) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self::with_batch((limit / SHARE / (UNDER_WAY + 1)).min(BATCH))
    }

    fn with_batch(most_files: usize) -> Self {
        Self { most_files, next: Batch::default(), files: 0, filler: None }
    }

    /// Writes a message, now or soon.
    ///
    /// # Errors
    /// If this or an earlier message cannot be written; no later one is.
    pub(super) fn push(&mut self, mut draft: Draft) -> Result<()> {
        let is_full =
            self.next.bytes >= BATCH_BYTES || self.files + draft.parts() > self.most_files;
        if is_full && !self.next.drafts.is_empty() {
            self.hand_over()?;
        }
        let is_welcome = (1..=MOST_PARTS.min(self.most_files)).contains(&draft.parts());
        // Where a file cannot be made now, it may be that too many are open.
        if !is_welcome || draft.begin().is_err() {
            self.rest()?;
            return draft.complete();
        }
        self.files += draft.parts();
        self.next.bytes += draft.bytes();
        self.next.drafts.push(draft);
        Ok(())
    }

    /// Returns how many messages are not written for good yet.
    pub(super) fn put_off(&self) -> usize {
        self.next.drafts.len() + self.filler.as_ref().map_or(0, Filler::messages)
    }

    /// Writes some of the messages that are not written yet.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.filler.as_ref().is_none_or(|filler| filler.batches() == 0) {
            return complete(self.take_next().drafts);
        }
        if !self.next.drafts.is_empty() {
            self.hand_over()?;
        }
        let Some(filler) = &mut self.filler else { return Ok(()) };
        let filled = filler.wait();
        self.learn(filled)
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

    /// Hands the next batch over; writes it before if the other thread has enough to do.
    fn hand_over(&mut self) -> Result<()> {
        while let Some(filler) = &mut self.filler {
            let is_full = filler.batches() >= UNDER_WAY;
            let filled = if is_full { Some(filler.wait()) } else { filler.poll() };
            let Some(filled) = filled else { break };
            self.learn(filled)?;
        }
        if self.next.drafts.is_empty() {
            // It was written once more, with everything before it.
            return Ok(());
        }
        if self.filler.is_none() {
            // Where there may be no more threads, this one has to do.
            self.filler = Filler::start().ok();
        }
        let mut batch = self.take_next();
        let Some(filler) = &mut self.filler else { return complete(batch.drafts) };
        let (batches, bytes) = filler.load();
        if batches >= ENOUGH || bytes >= ENOUGH_BYTES {
            batch.drafts.iter_mut().for_each(Draft::write_ahead);
            batch.bytes = 0;
        }
        filler.hand_over(batch);
        Ok(())
    }

    fn take_next(&mut self) -> Batch {
        self.files = 0;
        let room = Vec::with_capacity(self.next.drafts.len());
        std::mem::replace(&mut self.next, Batch { drafts: room, bytes: 0 })
    }

    /// Deals with what became of a batch.
    fn learn(&mut self, filled: Result<Filled>) -> Result<()> {
        match filled {
            Ok(Filled { error: None, .. }) => Ok(()),
            Ok(Filled { left, error: Some(error) }) => self.write_again(left, error),
            Err(error) => {
                self.take_next();
                self.filler = None;
                Err(error)
            }
        }
    }

    /// Takes everything away that was written out of its order, and writes it in its order: the
    /// first message that cannot be written then is the error.
    fn write_again(&mut self, mut drafts: Vec<Draft>, error: Error) -> Result<()> {
        let next = self.take_next().drafts;
        if let Some(filler) = self.filler.take() {
            drafts.extend(filler.end()?);
        }
        drafts.extend(next);
        let mut is_gone = true;
        for draft in &mut drafts {
            is_gone &= draft.take_back();
        }
        if !is_gone {
            return Err(error);
        }
        tracing::debug!("{error}: once more");
        complete(drafts)
    }
}

/// Writes messages by this thread alone.
fn complete(mut drafts: Vec<Draft>) -> Result<()> {
    drafts.iter_mut().try_for_each(Draft::complete)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use crate::endpoint::{Event, Source};
    use crate::frame::Frames;
    use crate::recording::folder::directory::Directory;
    use crate::recording::{FolderReader, Recording};

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
        assert_eq!(reader.report().damaged, 0);
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

    /// Hands over ten messages, and ten that were written ahead, with files of others in the way of
    /// some.
    fn hand_over_twice(name: &str, in_the_way: &[u64]) -> (PathBuf, Pipeline) {
        let path = fresh(name);
        for message in in_the_way {
            fs::write(path.join(format!("{message:06}_000.raw")), "somebody's").unwrap();
        }
        // Where nothing is marked, the other thread makes the first parts, and so it meets the error.
        let directory = Arc::new(open(&path, false));
        let mut pipeline = Pipeline::with_batch(20);
        for number in 0..20 {
            if number == 10 {
                pipeline.hand_over().unwrap();
            }
            pipeline.push(Draft::new(&directory, number, small(number))).unwrap();
        }
        pipeline.next.drafts.iter_mut().for_each(Draft::write_ahead);
        let batch = pipeline.take_next();
        pipeline.filler.as_mut().unwrap().hand_over(batch);
        assert_eq!(pipeline.put_off(), 20);
        (path, pipeline)
    }

    #[test]
    fn what_is_written_ahead_is_there_only_if_what_comes_before_is() {
        for (name, in_the_way) in
            [("none", vec![]), ("first", vec![4]), ("second", vec![13]), ("both", vec![4, 13])]
        {
            let (path, mut pipeline) = hand_over_twice(name, &in_the_way);
            let result = pipeline.rest();
            assert_eq!(pipeline.put_off(), 0);
            let end = in_the_way.first().copied().unwrap_or(20);
            let named = path.join(format!("{end:06}_000.raw"));
            let error = (end < 20).then(|| format!("cannot write '{}'", named.display()));
            assert_eq!(result.err().map(|error| error.to_string()), error);
            for message in in_the_way {
                fs::remove_file(path.join(format!("{message:06}_000.raw"))).unwrap();
            }
            assert_eq!(whole(&path, small), (0..end).collect::<Vec<_>>());
            assert_eq!(fs::read_dir(&path).unwrap().count() as u64, 2 * end);
            fs::remove_dir_all(path).unwrap();
        }
    }

    #[test]
    fn what_can_be_written_at_last_is_in_order_and_no_error_is_reported() {
        let (path, mut pipeline) = hand_over_twice("again", &[4]);
        let filled = pipeline.filler.as_mut().unwrap().wait();
        fs::remove_file(path.join("000004_000.raw")).unwrap();
        pipeline.learn(filled).unwrap();
        assert_eq!(pipeline.put_off(), 0);
        assert_eq!(whole(&path, small), (0..20).collect::<Vec<_>>());
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
            assert!(pipeline.files <= 20);
            assert!(pipeline.put_off() <= UNDER_WAY + 1);
        }
        drop(pipeline);
        fs::remove_dir_all(path).unwrap();
    }
}
