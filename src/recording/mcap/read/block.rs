//! A file as it is read: small looks at it by `pread`, and blocks of it, which are slices of its
//! memory map if it has one and is still lent.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::frame::{Frame, Frames};
use crate::os::{Loan, Map};
use crate::recording::Error;
use crate::recording::mcap::format::parts::PartRanges;

/// The most that is read of a file into memory at once; what is in a map is not read.
pub(crate) const MAX_READ: u64 = 1 << 30;
/// How much is read for a small look: records behind it are likely to be looked at next.
const WINDOW: usize = 8 << 10;
/// Up to this many bytes a copy is cheaper than a share of the owner.
const COPY: usize = 1024;
/// How much of a block of a map is read beside: the records that locate the data are there. To
/// touch the map for it, on another thread than the one that sends the data, costs a tenth of the
/// rate.
const HEAD: usize = 1024;
/// A message of more parts is as good as damaged: they would take 256 MiB.
const MAX_PARTS: usize = (256 << 20) / size_of::<Frame>();
/// Shorter blocks of a map have no head of their own.
const HEADED: usize = 64 << 10;

/// Opens a file, which nothing else is read for: a reader of a pipe may wait for ever.
pub(crate) fn open(path: &Path) -> Result<File> {
    let failed = || Error::file("read", path);
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed())?;
    if !file.metadata().map_err(failed())?.is_file() {
        let reason = "it is not a file".to_owned();
        return Err(Error::NotARecording { path: path.to_owned(), reason }.into());
    }
    Ok(file)
}

/// A file that is read.
#[derive(Debug)]
pub(crate) struct Store {
    file: Arc<File>,
    map: Option<Arc<Map>>,
    /// Longer ranges are slices of the map, if there is one; others are read.
    read_up_to: u64,
    window: Vec<u8>,
    window_at: u64,
    checks: bool,
}

impl Store {
    /// Reads a file that may still grow.
    pub(crate) fn growing(file: File) -> Self {
        let file = Arc::new(file);
        Self { file, map: None, read_up_to: 0, window: Vec::new(), window_at: 0, checks: false }
    }

    /// Maps the file, which its writer has closed, if the system grants a lease of it.
    pub(crate) fn seal(&mut self) {
        self.map = Map::of(&self.file);
    }

    /// Maps the file only for what is too long to be read: the errors of reading can be reported,
    /// while touching what a broken disk does not give ends the process.
    pub(crate) fn seal_broken(&mut self) {
        self.read_up_to = MAX_READ;
        self.seal();
    }

    /// Has the checksums of all chunks looked at when they are read.
    pub(crate) fn check(&mut self) {
        self.checks = true;
    }

    pub(crate) fn checks(&self) -> bool {
        self.checks
    }

    /// Returns how long the file is now.
    pub(crate) fn length(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// Returns a few bytes; fewer if the file ends before.
    pub(crate) fn look(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let held = || {
            let from = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
            let to = from.checked_add(length)?;
            (to <= self.window.len()).then_some(from..to)
        };
        if let Some(range) = held() {
            return Ok(&self.window[range]);
        }
        self.window.resize(length.max(WINDOW), 0);
        let (read, error) = read_some(&self.file, &mut self.window, at);
        self.window.truncate(read);
        self.window_at = at;
        match error {
            Some(error) if read < length => Err(error),
            _ => Ok(&self.window[..length.min(read)]),
        }
    }

    /// Returns some bytes, as many of them as can be read; fewer if the file ends before.
    ///
    /// # Errors
    /// If not even the first one can be read.
    pub(crate) fn readable(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let (read, error) = read_some(&self.file, &mut bytes, at);
        bytes.truncate(read);
        error.filter(|_| read == 0).map_or(Ok(bytes), Err)
    }

    /// Returns a range of the file, which it must have.
    pub(crate) fn block(&self, range: Range<u64>) -> io::Result<Block> {
        let length = range.end.saturating_sub(range.start);
        if length > self.read_up_to
            && let Some(loan) = self.loan(&range)
        {
            let length = loan.as_ref().len();
            return Ok(Block { owner: Owner::Map(Arc::new(loan)), head: None, start: 0, length });
        }
        if length > MAX_READ || range.end > self.length()? {
            return Err(if length > MAX_READ { too_large() } else { truncated() });
        }
        let length = usize::try_from(length).map_err(|_| too_large())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(length, 0);
        match read_some(&self.file, &mut bytes, range.start) {
            (read, None) if read < length => Err(truncated()),
            (_, None) => Ok(bytes.into()),
            (_, Some(error)) => Err(error),
        }
    }

    /// Returns a range of the file as [`block`](Self::block) does, whose first bytes can be looked at
    /// without touching its map.
    pub(crate) fn headed_block(&self, range: Range<u64>) -> io::Result<Block> {
        let start = range.start;
        let mut block = self.block(range)?;
        if matches!(block.owner, Owner::Map(_)) && block.length >= HEADED {
            let mut head = vec![0; HEAD];
            if let (HEAD, None) = read_some(&self.file, &mut head, start) {
                block.head = Some(Arc::new(head));
            }
        }
        Ok(block)
    }

    fn loan(&self, range: &Range<u64>) -> Option<Loan> {
        let start = usize::try_from(range.start).ok()?;
        self.map.as_ref()?.lend(start..usize::try_from(range.end).ok()?)
    }
}

/// The error of a file that lost bytes since it was opened.
fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter while it was read")
}

