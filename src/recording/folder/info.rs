//! What is in a folder of `.raw` files, by the names and sizes of its files.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::{Listing, is_unfinished, list};
use crate::error::Result;
use crate::recording::Error;

/// What is in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FolderInfo {
    /// Messages, incomplete ones included.
    pub messages: u64,
    /// The number of the first message.
    pub first: u64,
    /// The number of the last message.
    pub last: u64,
    /// Files, one for each part.
    pub files: u64,
    /// The bytes of these files.
    pub bytes: u64,
    /// Messages that lack a part, or of which the first one is not whole; readers skip them.
    pub incomplete: u64,
    /// Numbers between the first message and the last one that no message has.
    pub missing: u64,
    /// Files and folders that belong to no message.
    pub foreign_files: u64,
}

impl FolderInfo {
    /// Looks at a folder. Memory: 16 bytes for each file.
    ///
    /// # Errors
    /// If it cannot be read, or holds no message.
    pub fn of(folder: &Path) -> Result<Self> {
        let Listing { mut parts, foreign, .. } = list(folder)?;
        parts.sort_unstable();
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(Error::NoRecording { path: folder.to_owned() }.into());
        };
        let (first, last) = (first.message, last.message);
        let files = parts.len() as u64;
        let mut info = Self { first, last, files, foreign_files: foreign, ..Self::default() };
        for message in parts.chunk_by(|one, other| one.message == other.message) {
            let mut is_whole = true;
            for (number, index) in message.iter().zip(0..) {
                let path = folder.join(number.file_name());
                let file = fs::metadata(&path).map_err(Error::file("read", &path))?;
                info.bytes = info.bytes.saturating_add(file.len());
                is_whole &= number.part == index && (index > 0 || !is_unfinished(&file));
            }
            info.messages += 1;
            info.incomplete += u64::from(!is_whole);
        }
        info.missing = (last - first) - (info.messages - 1);
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_described_by_its_files() {
        let folder = std::env::temp_dir().join(format!("mflow-folder-info-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(matches!(
            FolderInfo::of(&folder).unwrap_err().get(),
            Some(Error::NoRecording { .. })
        ));
        // Message 3 lacks part 0, that of 7 is not whole, and there is none of the numbers 4 to 6.
        for (name, text) in [
            ("000002_000.raw", "{}"),
            ("000002_001.raw", "data"),
            ("000003_001.raw", "data"),
            ("000007_000.raw", ""),
            ("000008_000.raw.part", ""),
            ("notes.txt", "dark field"),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        let unreadable = fs::Permissions::from_mode(0o200);
        fs::set_permissions(folder.join("000007_000.raw"), unreadable).unwrap();
        let expected = FolderInfo {
            messages: 3,
            first: 2,
            last: 7,
            files: 4,
            bytes: 10,
            incomplete: 2,
            missing: 3,
            foreign_files: 2,
        };
        assert_eq!(FolderInfo::of(&folder).unwrap(), expected);
        fs::remove_dir_all(&folder).unwrap();
    }
}
