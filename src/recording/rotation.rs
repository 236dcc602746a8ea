//! [`RotatingWriter`]: a recording that continues in another file when one is large or old enough.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::recorder::{Fsync, RecordWriter};
use super::{McapOptions, McapWriter, is_mcap};
use crate::endpoint::{Origin, Received, Timestamp, htype};
use crate::error::{self, Result, WithCauses};
use crate::recording::Error;

/// When a recording continues in another file; never by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The most bytes of a file, its summary not counted; one message may be larger.
    pub max_size: Option<u64>,
    /// The longest time from a file's first message to its last one, by when they were received.
    pub max_time: Option<Duration>,
    /// How many files to keep at most, the one that is written included; older ones are removed.
    pub keep: Option<NonZeroUsize>,
}

/// A recording in MCAP files, each complete in itself.
///
/// ```text
/// run.mcap  →  run-0000.mcap  run-0001.mcap  …  run-10000.mcap
/// ```
///
/// All files are numbered, so that they sort by name in the order they were written, and
/// `run-*.mcap` is all of them. Each one has its schema and channels, and the last start message
/// of each channel as an attachment; times and `sequence` go on from one to the next.
#[derive(Debug)]
pub struct RotatingWriter {
    path: PathBuf,
    options: McapOptions,
    rotation: Rotation,
    writer: McapWriter,
    number: u64,
    /// When the first message of the file was received.
    first: Option<Timestamp>,
    /// Files before this one that are still there.
    kept: VecDeque<PathBuf>,
    /// Messages that are not in these.
    dropped: u64,
    /// The first file that was removed while it was written.
    gone: Option<error::Error>,
    /// Whether the disk is to keep a file when it is full.
    fsync: Fsync,
}

impl RotatingWriter {
    /// Makes the first file.
    ///
    /// # Errors
    /// If there are files of a recording of that name already, or it cannot be made.
    pub fn create(path: &Path, options: McapOptions, rotation: Rotation) -> Result<Self> {
        if let Some(path) = existing(path)? {
            return Err(Error::RecordingExists { path }.into());
        }
        let writer = McapWriter::create(&Self::first_file(path), options.clone())?;
        Ok(Self {
            path: path.to_owned(),
            options,
            rotation,
            writer,
            number: 0,
            first: None,
            kept: VecDeque::new(),
            dropped: 0,
            gone: None,
            fsync: Fsync::Never,
        })
    }

    /// Returns the path of the first file of a recording.
    #[must_use]
    pub fn first_file(path: &Path) -> PathBuf {
        numbered(path, 0)
    }

    /// Returns whether a message belongs to another file.
    fn is_full(&self, message: &Received) -> bool {
        let Some(first) = self.first else { return false };
        let size = self.writer.size().saturating_add(message.frames.bytes() as u64);
        let age = message.time.as_nanos().saturating_sub(first.as_nanos());
        self.rotation.max_size.is_some_and(|most| size > most)
            || self.rotation.max_time.is_some_and(|most| u128::from(age) > most.as_nanos())
    }

    /// Continues in another file.
    fn rotate(&mut self) -> Result<()> {
        self.writer.flush()?;
        let number = self.number + 1;
        let mut writer = McapWriter::create(&numbered(&self.path, number), self.options.clone())?;
        writer.continue_from(&self.writer);
        self.writer.starts().try_for_each(|start| writer.attach_start(start))?;
        let mut full = std::mem::replace(&mut self.writer, writer);
        (self.number, self.first) = (number, None);
        self.kept.push_back(full.path().to_owned());
        let closed = full.close(self.fsync);
        self.dropped += full.dropped();
        match closed {
            // The following messages are still worth recording.
            Err(error) if is_gone(&error) => {
                tracing::warn!("{}; the recording goes on", WithCauses(&error));
                self.gone.get_or_insert(error);
            }
            closed => drop(closed?),
        }
        while self.rotation.keep.is_some_and(|keep| self.kept.len() >= keep.get()) {
            self.kept.pop_front().iter().for_each(|oldest| remove(oldest));
        }
        Ok(())
    }
}

/// Returns whether a file is not there any more.
fn is_gone(error: &error::Error) -> bool {
    matches!(error.get(), Some(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound)
}

/// Removes a file of which enough later ones are kept. One that stays is no reason to record no more.
fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove '{}', which stays: {error}", path.display());
        }
        _ => {}
    }
}

/// Returns the path of a file.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = stem(path).to_owned();
    name.push(format!("-{number:04}.mcap"));
    path.with_file_name(name)
}

fn stem(path: &Path) -> &std::ffi::OsStr {
    let stem = if is_mcap(path) { path.file_stem() } else { path.file_name() };
    stem.unwrap_or_default()
}

/// Returns a file of an older recording of the same name.
fn existing(path: &Path) -> Result<Option<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let stem = stem(path).to_string_lossy();
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let entry = entry.map_err(Error::file("read", folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let number = name.strip_prefix(&*stem).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|rest| rest.strip_suffix(".mcap"));
        if number.is_some_and(|number| number.len() >= 4 && number.parse::<u64>().is_ok()) {
            return Ok(Some(path.with_file_name(entry.file_name())));
        }
    }
    Ok(None)
}

impl RecordWriter for RotatingWriter {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn begin(&mut self, fsync: Fsync) {
        self.fsync = fsync;
    }

