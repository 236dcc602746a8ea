//! Sends a recording again.

#[cfg(target_os = "linux")]
#[path = "../allocator/mod.rs"]
mod allocator;

mod command_line;

use std::fs::Metadata;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use mflow::cli::{self, Exit, Keyboard, Terminal};
use mflow::recording::{Range, Recording, open_recordings};
use mflow::routing::FilterOptions;
use mflow::tools::replay::{self, Detail, Options, Outlets, Rate, Routes, Summary, wait_for_peers};
use mflow::tools::{Ending, Failure, Observer};
use mflow::{Error, Mode, Result, Stop, Stream};

use command_line::{Cli, Report};

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    cli.check();
    let mut options = cli.options();
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
    if options.rate.map_or(!recording.is_timed(), |rate| rate == Rate::Max) {
        // Reading is far ahead of sending, and woken by it: it is not to take its processor.
        cli::give_way();
        if cli.sending.mode() == Mode::Pub {
            let problem = "as fast as it goes, a PUB drops what does not fit into --queue-size";
            terminal.notice(format_args!("{problem}: --rate sets a pace"));
        }
    }
    let mut out = cli::stdout();
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
        Report::Text => tell(&summary, &mut terminal),
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

/// Tells what was sent.
fn tell(summary: &Summary, terminal: &mut Terminal) {
    terminal.total(summary.messages, summary.bytes, summary.elapsed);
    let (first, again) = (summary.headers_first, summary.headers_again);
    if first + again > 0 {
        terminal.summary(format_args!("starts of series: {first} sent ahead, {again} again"));
    }
    let lateness = summary.lateness.as_ref().filter(|lateness| lateness.messages() > 0);
    lateness.into_iter().for_each(|lateness| terminal.summary(lateness));
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
        let sending = cli.sending.clone().usual_send_buffer(replay::send_buffer(address, size));
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