fn too_large() -> io::Error {
    let reason = "a record has more than 1 GiB, and the file is not mapped";
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Reads until the buffer is full, the file ends or an error ends it, and returns how much that was.
fn read_some(file: &File, into: &mut [u8], at: u64) -> (usize, Option<io::Error>) {
    let mut done = 0;
    while done < into.len() {
        match read_at(file, &mut into[done..], at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(test)]
    let into = broken::readable(into, at)?;
    file.read_at(into, at)
}

/// Has ranges of files fail to be read, as a broken disk does.
#[cfg(test)]
pub(crate) mod broken {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        /// The beginning and the end of what this thread cannot read.
        pub(crate) static RANGE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }

    pub(crate) fn readable(into: &mut [u8], at: u64) -> io::Result<&mut [u8]> {
        let (start, end) = RANGE.get();
        if (start..end).contains(&at) {
            return Err(rustix::io::Errno::IO.into());
        }
        let before = start.checked_sub(at).filter(|_| start < end);
        let before = before.and_then(|length| usize::try_from(length).ok());
        let length = before.map_or(into.len(), |before| before.min(into.len()));
        Ok(&mut into[..length])
    }
}

/// Who keeps the bytes of a block.
#[derive(Clone, Debug)]
enum Owner {
    Map(Arc<Loan>),
    Memory(Arc<Vec<u8>>),
}

/// Consecutive bytes of a file, or what was decompressed of them, shared by reference count.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    owner: Owner,
    /// The first bytes of the owner, if they were read beside.
    head: Option<Arc<Vec<u8>>>,
    start: usize,
    length: usize,
}

impl Block {
    /// Returns the bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        let all = match &self.owner {
            Owner::Map(loan) => (**loan).as_ref(),
            Owner::Memory(bytes) => bytes.as_slice(),
        };
        &all[self.start..self.start + self.length]
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns the first bytes, as many as can be looked at without touching a map; all of them if
    /// there is none.
    pub(crate) fn near(&self) -> &[u8] {
        match &self.head {
            Some(head) => head.get(self.start..).unwrap_or_default(),
            None => self.bytes(),
        }
    }

    /// Returns how much memory the block holds that is not the file's.
    pub(crate) fn memory(&self) -> usize {
        match &self.owner {
            Owner::Map(_) => 0,
            Owner::Memory(bytes) => bytes.len(),
        }
    }

    /// Returns the block without its first bytes.
    pub(crate) fn behind(mut self, start: usize) -> Self {
        let start = start.min(self.length);
        self.start += start;
        self.length -= start;
        self
    }

    /// Returns the parts of the message whose data is in a range; none if they are damaged, too
    /// many, or there are none.
    pub(crate) fn frames(&self, data: Range<usize>) -> Option<Frames> {
        let mut frames = Frames::new();
        let bytes = self.bytes().get(data.clone())?;
        let near = self.near().get(data.start..).unwrap_or_default();
        for part in PartRanges::beginning(bytes, &near[..near.len().min(bytes.len())]) {
            let part = part.ok().filter(|_| frames.len() < MAX_PARTS)?;
            frames.push(self.frame(data.start + part.start..data.start + part.end));
        }
        (!frames.is_empty()).then_some(frames)
    }

    /// Returns a frame of some of the bytes: a share of them, or a copy if that is cheaper.
    pub(crate) fn frame(&self, range: Range<usize>) -> Frame {
        if range.len() <= COPY {
            let near = self.near().get(range.clone());
            return Frame::from(near.unwrap_or_else(|| &self.bytes()[range]));
        }
        assert!(range.end <= self.length, "a frame of what there is");
        let range = self.start + range.start..self.start + range.end;
        match &self.owner {
            Owner::Map(loan) => Frame::from_shared(Arc::clone(loan), range),
            Owner::Memory(memory) => Frame::from_shared(Arc::clone(memory), range),
        }
    }
}

impl From<Vec<u8>> for Block {
    fn from(bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        Self { owner: Owner::Memory(Arc::new(bytes)), head: None, start: 0, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_too_many_parts_takes_no_memory_for_them() {
        let parts = |count| Block::from(b"\x0a\x00".repeat(count)).frames(0..2 * count);
        assert_eq!(parts(1000).map(|frames| frames.len()), Some(1000));
        assert!(parts(MAX_PARTS + 1).is_none());
    }
}
