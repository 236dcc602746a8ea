//! Sends a recording again.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use mflow::cli::{self, Exit, Keyboard, Terminal};
use mflow::recording::open_recordings;
use mflow::tools::replay::{self, Detail, Rate, Streams};
use mflow::tools::{Failure, Observer};
use mflow::{Mode, Result, Stop};

use command_line::{Cli, Report};

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    cli.check();
    let mut options = cli.options();
    let mut terminal = Terminal::new(&cli.verbosity);
    let mut recording = cli::ending_on_signal(|| open_recordings(&cli.recordings))?;
    let size = replay::usual_size(&cli.recordings, recording.as_ref());
    let streams = Streams::open(&cli.map, cli.rest(), |address| {
        let sending = cli.sending.clone().usual_send_buffer(replay::send_buffer(address, size));
        sending.open_at(address, stop)
    })?;
    streams.check(recording.as_ref(), &mut terminal)?;
    if options.detail == Detail::Quiet {
        terminal = terminal.with_bar();
    }
    let mut keyboard = Keyboard::open(&cli.verbosity);
    terminal.waiting(keyboard.beside("waiting for receivers", "q ends"));
    let waited = streams.wait_for(cli.peers(), &mut options.limits, &mut keyboard, stop)?;
    let Some(outlets) = waited else { return Ok(Exit::Done) };
    terminal.waiting(keyboard.beside("waiting for receivers", "space pauses, dot steps, q ends"));
    if options.rate_of(recording.as_ref()) == Rate::Max {
        // Reading is far ahead of sending, which wakes it: it must not take the processor from
        // sending.
        cli::give_way();
        if cli.sending.mode() == Mode::Pub {
            let problem = "at full speed, a PUB drops what does not fit into --queue-size";
            terminal.notice(format_args!("{problem}: --rate sets a pace"));
        }
    }
    let mut out = cli::stdout();
    let (source, controls) = (recording.as_mut(), &mut keyboard);
    let result = replay::run(source, outlets, &options, controls, stop, &mut out, &mut terminal);
    drop(keyboard);
    let (summary, failure) = Failure::parts(result)?;
    match cli.report() {
        // The error is printed even if the output has no reader.
        Report::Json => cli::write_replayed(&summary, &mut out)
            .or_else(|error| if failure.is_some() { Ok(()) } else { Err(error) })?,
        Report::Text => terminal.replayed(&summary),
    }
    terminal.nothing_replayed(&summary, &options, recording.as_ref());
    let (name, report) = (recording.name(), recording.report());
    Ok(Exit::found(&summary.findings, failure.as_ref(), name, &report))
}
