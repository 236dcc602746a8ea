//! Dumps the messages of streams to a recording or to the screen, as they are or decoded, and looks
//! at recordings.

#[cfg(target_os = "linux")]
#[path = "../allocator/mod.rs"]
mod allocator;

mod command_line;
mod output;

use std::io::Write;
use std::path::Path;

use mflow::cli::{self, Exit, Labelled, Receiving, Terminal};
use mflow::endpoint::Opening;
use mflow::recording::mcap::Detail;
use mflow::recording::{Recording, open_recordings};
use mflow::tools::dump::{self, Options};
use mflow::tools::inspect::{self, Form};
use mflow::tools::{Ending, Failure, Observer};
use mflow::{Error, Merge, Result, Source, Stop};

use command_line::{Cli, Look};
use output::Output;

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    if let Some(paths) = cli.looked_at() {
        return Ok(cli::ending_on_signal(|| look(cli, &paths)));
    }
    let (sources, path) = cli.ends();
    let format = cli.format(path);
    let mut terminal = Terminal::new(&cli.verbosity);
    // A recording that is not there is told before there is an output, and a stream is opened after
    // it: one that is open takes messages away from others.
    let mut recording = cli::ending_on_signal(|| open_recorded(&sources))?;
    // What is made of it may have none, or new ones.
    recording.iter_mut().for_each(|recording| recording.look_at_checksums());
    let labels = labels(&sources, recording.as_deref());
    let from = (sources.as_slice(), recording.as_deref());
    let open = || output::open(cli, format, from, labels, path);
    // A FIFO is opened once it has a reader.
    let output = match path.is_some_and(cli::is_piped) {
        true => cli::ending_on_signal(open)?,
        false => open()?,
    };
    if let (true, Some(recording)) = (cli.takes_everything(), &recording) {
        terminal.expect(recording.messages());
    }
    let source = match recording {
        Some(recording) => Ok(recording as Box<dyn Source>),
        None => open_streams(&cli.receiving(format), &sources, stop, &mut terminal),
    };
    let mut source = match source {
        Ok(source) => source,
        Err(error) => {
            output.discard();
            return Err(error);
        }
    };
    let Output { sink, gauge, .. } = output;
    if let Some(path) = path {
        terminal = terminal.with_bar();
        gauge.iter().for_each(|gauge| terminal.recording(gauge.clone(), path));
    }
    let filter = cli.filter();
    let until_series_end = cli.more_filtering.until_series_end;
    let limits = cli.limiting.limits();
    let options = Options { limits, filter, until_series_end };
    let result = dump::run(source.as_mut(), sink, &options, stop, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    if path.is_some() {
        terminal.total(summary.messages, summary.bytes, summary.elapsed);
    }
    if summary.ending == Ending::Stopped && !source.report().is_live {
        terminal.notice(format_args!("stopped before the end of '{}'", source.name()));
    }
    if summary.messages == 0 && summary.left_out > 0 {
        let left_out = summary.left_out;
        terminal.notice(format_args!("messages came, {left_out} of them: none passed the filters"));
    }
    if !summary.strays.is_empty() {
        let strays = summary.strays;
        terminal.notice(format_args!("other series than the one that was waited for: {strays}"));
        if cli.wants_json() {
            dump::write_strays(&strays, &mut cli::stdout())?;
        }
    }
    let exit = Exit::Done
        .unless_broken_off(failure.as_ref())
        .unless_failed(source.as_ref())
        .unless_damaged(source.as_ref())
        .unless_unread(summary.damaged)
        .unless_missing(summary.missing)
        .unless_cut(summary.cuts_another);
    let exit = gauge.iter().fold(exit, Exit::unless_dropped);
    let name = source.name();
    Ok(exit
        .unless_unwritten(summary.unwritten)
        .unless_missed(&limits, summary.messages, summary.ending, name)
        .unless_unfinished(summary.is_unfinished, summary.ending))
}

/// Looks at recordings, one after the other: what is wrong with one is no reason to say nothing of
/// the rest. What --recover has written when a signal ends it is a file without an end.
fn look(cli: &Cli, paths: &[&Path]) -> Exit {
    let mut out = cli::stdout();
    let form = match cli.wants_json() {
        true if paths.len() > 1 => Form::JsonLine,
        true => Form::Json,
        false => Form::Text { columns: out.columns() },
    };
    let mut exit = Exit::Done;
    let mut gap = "";
    for path in paths {
        let mut text = gap.as_bytes().to_vec();
        match look_at(cli, path, form, &mut text) {
            Ok(true) => {}
            Ok(false) => exit = exit.or(Exit::Damaged),
            Err(error) => {
                exit = exit.or(Exit::of(&error));
                if form != Form::JsonLine || inspect::failure(path, &error, &mut text).is_err() {
                    continue;
                }
            }
        }
        if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
            return exit.or(Exit::of(&Error::Output(error)));
        }
        gap = if cli.wants_json() { "" } else { "\n" };
    }
    exit
}

/// Looks at a recording; tells whether it is sound.
fn look_at(cli: &Cli, path: &Path, form: Form, out: &mut dyn Write) -> Result<bool> {
    let Look { verify, recover, .. } = &cli.look;
    if let Some(to) = recover {
        return inspect::recover(path, to, form, out);
    }
    if *verify {
        return inspect::verify(path, form, out);
    }
    let detail = if cli.verbosity.is_verbose() { Detail::Messages } else { Detail::Index };
    inspect::info(path, detail, form, out).map(|()| true)
}

/// Returns how many columns the labels of sources take, where there are several.
fn labels(sources: &[Labelled], recording: Option<&dyn Recording>) -> Option<usize> {
    let labels: Vec<&str> = match recording {
        Some(recording) => recording.origins().iter().map(|origin| origin.label()).collect(),
        None => sources.iter().filter_map(|it| it.label.as_deref()).collect(),
    };
    let widest = labels.iter().map(|label| label.chars().count()).max();
    widest.filter(|_| labels.len() > 1)
}

/// Opens the sources where they are recordings, as one.
fn open_recorded(sources: &[Labelled]) -> Result<Option<Box<dyn Recording>>> {
    let mut paths = Vec::new();
    for source in sources {
        match source.location()?.path() {
            Some(path) => paths.push(path.to_owned()),
            None => return Ok(None),
        }
    }
    open_recordings(&paths).map(Some)
}

/// Opens the sources that are streams, and merges them where there are several.
fn open_streams(
    receiving: &Receiving,
    sources: &[Labelled],
    stop: &Stop,
    terminal: &mut Terminal,
) -> Result<Box<dyn Source>> {
    let mut opened = Vec::new();
    for named in sources {
        let location = named.location()?;
        let options = receiving.options(&location, stop);
        let source = match &named.label {
            Some(label) => location.open_source(Opening::from(options).labelled(label))?,
            None => location.open_source(options)?,
        };
        source.report().listening.iter().for_each(|endpoint| terminal.listening(endpoint));
        opened.push(source);
    }
    Ok(match opened.len() {
        1 => opened.remove(0),
        _ => Box::new(Merge::new(opened)),
    })
}
