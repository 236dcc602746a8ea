//! Dumps the messages of streams to a recording or to the screen, as they are or decoded, and looks
//! at recordings.

#[path = "../allocator/mod.rs"]
mod allocator;
mod command_line;

use mflow::cli::{self, Exit, Terminal};
use mflow::tools::Failure;
use mflow::tools::dump::{self, Provenance, is_piped};
use mflow::{Result, Stop};

use command_line::Cli;

fn main() -> Exit {
    cli::run(|cli: &Cli| &cli.verbosity, run)
}

fn run(cli: &Cli, stop: &Stop) -> Result<Exit> {
    if let Some((paths, look)) = cli.looked_at() {
        return Ok(cli::look(&paths, &look, cli.wants_json()));
    }
    let (inputs, to) = cli.inputs_and_output()?;
    let (receiving, options) = (cli.receiving(&to), cli.options());
    let mut terminal = Terminal::new(&cli.verbosity);
    // A missing recording is reported before there is an output. A stream is opened after the
    // output, because an open stream takes messages away from others.
    let recording = cli::ending_on_signal(|| inputs.open_recorded())?;
    let from = Provenance {
        inputs: &inputs,
        recording: recording.as_deref(),
        receiving: receiving.session(),
        filter: options.filter.session(),
    };
    let open = || to.open(&from, cli::stdout());
    // A FIFO is opened once it has a reader.
    let output = if to.path.is_some_and(is_piped) { cli::ending_on_signal(open) } else { open() }?;
    if let (true, Some(recording)) = (options.takes_everything(), &recording) {
        terminal.expect(recording.messages());
    }
    let tune = |location: &_| receiving.options(location, stop);
    let mut source = match inputs.open_source(recording, tune, &mut terminal) {
        Ok(source) => source,
        Err(error) => {
            output.discard();
            return Err(error);
        }
    };
    if let Some(path) = to.path {
        terminal = terminal.with_bar();
        terminal.writing_to(path);
    }
    let result = dump::run(source.as_mut(), output, &options, stop, &mut terminal);
    let (summary, failure) = Failure::parts(result)?;
    terminal.dumped(&summary, source.as_ref(), to.path.is_some());
    if cli.wants_json() && !summary.strays.is_empty() {
        dump::write_strays(&summary.strays, &mut cli::stdout())?;
    }
    Ok(Exit::found(&summary.findings, failure.as_ref(), source.name(), &source.report()))
}
