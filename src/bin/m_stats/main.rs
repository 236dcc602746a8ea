//! Measures the messages of a stream or a recording.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use std::ffi::OsStr;

use mflow::cli::{self, Exit, Rates, Terminal};
use mflow::endpoint::Report;
use mflow::tools::{Failure, loopback, show_opened, stats};
use mflow::{Location, Result, Stop};

use command_line::Cli;

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    match &cli.source {
        Some(source) => measure(cli, source, stop),
        None => measure_loopback(cli, stop),
    }
}

fn measure(cli: &Cli, source: &OsStr, stop: &Stop) -> Result<Exit> {
    let mut terminal = Terminal::new(&cli.verbosity);
    let location = Location::try_from(source)?;
    let receiving = cli.receiving.clone().usual_queue_size(stats::QUEUE_SIZE);
    let opened = receiving.options(&location, stop);
    let mut source = cli::ending_on_signal(|| location.open_source(opened))?;
    show_opened(source.as_ref(), &mut terminal);
    let mut rates = Rates::received(cli.reporting.notation(), cli::stdout());
    let result = stats::run(source.as_mut(), &cli.options(), stop, &mut rates, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::found(&summary.findings, failure.as_ref(), source.name(), &source.report()))
}

fn measure_loopback(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let mut terminal = Terminal::new(&cli.verbosity);
    let mut rates = Rates::received(cli.reporting.notation(), cli::stdout());
    let result = loopback::run(&cli.options(), cli.bytes(), stop, &mut rates, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::found(&summary.findings, failure.as_ref(), "--loopback", &Report::default()))
}
