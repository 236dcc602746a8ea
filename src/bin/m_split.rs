//! Splits one stream to many.

#[cfg(target_os = "linux")]
mod allocator;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;
use mflow::cli::{self, Exit, Limiting, Lingering, Receiving, Terminal, Verbosity};
use mflow::endpoint::WhenFull;
use mflow::routing::{Config, OutputConfig};
use mflow::tools::{Failure, Observer, split};
use mflow::{Error, Mode, Result, Stop};

/// Split one stream to many: each output gets every message
///
/// An output that takes nothing for two seconds is set aside: messages for it are dropped, and
/// counted, until it takes ten in a row again. --on-full and the configuration can say otherwise.
#[derive(Parser)]
#[command(
    name = "m_split",
    mut_arg("bind", |arg| arg.help("Bind the source's address: others connect")),
    mut_arg("connect", |arg| arg.help("Connect to the source's address: somebody has bound it, or will")),
)]
struct Cli {
    /// Configuration file (JSON)
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "source", "streams", "mode", "queue_size", "subscribe", "bind", "connect", "output_mode", "on_full",
    ])]
    config: Option<PathBuf>,
    /// Check the configuration file, also for what is ignored with a warning when it runs, and exit
    #[arg(long, conflicts_with_all = ["source", "streams"])]
    check: bool,
    /// Address of the source, connected to except that tcp://*:PORT is bound, or a recording
    #[arg(required_unless_present_any = ["config", "check"])]
    source: Option<OsString>,
    /// Addresses to send to, which are bound, or recordings to write: x.mcap, ./folder
    #[arg(required_unless_present_any = ["config", "check"])]
    streams: Vec<OsString>,
    /// Communication mode of the outputs
    #[arg(long, value_name = "push|pub", default_value = "push", value_parser = cli::parse_sending)]
    output_mode: Mode,
    /// What to do when an output takes nothing: block, drop, or wait so long before dropping
    #[arg(long, value_name = "block|drop|DURATION", default_value = "2s", value_parser = parse_when_full)]
    on_full: WhenFull,
    #[command(flatten)]
    lingering: Lingering,
    #[command(flatten)]
    receiving: Receiving,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    verbosity: Verbosity,
}

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let (config, notices) = configuration(cli)?;
    if let (true, Some(file)) = (cli.check, &cli.config) {
        let streams = config.streams.len();
        let plural = if streams == 1 { "" } else { "s" };
        writeln!(cli::stdout(), "{}: ok, {streams} stream{plural}", file.display())
            .map_err(Error::Output)?;
        return Ok(Exit::Done);
    }
    let mut terminal = Terminal::new(&cli.verbosity).with_bar();
    notices.iter().for_each(|notice| terminal.notice(format_args!("{notice}")));
    terminal.waiting("waiting for messages, and for receivers to take them");
    let tune = |options| cli.receiving.tune(options, stop);
    let (mut source, split) = split::open(&config, tune, &mut terminal)?;
    let (limits, linger) = (cli.limiting.limits(), cli.lingering.linger);
    let result = split::run(source.as_mut(), split, limits, linger, stop, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    terminal.summary(&summary);
    let outputs = summary.outputs.iter();
    let exit = outputs.fold(Exit::Done, Exit::unless_passed_over);
    let exit = exit.unless_broken_off(failure.as_ref());
    Ok(exit.unless_damaged(source.as_ref()).unless_missed(
        &limits,
        summary.messages,
        summary.ending,
        source.name(),
    ))
}

/// Reads the configuration file, or makes a configuration of the command line; returns what a person
/// should know of it too.
fn configuration(cli: &Cli) -> Result<(Config, Vec<String>)> {
    match &cli.config {
        Some(file) if cli.check => return Ok((Config::read(file)?, Vec::new())),
        Some(file) => return Config::read_tolerantly(file),
        None => {}
    }
    if cli.check {
        let reason = "--check is for a configuration: --config <FILE> is missing";
        cli::reject::<Cli>(ErrorKind::MissingRequiredArgument, reason);
    }
    // Without a configuration, the command line has a source.
    let source = cli.source.as_deref().unwrap_or(OsStr::new(""));
    let mut config =
        Config { source: cli.receiving.source(source.try_into()?), streams: Vec::new() };
    for address in &cli.streams {
        config.streams.push(OutputConfig {
            mode: cli.output_mode,
            queue_size: config.source.queue_size,
            when_full: cli.on_full,
            ..OutputConfig::new(address.as_os_str().try_into()?)
        });
    }
    Ok((config, Vec::new()))
}

fn parse_when_full(text: &str) -> Result<WhenFull, String> {
    match text {
        "block" => Ok(WhenFull::Block),
        "drop" => Ok(WhenFull::DropNewest),
        _ => cli::parse_duration(text).map(WhenFull::Wait),
    }
}
