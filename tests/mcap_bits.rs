//! One changed bit of a recording: nothing is lost by it without a word.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::{Dir, numbered};
use mflow::recording::mcap::{recover, verify};
use mflow::recording::{McapOptions, McapReader, McapWriter};
use mflow::{Event, Frames, Origin, Received, Source, Timestamp};

/// How many messages there are, small ones, and how many are in a chunk.
const ALL: u64 = 18;
const CHUNK: u64 = 6;
/// How many bytes of data each has.
const SIZE: usize = 400;
/// The bytes behind the summary: the footer and the magic.
const END: usize = 37;

/// A closed recording of two sources, without checksums of its data.
struct Recording {
    dir: Dir,
    bytes: Vec<u8>,
    /// Where the data of the messages are: a changed byte there loses nothing.
    data: Vec<Range<usize>>,
    /// Where the summary is.
    summary: Range<usize>,
}

impl Recording {
    fn new() -> Self {
        let dir = Dir::new();
        let path = dir.path("whole.mcap");
        let mut writer = McapWriter::create(&path, McapOptions::default()).unwrap();
        let origins = ["a", "b"].map(Origin::new);
        for number in 0..ALL {
            let origin = Arc::clone(&origins[usize::from(number % 2 == 1)]);
            let (frames, time) = (numbered(number, SIZE), Timestamp::from_nanos(1000 + number));
            writer.write(&Received { frames, time, origin }).unwrap();
            if number % CHUNK == CHUNK - 1 {
                writer.flush().unwrap();
            }
        }
        writer.finish().unwrap();
        let bytes = fs::read(&path).unwrap();
        let place = |number: u64| {
            let part = numbered(number, SIZE)[1].as_ref().to_vec();
            let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
            at..at + part.len()
        };
        let data = (0..ALL).map(place).collect();
        let end = bytes.len() - END;
        // Behind the opcode and the length of the footer.
        let summary: [u8; 8] = bytes[end + 9..end + 17].try_into().unwrap();
        let summary = usize::try_from(u64::from_le_bytes(summary)).unwrap()..end;
        Self { dir, bytes, data, summary }
    }

    /// Returns where everything is but the data of messages, up to the summary.
    fn records(&self) -> impl Iterator<Item = usize> {
        let is_data = |at: &usize| self.data.iter().any(|range| range.contains(at));
        (8..self.summary.start).filter(move |at| !is_data(at))
    }

    /// Returns where the last thing ahead of the schema ends.
    fn schema(&self) -> usize {
        let name = b"mflow.Message";
        let at = self.bytes.windows(name.len()).position(|window| window == name).unwrap();
        // Ahead of it are opcode, length, number, and the length of the name.
        at - 9 - 2 - 4
    }

    /// Writes the changed recording.
    fn write(&self, bytes: &[u8]) -> PathBuf {
        self.dir.write("x.mcap", bytes)
    }
}

/// Returns every bit of these bytes, by the byte and what changes it.
fn bits(bytes: impl Iterator<Item = usize>) -> impl Iterator<Item = (usize, u8)> {
    bytes.flat_map(|at| (0..8).map(move |bit| (at, 1 << bit)))
}

fn read(path: &Path) -> Option<(Vec<Frames>, McapReader)> {
    let mut reader = McapReader::open(path).ok()?;
    let mut messages = Vec::new();
    while let Event::Message(received) = reader.poll().unwrap() {
        messages.push(received.frames);
    }
    Some((messages, reader))
}

/// Returns whether a reader of a file reports that something is wrong.
fn reports_damage(reader: &McapReader) -> bool {
    let notices = reader.report().notices.join(", ");
    // A channel may have become one of other people, and what is behind the last whole record a rest.
    let is_noticed = notices.contains("other schemas") || notices.contains("no whole record");
    reader.report().damaged + reader.report().damaged_places > 0 || is_noticed
}

#[test]
fn a_record_and_the_summary_of_a_closed_recording() {
    let recording = Recording::new();
    let out = recording.dir.path("out.mcap");
    for (at, bit) in bits(recording.records()) {
        let mut bytes = recording.bytes.clone();
        bytes[at] ^= bit;
        // Where it is, or what is in it.
        let pointer = recording.summary.end + 9;
        bytes[if at % 2 == 0 { pointer } else { recording.summary.start }] ^= 0x55;
        let path = recording.write(&bytes);
        let Some((messages, reader)) = read(&path) else {
            assert!(recover(&path, &out).is_err(), "at {at}, {bit}");
            continue;
        };
        assert!(reports_damage(&reader), "at {at}, {bit}");
        match recover(&path, &out) {
            Ok(_) => {
                let (saved, _) = read(&out).unwrap();
                assert!(saved == messages, "at {at}, {bit}: {} of {}", messages.len(), saved.len());
                fs::remove_file(&out).unwrap();
            }
            Err(_) => assert!(messages.is_empty(), "at {at}, {bit}: {}", messages.len()),
        }
    }
}

#[test]
fn the_summary_of_a_closed_recording() {
    let recording = Recording::new();
    for (at, bit) in bits(recording.summary.start..recording.bytes.len() - 8) {
        let mut bytes = recording.bytes.clone();
        bytes[at] ^= bit;
        let path = recording.write(&bytes);
        let (messages, reader) = read(&path).unwrap();
        assert_eq!(messages.len() as u64, ALL, "at {at}, {bit}");
        assert!(
            reports_damage(&reader) || !reader.is_closed() || at >= recording.summary.end,
            "at {at}, {bit}"
        );
        assert!(!verify(&path).unwrap().is_sound(), "at {at}, {bit}");
    }
}

#[test]
fn a_record_of_a_recording_whose_writer_was_killed() {
    let recording = Recording::new();
    let out = recording.dir.path("out.mcap");
    for (at, bit) in bits(recording.records()) {
        let mut bytes = recording.bytes[..recording.summary.start].to_vec();
        bytes[at] ^= bit;
        let path = recording.write(&bytes);
        let Some((messages, reader)) = read(&path) else { continue };
        assert!(
            messages.len() as u64 == ALL || reports_damage(&reader),
            "at {at}, {bit}: {}",
            messages.len()
        );
        let saved = recover(&path, &out).map_or(0, |recovery| recovery.messages);
        assert!(saved >= messages.len() as u64, "at {at}, {bit}: {} and {saved}", messages.len());
        if at < recording.schema() {
            assert_eq!(saved, ALL, "at {at}, {bit}");
        }
        let _ = fs::remove_file(&out);
    }
}
