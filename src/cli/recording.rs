//! Options of a program that records.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Size, parse_count, parse_duration, parse_interval, parse_size};
use crate::error::Result;
use crate::os::is_in_memory;
use crate::recording::{
    FolderWriter, Fsync, McapOptions, McapWriter, OnFull, RecordWriter, Recorder, RecorderOptions,
    RotatingWriter, Rotation,
};
use crate::stream::{Mode, Options};

/// How many bytes wait at most for MCAP files: what comes while a disk stalls.
const ON_DISK: usize = 256 << 20;
/// How many where they are in memory, which does not stall, and the sender can wait: more would wait
/// for nothing but to leave the processor's cache.
const IN_MEMORY: usize = 16 << 20;

/// How a program records.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Recording")]
pub struct Recording {
    /// Most memory for messages that wait to be written, such as 4GiB; a bare number is MiB
    /// [default: 256MiB; 16MiB for a folder, and for a file in memory where the sender waits]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_memory: Option<Size>,
    /// What to do when that is full: have the sender wait, or drop and count what comes
    /// [default: block for pull, drop for sub]
    #[arg(long, value_enum, value_name = "POLICY")]
    on_full: Option<Policy>,
    #[command(flatten)]
    file: McapFile,
}

/// What only MCAP files have.
#[derive(Args, Clone, Debug)]
struct McapFile {
    /// Go on in another file, x-0001.mcap after x-0000.mcap, before one is larger than this, such as
    /// 10GiB; a bare number is MiB (.mcap)
    #[arg(long, value_name = "SIZE", value_parser = parse_max_size)]
    max_size: Option<Size>,
    /// Go on in another file when one has this length of time in it, such as 10m (.mcap)
    #[arg(long, value_name = "DURATION", value_parser = parse_interval)]
    max_time: Option<Duration>,
    /// Keep only so many of these files, the latest, and remove older ones (.mcap)
    #[arg(long, value_name = "FILES", value_parser = parse_count::<NonZeroUsize>)]
    keep: Option<NonZeroUsize>,
    /// When to have the disk keep what is written: never, close, or every so long, such as 10s (.mcap)
    #[arg(long, value_name = "never|close|DURATION", default_value = "never", value_parser = parse_fsync)]
    fsync: Fsync,
    /// Note something in the file (.mcap; may be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    meta: Vec<(String, String)>,
    /// Add checksums of all data, which --verify looks at (.mcap)
    #[arg(long)]
    crc: bool,
}

/// What to do with a message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// The sender waits
    Block,
    /// It is dropped and counted
    Drop,
}

impl Recording {
    /// Tells whether options are set that only an MCAP file has.
    #[must_use]
    pub fn needs_mcap(&self) -> bool {
        let McapFile { keep, fsync, meta, crc, .. } = &self.file;
        let is_divided = self.is_divided() || keep.is_some();
        is_divided || *fsync != Fsync::Never || !meta.is_empty() || *crc
    }

    /// Returns whether options are set that only a file on a disk has, and no pipe.
    #[must_use]
    pub fn needs_disk(&self) -> bool {
        self.is_divided() || self.file.keep.is_some() || self.file.fsync != Fsync::Never
    }

    /// Tells whether the recording goes on in another file when one is full.
    #[must_use]
    pub fn is_divided(&self) -> bool {
        self.file.max_size.is_some() || self.file.max_time.is_some()
    }

    /// Tells whether to keep few files without a word on when one is full.
    #[must_use]
    pub fn keeps_files_of_any_size(&self) -> bool {
        self.file.keep.is_some() && !self.is_divided()
    }

    /// Starts to record into MCAP files; `session` tells how it is received, and `user` what was said
    /// of it before, beside what the command line says.
    ///
    /// # Errors
    /// Where there is such a file already, or it cannot be made.
    pub fn start_file(
        &self,
        path: &Path,
        mode: Mode,
        mut options: McapOptions,
    ) -> Result<Recorder> {
        let McapFile { meta, crc, .. } = &self.file;
        options.user.retain(|(key, _)| !meta.iter().any(|(new, _)| new == key));
        options.user.extend_from_slice(meta);
        options.crc = *crc;
        let rotation = self.rotation();
        if rotation == Rotation::default() {
            self.start(McapWriter::create(path, options)?, path, mode)
        } else {
            self.start(RotatingWriter::create(path, options, rotation)?, path, mode)
        }
    }

