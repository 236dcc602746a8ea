//! A thread that completes messages which another one has begun.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use super::draft::Draft;
use crate::error::{Error, Result, SystemError};

/// Messages that are handed over together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) drafts: Vec<Draft>,
    /// How many bytes are to be written: none if they were ahead.
    pub(super) bytes: usize,
}

/// What could not be written of a batch, and why: nothing if all of it is in the folder.
///
/// After the first such message no later one is written.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) left: Vec<Draft>,
    pub(super) error: Option<Error>,
}

/// The thread, and the batches that it has: each gives one result, in their order.
#[derive(Debug)]
pub(super) struct Filler {
    /// Dropped first: this ends the thread.
    batches: Option<Sender<Vec<Draft>>>,
    results: Receiver<Filled>,
    under_way: VecDeque<Load>,
    thread: Option<JoinHandle<()>>,
}

/// What is in a batch.
#[derive(Debug)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Filler {
    pub(super) fn start() -> io::Result<Self> {
        let (batches, received) = channel::<Vec<Draft>>();
        let (reports, results) = channel();
        let fill = move || {
            let mut has_failed = false;
            for mut drafts in received {
                let mut error = None;
                if !has_failed {
                    let failed = drafts.iter_mut().position(|draft| {
                        error = draft.complete().err();
                        error.is_some()
                    });
                    drafts.drain(..failed.unwrap_or(drafts.len()));
                    has_failed = failed.is_some();
                }
                // Who drops this waits for the thread first.
                let _ = reports.send(Filled { left: drafts, error });
            }
        };
        let thread = thread::Builder::new().name("filler".into()).spawn(fill)?;
        let (batches, thread) = (Some(batches), Some(thread));
        Ok(Self { batches, results, under_way: VecDeque::new(), thread })
    }

    /// Returns how many batches are in progress.
    pub(super) fn batches(&self) -> usize {
        self.under_way.len()
    }

    /// Returns how many messages are in progress.
    pub(super) fn messages(&self) -> usize {
        self.under_way.iter().map(|load| load.messages).sum()
    }

    /// Returns the batches that are to be written, and their bytes.
    pub(super) fn load(&self) -> (usize, usize) {
        let loads = self.under_way.iter().filter(|load| load.bytes > 0);
        loads.fold((0, 0), |(batches, bytes), load| (batches + 1, bytes + load.bytes))
    }

    pub(super) fn hand_over(&mut self, batch: Batch) {
        let Batch { drafts, bytes } = batch;
        self.under_way.push_back(Load { messages: drafts.len(), bytes });
        // Where the thread has ended, waiting for the batch says so.
        let _ = self.batches.as_ref().map(|to| to.send(drafts));
    }

    /// Returns what became of the first batch, if it is known.
    pub(super) fn poll(&mut self) -> Option<Result<Filled>> {
        match self.results.try_recv() {
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(ended())),
            Ok(filled) => {
                self.under_way.pop_front();
                Some(Ok(filled))
            }
        }
    }

    /// Waits until it is known what became of the first batch.
    pub(super) fn wait(&mut self) -> Result<Filled> {
        let filled = self.results.recv().map_err(|_| ended())?;
        self.under_way.pop_front();
        Ok(filled)
    }

    /// Waits for all batches, and returns the messages that are not in the folder.
    pub(super) fn end(mut self) -> Result<Vec<Draft>> {
        let mut left = Vec::new();
        while self.batches() > 0 {
            left.extend(self.wait()?.left);
        }
        Ok(left)
    }
}

fn ended() -> Error {
    let source = io::Error::other("the thread that fills files has ended");
    SystemError::SetUp { what: "the recording", source }.into()
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // Where it has panicked, waiting for a batch has said so.
            let _ = thread.join();
        }
    }
}
