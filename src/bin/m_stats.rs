//! Measures what comes from a stream.

#[cfg(target_os = "linux")]
mod allocator;

use std::ffi::OsString;
use std::time::Duration;

use clap::Parser;
use mflow::cli::{self, Exit, Limiting, Receiving, Reporting, Size, Terminal, Verbosity};
use mflow::tools::stats::{self, Summary};
use mflow::tools::{Failure, Observer, loopback, tell_notices};
use mflow::{Location, Result, Stop};

/// What `--queue-size` is where messages are only counted.
const QUEUE_SIZE: &str = "Messages that wait at most for each peer; 0 is no limit [default: 200]";

/// Measure a message stream: rates while it runs, a summary at the end
///
/// A PULL takes its share of the messages away from the other receivers of a PUSH.
#[derive(Parser)]
#[command(name = "m_stats", mut_arg("queue_size", |arg| arg.help(QUEUE_SIZE)))]
struct Cli {
    /// Address of the source, tcp://host:port, or the path of a recording
    #[arg(required_unless_present = "loopback")]
    source: Option<OsString>,
    /// Measure this machine: generate messages and receive them over its loopback interface
    #[arg(long, conflicts_with_all = [
        "source", "mode", "subscribe", "bind", "connect", "queue_size", "io_threads",
    ])]
    loopback: bool,
    /// Size of the messages of --loopback, such as 64KiB; a bare number is MiB [default: 1]
    #[arg(short, long, value_parser = cli::parse_size, conflicts_with = "source")]
    size: Option<Size>,
    /// Time between rates; 0 prints them for every message
    #[arg(short = 'i', long = "interval", visible_aliases = ["sampling-interval", "sampling_interval"],
          value_name = "DURATION", default_value = "0.5", value_parser = cli::parse_duration)]
    interval: Duration,
    #[command(flatten)]
    reporting: Reporting,
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
    let mut options = stats::Options {
        interval: cli.interval,
        notation: cli.reporting.notation(),
        limits: cli.limiting.limits(),
    };
    let mut terminal = Terminal::new(&cli.verbosity);
    let mut out = cli::stdout();
    let Some(source) = &cli.source else {
        let limits = &mut options.limits;
        if limits.count.is_none() {
            limits.duration.get_or_insert(Duration::from_secs(5));
        }
        let bytes = cli.size.map_or(1 << 20, |size| size.bytes);
        let result = loopback::run(&options, bytes, stop, &mut out, &mut terminal);
        return exit(&options, result, "--loopback");
    };
    let location = Location::try_from(source.as_os_str())?;
    let receiving = cli.receiving.clone().usual_queue_size(stats::QUEUE_SIZE);
    let opened = receiving.options(&location, stop);
    let mut source = cli::ending_on_signal(|| location.open_source(opened))?;
    source.report().listening.iter().for_each(|endpoint| terminal.listening(endpoint));
    tell_notices(source.as_ref(), &mut terminal);
    let result = stats::run(source.as_mut(), &options, stop, &mut out);
    Ok(exit(&options, result, source.name())?.unless_damaged(source.as_ref()))
}

fn exit(
    options: &stats::Options,
    result: Result<Summary, Failure<Summary>>,
    name: &str,
) -> Result<Exit> {
    let (summary, failure) = Failure::parts(result)?;
    let Summary { total, ending } = summary;
    let exit = Exit::Done.unless_broken_off(failure.as_ref());
    Ok(exit.unless_missed(&options.limits, total.messages, ending, name))
}
