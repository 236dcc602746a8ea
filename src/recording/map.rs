//! The memory map of a file: its bytes without reading them, and frames of them without a copy.
//!
//! This is the room for `unsafe` over memory maps. What is mapped are whole files that their writer
//! has closed; which ones those are is for the caller to know. Still, somebody else may truncate
//! one: then touching the bytes that are gone ends the process (SIGBUS; the programs say why). So
//! whoever is about to touch bytes asks [`Map::check`] first, which costs one system call. What
//! remains is a file that shrinks in the moment between, or while frames of it are on their way
//! through libzmq; against that there is no help but to copy everything.
#![allow(unsafe_code, reason = "that nobody changes a mapped file is beyond what types can tell")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// The bytes of a file that its writer has closed.
#[derive(Debug)]
pub(crate) struct Map(Mmap);

impl Map {
    /// Maps a file as long as it is now.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the map is read only and its writer has closed the file, so bytes change only
        // where somebody breaks into it. Nothing is concluded from bytes that were looked at
        // before, but for lengths, of which ranges were made already: changed bytes make messages
        // wrong and nothing else. What a truncation does is told with the module.
        unsafe { Mmap::map(file) }.map(Self)
    }

    /// Fails where the file has become shorter than it was when it was mapped.
    pub(crate) fn check(&self, file: &File) -> io::Result<()> {
        if file.metadata()?.len() < self.0.len() as u64 {
            return Err(truncated());
        }
        Ok(())
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The error of a file that lost bytes since it was opened.
pub(crate) fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter while it was read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use std::io::Write;
    use std::sync::Arc;

    #[test]
    fn frames_of_a_map_share_its_bytes_and_outlive_it_and_the_file() {
        let path = std::env::temp_dir().join(format!("mflow-map-{}", std::process::id()));
        let mut file = File::create_new(&path).unwrap();
        file.write_all(&[1, 2, 3, 4, 5]).unwrap();
        let file = File::open(&path).unwrap();
        let map = Arc::new(Map::of(&file).unwrap());
        let address = (*map).as_ref()[1..].as_ptr();
        let frame = Frame::from_shared(Arc::clone(&map), 1..4);
        std::fs::remove_file(&path).unwrap();
        drop((map, file));
        assert_eq!((frame.as_ref(), frame.as_ref().as_ptr()), (&[2, 3, 4][..], address));
    }

    #[test]
    fn a_file_that_became_shorter_is_noticed() {
        let path = std::env::temp_dir().join(format!("mflow-shorter-{}", std::process::id()));
        std::fs::write(&path, vec![0; 10_000]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let map = Map::of(&file).unwrap();
        map.check(&file).unwrap();
        file.set_len(9_999).unwrap();
        let error = map.check(&file).unwrap_err();
        assert_eq!(error.to_string(), "it has become shorter while it was read");
        std::fs::remove_file(&path).unwrap();
    }
}
