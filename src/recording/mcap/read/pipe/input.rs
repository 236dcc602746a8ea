//! The bytes of a pipe, as far as they have arrived: only [`wait_for`](Input::wait_for) waits.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};

use crate::recording::mcap::read::block::Block;

/// The least room for a read: the default size of a pipe.
const READ: usize = 64 << 10;
/// The most room that is allocated at once for bytes that have not arrived: a length from outside
/// takes no more memory.
const ROOM: usize = 16 << 20;
/// Up to this many bytes a copy is cheaper than giving away the buffer.
const COPY: usize = 16 << 10;

/// Whether the requested bytes are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// They are here.
    Enough,
    /// They have not arrived yet.
    Waiting,
    /// They will not arrive: the pipe has ended.
    Ended,
}

/// The bytes of a pipe that have arrived and were not taken.
#[derive(Debug)]
pub(super) struct Input {
    file: File,
    bytes: Vec<u8>,
    /// How many of the bytes were taken.
    start: usize,
    /// The place in the recording of the next byte to be taken.
    position: u64,
    has_ended: bool,
}

impl Input {
    pub(super) fn of(file: File) -> Self {
        Self { file, bytes: Vec::new(), start: 0, position: 0, has_ended: false }
    }

    /// Returns what to wait for.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Returns the place of the next byte to be taken.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the bytes that have arrived and were not taken.
    pub(super) fn held(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Reads without waiting until there are this many bytes.
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<Filled> {
        while self.held().len() < wanted {
            if self.has_ended {
                return Ok(Filled::Ended);
            }
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if !self.is_readable(Some(&now))? || !self.read(wanted)? {
                return Ok(Filled::Waiting);
            }
        }
        Ok(Filled::Enough)
    }

    /// Waits until there are this many bytes; returns whether they arrived before the end.
    pub(super) fn wait_for(&mut self, wanted: usize) -> io::Result<bool> {
        loop {
            match self.fill(wanted)? {
                Filled::Enough => return Ok(true),
                Filled::Ended => return Ok(false),
                Filled::Waiting => self.is_readable(None)?,
            };
        }
    }

    /// Takes this many bytes, which must be here.
    pub(super) fn take(&mut self, length: usize) -> Block {
        let end = self.start + length;
        self.position += length as u64;
        if length <= COPY {
            let taken = self.bytes[self.start..end].to_vec();
            self.start = end;
            return taken.into();
        }
        let rest = self.bytes[end..].to_vec();
        let mut taken = std::mem::replace(&mut self.bytes, rest);
        taken.truncate(end);
        Block::from(taken).behind(std::mem::take(&mut self.start))
    }

    /// Drops as many bytes as are here, at most `most`; returns how many.
    pub(super) fn skip(&mut self, most: u64) -> u64 {
        let held = self.held().len();
        let skipped = usize::try_from(most).map_or(held, |most| most.min(held));
        self.start += skipped;
        self.position += skipped as u64;
        skipped as u64
    }

    fn is_readable(&self, timeout: Option<&Timespec>) -> io::Result<bool> {
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads once, with some room for the wanted bytes; returns whether there was anything to read.
    fn read(&mut self, wanted: usize) -> io::Result<bool> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let held = self.bytes.len();
        let room = wanted.saturating_sub(held).min(held.max(ROOM)).max(READ);
        self.bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
        match read(&self.file, spare_capacity(&mut self.bytes)) {
            Ok(count) => self.has_ended = count == 0,
            Err(Errno::INTR | Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}
