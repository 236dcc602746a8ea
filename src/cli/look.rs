//! Looks at recordings, on the standard output.

use std::path::Path;

use super::{Exit, ending_on_signal, stdout};
use crate::tools::inspect::{self, Form, Look};

/// Looks at recordings and prints the results, as JSON or as text. If a signal ends the process
/// during a recovery, the new file is left without an end.
pub fn look(paths: &[&Path], look: &Look, wants_json: bool) -> Exit {
    let mut out = stdout();
    let form = match wants_json {
        true if paths.len() > 1 => Form::JsonLine,
        true => Form::Json,
        false => Form::Text { columns: out.columns() },
    };
    let mut exit = Exit::Done;
    let failed = |error: &_| exit = exit.or(Exit::of(error));
    let looked = ending_on_signal(|| inspect::look(paths, look, form, &mut out, failed));
    match looked {
        Ok(true) => exit,
        Ok(false) => exit.or(Exit::Damaged),
        Err(error) => exit.or(Exit::of(&error)),
    }
}
