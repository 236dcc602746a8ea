//! How this process reacts to signals, except those that request a stop.
#![allow(unsafe_code, reason = "the standard library has no signals")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::c_int;

/// Called in a signal handler before the process ends: it must be async-signal-safe.
static BEFORE_END: OnceLock<fn()> = OnceLock::new();

/// The action of a signal.
#[derive(Clone, Copy)]
pub(crate) struct Action {
    signal: c_int,
    action: libc::sigaction,
}

impl Action {
    /// Returns the current action of a signal.
    pub(crate) fn of(signal: c_int) -> io::Result<Self> {
        let mut action = MaybeUninit::uninit();
        // SAFETY: a null pointer changes nothing, and the other one points to memory for an action.
        let status = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
        succeeded(status == 0)?;
        // SAFETY: the call has succeeded, and so has filled it.
        Ok(Self { signal, action: unsafe { action.assume_init() } })
    }

    /// Returns whether the signal is ignored.
    pub(crate) fn is_ignored(&self) -> bool {
        self.action.sa_sigaction == libc::SIG_IGN
    }

    /// Returns whether the signal has its default action.
    pub(crate) fn is_usual(&self) -> bool {
        self.action.sa_sigaction == libc::SIG_DFL
    }

    /// Restores this action of the signal.
    pub(crate) fn restore(&self) -> io::Result<()> {
        // SAFETY: the action is one that the system has returned.
        succeeded(
            unsafe { libc::sigaction(self.signal, &raw const self.action, ptr::null_mut()) } == 0,
        )
    }
}

/// Makes a signal do nothing.
pub(crate) fn ignore(signal: c_int) -> io::Result<()> {
    set(signal, libc::SIG_IGN)
}

/// Ends the process with an error if it touches bytes of a mapped file that its disk does not
/// return, or that were truncated while the process was stopped. `before` must be
/// async-signal-safe.
pub(crate) fn end_at_lost_bytes(before: fn()) -> io::Result<()> {
    extern "C" fn end(_: c_int) {
        const ERROR: &[u8] =
            b"error: bytes of a mapped file are gone: its disk is broken, or it was truncated\n";
        before_end();
        // SAFETY: both calls are async-signal-safe, and the bytes are static.
        unsafe {
            libc::write(libc::STDERR_FILENO, ERROR.as_ptr().cast(), ERROR.len());
            libc::_exit(1);
        }
    }
    BEFORE_END.get_or_init(|| before);
    set(libc::SIGBUS, end as extern "C" fn(c_int) as libc::sighandler_t)
}

/// Calls `before` at a signal, and then ends the process by the default action of the signal.
/// `before` must be async-signal-safe.
pub(crate) fn call_before_end(signal: c_int, before: fn()) -> io::Result<()> {
    extern "C" fn end(signal: c_int) {
        before_end();
        // SAFETY: both calls are async-signal-safe. The signal is blocked until the handler
        // returns, and ends the process then.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    BEFORE_END.get_or_init(|| before);
    set(signal, end as extern "C" fn(c_int) as libc::sighandler_t)
}

fn before_end() {
    if let Some(before) = BEFORE_END.get() {
        before();
    }
}

fn set(signal: c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: the handler is SIG_IGN, or one of this module, which are async-signal-safe.
    succeeded(unsafe { libc::signal(signal, handler) } != libc::SIG_ERR)
}

fn succeeded(has: bool) -> io::Result<()> {
    if has { Ok(()) } else { Err(io::Error::last_os_error()) }
}
