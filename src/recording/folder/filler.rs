//! A thread that writes the files of messages which another one has begun.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::draft::Draft;
use crate::{Error, Result};

/// What became of a batch of messages: they are in the folder for good, or those come back that are
/// not. After the first that comes back, all do.
pub(super) type Filled = std::result::Result<(), Vec<Draft>>;

/// The thread.
#[derive(Debug)]
pub(super) struct Filler {
    /// Dropped first: this ends the thread.
    batches: Option<Sender<Vec<Draft>>>,
    filled: Receiver<Filled>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
    pub(super) fn start() -> io::Result<Self> {
        let (batches, received) = channel::<Vec<Draft>>();
        let (told, filled) = channel();
        let fill = move || {
            let mut has_failed = false;
            for mut drafts in received {
                let whole = if has_failed {
                    0
                } else {
                    drafts.iter_mut().map_while(|draft| draft.write().ok()).count()
                };
                drafts.drain(..whole).for_each(Draft::keep);
                has_failed |= !drafts.is_empty();
                if told.send(if has_failed { Err(drafts) } else { Ok(()) }).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("filler".into()).spawn(fill)?;
        Ok(Self { batches: Some(batches), filled, thread: Some(thread) })
    }

    pub(super) fn hand_over(&self, drafts: Vec<Draft>) {
        // Where the thread has ended, waiting for the batch says so.
        let _ = self.batches.as_ref().map(|to| to.send(drafts));
    }

    /// Returns what became of the next batch, where it is known.
    pub(super) fn poll(&self) -> Option<Filled> {
        self.filled.try_recv().ok()
    }

    /// Waits until it is known what became of the next batch.
    pub(super) fn wait(&self) -> Result<Filled> {
        self.filled.recv().map_err(|_| {
            let source = io::Error::other("the thread that fills files has ended");
            Error::System { what: "the recording", source }
        })
    }
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
