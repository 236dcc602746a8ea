//! The value that ends every wait.
//!
//! The program decides when to request a stop: the tools do it on Ctrl-C and SIGTERM.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A request to stop, shared between threads that may request it and threads that wait.
///
/// Every wait in this crate watches one. So waits end at once, and need not wake up now and then to
/// check. Clones are the same value.
///
/// ```
/// use mflow::Stop;
/// let stop = Stop::new()?;
/// let asked = stop.clone();
/// std::thread::spawn(move || asked.request()).join().unwrap();
/// assert!(stop.is_requested());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stop(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    requests: AtomicUsize,
    /// Readable from the first request on; it is never read, so it stays readable.
    watched: PipeReader,
    written: PipeWriter,
}

impl Stop {
    /// Makes a value without a request.
    ///
    /// # Errors
    /// If the process has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let (watched, written) = io::pipe()?;
        Ok(Self(Some(Arc::new(Inner { requests: AtomicUsize::new(0), watched, written }))))
    }

    /// Makes a value on which a stop cannot be requested; also the default.
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    /// Requests a stop, and returns the number of requests so far.
    ///
    /// Does nothing and returns 0 on a value made by [`never`](Self::never).
    pub fn request(&self) -> usize {
        let Some(inner) = &self.0 else { return 0 };
        let before = inner.requests.fetch_add(1, Ordering::SeqCst);
        if before == 0 {
            // The pipe is empty and this process holds its other end: one byte always fits.
            let _ = (&inner.written).write(&[1]);
        }
        before + 1
    }

    /// Returns whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.requests.load(Ordering::SeqCst) > 0)
    }

    /// Returns the descriptor that is readable once a stop is requested.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|inner| inner.watched.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clone_sees_each_request() {
        let stop = Stop::new().unwrap();
        let other = stop.clone();
        assert!(!other.is_requested());
        assert_eq!((stop.request(), other.request()), (1, 2));
        assert!(stop.is_requested() && other.is_requested());
    }

    #[test]
    fn a_value_that_never_stops_takes_no_request() {
        let never = Stop::never();
        assert_eq!(never.request(), 0);
        assert!(!never.is_requested());
    }
}
