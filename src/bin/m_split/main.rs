//! Splits one stream to many.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use std::io::Write;

use mflow::cli::{self, Exit, Terminal};
use mflow::tools::{self, Failure, Observer, split};
use mflow::{Result, Stop};

use command_line::Cli;

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let (config, notices) = cli.configuration()?;
    if let Some(file) = cli.checked() {
        let streams = config.streams.len();
        let plural = if streams == 1 { "" } else { "s" };
        writeln!(cli::stdout(), "{}: ok, {streams} stream{plural}", file.display())
            .map_err(tools::Error::Output)?;
        return Ok(Exit::Done);
    }
    let mut terminal = Terminal::new(&cli.verbosity).with_bar();
    notices.iter().for_each(|notice| terminal.notice(format_args!("{notice}")));
    terminal.waiting("waiting for messages and receivers");
    let tune = |options| cli.receiving.tune(options, stop);
    let (mut source, split) = split::open(&config, tune, &mut terminal)?;
    let (limits, linger) = (cli.limiting.limits(), cli.lingering.linger);
    let result = split::run(source.as_mut(), split, limits, linger, stop, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    terminal.split(&summary);
    Ok(Exit::found(&summary.findings, failure.as_ref(), source.name(), &source.report()))
}