    fn record(&mut self, message: Received, number: u64) -> Result<()> {
        if self.is_full(&message) {
            let htype = htype(&message);
            self.rotate()
                .inspect_err(|_| self.writer.count_dropped(&message.origin, htype.as_deref(), 1))?;
        }
        self.first.get_or_insert(message.time);
        self.writer.record(message, number)
    }

    fn count_dropped(&mut self, origin: &Arc<Origin>, htype: Option<&str>, messages: u64) {
        self.writer.count_dropped(origin, htype, messages);
    }

    fn flush_due(&self) -> Option<Instant> {
        self.writer.flush_due()
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }

    fn sync(&mut self) -> Result<()> {
        self.writer.sync()
    }

    fn close(&mut self, fsync: Fsync) -> Result<()> {
        let closed = self.writer.close(fsync);
        self.gone.take().map_or(Ok(()), Err).and(closed)
    }

    fn dropped(&self) -> u64 {
        self.dropped + self.writer.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, Frames};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mflow-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn received(parts: &[&[u8]], time: u64, origin: &Arc<Origin>) -> Received {
        let frames: Frames = parts.iter().map(|part| Frame::from(*part)).collect();
        Received { frames, time: Timestamp::from_nanos(time), origin: Arc::clone(origin) }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_full_by_size_and_the_next_one_is_complete_and_goes_on() {
        let folder = folder("rotation-size");
        let rotation = Rotation { max_size: Some(1 << 20), ..Rotation::default() };
        let path = folder.join("run.mcap");
        let mut writer = RotatingWriter::create(&path, McapOptions::default(), rotation).unwrap();
        let origin = Origin::new("x");
        let start: &[&[u8]] = &[br#"{"htype":"dheader-1.0","series":3}"#];
        writer.record(received(start, 5, &origin), 0).unwrap();
        for number in 1..6 {
            writer.record(received(&[&[0; 400_000]], 5, &origin), number).unwrap();
        }
        writer.close(Fsync::Close).unwrap();
        let files = ["run-0000.mcap", "run-0001.mcap", "run-0002.mcap"];
        assert_eq!(names(&folder), files);
        let mut times = Vec::new();
        for file in files {
            let bytes = fs::read(folder.join(file)).unwrap();
            let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
            let [start] = &summary.attachment_indexes[..] else { panic!() };
            assert_eq!((start.name.as_str(), start.log_time), ("series-3-header", 5));
            let messages = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap);
            times.extend(messages.map(|message| (message.log_time, message.sequence)));
        }
        assert_eq!(times, [(5, 0), (6, 1), (7, 2), (8, 3), (9, 4), (10, 5)]);
        let again = RotatingWriter::create(&path, McapOptions::default(), rotation).unwrap_err();
        assert!(again.to_string().ends_with(".mcap' holds a recording already"), "{again}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn each_file_is_flushed_to_the_disk_if_the_recorder_is_set_so() {
        let folder = folder("rotation-fsync");
        let path = folder.join("run.mcap");
        let mut writer =
            RotatingWriter::create(&path, McapOptions::default(), Rotation::default()).unwrap();
        assert_eq!(writer.fsync, Fsync::Never);
        writer.begin(Fsync::Close);
        assert_eq!(writer.fsync, Fsync::Close);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_is_full_by_time_and_old_ones_are_removed() {
        let folder = folder("rotation-time");
        let rotation = Rotation {
            max_time: Some(Duration::from_nanos(10)),
            keep: NonZeroUsize::new(2),
            ..Rotation::default()
        };
        let path = folder.join("run");
        let mut writer = RotatingWriter::create(&path, McapOptions::default(), rotation).unwrap();
        let origin = Origin::new("x");
        for time in [0, 10, 11, 15, 21, 22, 100, 100, 111] {
            writer.record(received(&[b"x"], time, &origin), 0).unwrap();
        }
        writer.close(Fsync::Never).unwrap();
        assert_eq!(names(&folder), ["run-0003.mcap", "run-0004.mcap"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_old_file_that_is_gone_or_cannot_be_removed_does_not_end_the_recording() {
        let folder = folder("rotation-gone");
        let rotation = Rotation {
            max_time: Some(Duration::from_nanos(10)),
            keep: NonZeroUsize::new(1),
            ..Rotation::default()
        };
        let path = folder.join("run.mcap");
        let mut writer = RotatingWriter::create(&path, McapOptions::default(), rotation).unwrap();
        let origin = Origin::new("x");
        writer.record(received(&[b"x"], 0, &origin), 0).unwrap();
        fs::remove_file(folder.join("run-0000.mcap")).unwrap();
        writer.record(received(&[b"x"], 20, &origin), 1).unwrap();
        // No file that can be removed as one.
        fs::remove_file(folder.join("run-0001.mcap")).unwrap();
        fs::create_dir(folder.join("run-0001.mcap")).unwrap();
        for (number, time) in [(2, 40), (3, 60)] {
            writer.record(received(&[b"x"], time, &origin), number).unwrap();
        }
        let error = writer.close(Fsync::Never).unwrap_err().to_string();
        assert!(error.ends_with("run-0000.mcap'"), "{error}");
        assert_eq!(
            (writer.dropped(), names(&folder)),
            (2, ["run-0001.mcap", "run-0003.mcap"].map(String::from).into())
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
