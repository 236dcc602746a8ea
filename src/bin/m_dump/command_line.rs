//! The command line of m_dump.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, ValueEnum};
use mflow::cli::{self, Filtering, Labelled, Limiting, Receiving, Recording, Verbosity};
use mflow::recording::mcap::Detail;
use mflow::recording::{is_mcap, is_pipe};
use mflow::routing::{Content, FilterOptions};
use mflow::tools::dump::{
    Existing, Format, Inputs, JsonContent, Options, OutputOptions, is_mcap_file, is_piped,
};
use mflow::tools::inspect::Look;
use mflow::{Location, Result};

/// Help of an option that depends on what is done.
const QUEUE_SIZE: &str = "Messages that wait at most for each peer; 0 is no limit \
                          [default: 100; 32 to record where the sender waits]";

/// Record the messages of streams, look at them, or look at a recording
///
/// Without an output, a line for each part is printed. An output that ends in .mcap is an MCAP
/// file, which keeps the times at which messages arrived; anything else is a folder with a file for
/// each part. Nothing is overwritten. Other formats decode: json to the screen, a line for each
/// message; npy and png to a folder, a file for each array, the greatest value of unsigned pixels
/// being shown as masked.
///
/// A PULL takes its share of the messages away from the other receivers of a PUSH.
#[derive(Parser)]
#[command(name = "m_dump", mut_arg("queue_size", |arg| arg.help(QUEUE_SIZE)))]
pub(crate) struct Cli {
    /// The sources of messages: tcp://host:port, a recording, several as a=tcp://host:1
    /// b=tcp://host:2, or several .mcap files, read as one; a folder behind a single one is the
    /// output;
    /// - is an MCAP file from the standard input
    #[arg(required = true, value_name = "SOURCE", value_parser = Labelled::parser())]
    sources: Vec<Labelled>,
    /// File (.mcap) or folder to write to; a FIFO, or - for the standard output, carries an MCAP file
    #[arg(short, long, value_name = "PATH", value_parser = cli::output_parser())]
    output: Option<PathBuf>,
    /// How to dump: by default raw with an output and text without one
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Same as --format json
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
    /// Print the decoded content of each message too (json)
    #[arg(long)]
    decode: bool,
    /// Skip the parts of each message from this one on, counted from 1; 0 skips none (folder, text)
    #[arg(short, long, value_name = "PART", default_value_t = 0)]
    skip: usize,
    /// Continue after the last message in a folder that holds a recording already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    look: Looking,
    #[command(flatten)]
    filtering: Filtering,
    #[command(flatten)]
    more_filtering: MoreFiltering,
    #[command(flatten)]
    recording: Recording,
    #[command(flatten)]
    receiving: Receiving,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// The options for dumping only.
const OF_DUMPING: [&str; 26] = [
    "output",
    "decode",
    "skip",
    "force",
    "htype",
    "series",
    "every",
    "headers_only",
    "until_series_end",
    "max_memory",
    "on_full",
    "max_size",
    "max_time",
    "keep",
    "fsync",
    "meta",
    "crc",
    "mode",
    "subscribe",
    "queue_size",
    "bind",
    "connect",
    "io_threads",
    "count",
    "duration",
    "timeout",
];

/// What to do with a recording, other than to dump it.
#[derive(Args)]
#[command(next_help_heading = "Recordings")]
#[group(multiple = false)]
struct Looking {
    /// Print what is in recordings; with -v, read every message of an MCAP file for exact bytes and
    /// lost frames and pulses
    #[arg(long, conflicts_with_all = OF_DUMPING)]
    info: bool,
    /// Read MCAP files as a whole and print what is wrong with them
    #[arg(long, conflicts_with_all = OF_DUMPING)]
    verify: bool,
    /// Save what can be read of an MCAP file into a new one
    #[arg(long, value_name = "OUT.mcap", conflicts_with_all = OF_DUMPING)]
    recover: Option<PathBuf>,
    /// Write a recording as another kind, a folder as an MCAP file or the other way round, or
    /// several MCAP files as one
    #[arg(long, value_name = "OUT", conflicts_with = "output", value_parser = cli::output_parser())]
    convert: Option<PathBuf>,
}

/// More filters.
#[derive(Args)]
#[command(next_help_heading = "Filters")]
struct MoreFiltering {
    /// Accept only the first part of each message, and no image whose pixels are in it
    #[arg(long)]
    headers_only: bool,
    /// End with the first series: when its end and all announced images have arrived, or no image
    /// for this long after its end
    #[arg(long, value_name = "GRACE", num_args = 0..=1, require_equals = true,
          default_missing_value = "2s", value_parser = cli::parse_duration)]
    until_series_end: Option<Duration>,
}

