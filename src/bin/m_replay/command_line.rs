//! The command line of m_replay.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use mflow::cli::{self, Filtering, Limiting, Sending, Verbosity};
use mflow::recording::{Place, Range, is_pipe};
use mflow::tools::replay::{Detail, Options, Rate, Repeat};
use mflow::{Location, Mode};

/// Send the messages of a recording again, with its timing or at full speed
///
/// On a terminal, space pauses, a dot sends one message, and q ends.
#[derive(Parser)]
#[command(name = "m_replay")]
pub(crate) struct Cli {
    /// The recording: an MCAP file or a folder; or several files, which are played as one in the order
    /// of their times; - is an MCAP file from the standard input
    #[arg(required = true, value_name = "RECORDING", value_parser = cli::input_parser())]
    pub(crate) recordings: Vec<PathBuf>,
    /// How fast: recorded, 2x, 100Hz, 400MB/s, 5Gbit/s or max; a bare number is messages per second
    /// [default: recorded, and max for a folder]
    #[arg(short, long, value_parser = cli::parse_pace)]
    rate: Option<Rate>,
    /// Start again at the end, for ever or until it was played this many times; a recording of one
    /// message repeats once a second
    #[arg(short = 'l', long = "loop", value_name = "TIMES", num_args = 0..=1, require_equals = true,
          default_missing_value = FOREVER, value_parser = parse_repeat)]
    repeat: Option<Repeat>,
    /// Cut pauses between recorded times to this, such as 1s
    #[arg(long, value_name = "DURATION", value_parser = cli::parse_duration)]
    max_gap: Option<Duration>,
    /// Wait for this many peers at each address before the first message, at most for --timeout and
    /// --duration [default: 1 for pub, 0 for push]
    #[arg(long, value_name = "PEERS")]
    wait_peers: Option<usize>,
    /// Wait before the first message, after the peers have connected
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = cli::parse_duration)]
    delay: Duration,
    /// Send the start of the current series again at this interval, for late receivers (pub mode)
    #[arg(long, value_name = "DURATION", value_parser = cli::parse_interval)]
    send_header_again: Option<Duration>,
    /// Send the start of a series ahead if the part begins in the middle of it (.mcap)
    #[arg(long)]
    send_header_first: bool,
    /// Send the messages of one source of the recording to an address of its own (may be repeated);
    /// those of the others are sent to --address
    #[arg(long, value_name = "SOURCE=ADDRESS", value_parser = parse_map)]
    pub(crate) map: Vec<(String, String)>,
    /// Report at the end how much was sent, and how late
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Report::Text)]
    report: Report,
    /// Same as --report json
    #[arg(short = 'J', long, conflicts_with = "report")]
    json: bool,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    filtering: Filtering,
    #[command(flatten)]
    pub(crate) sending: Sending,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// Which part of the recording to send.
#[derive(clap::Args)]
#[command(next_help_heading = "Part of the recording")]
struct Part {
    /// Begin with this message, counted from 0
    #[arg(long, value_name = "NUMBER", conflicts_with = "start")]
    from: Option<u64>,
    /// End with this message, which is sent too
    #[arg(long, value_name = "NUMBER", conflicts_with = "end")]
    to: Option<u64>,
    /// Begin this long after the first message, such as 10s, or at a time such as
    /// 2026-01-31T12:00:00Z or @1769860800
    #[arg(long, value_name = "TIME", value_parser = cli::parse_moment)]
    start: Option<Place>,
    /// End before that time
    #[arg(long, value_name = "TIME", value_parser = cli::parse_moment)]
    end: Option<Place>,
}

/// How to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// Lines on stderr
    Text,
    /// One object of JSON on stdout
    Json,
}

impl Cli {
    pub(crate) fn report(&self) -> Report {
        if self.json { Report::Json } else { self.report }
    }

    /// Returns how many peers to wait for at each address.
    pub(crate) fn peers(&self) -> usize {
        self.wait_peers.unwrap_or(usize::from(self.sending.mode() == Mode::Pub))
    }

    /// Returns the address for messages of sources without an address of their own.
    pub(crate) fn rest(&self) -> Option<&str> {
        match self.map.is_empty() {
            true => Some(self.sending.address_or_usual()),
            false => self.sending.address(),
        }
    }

