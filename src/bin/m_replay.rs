//! Sends a recording again.

use std::fs::Metadata;
use std::io::{Write, stdout};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use mflow::cli::{self, Exit, Filtering, Keyboard, Limiting, Sending, Terminal, Verbosity};
use mflow::recording::{Place, Range, Recording, open_recordings};
use mflow::routing::FilterOptions;
use mflow::tools::generate::send_buffer;
use mflow::tools::replay::{
    self, Detail, Options, Outlets, Rate, Repeat, Routes, Summary, wait_for_peers,
};
use mflow::tools::{Ending, Failure, Observer};
use mflow::{Address, Error, Mode, Result, Stop, Stream};

/// Send the messages of a recording again, with its timing or as fast as it goes
///
/// On a terminal, space pauses, a dot sends one message, and q ends.
#[derive(Parser)]
#[command(name = "m_replay")]
struct Cli {
    /// The recording: an MCAP file or a folder; or several files, which are played as one in the order
    /// of their times
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// How fast: recorded, 2x, 100Hz, 400MB/s, 5Gbit/s or max; a bare number is messages per second
    /// [default: recorded, and max for a folder]
    #[arg(short, long, value_parser = cli::parse_pace)]
    rate: Option<Rate>,
    /// Start again at the end, for ever or until it was played so many times; a message that is alone
    /// comes once a second
    #[arg(short = 'l', long = "loop", value_name = "TIMES", num_args = 0..=1, require_equals = true,
          default_missing_value = "0", value_parser = parse_repeat)]
    repeat: Option<Repeat>,
    /// Cut pauses between recorded times to this, such as 1s
    #[arg(long, value_name = "DURATION", value_parser = cli::parse_duration)]
    max_gap: Option<Duration>,
    /// Wait for so many peers at each address before the first message, for as long as --timeout and
    /// --duration say [default: 1 for pub, 0 for push]
    #[arg(long, value_name = "PEERS")]
    wait_peers: Option<usize>,
    /// Wait before the first message, after the peers have come
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = cli::parse_duration)]
    delay: Duration,
    /// Send the start of the series under way again whenever so much time has passed, for those who
    /// come late (pub mode)
    #[arg(long, value_name = "DURATION", value_parser = cli::parse_interval)]
    send_header_again: Option<Duration>,
    /// Send the start of a series ahead where the part begins in the middle of it (.mcap)
    #[arg(long)]
    send_header_first: bool,
    /// Send the messages of one source of the recording to an address of its own (may be repeated);
    /// those of the others go to the --address that is given
    #[arg(long, value_name = "SOURCE=ADDRESS", value_parser = parse_map)]
    map: Vec<(String, String)>,
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
    sending: Sending,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    verbosity: Verbosity,
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
    /// Begin so long after the first message, such as 10s, or at a time such as 2026-01-31T12:00:00Z
    /// or @1769860800
    #[arg(long, value_name = "TIME", value_parser = cli::parse_moment)]
    start: Option<Place>,
    /// End before that time
    #[arg(long, value_name = "TIME", value_parser = cli::parse_moment)]
    end: Option<Place>,
}

/// How to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Report {
    /// Lines on stderr
    Text,
    /// One object of JSON on stdout
    Json,
}

