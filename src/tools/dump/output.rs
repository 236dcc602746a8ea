//! [`Output`]: the destination of messages.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::notes::Provenance;
#[cfg(feature = "cli")]
use super::png::Png;
use super::{
    ArrayFile, ArrayFolder, Existing, JsonContent, JsonWriter, Npy, RecordOptions, TextWriter,
};
use crate::endpoint::Sink;
use crate::error::Result;
use crate::os::STDOUT;
use crate::recording::{FolderWriter, Gauge, is_mcap, is_pipe};
use crate::stream::Mode;

/// How messages are dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A recording: an MCAP file, or a file for each part.
    Raw,
    /// A line for each part, on the screen.
    Text,
    /// A line of JSON for each message, on the screen.
    Json,
    /// A file of NumPy for each array.
    Npy,
    /// A picture for each array of two dimensions, or for the first plane of three.
    #[cfg(feature = "cli")]
    Png,
}

/// How and where to dump messages.
#[derive(Clone, Debug)]
pub struct OutputOptions<'a> {
    /// How to dump them.
    pub format: Format,
    /// The file or folder to write; none for the screen.
    pub path: Option<&'a Path>,
    /// How much a line of JSON has of a message.
    pub content: JsonContent,
    /// What to do if the folder holds files already.
    pub existing: Existing,
    /// How to record.
    pub record: RecordOptions,
    /// How the messages are received.
    pub mode: Mode,
}

/// The destination of messages.
pub struct Output<'a> {
    pub(super) sink: Box<dyn Sink + 'a>,
    pub(super) gauge: Option<Gauge>,
    /// The file that was created; none for an existing pipe.
    file: Option<PathBuf>,
}

impl<'a> From<Box<dyn Sink + 'a>> for Output<'a> {
    fn from(sink: Box<dyn Sink + 'a>) -> Self {
        Self { sink, gauge: None, file: None }
    }
}

impl OutputOptions<'_> {
    /// Opens the output for messages of this provenance; `out` is the screen.
    ///
    /// # Errors
    /// If a file cannot be created, or exists already.
    pub fn open(
        &self,
        from: &Provenance<'_>,
        out: impl Write + Send + 'static,
    ) -> Result<Output<'static>> {
        let path = self.path.unwrap_or(Path::new(""));
        let labels = from.inputs.label_width(from.recording).into_iter();
        let sink: Box<dyn Sink> = match self.format {
            Format::Text => Box::new(labels.fold(TextWriter::new(out), TextWriter::with_labels)),
            Format::Json => {
                let writer = JsonWriter::new(out, self.content);
                Box::new(labels.fold(writer, |writer, _| writer.with_labels()))
            }
            Format::Npy => self.arrays(path, Npy)?,
            #[cfg(feature = "cli")]
            Format::Png => self.arrays(path, Png::default())?,
            Format::Raw => return self.record(path, from),
        };
        Ok(sink.into())
    }

    fn record(&self, path: &Path, from: &Provenance<'_>) -> Result<Output<'static>> {
        let recorder = if is_mcap_file(path) {
            self.record.start_file(path, self.mode, from.notes()?)?
        } else {
            let folder = match self.existing {
                Existing::Append => FolderWriter::append(path)?,
                Existing::Refuse => FolderWriter::create(path)?,
            };
            self.record.start_folder(folder, self.mode)?
        };
        let is_made = is_mcap(path) && !is_piped(path);
        let file = is_made.then(|| self.record.first_file(path));
        Ok(Output { gauge: Some(recorder.gauge()), sink: Box::new(recorder), file })
    }

    fn arrays(&self, folder: &Path, file: impl ArrayFile + 'static) -> Result<Box<dyn Sink>> {
        Ok(Box::new(ArrayFolder::open(folder, file, self.existing)?))
    }
}

impl Output<'_> {
    /// Undoes the opening, so that it can be tried again.
    pub fn discard(self) {
        drop(self.sink);
        if let Some(file) = self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// Returns whether a recording at a path is written as a single stream of bytes: to the standard
/// output, or to a pipe.
#[must_use]
pub fn is_piped(path: &Path) -> bool {
    path == Path::new(STDOUT) || is_pipe(path)
}

/// Returns whether a recording at a path is an MCAP file rather than a folder.
#[must_use]
pub fn is_mcap_file(path: &Path) -> bool {
    is_mcap(path) || is_piped(path)
}