impl Cli {
    /// Returns which messages to accept, and how much of each.
    fn filter(&self) -> FilterOptions {
        let content = match (self.skip.checked_sub(1), self.more_filtering.headers_only) {
            (None, false) => Content::Whole,
            (None | Some(1..), true) => Content::Header,
            (Some(parts), _) => Content::First(parts),
        };
        FilterOptions { content, ..self.filtering.options() }
    }

    pub(crate) fn wants_json(&self) -> bool {
        self.json || self.format == Some(Format::Json)
    }

    /// Returns the recordings to look at and how, if requested; ends the program if other options
    /// make no sense with that.
    pub(crate) fn looked_at(&self) -> Option<(Vec<&Path>, Look)> {
        let Looking { info, verify, recover, convert: _ } = &self.look;
        let looks = [(*info, "--info"), (*verify, "--verify"), (recover.is_some(), "--recover")];
        let (_, look) = looks.into_iter().find(|(is_meant, _)| *is_meant)?;
        if let Some(to) = recover.as_deref().map(|to| cli::output(to.as_os_str()))
            && is_piped(to)
        {
            let reason = format!("--recover writes a file, found the pipe '{}'", to.display());
            wrong(ErrorKind::InvalidValue, &reason);
        }
        if recover.is_some() && self.sources.len() > 1 {
            wrong(ErrorKind::ArgumentConflict, "--recover expects one recording");
        }
        self.format(None);
        let paths = self.sources.iter().map(|source| path_to_look_at(source, look, *info));
        let detail = if self.verbosity.is_verbose() { Detail::Messages } else { Detail::Index };
        let look = match recover {
            Some(to) => Look::Recover(to.clone()),
            None if *verify => Look::Verify,
            None => Look::Info(detail),
        };
        Some((paths.collect(), look))
    }

    /// Returns the sources and the output; ends the program if it is not clear which is which.
    fn ends(&self) -> (Vec<&Labelled>, Option<&Path>) {
        let (sources, output) = self.told_apart();
        if let Some(path) = output.filter(|path| Location::has_scheme(path.as_os_str())) {
            let reason = format!("the output is a file or a folder, found '{}'", path.display());
            wrong(ErrorKind::InvalidValue, &reason);
        }
        refuse_terminals(&sources, output);
        let pipe = sources.iter().find(|source| !source.is_stream() && is_pipe(source.path()));
        if let Some(pipe) = pipe.filter(|_| sources.len() > 1) {
            let pipe = pipe.path().display();
            let reason = format!("'{pipe}' is a pipe, which is read alone");
            wrong(ErrorKind::ArgumentConflict, &reason);
        }
        (sources, output)
    }

    /// Returns the sources, and the output with its options.
    ///
    /// # Errors
    /// If a source is neither an address nor a path.
    pub(crate) fn inputs_and_output(&self) -> Result<(Inputs, OutputOptions<'_>)> {
        let (sources, path) = self.ends();
        let format = self.format(path);
        let inputs = sources.into_iter().map(Labelled::input).collect::<Result<_>>()?;
        let output = OutputOptions {
            format,
            path,
            content: if self.decode { JsonContent::Decoded } else { JsonContent::Outline },
            existing: if self.force { Existing::Append } else { Existing::Refuse },
            record: self.recording.options(),
            mode: self.receiving.mode(),
        };
        Ok((Inputs::new(inputs), output))
    }

    /// Returns what to dump, and when to end.
    pub(crate) fn options(&self) -> Options {
        Options {
            limits: self.limiting.limits(),
            filter: self.filter(),
            until_series_end: self.more_filtering.until_series_end,
        }
    }

    /// Separates the sources from the output.
    fn told_apart(&self) -> (Vec<&Labelled>, Option<&Path>) {
        let sources: Vec<_> = self.sources.iter().collect();
        for (index, source) in sources.iter().enumerate() {
            if let Some(label) = &source.label
                && sources[..index].iter().any(|other| other.label == source.label)
            {
                let reason = format!("two sources have the name '{label}'");
                wrong(ErrorKind::ArgumentConflict, &reason);
            }
        }
        let is_stream = |source: &&Labelled| source.is_stream();
        if let Some(named) = sources.iter().find(|it| it.label.is_some() && !is_stream(it)) {
            let reason =
                format!("'{}' keeps the names that its sources have", named.path().display());
            wrong(ErrorKind::InvalidValue, &reason);
        }
        let output = self.output.as_deref().or(self.look.convert.as_deref());
        let is_shown = self.wants_json() || self.format == Some(Format::Text);
        match (sources.as_slice(), output) {
            ([source, last], None) if !is_stream(last) && !is_shown => {
                let path = cli::output(&last.address);
                if !is_stream(source) && !is_piped(path) && is_mcap(path) && path.exists() {
                    let reason = format!(
                        "'{}' is there already: --format text shows both, --output writes",
                        path.display()
                    );
                    wrong(ErrorKind::ArgumentConflict, &reason);
                }
                (vec![source], Some(path))
            }
            _ => {
                // What was recorded has its own times.
                let stream = sources.iter().find(|source| is_stream(source));
                let recording = sources.iter().find(|source| !is_stream(source));
                if let (Some(stream), Some(recording)) = (stream, recording) {
                    let reason = format!(
                        "expected streams or recordings, found some of each: '{}' and '{}'",
                        stream.address.display(),
                        recording.address.display()
                    );
                    wrong(ErrorKind::InvalidValue, &reason);
                }
                (sources, output)
            }
        }
    }

