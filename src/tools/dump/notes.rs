//! [`Provenance`]: the notes of an MCAP file on how it was made.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::input::Inputs;
use crate::endpoint::Timestamp;
use crate::error::Result;
use crate::frame::Frames;
use crate::recording::mcap::{self, Detail, Info, MetadataInfo, SESSION, USER};
use crate::recording::{McapOptions, McapReader, Recording, is_pipe};

/// Keys and values that an MCAP file notes.
type Notes = Vec<(String, String)>;

/// The origin of the messages of a recording.
pub struct Provenance<'a> {
    /// The streams or recordings.
    pub inputs: &'a Inputs,
    /// The opened recordings.
    pub recording: Option<&'a dyn Recording>,
    /// How streams are received, as keys and values.
    pub receiving: Vec<(String, String)>,
    /// What is left out, as keys and values.
    pub filter: Vec<(String, String)>,
}

impl Provenance<'_> {
    /// Returns the notes of an MCAP file: how it was made, and what was left out. They include what
    /// is kept of the files that it is made from: the notes of the user, and starts of series that
    /// are not messages in any of these files.
    pub(super) fn notes(&self) -> Result<McapOptions> {
        let locations = self.inputs.iter().map(|input| &input.location);
        let addresses: Vec<_> = locations.clone().map(ToString::to_string).collect();
        let mut session = vec![("address".to_owned(), addresses.join(" "))];
        let (mut user, mut starts) = (Vec::new(), Vec::new());
        let paths: Option<Vec<&Path>> = locations.map(|location| location.path()).collect();
        match paths {
            None => session.extend(self.receiving.iter().cloned()),
            Some(paths) if paths.iter().any(|path| path.is_dir()) => {
                let times = "when the folder was read, which has none";
                session.push(("times".to_owned(), times.to_owned()));
            }
            Some(paths) => {
                let mut noted: Vec<Vec<MetadataInfo>> = Vec::new();
                if paths.iter().any(|path| is_pipe(path)) {
                    noted.extend(self.recording.map(|recording| recording.metadata().to_vec()));
                } else {
                    let info = |path: &&Path| mcap::info(path, Detail::Index);
                    let mut infos = paths.iter().map(info).collect::<Result<Vec<_>>>()?;
                    starts = starts_between(&paths, &infos)?;
                    infos.sort_by_key(|info| info.first);
                    noted.extend(infos.into_iter().map(|info| info.metadata));
                }
                keep(noted, &mut session, &mut user);
            }
        }
        session.extend(self.filter.iter().cloned());
        Ok(McapOptions { session, user, starts, ..McapOptions::default() })
    }
}

/// Keeps the notes of files: from the first file how its recording began, because files of one
/// recording agree on that; and from all files the notes of the user.
fn keep(noted: Vec<Vec<MetadataInfo>>, session: &mut Notes, user: &mut Notes) {
    for (number, metadata) in noted.into_iter().enumerate() {
        for MetadataInfo { name, entries, .. } in metadata {
            let of_old = |(key, value)| (format!("recorded {key}"), value);
            match name.as_str() {
                SESSION if number == 0 => session.extend(entries.into_iter().map(of_old)),
                USER => entries.into_iter().for_each(|entry| add(user, entry)),
                _ => {}
            }
        }
    }
}

/// Returns the starts of series that are not messages in any of these files: a file keeps the start
/// of a series that began in an earlier file, which may be missing here.
fn starts_between(paths: &[&Path], infos: &[Info]) -> Result<Vec<(Timestamp, Frames)>> {
    let (mut sent, mut ahead) = (HashSet::new(), BTreeMap::new());
    for (path, info) in paths.iter().zip(infos) {
        let reader = Rc::new(McapReader::open(path)?);
        for start in reader.starts()? {
            let key = (start.time, start.name.clone());
            if info.first.is_some_and(|first| start.time.as_nanos() >= first) {
                sent.insert(key);
            } else {
                // Each file of a divided recording has them.
                ahead.entry(key).or_insert_with(|| (Rc::clone(&reader), start));
            }
        }
    }
    ahead.retain(|key, _| !sent.contains(key));
    let read = ahead
        .into_values()
        .map(|(reader, start)| Ok(reader.read_start(&start)?.map(|frames| (start.time, frames))));
    read.filter_map(Result::transpose).collect()
}

/// Adds a note, also if there is another one with the same key and another value.
fn add(notes: &mut Notes, (key, value): (String, String)) {
    let keys = std::iter::once(key.clone()).chain((2..).map(|number| format!("{key} ({number})")));
    for key in keys {
        match notes.iter().find(|(known, _)| *known == key) {
            Some((_, known)) if *known == value => return,
            Some(_) => {}
            None => return notes.push((key, value)),
        }
    }
}
