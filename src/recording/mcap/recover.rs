//! Saving what can be saved of a damaged file into a new one.

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::block::Store;
use super::index::{self, Contents, footer, read_summary};
use super::reader::McapReader;
use super::salvage::{Damage, salvage};
use super::{McapOptions, McapWriter, SESSION, USER};
use crate::{Error, Result};

/// What was saved of a file, and what was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recovery {
    /// Messages that are in the new file.
    pub messages: u64,
    /// The bytes of their parts.
    pub bytes: u64,
    /// Messages that were found and whose parts are damaged.
    pub damaged: u64,
    /// Messages of other schemas, which are left out.
    pub foreign: u64,
    /// Whether the file has an end, which its writer wrote last.
    pub was_closed: bool,
    /// Damaged places, the first thousand of them.
    pub damages: Vec<Damage>,
    /// How many there are.
    pub damaged_places: u64,
}

/// Writes every message of a file that can be read into a new file, in the order of their times.
///
/// Where a record is damaged, the next thing is looked for that cannot well be anything but a record:
/// a chunk, or a message of a known channel whose parts are whole. So of a damaged chunk that is not
/// compressed all messages but the damaged ones are saved, of a compressed one those ahead of the
/// damage. Neither the messages of other schemas nor their attachments are copied.
///
/// # Errors
/// Where a file cannot be read or written, or nothing was found that is ours.
pub fn recover(path: &Path, out: &Path) -> Result<Recovery> {
    let failed = || Error::file("read", path);
    let file = File::open(path).map_err(failed())?;
    if !file.metadata().map_err(failed())?.is_file() {
        let reason = "it is not a file".to_owned();
        return Err(Error::NotARecording { path: path.to_owned(), reason });
    }
    let mut store = Store::growing(file);
    let length = store.length().map_err(failed())?;
    let mut contents = Contents::default();
    let mut end = length;
    let footer = footer(&mut store, length).map_err(failed())?;
    if let Some(footer) = footer {
        store.seal().map_err(failed())?;
        let summary = read_summary(&store, footer, length).map_err(failed())?;
        // The channels it repeats help where their records are damaged.
        if let Ok(summary) = summary {
            contents.definitions = summary.definitions;
            end = footer.summary;
        }
    }
    let damages = salvage(&mut store, &mut contents, end).map_err(failed())?;
    if contents.pieces.iter().all(|piece| piece.messages == Some(0)) {
        let reason = "there is no message of mflow.Message in it".to_owned();
        return Err(Error::NotARecording { path: path.to_owned(), reason });
    }
    let foreign = contents.pieces.iter().map(|piece| piece.foreign).sum();
    let mut recovery = Recovery {
        messages: 0,
        bytes: 0,
        damaged: 0,
        foreign,
        was_closed: footer.is_some(),
        damages: damages.first,
        damaged_places: damages.count,
    };
    let options = options(&mut store, &contents, path).map_err(failed())?;
    let mut reader = McapReader::of(path, store, contents);
    let mut writer = McapWriter::create(out, options)?;
    while let Some((received, _, sequence)) = reader.read_next().map_err(failed())? {
        recovery.messages += 1;
        recovery.bytes += received.frames.bytes() as u64;
        writer.write_numbered(&received, sequence.into())?;
    }
    writer.finish()?;
    recovery.damaged = crate::Source::damaged(&reader);
    Ok(recovery)
}

/// Returns how the new file is written: what the old one said of itself goes with it.
fn options(store: &mut Store, contents: &Contents, path: &Path) -> std::io::Result<McapOptions> {
    let mut options = McapOptions { crc: true, ..McapOptions::default() };
    options.session.push(("recovered from".to_owned(), path.display().to_string()));
    for place in &contents.metadata {
        let Some((name, entries)) = index::metadata(store, *place)? else { continue };
        if name == SESSION {
            let of_old = |(key, value)| (format!("recorded {key}"), value);
            options.session.extend(entries.into_iter().map(of_old));
        } else if name == USER {
            options.user = entries;
        }
    }
    Ok(options)
}
