//! One wait over sockets, descriptors, deadlines and a stop.
//!
//! What to do once something is ready is left to its owner: being woken says only that it is worth
//! trying.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::Stop;

/// `zmq_poll` counts in milliseconds: what is left below that is slept, and its tail spun.
const SPIN: Duration = Duration::from_micros(80);

/// What somebody waits for: filled by sources and sinks, then waited on once.
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
    items: SmallVec<[zmq::PollItem<'a>; 4]>,
    deadline: Option<Instant>,
    ready: bool,
}

impl<'a> WaitSet<'a> {
    /// Makes a set of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds something that is ready already: the wait will not wait.
    pub fn ready(&mut self) {
        self.ready = true;
    }

    /// Adds a socket, to be woken by the events given.
    pub fn socket(&mut self, socket: &'a zmq::Socket, events: zmq::PollEvents) {
        self.items.push(socket.as_poll_item(events));
    }

    /// Adds a descriptor, to be woken when it is readable.
    pub fn descriptor(&mut self, descriptor: BorrowedFd<'a>) {
        self.raw_descriptor(descriptor.as_raw_fd());
    }

    /// Adds a descriptor whose owner lives elsewhere, as that of a socket of libzmq.
    pub(crate) fn raw_descriptor(&mut self, descriptor: RawFd) {
        self.items.push(zmq::PollItem::from_fd(descriptor, zmq::POLLIN));
    }

    /// Adds a moment at which to be woken; the earliest counts.
    pub fn deadline(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |other| other.min(at)));
    }

    /// Waits until something of the set is ready (true), or until `timeout` has passed or a stop
    /// is requested (false).
    ///
    /// # Errors
    /// Where a socket of the set belongs to a terminated context.
    pub fn wait(mut self, stop: &Stop, timeout: Option<Duration>) -> io::Result<bool> {
        if stop.is_requested() {
            return Ok(false);
        }
        if self.ready {
            return Ok(true);
        }
        let stop_item = stop.descriptor().map(|descriptor| {
            self.items.push(zmq::PollItem::from_fd(descriptor.as_raw_fd(), zmq::POLLIN));
            self.items.len() - 1
        });
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let now = Instant::now();
            if self.deadline.is_some_and(|at| at <= now) {
                return Ok(true);
            }
            if end.is_some_and(|at| at <= now) {
                return Ok(false);
            }
            let next = self.deadline.into_iter().chain(end).min();
            let left = next.map(|at| at - now);
            let woken = match zmq::poll(&mut self.items, milliseconds(left)) {
                Ok(woken) => woken,
                Err(zmq::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if stop_item.is_some_and(|index| self.items[index].is_readable()) {
                return Ok(false);
            }
            if woken > 0 {
                return Ok(true);
            }
            if let Some(at) = next {
                sleep_the_last_millisecond(at);
            }
        }
    }
}

/// Rounds down to the milliseconds that `zmq_poll` counts in; -1 waits without end.
fn milliseconds(left: Option<Duration>) -> i64 {
    left.map_or(-1, |left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
}

/// Sleeps and then spins until `at`, where that is less than a millisecond away.
fn sleep_the_last_millisecond(at: Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if left >= Duration::from_millis(1) {
        return;
    }
    if left > SPIN {
        std::thread::sleep(left - SPIN);
    }
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}
