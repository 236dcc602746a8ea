//! Where the messages of m_dump go.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mflow::cli::{self, Labelled, Receiving};
use mflow::recording::mcap::{self, Detail, Info, MetadataInfo, SESSION, USER};
use mflow::recording::{FolderWriter, Gauge, McapOptions, McapReader, Recording, is_mcap, is_pipe};
use mflow::tools::dump::{
    ArrayFile, ArrayFolder, Existing, JsonContent, JsonWriter, Npy, Png, TextWriter,
};
use mflow::{Frames, Result, Sink, Timestamp};

use crate::command_line::{Cli, Format};

/// Where messages go.
pub(crate) struct Output {
    pub(crate) sink: Box<dyn Sink>,
    /// How full the queue of a recorder is.
    pub(crate) gauge: Option<Gauge>,
    /// The file that was made; none if it was a pipe that was there.
    file: Option<PathBuf>,
}

impl Output {
    /// Takes back that it was opened, so that the same can be tried again.
    pub(crate) fn discard(self) {
        drop(self.sink);
        if let Some(file) = self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// Returns whether a recording at a path is an MCAP file rather than a folder.
pub(crate) fn is_mcap_file(path: &Path) -> bool {
    is_mcap(path) || cli::is_piped(path)
}

/// Opens what messages go to, from sources that may be a recording; the labels of their sources are shown in so many columns.
pub(crate) fn open(
    cli: &Cli,
    format: Format,
    (sources, recording): (&[Labelled], Option<&dyn Recording>),
    labels: Option<usize>,
    path: Option<&Path>,
) -> Result<Output> {
    let receiving = cli.receiving(format);
    let mode = receiving.mode();
    let path = path.unwrap_or(Path::new(""));
    let sink: Box<dyn Sink> = match format {
        Format::Text => {
            let writer = TextWriter::new(cli::stdout());
            Box::new(labels.into_iter().fold(writer, TextWriter::with_labels))
        }
        Format::Json => {
            let content = if cli.decode { JsonContent::Decoded } else { JsonContent::Outline };
            let writer = JsonWriter::new(cli::stdout(), content);
            Box::new(labels.into_iter().fold(writer, |writer, _| writer.with_labels()))
        }
        Format::Npy => arrays(cli, path, Npy)?,
        Format::Png => arrays(cli, path, Png::default())?,
        Format::Raw => {
            let recorder = if is_mcap_file(path) {
                let notes = notes(cli, &receiving, sources, recording)?;
                cli.recording.start_file(path, mode, notes)?
            } else {
                let open = if cli.force { FolderWriter::append } else { FolderWriter::create };
                cli.recording.start_folder(open(path)?, mode)?
            };
            let gauge = Some(recorder.gauge());
            let is_made = is_mcap(path) && !cli::is_piped(path);
            let file = is_made.then(|| cli.recording.first_file(path));
            return Ok(Output { sink: Box::new(recorder), gauge, file });
        }
    };
    Ok(Output { sink, gauge: None, file: None })
}

/// Keys and values that an MCAP file notes.
type Notes = Vec<(String, String)>;

/// Returns what an MCAP file notes of how it came about and what was left out, and what it keeps of
/// the files that it is made of: what the user has said of them, and starts of series that are no
/// messages in any of them.
fn notes(
    cli: &Cli,
    receiving: &Receiving,
    sources: &[Labelled],
    recording: Option<&dyn Recording>,
) -> Result<McapOptions> {
    let paths: Vec<_> = sources.iter().map(Labelled::path).collect();
    let addresses: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
    let mut session = vec![("address".to_owned(), addresses.join(" "))];
    let mut user = Vec::new();
    let mut starts = Vec::new();
    if sources.iter().any(Labelled::is_stream) {
        session.extend(receiving.session());
    } else if paths.iter().any(|path| path.is_dir()) {
        session.push(("times".to_owned(), "when the folder was read, which has none".to_owned()));
    } else {
        let mut noted: Vec<Vec<MetadataInfo>> = Vec::new();
        if paths.iter().any(|path| is_pipe(path)) {
            noted.extend(recording.map(|recording| recording.metadata().to_vec()));
        } else {
            let info = |path: &&Path| mcap::info(path, Detail::Index);
            let mut infos = paths.iter().map(info).collect::<Result<Vec<_>>>()?;
            starts = starts_between(&paths, &infos)?;
            infos.sort_by_key(|info| info.first);
            noted.extend(infos.into_iter().map(|info| info.metadata));
        }
        for (number, metadata) in noted.into_iter().enumerate() {
            for MetadataInfo { name, entries, .. } in metadata {
                let of_old = |(key, value)| (format!("recorded {key}"), value);
                match name.as_str() {
                    // How it began; files of one recording say the same.
                    SESSION if number == 0 => session.extend(entries.into_iter().map(of_old)),
                    USER => entries.into_iter().for_each(|entry| add(&mut user, entry)),
                    _ => {}
                }
            }
        }
    }
    session.extend(cli.filter().session());
    Ok(McapOptions { session, user, starts, ..McapOptions::default() })
}

/// Returns the starts of series that are messages in none of these files: those that a file keeps of
/// series that began in another one, which is not among them.
fn starts_between(paths: &[&Path], infos: &[Info]) -> Result<Vec<(Timestamp, Frames)>> {
    let (mut sent, mut ahead) = (HashSet::new(), BTreeMap::new());
    for (path, info) in paths.iter().zip(infos) {
        let reader = Rc::new(McapReader::open(path)?);
        for start in reader.starts()? {
            let key = (start.time, start.name.clone());
            if info.first.is_some_and(|first| start.time.as_nanos() >= first) {
                sent.insert(key);
            } else {
                // Each file of a recording that was divided has them.
                ahead.entry(key).or_insert_with(|| (Rc::clone(&reader), start));
            }
        }
    }
    ahead.retain(|key, _| !sent.contains(key));
    let read = ahead
        .into_values()
        .map(|(reader, start)| Ok(reader.read_start(&start)?.map(|frames| (start.time, frames))));
    read.filter_map(Result::transpose).collect()
}

/// Adds a note, beside another one of the same key that says something else.
fn add(notes: &mut Notes, (key, value): (String, String)) {
    let keys = std::iter::once(key.clone()).chain((2..).map(|number| format!("{key} ({number})")));
    for key in keys {
        match notes.iter().find(|(known, _)| *known == key) {
            Some((_, known)) if *known == value => return,
            Some(_) => {}
            None => return notes.push((key, value)),
        }
    }
}

fn arrays(cli: &Cli, folder: &Path, file: impl ArrayFile + 'static) -> Result<Box<dyn Sink>> {
    let existing = if cli.force { Existing::Append } else { Existing::Refuse };
    Ok(Box::new(ArrayFolder::open(folder, file, existing)?))
}
