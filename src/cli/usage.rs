//! How a program ends whose command line asks for help, or makes no sense.

use std::fmt;
use std::io;
use std::process;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::Exit;
use super::stderr::say_lines;
use crate::Error;
use crate::printable::printable_lines;

/// Ends the program `P` for wrong usage.
pub fn reject<P: CommandFactory>(kind: ErrorKind, reason: impl fmt::Display) -> ! {
    exit(&P::command().error(kind, reason))
}

/// Ends as clap says: with help or the version on stdout, or with an error.
pub(super) fn exit(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        end(error.print().and_then(|()| io::Write::flush(&mut io::stdout())));
    }
    // clap writes what it was given, which may be the name of any file.
    let text = error.render().to_string();
    if printable_lines(&text) == text {
        // In colour, where that is wanted. Whoever does not read it misses nothing else by it.
        let _ = error.print();
    } else {
        say_lines(format_args!("{}", text.trim_end()));
    }
    process::exit(Exit::Usage.code().into())
}

/// Ends once everything was written, or could not be.
pub(super) fn end(written: io::Result<()>) -> ! {
    let exit = written.map_or_else(|error| Exit::of(&Error::Output(error)), |()| Exit::Done);
    process::exit(exit.code().into())
}
