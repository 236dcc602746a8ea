//! Generates messages to measure a link with.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use std::io::Write;

use mflow::cli::{self, Exit, Terminal};
use mflow::endpoint::Report;
use mflow::tools::{self, Failure, Notation, Observer, generate};
use mflow::{Result, Stop};

use command_line::Cli;

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let mut terminal = Terminal::new(&cli.verbosity);
    let stream = cli.sending().open(stop)?;
    stream.listening().into_iter().for_each(|endpoint| terminal.listening(endpoint));
    let endpoint = stream.endpoint().to_owned();
    let mut out = cli::stdout();
    let options = cli.options();
    if options.notation == Notation::Text {
        writeln!(out, "Sending messages of size {:.6} MB", cli.size.megabytes)
            .map_err(tools::Error::Output)?;
    }
    let linger = cli.sending.linger();
    let result = generate::run(Box::new(stream), &options, linger, stop, &mut out, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::found(&summary.findings, failure.as_ref(), &endpoint, &Report::default()))
}
