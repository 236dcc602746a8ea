//! Generates messages to measure a link with.

#[cfg(target_os = "linux")]
mod allocator;

use std::io::Write;
use std::time::Duration;

use clap::Parser;
use mflow::cli::{
    self, Exit, Limiting, MessageRate, Reporting, Sending, Size, Terminal, Verbosity,
};
use mflow::tools::generate::{self, queue_size, send_buffer};
use mflow::tools::{Failure, Notation, Observer};
use mflow::{Error, Result, Stop};

/// What depends on the size of the messages here.
const QUEUE_SIZE: &str = "Messages that wait at most for each peer; 0 is no limit [default: 100, \
     or 200 of up to 512 bytes]";

/// Generate messages of zeros, as fast as it goes or at a rate
#[derive(Parser)]
#[command(
    name = "m_generate",
    mut_arg("queue_size", |arg| arg.help(QUEUE_SIZE)),
)]
struct Cli {
    /// Size of the data of a message, such as 64KiB; a bare number is MiB and may be a fraction
    #[arg(short, long, default_value = "1", value_parser = cli::parse_size)]
    size: Size,
    /// Messages per second, such as 100 or 2kHz, or max, as fast as it goes [default: max]
    #[arg(short, long, value_parser = cli::parse_rate)]
    rate: Option<MessageRate>,
    /// Time between rates; 0 prints them for every message
    #[arg(short, long, value_name = "DURATION", default_value = "0.2", value_parser = cli::parse_duration)]
    interval: Duration,
    #[command(flatten)]
    reporting: Reporting,
    #[command(flatten)]
    sending: Sending,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    verbosity: Verbosity,
}

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let mut terminal = Terminal::new(&cli.verbosity);
    let buffer = cli.sending.address().and_then(|address| send_buffer(address, cli.size.bytes));
    let sending = cli.sending.clone().usual_queue_size(queue_size(cli.size.bytes));
    let stream = sending.usual_send_buffer(buffer).open(stop)?;
    stream.listening().into_iter().for_each(|endpoint| terminal.listening(endpoint));
    let endpoint = stream.endpoint().to_owned();
    let mut out = cli::stdout();
    let notation = cli.reporting.notation();
    if notation == Notation::Text {
        writeln!(out, "Sending messages of size {:.6} MB", cli.size.megabytes)
            .map_err(Error::Output)?;
    }
    let limits = cli.limiting.limits();
    let options = generate::Options {
        bytes: cli.size.bytes,
        rate: cli.rate.and_then(MessageRate::hertz),
        interval: cli.interval,
        notation,
        limits,
    };
    let linger = cli.sending.linger();
    let result = generate::run(Box::new(stream), &options, linger, stop, &mut out, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    Ok(Exit::Done
        .unless_broken_off(failure.as_ref())
        .unless_missed(&limits, summary.total.messages, summary.ending, &endpoint)
        .unless_unheard(summary.is_unheard && summary.total.messages > 0, &endpoint)
        .unless_unconfirmed(summary.unconfirmed, &endpoint))
}