    /// Returns how messages for this output are received.
    pub(crate) fn receiving(&self, output: &OutputOptions<'_>) -> Receiving {
        let receiving = self.receiving.clone();
        if output.format == Format::Raw {
            receiving.usual_queue_size(output.record.usual_queue_size(output.mode))
        } else {
            receiving
        }
    }

    /// Returns the format; ends the program if other options make no sense with it.
    fn format(&self, path: Option<&Path>) -> Format {
        let usual = if path.is_some() { Format::Raw } else { Format::Text };
        let format = if self.json { Format::Json } else { self.format.unwrap_or(usual) };
        let name = format.to_possible_value().map_or_else(String::new, |it| it.get_name().into());
        let needs_path = !matches!(format, Format::Text | Format::Json);
        if needs_path != path.is_some() {
            let (kind, verb) = match needs_path {
                true => (ErrorKind::MissingRequiredArgument, "needs an"),
                false => (ErrorKind::ArgumentConflict, "accepts no"),
            };
            wrong(kind, &format!("--format {name} {verb} output"));
        }
        let is_mcap = format == Format::Raw && path.is_some_and(is_mcap_file);
        self.check_pipe(format, path);
        let conflicts = [
            (self.decode && format != Format::Json, "--decode"),
            (
                self.skip != 0 && (is_mcap || !matches!(format, Format::Raw | Format::Text)),
                "--skip",
            ),
            (self.force && (is_mcap || path.is_none()), "--force"),
        ];
        let what = if is_mcap { "an MCAP file".to_owned() } else { format!("--format {name}") };
        if let Some((_, option)) = conflicts.iter().find(|(conflicts, _)| *conflicts) {
            wrong(ErrorKind::ArgumentConflict, &format!("{what} does not support {option}"));
        }
        if self.recording.needs_mcap() && !is_mcap {
            let reason = "--max-size, --max-time, --keep, --fsync, --meta and --crc need an output \
                          that ends in .mcap";
            wrong(ErrorKind::ArgumentConflict, reason);
        }
        if self.recording.keeps_files_of_any_size() {
            let reason = "--keep needs --max-size or --max-time";
            wrong(ErrorKind::MissingRequiredArgument, reason);
        }
        format
    }

    /// Ends the program if a pipe is written and other options make no sense with it.
    fn check_pipe(&self, format: Format, path: Option<&Path>) {
        let Some(path) = path.filter(|path| is_piped(path)) else { return };
        let found = path.display();
        if matches!(format, Format::Npy | Format::Png) {
            let reason = format!("--format npy and png need a folder, found the pipe '{found}'");
            wrong(ErrorKind::InvalidValue, &reason);
        }
        if self.recording.needs_disk() {
            let reason = format!(
                "--max-size, --max-time, --keep and --fsync need a file, found the pipe '{found}'"
            );
            wrong(ErrorKind::ArgumentConflict, &reason);
        }
    }
}

/// Ends the program if it would read a recording from a terminal, or write one to it.
fn refuse_terminals(sources: &[&Labelled], output: Option<&Path>) {
    if sources.iter().any(|source| !source.is_stream() && cli::is_terminal(source.path())) {
        let reason = "expected a recording on the standard input, found a terminal";
        wrong(ErrorKind::InvalidValue, reason);
    }
    if output.is_some_and(cli::is_terminal) {
        wrong(ErrorKind::InvalidValue, "refusing to write a recording to a terminal");
    }
}

/// Returns the path of a recording to look at; ends the program if that is something else.
fn path_to_look_at<'a>(source: &'a Labelled, look: &str, takes_folders: bool) -> &'a Path {
    let path = source.path();
    let address = path.display();
    let found = if let Some(label) = &source.label {
        format!("'{label}={address}'")
    } else if source.is_stream() {
        format!("'{address}'")
    } else if is_pipe(path) {
        format!("the pipe '{address}', which is read only once")
    } else if path.is_dir() && !takes_folders {
        format!("the folder '{address}', which --convert makes one of")
    } else {
        return path;
    };
    wrong(ErrorKind::InvalidValue, &format!("{look} expects an MCAP file, found {found}"));
}

/// Ends the program for wrong usage.
fn wrong(kind: ErrorKind, reason: &str) -> ! {
    cli::reject::<Cli>(kind, reason)
}
