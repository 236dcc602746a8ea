//! Opening a file: how what is in it is found, and what of that is damaged.

use std::io;
use std::path::Path;

use super::block::{self, Store};
use super::damage::Damages;
use super::index::{self, Contents};
use super::salvage::salvage;
use super::scan::Scan;
use crate::error::Result;
use crate::recording::Error;
use crate::recording::mcap::format::wire::MAGIC;

/// A search through more bytes than this is announced, because it takes a while.
const LONG_SEARCH: u64 = 1 << 30;

/// A file as it was found.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) contents: Contents,
    pub(crate) scan: Option<Scan>,
    pub(crate) no_summary: Option<&'static str>,
    /// What is damaged of a file that was searched for what is left.
    pub(crate) damages: Damages,
}

impl Opened {
    /// Opens a file and finds what is in it.
    ///
    /// # Errors
    /// If the file cannot be read, is no MCAP file, or has channels and none of them is ours.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let failed = || Error::file("read", path);
        let not = |reason: String| Error::NotARecording { path: path.to_owned(), reason };
        let mut store = Store::growing(block::open(path)?);
        let length = store.length().map_err(failed())?;
        if length == 0 {
            return Err(not("it is empty".into()).into());
        }
        if store.look(0, MAGIC.len()).map_err(failed())? != MAGIC {
            return Err(not("it does not begin as an MCAP file does".into()).into());
        }
        let opened = Self::find(store, path, length).map_err(failed())?;
        if opened.contents.definitions.all_foreign() {
            let schemas = opened.contents.definitions.foreign_schemas();
            return Err(not(format!(
                "its messages have other schemas than mflow.Message: {schemas}"
            ))
            .into());
        }
        Ok(opened)
    }

    /// Finds what is in a file of this length: by its summary, or by walking through it where there is
    /// none, or by searching all of it where that is damaged.
    fn find(mut store: Store, path: &Path, length: u64) -> io::Result<Self> {
        let (mut contents, mut scan) = (Contents::default(), Scan::new());
        let mut damages = Damages::default();
        let Some(footer) = index::footer(&mut store, length)? else {
            scan.advance(&mut store, &mut contents)?;
            return Ok(Self { store, contents, scan: Some(scan), no_summary: None, damages });
        };
        store.seal();
        let (no_summary, is_damaged) = match index::read_summary(&store, footer, length) {
            Ok(Ok(contents)) if contents.is_enough() => {
                return Ok(Self { store, contents, scan: None, no_summary: None, damages });
            }
            Ok(Ok(_)) => ("its summary does not say where messages are", false),
            // It may be left out.
            Ok(Err(reason)) => (reason, footer.summary != 0),
            Err(_) => ("its summary cannot be read", true),
        };
        let is_read = !is_damaged && scan.advance(&mut store, &mut contents).is_ok();
        if !is_read || !scan.is_finished() {
            // Its writer has closed the file: so the record that breaks off here is damaged, and
            // the file continues behind it.
            let definitions = std::mem::take(&mut contents.definitions);
            contents = Contents { definitions, ..Contents::default() };
            store.seal_broken();
            if length > LONG_SEARCH {
                tracing::warn!("'{}': {no_summary}: searching all of it", path.display());
            }
            damages = salvage(&mut store, &mut contents, length);
            if is_damaged {
                damages.add(footer.summary.min(length), 0, no_summary);
            }
        }
        Ok(Self { store, contents, scan: None, no_summary: Some(no_summary), damages })
    }
}