impl Cli {
    fn report(&self) -> Report {
        if self.json { Report::Json } else { self.report }
    }
}

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    if cli.send_header_again.is_some() && cli.sending.mode() != Mode::Pub {
        // Who shares a PUSH with others would take it for another series.
        let reason = "--send-header-again is for --mode pub";
        Cli::command().error(ErrorKind::ArgumentConflict, reason).exit();
    }
    if let Part { from: Some(from), to: Some(to), .. } = cli.part
        && from > to
    {
        let reason = format!("--from {from} is behind --to {to}");
        Cli::command().error(ErrorKind::ArgumentConflict, reason).exit();
    }
    if let Part { start: Some(start), end: Some(end), .. } = cli.part
        && is_behind(start, end)
    {
        let reason = "--start is not before --end";
        Cli::command().error(ErrorKind::ArgumentConflict, reason).exit();
    }
    let is_address = |path: &&PathBuf| Address::is_meant_by(&path.to_string_lossy());
    if let Some(address) = cli.recordings.iter().find(is_address) {
        let reason = format!("expected a recording, found '{}'", address.display());
        Cli::command().error(ErrorKind::InvalidValue, reason).exit();
    }
    let is_number = |path: &PathBuf| path.to_str().is_some_and(|path| path.parse::<u64>().is_ok());
    if let (Some(_), Some(times)) = (cli.repeat, cli.recordings.iter().find(|it| is_number(it)))
        && !times.exists()
    {
        let reason = format!("--loop takes its number after a =: --loop={}", times.display());
        Cli::command().error(ErrorKind::InvalidValue, reason).exit();
    }
    for (index, (label, _)) in cli.map.iter().enumerate() {
        if cli.map[..index].iter().any(|(other, _)| other == label) {
            let reason = format!("--map gives '{label}' two addresses");
            Cli::command().error(ErrorKind::ArgumentConflict, reason).exit();
        }
    }
    let mut options = options(cli);
    let limits = options.limits;
    let mut terminal = Terminal::new(&cli.verbosity);
    let mut recording = cli::ending_on_signal(|| open_recordings(&cli.recordings))?;
    let size = usual_size(&cli.recordings, recording.as_ref());
    let (mut streams, routes) = open_streams(cli, size, stop)?;
    routes.check(recording.as_ref())?;
    let listening = streams.iter().filter_map(Stream::listening);
    listening.for_each(|endpoint| terminal.listening(endpoint));
    if options.detail == Detail::Quiet {
        terminal = terminal.with_bar();
    }
    let peers = cli.wait_peers.unwrap_or(usize::from(cli.sending.mode() == Mode::Pub));
    let mut keyboard = Keyboard::open(&cli.verbosity);
    terminal.waiting(match keyboard.is_open() {
        true => "waiting for receivers (q ends)",
        false => "waiting for receivers",
    });
    let patience = limits.timeout.into_iter().chain(limits.duration).min();
    let waiting = Instant::now();
    if !wait_for_peers(&mut streams, peers, patience, &mut keyboard, stop)? {
        return Ok(Exit::Done);
    }
    let left = limits.duration.map(|duration| duration.saturating_sub(waiting.elapsed()));
    options.limits.duration = left;
    if keyboard.is_open() {
        terminal.waiting("waiting for receivers (space pauses, dot steps, q ends)");
    }
    let sinks = streams.into_iter().map(|stream| Box::new(stream) as _).collect();
    let outlets = Outlets::new(sinks, routes);
    let is_unpaced = options.rate.map_or(!recording.is_timed(), |rate| rate == Rate::Max);
    if is_unpaced && cli.sending.mode() == Mode::Pub {
        terminal.notice(format_args!(
            "as fast as it goes, a PUB drops what does not fit into --queue-size: --rate sets a pace"
        ));
    }
    if options.rate == Some(Rate::Max) {
        // Reading is far ahead of sending, and woken by it: it is not to take its processor.
        cli::give_way();
    }
    let mut out = stdout().lock();
    let result = replay::run(
        recording.as_mut(),
        outlets,
        &options,
        &mut keyboard,
        stop,
        &mut out,
        &mut terminal,
    );
    drop(keyboard);
    let (summary, failure) = Failure::parts(result)?;
    match cli.report() {
        Report::Json => {
            let told = writeln!(out, "{}", summary.to_json()).map_err(Error::Output);
            // Why it broke off is told even to those who do not read the rest.
            if failure.is_none() {
                told?;
            }
        }
        Report::Text => {
            terminal.total(summary.messages, summary.bytes, summary.elapsed);
            let (first, again) = (summary.headers_first, summary.headers_again);
            if first + again > 0 {
                terminal
                    .summary(format_args!("starts of series: {first} sent ahead, {again} again"));
            }
            if let Some(lateness) =
                summary.lateness.as_ref().filter(|lateness| lateness.messages() > 0)
            {
                terminal.summary(lateness);
            }
        }
    }
    if summary.messages == 0 {
        tell_why(recording.as_ref(), &options, &summary, &mut terminal);
    }
    let exit = Exit::Done
        .unless_broken_off(failure.as_ref())
        .unless_damaged(recording.as_ref())
        .unless_missed(&limits, summary.messages, summary.ending, recording.name())
        .unless_given_up(&summary);
    let unconfirmed = summary.unconfirmed.iter();
    Ok(unconfirmed.fold(exit, |exit, (endpoint, left)| exit.unless_unconfirmed(*left, endpoint)))
}

