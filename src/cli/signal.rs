//! Ctrl-C and SIGTERM.

use crate::{Error, Result, Stop};

/// Makes a stop that the first signal requests; the second one ends the process at once.
pub(super) fn stop_on_signals() -> Result<Stop> {
    let failed = |source| Error::Wait { name: "signals".into(), source };
    let stop = Stop::new().map_err(failed)?;
    let asked = stop.clone();
    ctrlc::set_handler(move || {
        if asked.request() > 1 {
            std::process::exit(130);
        }
    })
    .map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(stop)
}
