//! How a program ends if its command line asks for help, or makes no sense.

use std::fmt;
use std::io;
use std::process;

use clap::builder::Styles;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory};

use super::Exit;
use super::stderr::say_lines;
use crate::printable::is_hidden;
use crate::tools::Error;

/// Ends the program `P` for wrong usage.
pub fn reject<P: CommandFactory>(kind: ErrorKind, reason: impl fmt::Display) -> ! {
    exit(&styled(P::command()).error(kind, reason))
}

/// Makes a command print its errors without colours if its arguments have hidden characters,
/// because these could not be distinguished from the colours.
pub(super) fn styled(command: Command) -> Command {
    if is_upsetting() { command.styles(Styles::plain()) } else { command }
}

/// Returns whether an argument, which may be the name of any file, could upset a terminal.
fn is_upsetting() -> bool {
    std::env::args_os().any(|argument| argument.to_string_lossy().contains(is_hidden))
}

/// Ends as clap decides: with help or the version on stdout, or with an error.
pub(super) fn exit(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        end(error.print().and_then(|()| io::Write::flush(&mut io::stdout())));
    }
    if is_upsetting() {
        say_lines(format_args!("{}", error.render().ansi().to_string().trim_end()));
    } else {
        // If it cannot be written, nothing else is lost.
        let _ = error.print();
    }
    process::exit(Exit::Usage.code().into())
}

/// Ends after everything was written, or could not be written.
pub(super) fn end(written: io::Result<()>) -> ! {
    let exit = written.map_or_else(|error| Exit::of(&Error::output(error)), |()| Exit::Done);
    process::exit(exit.code().into())
}
