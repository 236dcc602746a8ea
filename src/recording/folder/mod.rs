//! Recordings as folders, as psi-mflow writes them: a file for each part of each message.
//!
//! ```text
//! folder/000000_000.raw   message 0, part 0
//! folder/000000_001.raw   message 0, part 1
//! folder/000001_000.raw   message 1, part 0
//! ```
//!
//! Numbers have at least six and three digits and grow beyond. They are sorted as numbers.

mod directory;
mod draft;
mod filler;
mod info;
mod pipeline;
mod reader;
mod writer;

use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::recording::Error;

use directory::is_unfinished;
pub use info::FolderInfo;
pub use reader::FolderReader;
pub use writer::FolderWriter;

/// One part of one message in a folder, ordered as they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PartNumber {
    message: u64,
    part: usize,
}

impl PartNumber {
    /// Returns the name of the file that the part is in.
    fn file_name(self) -> String {
        format!("{:06}_{:03}.raw", self.message, self.part)
    }

    /// Reads the name of a file; none if it is not exactly one that would be written.
    fn parse(name: &str) -> Option<Self> {
        let (message, part) = name.strip_suffix(".raw")?.split_once('_')?;
        let number = Self { message: message.parse().ok()?, part: part.parse().ok()? };
        (number.file_name() == name).then_some(number)
    }
}

/// Returns the name of the file that a part of a message is in.
pub(crate) fn part_file_name(message: u64, part: usize) -> String {
    PartNumber { message, part }.file_name()
}

/// How the name of the empty file ends by which a writer finds out what its files may be used for;
/// one of a writer that was killed stays.
const PROBE: &str = ".part";

/// What is in a folder.
#[derive(Debug, Default)]
struct Listing {
    /// The parts, in no order.
    parts: Vec<PartNumber>,
    /// How much is none: other files, and whatever is no file.
    foreign: u64,
    /// The first number after those of all messages, unfinished ones included.
    end: u64,
}

fn list(folder: &Path) -> Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let entry = entry.map_err(Error::file("read", folder))?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let whole = PartNumber::parse(name);
        let probed = || PartNumber::parse(name.strip_suffix(PROBE)?);
        match whole {
            Some(number) if is_file(&entry) => listing.parts.push(number),
            _ => listing.foreign += 1,
        }
        if let Some(number) = whole.or_else(probed) {
            listing.end = listing.end.max(number.message.saturating_add(1));
        }
    }
    Ok(listing)
}

/// Returns whether there is a file to be read: anything else by its name, such as a pipe, might never
/// be read to its end.
fn is_file(entry: &fs::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => fs::metadata(entry.path()).is_ok_and(|at| at.is_file()),
        Ok(kind) => kind.is_file(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_read_back_and_others_are_not() {
        for (message, part, name) in [
            (0, 0, "000000_000.raw"),
            (999_999, 12, "999999_012.raw"),
            (1_000_000, 1000, "1000000_1000.raw"),
        ] {
            let number = PartNumber { message, part };
            assert_eq!(number.file_name(), name);
            assert_eq!(PartNumber::parse(name), Some(number));
        }
        for name in ["0_0.raw", "000000_000", "000000.raw", "+00001_000.raw", "0000001_000.raw"] {
            assert_eq!(PartNumber::parse(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let parse = |name| PartNumber::parse(name).unwrap();
        assert!(parse("999999_001.raw") < parse("1000000_000.raw"));
    }
}
