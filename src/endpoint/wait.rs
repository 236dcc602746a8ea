//! One wait over sockets, descriptors, deadlines and a stop.
//!
//! The owner decides what to do when something is ready. Being woken only means that a try is
//! worthwhile.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use smallvec::SmallVec;

use super::Stop;

/// How long before a deadline the sleep ends and a spin begins: timers can be this late.
const SPIN: Duration = Duration::from_micros(80);

/// A set of things to wait for: filled by sources and sinks, then waited on once.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mflow::{Stop, WaitSet};
/// let mut set = WaitSet::new();
/// set.deadline(Instant::now() + Duration::from_millis(2));
/// assert!(set.wait(&Stop::never(), None)?);                          // the deadline came
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct WaitSet<'a> {
    descriptors: SmallVec<[(BorrowedFd<'a>, PollFlags); 4]>,
    deadline: Option<Instant>,
    ready: bool,
}

impl<'a> WaitSet<'a> {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds something that is ready already: the wait will not wait.
    pub fn ready(&mut self) {
        self.ready = true;
    }

    /// Adds a descriptor, to be woken when it is readable.
    pub fn readable(&mut self, descriptor: BorrowedFd<'a>) {
        self.descriptors.push((descriptor, PollFlags::IN));
    }

    /// Adds a descriptor, to be woken when it is writable.
    pub fn writable(&mut self, descriptor: BorrowedFd<'a>) {
        self.descriptors.push((descriptor, PollFlags::OUT));
    }

    /// Adds a moment at which to be woken; the earliest counts.
    pub fn deadline(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |other| other.min(at)));
    }

    /// Waits until something of the set is ready (true), or until `timeout` has passed or a stop
    /// is requested (false).
    ///
    /// # Errors
    /// If the system has no memory to wait.
    pub fn wait(self, stop: &Stop, timeout: Option<Duration>) -> io::Result<bool> {
        if stop.is_requested() {
            return Ok(false);
        }
        if self.ready {
            return Ok(true);
        }
        let stopped = stop.descriptor().map(|descriptor| (descriptor, PollFlags::IN));
        let descriptors = self.descriptors.iter().copied().chain(stopped);
        let mut polled: SmallVec<[_; 4]> =
            descriptors.map(|(it, flags)| PollFd::from_borrowed_fd(it, flags)).collect();
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = |at: Instant| at.saturating_duration_since(Instant::now());
            let (deadline, end) = (self.deadline.map(left), end.map(left));
            if let Some(left) = deadline.filter(|left| *left <= SPIN) {
                spin(left);
                return Ok(true);
            }
            if end.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            let sleep = deadline.map(|left| left - SPIN).into_iter().chain(end).min();
            // A time beyond the range of the clock is never reached.
            let sleep = sleep.and_then(|sleep| Timespec::try_from(sleep).ok());
            let woken = match poll(&mut polled, sleep.as_ref()) {
                Ok(woken) => woken > 0,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if stop.is_requested() {
                return Ok(false);
            }
            if woken {
                return Ok(true);
            }
        }
    }
}

fn spin(left: Duration) {
    let start = Instant::now();
    while start.elapsed() < left {
        std::hint::spin_loop();
    }
}
