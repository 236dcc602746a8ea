//! The memory map of a file: its bytes without reading them, and frames of them without a copy.
//!
//! This is the room for `unsafe` over memory maps. Bytes of a map are gone once its file is
//! truncated: SIGBUS then ends a process that touches them, and libzmq aborts if it sends them. So
//! a file is mapped under a [`Lease`]. A program that is about to change the file waits until every
//! range in use was copied into memory, at the same address, and the lease is given back. The users
//! of the ranges, libzmq among them, notice nothing. Later reads are those of any other file.
//!
//! One case remains: a process that is stopped (Ctrl-Z) while a program waits. The system takes the
//! lease away from a holder that does not answer, after 45 seconds by default.
#![allow(unsafe_code, reason = "types cannot express that no one changes a mapped file")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use memmap2::Mmap;

use super::lease::Lease;

/// How often to check whether a program wants to write a file.
const LOOK: Duration = Duration::from_millis(100);
/// The most that is put into memory; if more is in use, the lease is held until less is.
const MOST: usize = 4 << 30;

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
    /// Whether there may be more.
    is_open: bool,
    lease: Option<Lease>,
}

impl Map {
    /// Maps a file as long as it is now; none if the system does not grant a lease of it, or does
    /// not map it.
    pub(crate) fn of(file: &Arc<File>) -> Option<Arc<Self>> {
        let lease = Lease::take(file)?;
        // SAFETY: the map is read only, and no one changes the file under the lease. If that is
        // taken away by force, nothing is concluded from bytes that were looked at before, but for
        // lengths, of which ranges were made already: changed bytes make messages wrong, and what
        // a truncation does is described with the module.
        let bytes = unsafe { Mmap::map(&**file) }.ok()?;
        let loans = Loans { ranges: Vec::new(), is_open: true, lease: Some(lease) };
        let map = Arc::new(Self { bytes, loans: Mutex::new(loans) });
        let mut watched = watched();
        if watched.is_empty() {
            thread::Builder::new().name("mflow-lease".into()).spawn(watch).ok()?;
        }
        watched.push(Arc::downgrade(&map));
        Some(map)
    }

    /// Lends some of the bytes; none if there are fewer, or a program has asked for the file.
    pub(crate) fn lend(self: &Arc<Self>, range: Range<usize>) -> Option<Loan> {
        let mut loans = self.loans();
        if !loans.is_open || self.bytes.get(range.clone()).is_none() {
            return None;
        }
        loans.ranges.push(range.clone());
        Some(Loan { map: Arc::clone(self), range })
    }

    /// Gives the file back if a program asks for it.
    fn give_back_if_asked(&self) {
        let mut loans = self.loans();
        if !loans.lease.as_ref().is_some_and(Lease::is_wanted_back) {
            return;
        }
        loans.is_open = false;
        let ranges = loans.ranges.clone();
        // Those who are done with theirs do not wait for the others.
        drop(loans);
        let in_use = ranges.iter().fold(0_usize, |sum, range| sum.saturating_add(range.len()));
        // Where there is no memory for all of them now, there may be when some are done with.
        if in_use <= MOST && ranges.iter().all(|range| self.keep(range).is_ok()) {
            self.loans().lease = None;
        }
    }

    /// Has the pages of a range be memory, with the same bytes at the same place.
    #[cfg(target_os = "linux")]
    fn keep(&self, range: &Range<usize>) -> io::Result<()> {
        use rustix::fs::{MemfdFlags, memfd_create};
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::FileExt;

        let page = page_size()?;
        let start = range.start / page * page;
        let length = (range.end - start).next_multiple_of(page);
        if range.is_empty() {
            return Ok(());
        }
        let copy = File::from(memfd_create("mflow", MemfdFlags::CLOEXEC)?);
        copy.set_len(length as u64)?;
        // The system reads the bytes, and reports if they cannot be read.
        copy.write_all_at(&self.bytes[start..self.bytes.len().min(start + length)], 0)?;
        let at = self.bytes[start..].as_ptr().cast_mut().cast();
        let (flags, descriptor) = (libc::MAP_SHARED | libc::MAP_FIXED, copy.as_raw_fd());
        // SAFETY: these are whole pages of the map, which are unmapped together with the rest of
        // it. The system puts the copy in their place at once: readers find the same bytes before
        // and after, and the descriptor has no other user.
        let mapped = unsafe { libc::mmap(at, length, libc::PROT_READ, flags, descriptor, 0) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// There are no leases elsewhere.
    #[cfg(not(target_os = "linux"))]
    fn keep(&self, _: &Range<usize>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn loans(&self) -> MutexGuard<'_, Loans> {
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how many bytes a page has. That of rustix does not work under valgrind.
#[cfg(target_os = "linux")]
fn page_size() -> io::Result<usize> {
    // SAFETY: asking for a number touches no memory.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_| io::Error::last_os_error())
}

/// The maps whose files may not be written; there is a thread that watches them as long as there
/// are some.
static WATCHED: Mutex<Vec<Weak<Map>>> = Mutex::new(Vec::new());

fn watched() -> MutexGuard<'static, Vec<Weak<Map>>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checks again and again whether a program wants to write a file, until no map is left.
fn watch() {
    loop {
        thread::sleep(LOOK);
        let mut watched = watched();
        let is_leased = |map: Arc<Map>| map.loans().lease.is_some();
        watched.retain(|map| map.upgrade().is_some_and(is_leased));
        if watched.is_empty() {
            return;
        }
        let maps: Vec<_> = watched.iter().filter_map(Weak::upgrade).collect();
        // Others may open files meanwhile.
        drop(watched);
        maps.iter().for_each(|map| map.give_back_if_asked());
    }
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
    use crate::frame::Frame;

    /// A file of 100 003 bytes that is mapped.
    fn map(name: &str) -> (std::path::PathBuf, Vec<u8>, Arc<Map>) {
        let path = std::env::temp_dir().join(format!("mflow-map-{name}-{}", std::process::id()));
        let bytes: Vec<u8> = (0..=250).cycle().take(100_003).collect();
        std::fs::write(&path, &bytes).unwrap();
        let map = Map::of(&Arc::new(File::open(&path).unwrap()));
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
        assert!(Map::of(&Arc::new(File::open(&path).unwrap())).is_none());
        drop(writer);
        std::fs::remove_file(&path).unwrap();
    }
}
