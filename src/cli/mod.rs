//! What the programs share: groups of options, units, signals, progress bars and exit codes.
//!
//! [`tools`](crate::tools) do the work of the programs.

mod arguments;
mod bar;
mod dumping;
mod exit;
mod filtering;
mod keyboard;
mod labelled;
mod look;
mod margin;
mod pace;
mod progress;
mod quantity;
mod recording;
mod report;
mod signal;
mod standard;
mod stderr;
mod stdout;
mod summary;
mod usage;
mod window;

use std::fmt;
use std::io::{self, IsTerminal, Write};

use clap::{Arg, ArgAction, Parser};
use clap_complete::Shell;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};

pub use crate::os::give_way;
pub use arguments::{
    Limiting, Lingering, Receiving, Reporting, Sending, Verbosity, parse_receiving, parse_sending,
};
pub use exit::Exit;
pub use filtering::Filtering;
pub use keyboard::Keyboard;
pub use labelled::Labelled;
pub use look::look;
pub use pace::{parse_moment, parse_pace};
pub use progress::Terminal;
pub use quantity::{
    MessageRate, Size, parse_count, parse_duration, parse_interval, parse_rate, parse_size,
};
pub use recording::Recording;
pub use report::{Notation, Rates};
pub use signal::ending_on_signal;
pub use standard::{input_parser, is_terminal, output, output_parser};
pub use stdout::{Stdout, stdout};
pub use summary::write_replayed;
pub use usage::reject;

use crate::endpoint::Stop;
use crate::error::Result;
use crate::os::allow_many_files;
use crate::printable::printable;
use window::columns;

/// Runs a program: parses its command line, prepares the process, and turns the result of `body`
/// into an exit code. Errors are printed once, with their causes.
pub fn run<P: Parser>(
    verbosity: impl FnOnce(&P) -> &Verbosity,
    body: impl FnOnce(&P, &Stop) -> Result<Exit>,
) -> Exit {
    let options = parse::<P>();
    allow_many_files();
    print_events(verbosity(&options));
    let stop = match signal::stop_on_signals() {
        Ok(stop) => stop,
        Err(error) => return Exit::failed(&error),
    };
    match body(&options, &stop) {
        Ok(exit) => exit,
        Err(error) => Exit::of(&error),
    }
}

/// Parses the command line, and prints completions if they are asked for.
fn parse<P: Parser>() -> P {
    let completions = Arg::new("completions")
        .long("completions")
        .value_name("SHELL")
        .help("Print completions for a shell, and exit")
        .help_heading(None)
        .action(ArgAction::Set)
        .value_parser(clap::value_parser!(Shell))
        .exclusive(true);
    // A number below zero is a wrong value, not an unknown option.
    let takes_numbers = |arg: Arg| match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    };
    let command = P::command().mut_args(takes_numbers).arg(completions);
    let mut command = usage::styled(command).long_version(version()).version(version());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let matches = matches.unwrap_or_else(|error| usage::exit(&error));
    if let Some(shell) = matches.get_one::<Shell>("completions") {
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut command, name, &mut script);
        let mut out = io::stdout();
        usage::end(out.write_all(&script).and_then(|()| out.flush()));
    }
    P::from_arg_matches(&matches).unwrap_or_else(|error| usage::exit(&error.format(&mut command)))
}

/// Returns the versions of this package and of libzmq, and the features of libzmq.
fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), crate::stream::libzmq())
}

/// Prints the events of the library on stderr: warnings, unless more or less is wanted.
fn print_events(verbosity: &Verbosity) {
    tracing_subscriber::fmt()
        .with_max_level(verbosity.level())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        // It would report on stderr, and panic, if stderr cannot be written.
        .log_internal_errors(false)
        .without_time()
        .with_target(false)
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .init();
}

/// Writes a field of an event, which may be text from a file or from the network.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => writer.write_str(&printable(&value)),
        name => write!(writer, "{name}={}", printable(&value)),
    }
}
