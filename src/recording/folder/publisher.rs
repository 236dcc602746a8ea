//! A thread that writes first parts, while another one writes the other parts of what comes next.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::PartNumber;
use super::directory::Directory;
use crate::{Error, Frame, Result};

/// How many messages wait for their first parts at most.
const WAITING: usize = 64;
/// A first part of more bytes is waited for, so that what waits does not grow with its size.
const LARGE: usize = 64 << 10;

/// A message of which all parts but the first are written.
#[derive(Debug)]
pub(super) struct Unpublished {
    pub(super) message: u64,
    pub(super) first: Frame,
    /// How many parts it has.
    pub(super) parts: usize,
}

#[derive(Debug)]
enum Work {
    Publish(Unpublished),
    /// Drops the sender once all before is done.
    Tell(#[expect(dead_code, reason = "dropped")] SyncSender<()>),
}

/// Writes the first parts of messages in their order; after a failure none any more, and takes away
/// what there is of those messages.
#[derive(Debug)]
pub(super) struct Publisher {
    work: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Publisher {
    pub(super) fn start(directory: &Arc<Directory>) -> Result<Self> {
        let (work, to_do) = sync_channel(WAITING);
        let failure = Arc::new(Mutex::new(None));
        let (directory, shared) = (Arc::clone(directory), Arc::clone(&failure));
        let run = move || publish_all(&directory, &to_do, &shared);
        let thread = thread::Builder::new().name("publisher".into()).spawn(run);
        let thread =
            thread.map_err(|source| Error::System { what: "the thread that writes", source })?;
        Ok(Self { work: Some(work), thread: Some(thread), failure })
    }

    /// Has a message published, after those before.
    pub(super) fn publish(&mut self, unpublished: Unpublished) -> Result<()> {
        let is_large = unpublished.first.len() > LARGE;
        self.send(Work::Publish(unpublished));
        if is_large { self.settle() } else { self.check() }
    }

    /// Waits until everything is published.
    pub(super) fn settle(&mut self) -> Result<()> {
        let (done, told) = sync_channel(0);
        self.send(Work::Tell(done));
        // It ends with an error when the sender is dropped.
        let _ = told.recv();
        self.check()
    }

    /// Returns what has failed, once.
    pub(super) fn check(&self) -> Result<()> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Its end takes nothing any more only where it has panicked, which `close` tells.
    fn send(&self, work: Work) {
        self.work.as_ref().map(|to| to.send(work));
    }

    fn end(&mut self) -> thread::Result<()> {
        self.work = None;
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Who drops it does not want to know.
        let _ = self.end();
    }
}

fn publish_all(directory: &Directory, to_do: &Receiver<Work>, failure: &Mutex<Option<Error>>) {
    let mut has_failed = false;
    for work in to_do {
        let Work::Publish(Unpublished { message, first, parts }) = work else { continue };
        let number = |part| PartNumber { message, part };
        if !has_failed {
            let Err(error) = directory.publish(number(0), &first) else { continue };
            has_failed = true;
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        (1..parts).for_each(|part| directory.remove(number(part)));
    }
}
