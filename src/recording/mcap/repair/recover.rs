//! Saving what can be saved of a damaged file into a new one.

use std::collections::HashSet;
use std::path::Path;

use mflow_handlers::Stage;
use serde::Serialize;

use super::verify::are_data_sound;
use crate::counted::Counted;
use crate::endpoint::Source;
use crate::error::Result;
use crate::frame::Frames;
use crate::recording::Error;
use crate::recording::mcap::format::metadata::{SESSION, USER};
use crate::recording::mcap::format::parts::part_head;
use crate::recording::mcap::format::record::Attachment;
use crate::recording::mcap::format::start;
use crate::recording::mcap::read::block::{self, Store};
use crate::recording::mcap::read::damage::{Damage, Damages, unreadable};
use crate::recording::mcap::read::index::{self, Contents, footer, read_summary};
use crate::recording::mcap::read::reader::McapReader;
use crate::recording::mcap::read::salvage::salvage;
use crate::recording::mcap::write::{McapOptions, McapWriter};

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
/// Where a record is damaged or cannot be read, the next thing is looked for that cannot well be
/// anything but a record: a chunk, or a message of a known channel whose parts are whole. So of a
/// damaged chunk that is not compressed all messages but the damaged ones are saved, of a compressed
/// one those ahead of the damage.
///
/// Carried over too: sources, times and sequences of messages, what the user said of the recording,
/// the old session, its keys behind `recorded`, and attachments, such as the start messages of series
/// that began in another file. Left out: messages of other schemas, metadata of other names, and the
/// old summary, as the new file has its own.
///
/// # Errors
/// If the file cannot be opened, nothing was found that is ours, or the new file cannot be written,
/// which has what was written until then.
pub fn recover(path: &Path, out: &Path) -> Result<Recovery> {
    let failed = || Error::file("read", path);
    let file = block::open(path)?;
    let mut store = Store::growing(file);
    let length = store.length().map_err(failed())?;
    let mut contents = Contents::default();
    let mut end = length;
    let (mut no_summary, mut expected) = (None, None);
    // If it cannot be read, that is reported after walking through the records.
    let footer = footer(&mut store, length).ok().flatten();
    if let Some(footer) = footer {
        store.seal_broken();
        match read_summary(&store, footer, length) {
            Ok(Ok(summary)) => {
                expected = summary.messages();
                // The channels it repeats help if their records are damaged. Without a checksum
                // it may be that damage is here.
                contents.definitions = match footer.crc {
                    0 => summary.definitions.unsure(),
                    _ => summary.definitions,
                };
                end = footer.summary;
            }
            // It may be left out.
            Ok(Err(_)) if footer.summary == 0 => {}
            Ok(Err(reason)) => no_summary = Some((footer.summary.min(length), reason.to_owned())),
            Err(error) => no_summary = Some((footer.summary.min(length), unreadable(&error))),
        }
    }
    let mut damages = salvage(&mut store, &mut contents, end);
    let found: u64 = contents.pieces.iter().filter_map(|piece| piece.messages).sum();
    if let Some(missing) =
        expected.and_then(|expected| expected.checked_sub(found)).filter(|it| *it > 0)
        && damages.count == 0
    {
        let missing = Counted(missing, "message");
        damages.add(end, 0, format!("{missing} of those in the summary cannot be found"));
    }
    if let Some((at, reason)) = no_summary {
        damages.add(at, 0, reason);
    }
    if contents.pieces.iter().all(|piece| piece.messages == Some(0)) {
        let reason = "there is no message of mflow.Message in it".to_owned();
        return Err(Error::NotARecording { path: path.to_owned(), reason }.into());
    }
    let foreign = contents.pieces.iter().map(|piece| piece.foreign);
    let foreign = foreign.fold(0, u64::saturating_add);
    let options = options(&mut store, &contents, path, &mut damages);
    let mut reader = McapReader::of(path, store, contents);
    let mut writer = McapWriter::create(out, options)?;
    let copied = copy(&mut reader, &mut writer, &mut damages);
    let finished = writer.finish();
    copied?;
    let written = finished?;
    // Damage that was found is the reason already.
    let (store, contents) = reader.contents();
    if damages.count == 0
        && let Some(place) = contents.data_end
        && let Ok(Some(false)) = are_data_sound(store, place)
    {
        let what = "the checksum of the data does not match: they are kept as they are";
        damages.add(place.at, 0, what);
    }
    Ok(Recovery {
        messages: written.messages,
        bytes: written.bytes,
        damaged: Source::report(&reader).damaged,
        foreign,
        was_closed: footer.is_some(),
        damages: damages.first,
        damaged_places: damages.count,
    })
}

/// Writes messages and attachments of a file into another one.
fn copy(reader: &mut McapReader, writer: &mut McapWriter, damages: &mut Damages) -> Result<()> {
    let mut carried = HashSet::new();
    loop {
        match reader.read_next() {
            Ok(Some((received, _, sequence))) => {
                writer.write_numbered(&received, sequence.into())?;
                carried.extend(start_key(&received.frames));
            }
            Ok(None) => break,
            // It could be read a moment ago: the reader continues behind it.
            Err(error) => damages.add(reader.place(), 0, unreadable(&error)),
        }
    }
    let (store, contents) = reader.contents();
    for place in &contents.attachments {
        let block = store.block(place.fields());
        let attachment = block.as_ref().ok().and_then(|block| Attachment::read(block.bytes()));
        match attachment.filter(Attachment::is_sound) {
            Some(Attachment { head, data, .. }) => {
                if carried.insert(key(&head.name, [data])) {
                    writer.attach(&head, data)?;
                }
            }
            None => damages.add(place.at, 0, "an attachment is damaged: it is left out"),
        }
    }
    Ok(())
}

