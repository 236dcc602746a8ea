//! [`ArrayFolder`]: the arrays of messages, a file for each.
//!
//! An [`ArrayFile`] writes the content of a file.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mflow_handlers::{Array, Broken, Data, Message, Registry};

use crate::endpoint::{Offer, Origin, Received, Report, Sink, Unconfirmed, WaitSet};
use crate::error::{Result, WithCauses};
use crate::recording;

/// How many damaged messages are reported one by one; all are counted.
const REPORTED: u64 = 10;
/// The longest name of an array in the name of a file, which may have 255 bytes.
const LONGEST: usize = 200;

/// A kind of file that holds an array.
pub trait ArrayFile: Send {
    /// The extension of the files.
    const EXTENSION: &'static str;

    /// Learns from a message what its arrays, or later ones of its source, need.
    fn observe(&mut self, origin: &Arc<Origin>, data: &Data) {
        let _ = (origin, data);
    }

    /// Returns whether an array is one for such a file; others are left out.
    fn accepts(&self, array: &Array) -> bool;

    /// Writes the file of an array that is [accepted](Self::accepts), given with its name in the
    /// message that was observed last.
    ///
    /// # Errors
    /// If `out` cannot be written.
    fn write(&self, name: &str, array: &Array, out: &mut dyn Write) -> io::Result<()>;
}

/// What to do with a folder that holds such files already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuse it.
    #[default]
    Refuse,
    /// Continue after the highest message number.
    Append,
}

/// A folder that grows by a file for each array of each message.
///
/// ```text
/// folder/000000_image.npy              message 0
/// folder/000001_data.threshold_1.npy   message 1, a channel of a DECTRIS stream V2
/// folder/000002_images.0.profile.npy   message 2, an array in a list of maps
/// folder/000003_SAT%3ACAM.npy          message 3, a channel of bsread named SAT:CAM
/// ```
///
/// Messages are numbered as they are received, those without arrays too. The names are those of
/// [`Data::arrays`]; characters other than ASCII letters, digits and `. _ -` are written as in a
/// URL. A name of more than 200 bytes is cut, and one that a message has twice is followed by `~`
/// and the index of the array.
///
/// A message that cannot be decoded, or an array that cannot be read, is reported as a warning, and
/// counted as damaged; the other arrays of the message are written. One array is in memory at a
/// time, besides the message.
///
/// ```
/// # fn main() -> mflow::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("mflow-arrays-{}", std::process::id()));
/// use mflow::tools::dump::{ArrayFolder, Existing, Npy};
/// let arrays = ArrayFolder::open(&folder, Npy, Existing::Refuse)?;
/// # std::fs::remove_dir(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
pub struct ArrayFolder<F> {
    folder: PathBuf,
    name: String,
    file: F,
    handlers: Registry,
    next: u64,
    damaged: u64,
    /// How many messages arrived, and how many files were made of them.
    taken: u64,
    files: u64,
}

impl<F: ArrayFile> ArrayFolder<F> {
    /// Opens a folder, which is made if it does not exist.
    ///
    /// # Errors
    /// If the folder holds such files already and they are to be refused, or if it cannot be
    /// made or read.
    pub fn open(folder: &Path, file: F, existing: Existing) -> Result<Self> {
        fs::create_dir_all(folder).map_err(recording::Error::file("create", folder))?;
        let mut next = 0;
        for entry in fs::read_dir(folder).map_err(recording::Error::file("read", folder))? {
            let name = entry.map_err(recording::Error::file("read", folder))?.file_name();
            next = next.max(
                number::<F>(name.to_str().unwrap_or_default()).map_or(0, |n| n.saturating_add(1)),
            );
        }
        if next > 0 && existing == Existing::Refuse {
            return Err(recording::Error::RecordingExists { path: folder.to_owned() }.into());
        }
        let (name, handlers) = (folder.display().to_string(), Registry::default());
        Ok(Self {
            folder: folder.to_owned(),
            name,
            file,
            handlers,
            next,
            damaged: 0,
            taken: 0,
            files: 0,
        })
    }

