//! The memory map of a file: its bytes without reading them, and frames of them without a copy.
//!
//! This is the room for `unsafe` over memory maps. Bytes of a map are gone once somebody truncates its
//! file: SIGBUS then ends who touches them, and libzmq aborts where it sends them. So a file is
//! mapped under a [`Lease`]: whoever is about to change it waits until every range that is still in
//! use was put into memory, at the very place where it was mapped, and the lease is given back. Those
//! who use the ranges, libzmq among them, notice nothing; what is read after that is read as of any
//! other file.
#![allow(unsafe_code, reason = "that nobody changes a mapped file is beyond what types can tell")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use memmap2::{Mmap, MmapMut};
use rustix::param::page_size;

use super::lease::Lease;

/// How often to look whether somebody wants to write a file.
const LOOK: Duration = Duration::from_millis(100);

/// The bytes of a file that its writer has closed.
#[derive(Debug)]
pub(crate) struct Map {
    bytes: Mmap,
    loans: Mutex<Loans>,
}

/// What of a map is in use.
#[derive(Debug)]
struct Loans {
    ranges: Vec<Range<usize>>,
    /// As long as it is held there may be more.
    lease: Option<Lease>,
}

impl Map {
    /// Maps a file as long as it is now; none where the system does not grant a lease of it.
    pub(crate) fn of(file: &Arc<File>) -> io::Result<Option<Arc<Self>>> {
        let Some(lease) = Lease::take(file) else { return Ok(None) };
        // SAFETY: the map is read only, and nobody changes the file under the lease. Where that is
        // taken away by force, nothing is concluded from bytes that were looked at before, but for
        // lengths, of which ranges were made already: changed bytes make messages wrong, and what
        // a truncation does is told with the module.
        let bytes = unsafe { Mmap::map(&**file) }?;
        let loans = Mutex::new(Loans { ranges: Vec::new(), lease: Some(lease) });
        let map = Arc::new(Self { bytes, loans });
        let mut watched = watched();
        if watched.is_empty() {
            thread::Builder::new().name("mflow-lease".into()).spawn(watch)?;
        }
        watched.push(Arc::downgrade(&map));
        Ok(Some(map))
    }

    /// Lends some of the bytes; none where there are fewer, or somebody has asked for the file.
    pub(crate) fn lend(self: &Arc<Self>, range: Range<usize>) -> Option<Loan> {
        let mut loans = self.loans();
        if loans.lease.is_none() || self.bytes.get(range.clone()).is_none() {
            return None;
        }
        loans.ranges.push(range.clone());
        Some(Loan { map: Arc::clone(self), range })
    }

    /// Gives the file back where somebody asks for it; tells whether that is done.
    fn give_back(&self) -> bool {
        let mut loans = self.loans();
        if loans.lease.as_ref().is_some_and(|lease| !lease.is_wanted_back()) {
            return false;
        }
        // Where there is no memory for all of them now, there may be when some are done with.
        let kept = loans.ranges.iter().try_for_each(|range| self.keep(range));
        if kept.is_ok() {
            loans.lease = None;
        }
        kept.is_ok()
    }

    /// Has the pages of a range be memory, with the same bytes at the same place.
    fn keep(&self, range: &Range<usize>) -> io::Result<()> {
        let page = page_size();
        let start = range.start / page * page;
        let length = (range.end - start).next_multiple_of(page);
        if range.is_empty() {
            return Ok(());
        }
        let mut copy = MmapMut::map_anon(length)?;
        let bytes = &self.bytes[start..self.bytes.len().min(start + length)];
        copy[..bytes.len()].copy_from_slice(bytes);
        replace(bytes, copy.make_read_only()?)
    }