/// What identifies an attachment: checksums of its name and its data.
type Key = (u32, u32);

fn key<'a>(name: &str, data: impl IntoIterator<Item = &'a [u8]>) -> Key {
    let mut hasher = crc32fast::Hasher::new();
    data.into_iter().for_each(|bytes| hasher.update(bytes));
    (crc32fast::hash(name.as_bytes()), hasher.finalize())
}

/// Returns the attachment that the writer has made of a message; none if it is no start message.
fn start_key(frames: &Frames) -> Option<Key> {
    let peek = frames.peek();
    let series = peek.series.filter(|_| peek.stage == Some(Stage::Start))?;
    let heads: Vec<_> = frames.iter().map(|frame| part_head(frame.len())).collect();
    let data =
        heads.iter().zip(frames.iter()).flat_map(|(head, frame)| [&head[..], frame.as_ref()]);
    Some(key(&start::name(series), data))
}

/// Returns how the new file is written: what the old one said of itself goes with it.
fn options(
    store: &mut Store,
    contents: &Contents,
    path: &Path,
    damages: &mut Damages,
) -> McapOptions {
    let mut options = McapOptions { crc: true, ..McapOptions::default() };
    options.session.push(("recovered from".to_owned(), path.display().to_string()));
    for place in &contents.metadata {
        match index::metadata(store, *place) {
            Ok(Some((name, entries))) if name == SESSION => {
                let of_old = |(key, value)| (format!("recorded {key}"), value);
                options.session.extend(entries.into_iter().map(of_old));
            }
            Ok(Some((name, entries))) if name == USER => options.user = entries,
            Ok(Some(_)) => {}
            _ => damages.add(place.at, 0, "metadata are damaged: they are left out"),
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::endpoint::{Origin, Received, Timestamp};
    use crate::recording::mcap::read::block::broken;
    use crate::recording::mcap::repair::verify::verify;

    /// Messages of which every tenth has a chunk of its own.
    fn numbered(number: u64) -> Frames {
        let size = if number.is_multiple_of(10) { 300_000 } else { 1000 };
        Frames::from([number.to_string().into_bytes(), number.to_le_bytes().repeat(size / 8)])
    }

    /// Writes a recording of forty messages and returns its path, and one for what is saved of it.
    fn record(name: &str) -> [PathBuf; 2] {
        let path = |kind| {
            let name = format!("mflow-{name}-{kind}-{}.mcap", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_file(&path);
            path
        };
        let path = ["broken", "saved"].map(path);
        let options = McapOptions { user: vec![("a".into(), "b".into())], ..Default::default() };
        let mut writer = McapWriter::create(&path[0], options).unwrap();
        let origin = Origin::new("x");
        for number in 0..40 {
            let (frames, time) = (numbered(number), Timestamp::from_nanos(1 + number));
            writer.write(&Received { frames, time, origin: origin.clone() }).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    /// Reads which messages there are, each of which must be whole.
    fn numbers(path: &Path) -> BTreeSet<u64> {
        let mut reader = McapReader::open(path).unwrap();
        let mut numbers = BTreeSet::new();
        while let Some((received, ..)) = reader.read_next().unwrap() {
            let number = received.time.as_nanos() - 1;
            assert!(received.frames == numbered(number), "message {number}");
            assert!(numbers.insert(number), "message {number} twice");
        }
        numbers
    }

    #[test]
    fn what_a_disk_does_not_give_costs_only_the_messages_there() {
        let [path, out] = record("eio");
        let length = fs::metadata(&path).unwrap().len();
        for at in (0..length).step_by(16 << 10) {
            broken::RANGE.set((at, at + 4096));
            let recovery = recover(&path, &out).unwrap();
            broken::RANGE.set((0, 0));
            let numbers = numbers(&out);
            // A page has parts of six small messages at most.
            assert!(numbers.len() >= 34, "at {at}: {numbers:?} {recovery:?}");
            assert_eq!(recovery.messages, numbers.len() as u64);
            let is_reported =
                recovery.damages.iter().any(|damage| damage.what.contains("os error 5"));
            assert!(is_reported, "at {at}: {recovery:?}");
            assert!(verify(&out).unwrap().is_sound(), "at {at}");
            fs::remove_file(&out).unwrap();
        }
        // Most of it.
        broken::RANGE.set((10_000, length - 320_000));
        let recovery = recover(&path, &out).unwrap();
        broken::RANGE.set((0, 0));
        assert!(recovery.messages >= 9, "{recovery:?}");
        assert!(verify(&out).unwrap().is_sound());
        for path in [path, out] {
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_read_any_more_is_reported_and_the_rest_is_written() {
        let [path, out] = record("flaky");
        let mut store = Store::growing(block::open(&path).unwrap());
        let (mut contents, length) = (Contents::default(), store.length().unwrap());
        let end = footer(&mut store, length).unwrap().unwrap().summary;
        let mut damages = salvage(&mut store, &mut contents, end);
        assert_eq!(damages.count, 0);
        let first = contents.pieces[0];
        let mut reader = McapReader::of(&path, store, contents);
        let mut writer = McapWriter::create(&out, McapOptions::default()).unwrap();
        broken::RANGE.set((first.start, first.start + 1));
        copy(&mut reader, &mut writer, &mut damages).unwrap();
        broken::RANGE.set((0, 0));
        assert_eq!(writer.finish().unwrap().messages, 39);
        let what = unreadable(&rustix::io::Errno::IO.into());
        assert_eq!(damages.first, [Damage { at: first.start, bytes: 0, what }]);
        assert!(numbers(&out).into_iter().eq(1..40));
        for path in [path, out] {
            fs::remove_file(path).unwrap();
        }
    }
}
