//! Dumps the messages of a stream to a folder or to the screen.

use std::io::stdout;
use std::path::PathBuf;

use clap::Parser;
use mflow::cli::{self, Exit, Limiting, Receiving, Terminal, Verbose, Verbosity};
use mflow::recording::FolderWriter;
use mflow::tools::Observer;
use mflow::tools::dump::{self, TextWriter};
use mflow::{Result, Sink, Stop, open_source};

/// Dump the messages of a stream to a folder, a file for each part, or to the screen
///
/// A PULL takes its share of the messages away from the other receivers of a PUSH.
#[derive(Parser)]
#[command(name = "m_dump")]
struct Cli {
    /// Address of the source, tcp://host:port, or the folder of a recording
    source: String,
    /// Folder to write to; without it, a line for each part on the screen
    folder: Option<PathBuf>,
    /// Skip the parts of each message from this one on, counted from 1; 0 skips none
    #[arg(short, long, value_name = "PART", default_value_t = 0)]
    skip: usize,
    /// Go on after the last message in a folder that holds a recording already
    #[arg(long, requires = "folder")]
    force: bool,
    #[command(flatten)]
    receiving: Receiving,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    verbosity: Verbosity,
}

impl Verbose for Cli {
    fn verbosity(&self) -> &Verbosity {
        &self.verbosity
    }
}

fn main() -> Exit {
    cli::run(run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    let limits = cli.limiting.limits();
    let terminal = Terminal::new(&cli.verbosity);
    let mut terminal = if cli.folder.is_some() { terminal.with_bar() } else { terminal };
    // The sink first: a source that is open takes messages away from others.
    let sink = sink(cli)?;
    let mut source = open_source(&cli.source, cli.receiving.options(&cli.source, stop)?)?;
    source.listening().into_iter().for_each(|endpoint| terminal.listening(endpoint));
    let summary = dump::run(source.as_mut(), sink, limits, stop, &mut terminal)?;
    if cli.folder.is_some() {
        terminal.total(summary.messages, summary.bytes, summary.elapsed);
    }
    Ok(Exit::Done.unless_damaged(source.as_ref(), &mut terminal).unless_missed(
        &limits,
        summary.messages,
        summary.ending,
    ))
}

fn sink(cli: &Cli) -> Result<Box<dyn Sink>> {
    let keep = cli.skip.checked_sub(1).unwrap_or(usize::MAX);
    Ok(match &cli.folder {
        None => Box::new(TextWriter::new(stdout()).keep_parts(keep)),
        Some(folder) if cli.force => Box::new(FolderWriter::append(folder)?.keep_parts(keep)),
        Some(folder) => Box::new(FolderWriter::create(folder)?.keep_parts(keep)),
    })
}