    fn loans(&self) -> MutexGuard<'_, Loans> {
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The maps whose files may not be written; there is a thread that watches them as long as there
/// are some.
static WATCHED: Mutex<Vec<Weak<Map>>> = Mutex::new(Vec::new());

fn watched() -> MutexGuard<'static, Vec<Weak<Map>>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks again and again whether somebody wants to write a file, until there is no map any more.
fn watch() {
    loop {
        thread::sleep(LOOK);
        let mut watched = watched();
        watched.retain(|map| map.upgrade().is_some_and(|map| !map.give_back()));
        if watched.is_empty() {
            return;
        }
    }
}

/// Has the pages that bytes begin lie in memory that has the same ones.
#[cfg(target_os = "linux")]
fn replace(bytes: &[u8], by: Mmap) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let (from, to) = (by.as_ptr().cast_mut(), bytes.as_ptr().cast_mut());
    // SAFETY: both are whole pages of maps of ours, which begin and end with a page, and of the same
    // length. The system puts one in the other's place at once: whoever reads finds the same bytes
    // before and after. What was moved is unmapped with the map that it is in now, so not here.
    unsafe {
        if libc::mremap(from.cast(), by.len(), by.len(), flags, to) == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
    }
    std::mem::forget(by);
    Ok(())
}

/// There are no leases elsewhere.
#[cfg(not(target_os = "linux"))]
fn replace(_: &[u8], _: Mmap) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes of a map that are in use.
#[derive(Debug)]
pub(crate) struct Loan {
    map: Arc<Map>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.map.bytes[self.range.clone()]
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let ranges = &mut self.map.loans().ranges;
        if let Some(at) = ranges.iter().position(|range| *range == self.range) {
            ranges.swap_remove(at);
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::Frame;

    /// A file of 100 003 bytes that is mapped.
    fn map(name: &str) -> (std::path::PathBuf, Vec<u8>, Arc<Map>) {
        let path = std::env::temp_dir().join(format!("mflow-map-{name}-{}", std::process::id()));
        let bytes: Vec<u8> = (0..=250).cycle().take(100_003).collect();
        std::fs::write(&path, &bytes).unwrap();
        let map = Map::of(&Arc::new(File::open(&path).unwrap())).unwrap();
        (path, bytes, map.expect("a lease of a file of one's own"))
    }

    #[test]
    fn frames_of_a_map_share_its_bytes_and_outlive_it_and_the_file() {
        let (path, bytes, map) = map("share");
        let loan = Arc::new(map.lend(100..9000).unwrap());
        let address = (*loan).as_ref()[1..].as_ptr();
        let frame = Frame::from_shared(loan, 1..4);
        std::fs::remove_file(&path).unwrap();
        drop(map);
        assert_eq!((frame.as_ref(), frame.as_ref().as_ptr()), (&bytes[101..104], address));
    }

    #[test]
    fn nothing_is_lent_that_is_not_in_the_file() {
        let (path, bytes, map) = map("beyond");
        assert!(map.lend(0..bytes.len() + 1).is_none());
        assert!(map.lend(bytes.len() - 1..bytes.len()).is_some());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_in_use_stays_where_it_is_when_its_file_is_truncated() {
        let (path, bytes, map) = map("truncated");
        let ranges = [0..1, 4095..4097, 4096..20_000, 50_000..50_000, 90_000..bytes.len()];
        let loans: Vec<Loan> =
            ranges.iter().cloned().map(|range| map.lend(range).unwrap()).collect();
        drop(map.lend(30_000..40_000).unwrap());
        let places: Vec<_> = loans.iter().map(|loan| loan.as_ref().as_ptr()).collect();
        // Opening it waits until what is in use is in memory.
        File::create(&path).unwrap().set_len(0).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        for ((loan, range), place) in loans.iter().zip(ranges).zip(places) {
            assert_eq!((loan.as_ref(), loan.as_ref().as_ptr()), (&bytes[range], place));
        }
        assert!(map.lend(0..1).is_none());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_somebody_writes_is_not_mapped() {
        let (path, ..) = map("written");
        let writer = File::options().append(true).open(&path).unwrap();
        assert!(Map::of(&Arc::new(File::open(&path).unwrap())).unwrap().is_none());
        drop(writer);
        std::fs::remove_file(&path).unwrap();
    }
}