/// Tells whether a part has no time in it, whatever the recording is.
fn is_behind(start: Place, end: Place) -> bool {
    match (start, end) {
        (Place::Offset(start), Place::Offset(end)) => start >= end,
        (Place::Time(start), Place::Time(end)) => start >= end,
        _ => false,
    }
}

/// Tells why nothing was sent, where that is not plain.
fn tell_why(
    recording: &dyn Recording,
    options: &Options,
    summary: &Summary,
    terminal: &mut Terminal,
) {
    let is_part = options.range != Range::default() || options.filter != FilterOptions::default();
    match (summary.ending, recording.messages()) {
        (Ending::SourceEnded, Some(1..)) if is_part => terminal.notice(format_args!(
            "no message of '{}' is in the part that was asked for",
            recording.name()
        )),
        (Ending::Timeout | Ending::Duration, _) => {
            if let Some(endpoint) = &summary.waiting_for {
                terminal.notice(format_args!(
                    "nobody took a message at '{endpoint}': is there a receiver that is connected?"
                ));
            }
        }
        _ => {}
    }
}

fn options(cli: &Cli) -> Options {
    let Part { from, to, start, end } = cli.part;
    let shows_parts = cli.verbosity.is_verbose() && cli.report() != Report::Json;
    Options {
        rate: cli.rate,
        max_gap: cli.max_gap,
        range: Range {
            begin: from.map(Place::Message).or(start),
            end: to.map(Place::Message).or(end),
        },
        filter: cli.filtering.options(),
        repeat: cli.repeat.unwrap_or_default(),
        detail: if shows_parts { Detail::Parts } else { Detail::Quiet },
        delay: cli.delay,
        header_again: cli.send_header_again,
        header_first: cli.send_header_first,
        linger: cli.sending.linger(),
        limits: cli.limiting.limits(),
    }
}

/// Returns how large the messages of files are, nothing where they do not tell.
fn usual_size(paths: &[PathBuf], recording: &dyn Recording) -> usize {
    let files = paths.iter().filter_map(|path| path.metadata().ok()).filter(Metadata::is_file);
    let bytes = files.map(|file| file.len()).sum::<u64>();
    let size = recording.messages().and_then(|messages| bytes.checked_div(messages));
    size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX))
}

/// Opens a stream for each address, for messages of so many bytes, and says what goes to which.
fn open_streams(cli: &Cli, size: usize, stop: &Stop) -> Result<(Vec<Stream>, Routes)> {
    let open = |address: &str| {
        let sending = cli.sending.clone().usual_send_buffer(send_buffer(address, size));
        sending.open_at(address, stop)
    };
    let (mut streams, mut routes) = (Vec::<Stream>::new(), Routes::default());
    for (label, address) in &cli.map {
        // Each `*` is a port of its own.
        let is_shared = |stream: &Stream| stream.address() == address && !address.ends_with(":*");
        let place = streams.iter().position(is_shared);
        if place.is_none() {
            streams.push(open(address)?);
        }
        routes.map(label, place.unwrap_or(streams.len() - 1));
    }
    if cli.map.is_empty() || cli.sending.address().is_some() {
        streams.push(open(cli.sending.address_or_usual())?);
        routes.map_rest(streams.len() - 1);
    }
    Ok((streams, routes))
}

/// Reads how often to play; `0` stands for ever.
fn parse_repeat(text: &str) -> Result<Repeat, String> {
    let times = text.parse().map_err(|_| format!("expected how many times, found '{text}'"))?;
    Ok(NonZeroU64::new(times).map_or(Repeat::Forever, Repeat::Times))
}

/// Reads `NAME=ADDRESS`.
fn parse_map(text: &str) -> Result<(String, String), String> {
    let error =
        || format!("expected a source and an address such as a=tcp://*:9999, found '{text}'");
    let (label, address) = text.split_once('=').ok_or_else(error)?;
    let is_whole = !label.is_empty() && !address.is_empty();
    is_whole.then(|| (label.to_owned(), address.to_owned())).ok_or_else(error)
}
