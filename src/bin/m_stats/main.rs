//! Measures the messages of a stream or a recording.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use std::ffi::OsStr;

use mflow::cli::{self, Exit, Terminal};
use mflow::endpoint::Report;
use mflow::tools::{Failure, loopback, stats, tell_opened};
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
    tell_opened(source.as_ref(), &mut terminal);
    let result = stats::run(source.as_mut(), &cli.options(), stop, &mut cli::stdout());
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::found(&summary.findings, failure.as_ref(), source.name(), &source.report()))
}

fn measure_loopback(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let mut terminal = Terminal::new(&cli.verbosity);
    let (options, mut out) = (cli.options(), cli::stdout());
    let result = loopback::run(&options, cli.bytes(), stop, &mut out, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::found(&summary.findings, failure.as_ref(), "--loopback", &Report::default()))
}
