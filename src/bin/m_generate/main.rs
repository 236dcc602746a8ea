//! Generates messages to measure a link with.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use mflow::cli::{self, Exit, Rates, Terminal};
use mflow::endpoint::Report;
use mflow::tools::{Failure, Observer, generate};
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
    let mut rates = Rates::sent(cli.reporting.notation(), cli::stdout());
    rates.remark(format_args!("Sending messages of size {:.6} MB", cli.size.megabytes))?;
    let (options, linger) = (cli.options(), cli.sending.linger());
    let result = generate::run(Box::new(stream), &options, linger, stop, &mut rates, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::found(&summary.findings, failure.as_ref(), &endpoint, &Report::default()))
}
