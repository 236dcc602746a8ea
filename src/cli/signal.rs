//! Ctrl-C, SIGTERM, SIGHUP and SIGQUIT, and the end of a process whose file cannot be read.

#![allow(unsafe_code, reason = "the standard library knows no signals")]

use std::io::{self, IsTerminal};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libc::c_int;

use super::keyboard::{restore_terminal, restore_terminal_at_once};
use super::margin::end_line;
use crate::endpoint::Stop;
use crate::error::{Error, Result};

/// Signals that come so shortly after one another are one: `timeout`, and whatever else runs a
/// program, sends one to the program and to its group, while the terminal may have sent it already.
const ONE_GESTURE: Duration = Duration::from_millis(100);

/// Whether the first signal ends the process already.
static AT_ONCE: AtomicBool = AtomicBool::new(false);

/// Has the first signal end the process, as the second one does, while something is done that nobody
/// asks to stop, and that leaves nothing to be put in order.
pub fn ending_on_signal<T>(work: impl FnOnce() -> T) -> T {
    AT_ONCE.store(true, Ordering::Relaxed);
    let done = work();
    AT_ONCE.store(false, Ordering::Relaxed);
    done
}

/// Makes a stop that the first signal requests; the second one ends the process at once.
///
/// A hangup that is ignored already stays so: that is what `nohup` is for. The others are heeded
/// even so: scripts start programs in the background, where they are ignored, and end them by them.
pub(super) fn stop_on_signals() -> Result<Stop> {
    let failed = |source| Error::System { what: "the handling of signals", source };
    let stop = Stop::new().map_err(failed)?;
    let asked = stop.clone();
    let hangup = action(libc::SIGHUP).map_err(failed)?;
    let mut first = None;
    ctrlc::set_handler(move || {
        let since = *first.get_or_insert_with(Instant::now);
        let is_second = asked.request() > 1 && since.elapsed() > ONE_GESTURE;
        if is_second || AT_ONCE.load(Ordering::Relaxed) {
            restore_terminal();
            if io::stderr().is_terminal() {
                // There may be a bar in the line.
                end_line();
            }
            std::process::exit(130);
        }
    })
    .map_err(|error| failed(io::Error::other(error)))?;
    let quit = action(libc::SIGQUIT).map_err(failed)?;
    if quit.sa_sigaction == libc::SIG_DFL {
        quit_with_the_terminal_restored().map_err(failed)?;
    }
    ignore(libc::SIGXFSZ).map_err(failed)?;
    tell_of_lost_bytes().map_err(failed)?;
    if hangup.sa_sigaction == libc::SIG_IGN {
        restore(libc::SIGHUP, &hangup).map_err(failed)?;
    }
    Ok(stop)
}

/// Has a signal do nothing: a file that reaches the limit of its size is an error of the write.
fn ignore(signal: c_int) -> io::Result<()> {
    // SAFETY: ignoring runs no code.
    if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Has the process end with an error where it touches bytes of a mapped file that its disk does not
/// give, or that were truncated while it was stopped: there is nothing to go on with.
fn tell_of_lost_bytes() -> io::Result<()> {
    extern "C" fn end(_: c_int) {
        const ERROR: &[u8] =
            b"error: bytes of a mapped file are gone: its disk is broken, or it was truncated\n";
        restore_terminal_at_once();
        // SAFETY: both calls may be made from a signal handler, and the bytes live for ever.
        unsafe {
            libc::write(libc::STDERR_FILENO, ERROR.as_ptr().cast(), ERROR.len());
            libc::_exit(1);
        }
    }
    let handler = end as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing but what a handler may.
    if unsafe { libc::signal(libc::SIGBUS, handler) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Has SIGQUIT give the terminal back its mode, and end the process at once as it does by itself.
fn quit_with_the_terminal_restored() -> io::Result<()> {
    extern "C" fn end(signal: c_int) {
        restore_terminal_at_once();
        // SAFETY: both calls may be made from a signal handler. The signal is held back until this
        // returns, and ends the process then.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    let handler = end as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing but what a handler may.
    if unsafe { libc::signal(libc::SIGQUIT, handler) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns what a signal does.
fn action(signal: c_int) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: a null pointer changes nothing, and the other is to memory for what there is.
    if unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and so has filled it.
    Ok(unsafe { action.assume_init() })
}

/// Has a signal do what it did.
fn restore(signal: c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: the action is one that the system has given, and ignoring runs no code.
    if unsafe { libc::sigaction(signal, action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
