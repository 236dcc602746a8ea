//! Options of a program that records.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Size, parse_count, parse_duration, parse_interval, parse_size};
use crate::endpoint::WhenFull;
use crate::recording::{Fsync, Rotation};
use crate::tools::dump::RecordOptions;

/// How a program records.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Recording")]
pub struct Recording {
    /// Most memory for messages that wait to be written, such as 4GiB; a bare number is MiB
    /// [default: 256MiB; 16MiB for a folder, and for a file in memory if the sender waits]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_memory: Option<Size>,
    /// What to do when that is full: let the sender wait, or drop and count messages
    /// [default: block for pull, drop for sub]
    #[arg(long, value_enum, value_name = "POLICY")]
    on_full: Option<Policy>,
    #[command(flatten)]
    file: McapFile,
}

/// What only MCAP files have.
#[derive(Args, Clone, Debug)]
struct McapFile {
    /// Continue in another file, x-0001.mcap after x-0000.mcap, before one is larger than this,
    /// such as 10GiB; a bare number is MiB (.mcap)
    #[arg(long, value_name = "SIZE", value_parser = parse_max_size)]
    max_size: Option<Size>,
    /// Continue in another file when one holds this length of time, such as 10m (.mcap)
    #[arg(long, value_name = "DURATION", value_parser = parse_interval)]
    max_time: Option<Duration>,
    /// Keep only this many of these files, the latest, and remove older ones (.mcap)
    #[arg(long, value_name = "FILES", value_parser = parse_count::<NonZeroUsize>)]
    keep: Option<NonZeroUsize>,
    /// When to flush the file to the disk: never, close, or at an interval, such as 10s (.mcap)
    #[arg(long, value_name = "never|close|DURATION", default_value = "never", value_parser = parse_fsync)]
    fsync: Fsync,
    /// Note something in the file (.mcap; may be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    meta: Vec<(String, String)>,
    /// Add checksums of all data, which --verify compares (.mcap)
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
    /// Returns whether options are set that only an MCAP file has.
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

    /// Returns whether the recording continues in another file when one is full.
    #[must_use]
    pub fn is_divided(&self) -> bool {
        self.file.max_size.is_some() || self.file.max_time.is_some()
    }

    /// Returns whether to keep few files without a word on when one is full.
    #[must_use]
    pub fn keeps_files_of_any_size(&self) -> bool {
        self.file.keep.is_some() && !self.is_divided()
    }

    /// Returns how to record.
    #[must_use]
    pub fn options(&self) -> RecordOptions {
        let McapFile { max_size, max_time, keep, fsync, meta, crc } = &self.file;
        let max_size = max_size.map(|size| size.bytes as u64);
        RecordOptions {
            max_memory: self.max_memory.map(|size| size.bytes),
            when_full: self.on_full.map(Policy::when_full),
            rotation: Rotation { max_size, max_time: *max_time, keep: *keep },
            fsync: *fsync,
            meta: meta.clone(),
            crc: *crc,
        }
    }
}

impl Policy {
    fn when_full(self) -> WhenFull {
        match self {
            Self::Block => WhenFull::Block,
            Self::Drop => WhenFull::DropNewest,
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
