//! Ctrl-C, SIGTERM, SIGHUP and SIGQUIT, and the end of a process whose file cannot be read.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::keyboard::{restore_terminal, restore_terminal_at_once};
use super::margin::end_line;
use crate::endpoint::Stop;
use crate::error::{Result, SystemError};
use crate::os::signal::{Action, call_before_end, end_at_lost_bytes, ignore};

/// Signals within this time count as one: `timeout`, like other programs that run a program, sends
/// a signal to the program and to its group, and the terminal may have sent it already.
const ONE_GESTURE: Duration = Duration::from_millis(100);

/// Whether the first signal ends the process already.
static AT_ONCE: AtomicBool = AtomicBool::new(false);

/// Lets the first signal end the process, as the second one does, during work that need not end in
/// good order.
pub fn ending_on_signal<T>(work: impl FnOnce() -> T) -> T {
    AT_ONCE.store(true, Ordering::Relaxed);
    let done = work();
    AT_ONCE.store(false, Ordering::Relaxed);
    done
}

/// Makes a stop that the first signal requests; the second one ends the process at once.
///
/// A hangup that is already ignored stays ignored: that is the purpose of `nohup`. The other
/// signals are handled even if they are ignored, because scripts start programs in the background
/// with these signals ignored, and then use them to end the programs.
pub(super) fn stop_on_signals() -> Result<Stop> {
    let failed = |source| SystemError::SetUp { what: "the handling of signals", source };
    let stop = Stop::new().map_err(failed)?;
    let asked = stop.clone();
    let hangup = Action::of(libc::SIGHUP).map_err(failed)?;
    let mut first = None;
    ctrlc::set_handler(move || {
        let since = *first.get_or_insert_with(Instant::now);
        let is_second = asked.request() > 1 && since.elapsed() > ONE_GESTURE;
        if is_second || AT_ONCE.load(Ordering::Relaxed) {
            restore_terminal();
            if io::stderr().is_terminal() {
                // A bar may be on the line.
                end_line();
            }
            std::process::exit(130);
        }
    })
    .map_err(|error| failed(io::Error::other(error)))?;
    let quit = Action::of(libc::SIGQUIT).map_err(failed)?;
    if quit.is_usual() {
        call_before_end(libc::SIGQUIT, restore_terminal_at_once).map_err(failed)?;
    }
    // If a file reaches its size limit, the write returns an error.
    ignore(libc::SIGXFSZ).map_err(failed)?;
    end_at_lost_bytes(restore_terminal_at_once).map_err(failed)?;
    if hangup.is_ignored() {
        hangup.restore().map_err(failed)?;
    }
    Ok(stop)
}