    /// Ends the program if options make no sense together.
    pub(crate) fn check(&self) {
        if self.send_header_again.is_some() && self.sending.mode() != Mode::Pub {
            // A receiver that shares a PUSH with others would mistake it for another series.
            let reason = "--send-header-again is for --mode pub";
            cli::reject::<Self>(ErrorKind::ArgumentConflict, reason);
        }
        if let Part { from: Some(from), to: Some(to), .. } = self.part
            && from > to
        {
            let reason = format!("--from {from} is behind --to {to}");
            cli::reject::<Self>(ErrorKind::ArgumentConflict, reason);
        }
        if let Part { start: Some(start), end: Some(end), .. } = self.part
            && is_behind(start, end)
        {
            let reason = "--start is not before --end";
            cli::reject::<Self>(ErrorKind::ArgumentConflict, reason);
        }
        let is_address = |path: &&PathBuf| Location::has_scheme(path.as_os_str());
        if let Some(address) = self.recordings.iter().find(is_address) {
            let reason = format!("expected a recording, found '{}'", address.display());
            cli::reject::<Self>(ErrorKind::InvalidValue, reason);
        }
        let is_number =
            |path: &PathBuf| path.to_str().is_some_and(|path| path.parse::<u64>().is_ok());
        if let (Some(_), Some(times)) =
            (self.repeat, self.recordings.iter().find(|it| is_number(it)))
            && !times.exists()
        {
            let reason = format!("--loop expects its number after a =: --loop={}", times.display());
            cli::reject::<Self>(ErrorKind::InvalidValue, reason);
        }
        self.check_pipes();
        for (index, (label, _)) in self.map.iter().enumerate() {
            if self.map[..index].iter().any(|(other, _)| other == label) {
                let reason = format!("--map gives '{label}' two addresses");
                cli::reject::<Self>(ErrorKind::ArgumentConflict, reason);
            }
        }
    }

    /// Ends the program if the options need more of a pipe than reading it once, from its
    /// beginning.
    fn check_pipes(&self) {
        if self.recordings.iter().any(|path| cli::is_terminal(path)) {
            let reason = "expected a recording on the standard input, found a terminal";
            cli::reject::<Self>(ErrorKind::InvalidValue, reason);
        }
        let Some(pipe) = self.recordings.iter().find(|path| is_pipe(path)) else { return };
        let Part { from, start, end, .. } = self.part;
        let options = [
            (self.recordings.len() > 1, "other recordings"),
            (self.repeat.is_some(), "--loop"),
            (from.is_some(), "--from"),
            (start.is_some(), "--start"),
            // It counts from the first message, which has not arrived yet.
            (matches!(end, Some(Place::Offset(_))), "--end after a duration"),
            (self.send_header_first, "--send-header-first"),
        ];
        if let Some((_, option)) = options.iter().find(|(is_set, _)| *is_set) {
            let pipe = pipe.display();
            let reason = format!(
                "'{pipe}' is a pipe, which is read once, from its beginning: it does not support {option}"
            );
            cli::reject::<Self>(ErrorKind::ArgumentConflict, reason);
        }
    }

    /// Returns the options of the replay.
    pub(crate) fn options(&self) -> Options {
        let Part { from, to, start, end } = self.part;
        let shows_parts = self.verbosity.is_verbose() && self.report() != Report::Json;
        Options {
            rate: self.rate,
            max_gap: self.max_gap,
            range: Range {
                begin: from.map(Place::Message).or(start),
                end: to.map(Place::Message).or(end),
            },
            filter: self.filtering.options(),
            repeat: self.repeat.unwrap_or_default(),
            detail: if shows_parts { Detail::Parts } else { Detail::Quiet },
            delay: self.delay,
            header_again: self.send_header_again,
            header_first: self.send_header_first,
            linger: self.sending.linger(),
            limits: self.limiting.limits(),
        }
    }
}

/// Returns whether a part has no time in it, for any recording.
fn is_behind(start: Place, end: Place) -> bool {
    match (start, end) {
        (Place::Offset(start), Place::Offset(end)) => start >= end,
        (Place::Time(start), Place::Time(end)) => start >= end,
        _ => false,
    }
}

/// The meaning of `--loop` without a number.
const FOREVER: &str = "forever";

/// Reads how often to play.
fn parse_repeat(text: &str) -> Result<Repeat, String> {
    if text == FOREVER {
        return Ok(Repeat::Forever);
    }
    let times = text.parse::<NonZeroU64>();
    times.map(Repeat::Times).map_err(|_| format!("expected how many times, found '{text}'"))
}

/// Reads `NAME=ADDRESS`.
fn parse_map(text: &str) -> Result<(String, String), String> {
    let error =
        || format!("expected a source and an address such as a=tcp://*:9999, found '{text}'");
    let (label, address) = text.split_once('=').ok_or_else(error)?;
    let is_whole = !label.is_empty() && !address.is_empty();
    is_whole.then(|| (label.to_owned(), address.to_owned())).ok_or_else(error)
}