    /// Returns the file that [`start_file`](Self::start_file) makes.
    #[must_use]
    pub fn first_file(&self, path: &Path) -> PathBuf {
        match self.rotation() == Rotation::default() {
            true => path.to_owned(),
            false => RotatingWriter::first_file(path),
        }
    }

    fn rotation(&self) -> Rotation {
        let McapFile { max_size, max_time, keep, .. } = &self.file;
        let max_size = max_size.map(|size| size.bytes as u64);
        Rotation { max_size, max_time: *max_time, keep: *keep }
    }

    /// Starts to record into a folder.
    ///
    /// # Errors
    /// Where the process may have no more threads or descriptors.
    pub fn start_folder(&self, folder: FolderWriter, mode: Mode) -> Result<Recorder> {
        Recorder::start(folder, self.options(mode, FolderWriter::MAX_MEMORY))
    }

    /// Returns how many messages wait in the socket at most, where the command line does not say.
    #[must_use]
    pub fn usual_queue_size(&self, mode: Mode) -> u32 {
        match self.on_full(mode) {
            OnFull::Block => Recorder::QUEUE_SIZE,
            OnFull::Drop => Options::DEFAULT_QUEUE_SIZE,
        }
    }

    /// Starts to record with a writer that has made its first file.
    fn start(
        &self,
        writer: impl RecordWriter + 'static,
        path: &Path,
        mode: Mode,
    ) -> Result<Recorder> {
        let may_wait = self.on_full(mode) == OnFull::Block;
        let is_in_memory = is_in_memory(&self.first_file(path));
        let usual_memory = if may_wait && is_in_memory { IN_MEMORY } else { ON_DISK };
        Recorder::start(writer, self.options(mode, usual_memory))
    }

    fn options(&self, mode: Mode, usual_memory: usize) -> RecorderOptions {
        let max_memory = self.max_memory.map_or(usual_memory, |size| size.bytes);
        RecorderOptions { max_memory, on_full: self.on_full(mode), fsync: self.file.fsync }
    }

    fn on_full(&self, mode: Mode) -> OnFull {
        match (self.on_full, mode) {
            // What is not taken from a PUB is lost uncounted, and would be whatever we do.
            (None, Mode::Sub) | (Some(Policy::Drop), _) => OnFull::Drop,
            (None, _) | (Some(Policy::Block), _) => OnFull::Block,
        }
    }
}

/// Reads the size of a file that has room for something.
fn parse_max_size(text: &str) -> Result<Size, String> {
    match parse_size(text)? {
        Size { bytes: 0, .. } => Err("expected a size above 0".to_owned()),
        size => Ok(size),
    }
}

/// Reads `never`, `close` or a duration.
fn parse_fsync(text: &str) -> Result<Fsync, String> {
    match text {
        "never" => Ok(Fsync::Never),
        "close" => Ok(Fsync::Close),
        _ => match parse_duration(text) {
            Ok(interval) if !interval.is_zero() => Ok(Fsync::Every(interval)),
            _ => Err(format!("expected never, close or a duration such as 10s, found '{text}'")),
        },
    }
}

/// Reads `KEY=VALUE`.
fn parse_meta(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("expected a key and a value such as sample=lysozyme, found '{text}'")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        recording: Recording,
    }

    #[test]
    fn few_messages_wait_where_the_sender_can() {
        let queue_size = |arguments: &[&str], mode| {
            let arguments = std::iter::once(&"x").chain(arguments);
            Cli::parse_from(arguments).recording.usual_queue_size(mode)
        };
        assert_eq!(queue_size(&[], Mode::Pull), Recorder::QUEUE_SIZE);
        assert_eq!(queue_size(&[], Mode::Sub), Options::DEFAULT_QUEUE_SIZE);
        assert_eq!(queue_size(&["--on-full", "drop"], Mode::Pull), Options::DEFAULT_QUEUE_SIZE);
        assert_eq!(queue_size(&["--on-full", "block"], Mode::Sub), Recorder::QUEUE_SIZE);
    }
}
