//! The thread of a recorder: takes messages out of the queue, writes them, and does in time what a
//! writer has to do.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Fsync, RecordWriter};
use crate::endpoint::{Queue, Received, Taken, htype};
use crate::error::{Result, SystemError};

/// Room of small messages is given back together, once there is this much.
const RELEASE: usize = 256 << 10;

/// Reports that the thread has ended, even after a panic.
pub(super) struct End<'a>(pub(super) &'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let source = io::Error::other("the thread that writes has panicked");
            self.0.fail(SystemError::SetUp { what: "the recording", source }.into());
        }
        self.0.end();
    }
}

/// The work of the thread.
pub(super) struct Writing<'a> {
    queue: &'a Queue,
    writer: Box<dyn RecordWriter>,
    has_failed: bool,
    next_sync: Option<Instant>,
    /// What the messages cost that the writer has put off, in their order.
    put_off: VecDeque<usize>,
    /// How many messages are written, and their bytes, whose room is not given back yet.
    written: (usize, usize),
    /// How many messages there was no room for.
    dropped: u64,
}

impl<'a> Writing<'a> {
    pub(super) fn new(queue: &'a Queue, writer: Box<dyn RecordWriter>) -> Self {
        Self {
            queue,
            writer,
            has_failed: false,
            next_sync: None,
            put_off: VecDeque::new(),
            written: (0, 0),
            dropped: 0,
        }
    }

    /// Writes until there is nothing any more.
    pub(super) fn run(&mut self, fsync: Fsync) {
        self.writer.begin(fsync);
        let mut taken = Taken::default();
        loop {
            let flush_due = if self.has_failed { None } else { self.writer.flush_due() };
            self.queue.take(&mut taken, flush_due.into_iter().chain(self.next_sync).min());
            for kind in taken.dropped.drain(..) {
                let messages = kind.messages();
                self.writer.count_dropped(&kind.origin, kind.htype.as_deref(), messages);
                self.dropped += messages;
            }
            let is_end = taken.is_closed && taken.messages.is_empty();
            while let Some(queued) = taken.messages.pop_front() {
                self.put_off.push_back(queued.cost());
                self.write(queued.message, queued.number);
                self.release(RELEASE);
                self.keep_time(fsync);
            }
            self.release(0);
            self.keep_time(fsync);
            if self.queue.level().depth == self.put_off.len() {
                self.settle();
            }
            if is_end {
                return;
            }
        }
    }

    /// Has everything written that was put off.
    fn settle(&mut self) {
        while !self.put_off.is_empty() {
            let settled = self.writer.settle();
            self.check(settled);
            self.release(0);
        }
    }

    /// Gives back the room of what is written, once it is more than so many bytes.
    fn release(&mut self, least: usize) {
        // What is still put off after an error is never written.
        let put_off = if self.has_failed { 0 } else { self.writer.put_off() };
        let written = self.put_off.len().saturating_sub(put_off);
        for cost in self.put_off.drain(..written) {
            self.written.0 += 1;
            self.written.1 += cost;
        }
        if self.written.1 > least {
            let (messages, bytes) = std::mem::take(&mut self.written);
            self.queue.release(messages, bytes);
        }
    }

    fn write(&mut self, message: Received, number: u64) {
        if self.has_failed {
            self.writer.count_dropped(&message.origin, htype(&message).as_deref(), 1);
            return;
        }
        let written = self.writer.record(message, number);
        self.check(written);
    }

    /// Does what is due.
    fn keep_time(&mut self, fsync: Fsync) {
        if self.has_failed {
            self.next_sync = None;
            return;
        }
        let flush_due = self.writer.flush_due();
        if flush_due.is_none() && fsync_interval(fsync).is_none() {
            return;
        }
        let now = Instant::now();
        if flush_due.is_some_and(|due| due <= now) {
            let flushed = self.writer.flush();
            self.check(flushed);
        }
        let Some(interval) = fsync_interval(fsync) else { return };
        match self.next_sync {
            None => self.next_sync = now.checked_add(interval),
            Some(next) if next <= now => {
                self.settle();
                let synced = self.writer.sync();
                self.check(synced);
                self.next_sync = Instant::now().checked_add(interval);
            }
            Some(_) => {}
        }
    }

    fn check(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.has_failed = true;
            self.queue.fail(error);
        }
    }

    /// Closes the recording, also after an error; returns how many messages taken from the queue
    /// are not in it.
    pub(super) fn close(mut self, fsync: Fsync) -> u64 {
        if let Err(error) = self.writer.close(fsync) {
            self.queue.fail(error);
        }
        self.writer.dropped().saturating_sub(self.dropped)
    }
}

fn fsync_interval(fsync: Fsync) -> Option<Duration> {
    match fsync {
        Fsync::Every(interval) => Some(interval),
        Fsync::Never | Fsync::Close => None,
    }
}
