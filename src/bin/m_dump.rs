//! Dumps the messages of a stream to a folder or to the screen, as they are or decoded.

use std::io::stdout;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use mflow::cli::{self, Exit, Limiting, Receiving, Terminal, Verbosity};
use mflow::recording::FolderWriter;
use mflow::tools::Observer;
use mflow::tools::dump::{
    self, ArrayFile, ArrayFolder, Existing, JsonContent, JsonWriter, Npy, Png, TextWriter,
};
use mflow::{Result, Sink, Stop, open_source};

/// Dump the messages of a stream to a folder, a file for each part, or to the screen
///
/// Other formats decode them: json to the screen, a line for each message; npy and png to a folder,
/// a file for each array, the greatest value of unsigned pixels being shown as masked.
///
/// A PULL takes its share of the messages away from the other receivers of a PUSH.
#[derive(Parser)]
#[command(name = "m_dump")]
struct Cli {
    /// Address of the source, tcp://host:port, or the folder of a recording
    source: String,
    /// Folder to write to; without it, a line for each part on the screen
    folder: Option<PathBuf>,
    /// How to dump: raw with a folder and text without one, unless told otherwise
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Same as --format json
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
    /// Tell what each message means too (json)
    #[arg(long)]
    decode: bool,
    /// Skip the parts of each message from this one on, counted from 1; 0 skips none (raw, text)
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

/// How messages are dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A file for each part
    Raw,
    /// A line for each part, on the screen
    Text,
    /// A line of JSON for each message, on the screen
    Json,
    /// A file of NumPy for each array
    Npy,
    /// A picture for each array of two dimensions, or for the first plane of three
    Png,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Text => "text",
            Self::Json => "json",
            Self::Npy => "npy",
            Self::Png => "png",
        }
    }
}

impl Cli {
    /// Returns the format; ends the program where other options make no sense with it.
    fn format(&self) -> Format {
        let usual = if self.folder.is_some() { Format::Raw } else { Format::Text };
        let format = if self.json { Format::Json } else { self.format.unwrap_or(usual) };
        let name = format.name();
        let needs_folder = !matches!(format, Format::Text | Format::Json);
        if needs_folder != self.folder.is_some() {
            let (kind, verb) = match needs_folder {
                true => (ErrorKind::MissingRequiredArgument, "needs a"),
                false => (ErrorKind::ArgumentConflict, "takes no"),
            };
            wrong(kind, &format!("--format {name} {verb} folder"));
        }
        if self.decode && format != Format::Json {
            wrong(ErrorKind::ArgumentConflict, &format!("--format {name} takes no --decode"));
        }
        if self.skip != 0 && !matches!(format, Format::Raw | Format::Text) {
            wrong(ErrorKind::ArgumentConflict, &format!("--format {name} takes no --skip"));
        }
        format
    }
}

/// Ends the program for wrong usage.
fn wrong(kind: ErrorKind, reason: &str) -> ! {
    Cli::command().error(kind, reason).exit()
}

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
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
    let exit = Exit::Done
        .unless_damaged(source.as_ref(), &mut terminal)
        .unless_unread(summary.damaged, &mut terminal);
    Ok(exit.unless_missed(&limits, summary.messages, summary.ending))
}

fn sink(cli: &Cli) -> Result<Box<dyn Sink>> {
    let keep = cli.skip.checked_sub(1).unwrap_or(usize::MAX);
    let format = cli.format();
    let folder = cli.folder.as_deref().unwrap_or(Path::new(""));
    Ok(match format {
        Format::Text => Box::new(TextWriter::new(stdout()).keep_parts(keep)),
        Format::Json => {
            let content = if cli.decode { JsonContent::Decoded } else { JsonContent::Outline };
            Box::new(JsonWriter::new(stdout(), content))
        }
        Format::Raw if cli.force => Box::new(FolderWriter::append(folder)?.keep_parts(keep)),
        Format::Raw => Box::new(FolderWriter::create(folder)?.keep_parts(keep)),
        Format::Npy => arrays(cli, folder, Npy)?,
        Format::Png => arrays(cli, folder, Png)?,
    })
}

fn arrays(cli: &Cli, folder: &Path, file: impl ArrayFile + 'static) -> Result<Box<dyn Sink>> {
    let existing = if cli.force { Existing::Append } else { Existing::Refuse };
    Ok(Box::new(ArrayFolder::open(folder, file, existing)?))
}