    /// Decodes with these handlers rather than with those of this crate.
    #[must_use]
    pub fn with_handlers(mut self, handlers: Registry) -> Self {
        self.handlers = handlers;
        self
    }

    /// Writes the arrays of a message, and returns whether all of it could be read.
    fn write(&mut self, data: &Data) -> Result<bool> {
        if let Data::Broken(Broken { error, .. }) = data {
            self.report_damage(None, error.as_ref());
            return Ok(false);
        }
        let mut is_whole = true;
        let mut names = HashSet::new();
        for (index, named) in data.arrays().enumerate() {
            let mut name = file_name(&named.name);
            if !names.insert(name.clone()) || name.len() > LONGEST {
                name.truncate(LONGEST);
                name += &format!("~{index}");
            }
            match named.array {
                Ok(array) if self.file.accepts(&array) => {
                    let name = format!("{:06}_{name}.{}", self.next, F::EXTENSION);
                    self.write_file(&named.name, &self.folder.join(name), &array)?;
                    self.files += 1;
                }
                Ok(_) => {}
                Err(error) => {
                    self.report_damage(Some(&named.name), &error);
                    is_whole = false;
                }
            }
        }
        Ok(is_whole)
    }

    /// Writes a file that does not exist yet, whole or not at all.
    fn write_file(&self, name: &str, path: &Path, array: &Array) -> Result<()> {
        let write = || {
            let mut out = BufWriter::new(File::create_new(path)?);
            let written = self.file.write(name, array, &mut out).and_then(|()| out.flush());
            written.inspect_err(|_| {
                let _ = fs::remove_file(path);
            })
        };
        write().map_err(recording::Error::file("write", path))
    }

    /// Reports why a message, or an array of it, cannot be read.
    fn report_damage(&self, array: Option<&str>, error: &dyn std::error::Error) {
        if self.damaged >= REPORTED {
            return;
        }
        let array = array.map_or_else(String::new, |name| format!("{name:?}: "));
        tracing::warn!("message {}: {array}{}", self.next, WithCauses(error));
    }
}

impl<F: ArrayFile> Sink for ArrayFolder<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&mut self, received: &Received) -> Result<Offer> {
        let data = self.handlers.decode(Message::from(received.frames.clone()));
        self.file.observe(&received.origin, &data);
        let is_whole = self.write(&data)?;
        self.damaged += u64::from(!is_whole);
        self.next += 1;
        self.taken += 1;
        Ok(Offer::Taken)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.ready();
    }

    // It fails only in an offer.
    fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    fn report(&self) -> Report {
        Report { damaged: self.damaged, ..Report::default() }
    }

    fn finish(self: Box<Self>, _patience: Duration) -> Result<Unconfirmed> {
        if self.taken > self.damaged && self.files == 0 {
            let kind = F::EXTENSION;
            tracing::warn!("no message has an array that a .{kind} file can hold: none was made");
        }
        Ok(Unconfirmed::Count(0))
    }
}

/// Reads the number of the message of a file; none if it is not one of ours.
fn number<F: ArrayFile>(name: &str) -> Option<u64> {
    let (number, _) = name.strip_suffix(F::EXTENSION)?.strip_suffix('.')?.split_once('_')?;
    let number: u64 =
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    (number < u64::MAX).then_some(number)
}

/// Turns a name into one that every file system accepts.
fn file_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            safe.push(byte.into());
        } else {
            safe += &format!("%{byte:02X}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::dump::Npy;

    #[test]
    fn names_are_safe_and_read_back() {
        assert_eq!(file_name("data.threshold_1"), "data.threshold_1");
        assert_eq!(file_name("SAT:CAM-1/µ"), "SAT%3ACAM-1%2F%C2%B5");
    }

    #[test]
    fn numbers_are_those_of_files_of_the_kind() {
        assert_eq!(number::<Npy>("000012_image.npy"), Some(12));
        assert_eq!(number::<Npy>("1000000_a_b.npy"), Some(1_000_000));
        for name in ["000012_image.png", "image.npy", "+1_image.npy", "x_image.npy", "1_imagenpy"] {
            assert_eq!(number::<Npy>(name), None, "{name}");
        }
    }
}
