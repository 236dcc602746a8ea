//! Ctrl-C, SIGTERM, SIGHUP and SIGQUIT, and the end of a process whose file cannot be read.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::keyboard::{restore_terminal, restore_terminal_at_once};
use super::margin::end_line;
use crate::endpoint::Stop;
use crate::error::{Result, SystemError};
use crate::os::signal::{Action, call_before_end, end_at_lost_bytes, ignore};

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
                // There may be a bar in the line.
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
    // A file that reaches the limit of its size is an error of the write.
    ignore(libc::SIGXFSZ).map_err(failed)?;
    end_at_lost_bytes(restore_terminal_at_once).map_err(failed)?;
    if hangup.is_ignored() {
        hangup.restore().map_err(failed)?;
    }
    Ok(stop)
}
