//! Sends a recorded folder again.

use std::io::stdout;
use std::path::PathBuf;

use clap::Parser;
use mflow::cli::{self, Exit, Limiting, Sending, Terminal, Verbosity};
use mflow::recording::open_recording;
use mflow::tools::Observer;
use mflow::tools::replay::{self, Detail, Repeat};
use mflow::{Result, Stop};

/// Send the messages of a folder again, as fast as it goes
#[derive(Parser)]
#[command(name = "m_replay")]
struct Cli {
    /// Folder of the recording
    folder: PathBuf,
    /// Start again at the end
    #[arg(short = 'l', long = "loop")]
    repeat: bool,
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
    let limits = cli.limiting.limits();
    let verbose = cli.verbosity.is_verbose();
    let options = replay::Options {
        repeat: if cli.repeat { Repeat::Forever } else { Repeat::Once },
        detail: if verbose { Detail::Parts } else { Detail::Quiet },
        limits,
    };
    let terminal = Terminal::new(&cli.verbosity);
    let mut terminal = if verbose { terminal } else { terminal.with_bar() };
    let mut reader = open_recording(&cli.folder)?;
    let stream = cli.sending.open(stop)?;
    stream.listening().into_iter().for_each(|endpoint| terminal.listening(endpoint));
    let endpoint = stream.endpoint().to_owned();
    let linger = cli.sending.linger();
    let mut out = stdout().lock();
    let sink = Box::new(stream);
    let summary =
        replay::run(reader.as_mut(), sink, &options, linger, stop, &mut out, &mut terminal)?;
    terminal.total(summary.messages, summary.bytes, summary.elapsed);
    Ok(Exit::Done
        .unless_damaged(reader.as_ref(), &mut terminal)
        .unless_missed(&limits, summary.messages, summary.ending)
        .unless_unconfirmed(summary.unconfirmed, &endpoint))
}
