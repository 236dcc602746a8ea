//! Checking recordings, saving what can be saved of broken ones, and printing what is in them.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use harness::Dir;
use mcap::records::MessageHeader;
use mcap::{Compression, WriteOptions};
use mflow::recording::mcap::{Detail, info, recover, verify};
use mflow::recording::{
    Fsync, McapOptions, McapReader, McapWriter, RecordWriter, RotatingWriter, Rotation,
};
use mflow::{ErrorKind, Event, Frames, Origin, Received, Source, Timestamp};

/// A message that says its number at both ends; those divisible by ten have a chunk of their own.
fn numbered(number: u64) -> Frames {
    let size = if number.is_multiple_of(10) { 300_000 } else { 1000 };
    let header = format!(r#"{{"htype":"raw-1.0","series":1,"frame":{number}}}"#).into_bytes();
    Frames::from([header, number.to_le_bytes().repeat(size / 8)])
}

/// Writes a recording of ours from two sources in turns.
fn record(path: &Path, numbers: impl Iterator<Item = u64>, crc: bool) -> McapWriter {
    let user = vec![("sample".into(), "lysozyme".into())];
    let options = McapOptions { crc, user, ..McapOptions::default() };
    let mut writer = McapWriter::create(path, options).unwrap();
    let origins = ["a", "b"].map(|label| {
        Arc::new(Origin {
            name: format!("tcp://{label}:1"),
            label: Some(label.into()),
            mode: Some("PULL".into()),
        })
    });
    for number in numbers {
        let origin = Arc::clone(&origins[usize::from(number % 2 == 1)]);
        let time = Timestamp::from_nanos(1000 + number);
        writer.write(&Received { frames: numbered(number), time, origin }).unwrap();
        if number % 25 == 24 {
            writer.flush().unwrap();
        }
    }
    writer
}

/// Reads the numbers of all messages, each of which must be whole.
fn numbers(path: &Path) -> Vec<u64> {
    let mut reader = McapReader::open(path).unwrap();
    let mut numbers = Vec::new();
    while let Event::Message(received) = reader.poll().unwrap() {
        let number = received.time.as_nanos() - 1000;
        assert!(received.frames == numbered(number), "message {number}");
        numbers.push(number);
    }
    assert_eq!(reader.report().damaged, 0);
    numbers
}

#[test]
fn a_recording_of_ours_is_sound_and_says_what_is_in_it() {
    for crc in [false, true] {
        let dir = Dir::new();
        let path = dir.path("sound.mcap");
        record(&path, 0..200, crc).finish().unwrap();
        assert_eq!(numbers(&path), (0..200).collect::<Vec<_>>());

        let verification = verify(&path).unwrap();
        assert_eq!(verification.damages, []);
        assert!(verification.is_sound() && verification.is_closed);
        assert_eq!((verification.messages, verification.foreign), (200, 0));
        assert_eq!((verification.out_of_order, verification.unknown), (0, 0));
        // That of the data as a whole, too.
        let checksums = if crc { verification.chunks + 1 } else { 0 };
        assert_eq!(verification.checksums, checksums);

        for detail in [Detail::Index, Detail::Messages] {
            let info = info(&path, detail).unwrap();
            assert_eq!((info.messages, info.first, info.last), (200, Some(1000), Some(1199)));
            let [a, b] = info.channels.as_slice() else { panic!("{:?}", info.channels) };
            assert_eq!((a.topic.as_str(), a.htype.as_str()), ("/a/raw-1.0", "raw-1.0"));
            assert_eq!((a.address.as_str(), a.mode.as_deref()), ("tcp://a:1", Some("PULL")));
            assert_eq!((a.messages, a.first, a.last), (100, Some(1000), Some(1198)));
            assert_eq!((b.messages, b.first, b.last), (100, Some(1001), Some(1199)));
            let bytes = |rest| {
                let of = (0..200).filter(|number| number % 2 == rest);
                of.map(|number| numbered(number).bytes() as u64).sum::<u64>()
            };
            assert_eq!((a.bytes, b.bytes), (bytes(0), bytes(1)));
            assert_eq!((a.lost, a.dropped), (Some(99), Some(0)));
            // They arrived at the same instant.
            assert_eq!(a.rate, None);
            let user = info.metadata.iter().find(|metadata| metadata.name == "mflow.user");
            assert_eq!(user.unwrap().entries["sample"], "lysozyme");
            assert_eq!(info.notices, Vec::<String>::new());
        }
    }
}

#[test]
fn with_checksums_no_changed_byte_goes_unnoticed() {
    let dir = Dir::new();
    let path = dir.path("changed.mcap");
    record(&path, 1..4, true).finish().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        assert!(verify(&path).map_or(true, |found| !found.is_sound()), "byte {at}");
        bytes[at] ^= 0x10;
    }
}

#[test]
fn a_summary_that_leads_nowhere_is_damaged_without_checksums_too() {
    let dir = Dir::new();
    let path = dir.path("inserted.mcap");
    record(&path, 1..4, false).finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    // The footer, the magic, and ahead of them the offsets of the summary.
    let last = bytes.len() - 37;
    for at in [last - 1, last - 12, last - 60] {
        let mut longer = bytes.clone();
        longer.splice(at..at, [7; 10]);
        fs::write(&path, longer).unwrap();
        assert!(!verify(&path).unwrap().is_sound(), "at {at}");
    }
}

#[test]
fn a_channel_that_is_damaged_in_a_summary_without_checksum_is_reported_and_costs_no_message() {
    let dir = Dir::new();
    let (path, out) = (dir.path("summary.mcap"), dir.path("out.mcap"));
    record(&path, 0..10, false).finish().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let footer = bytes.len() - 28;
    bytes[footer + 16..footer + 20].fill(0);
    let start = u64::from_le_bytes(bytes[footer..footer + 8].try_into().unwrap());
    let start = usize::try_from(start).unwrap();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    assert_eq!((summary.schemas.len(), summary.channels.len()), (1, 2));
    // The records behind the schema and the channels are chunk indexes.
    let length = |at: usize| u64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap());
    let behind = |at: usize| at + 9 + usize::try_from(length(at)).unwrap();
    let end = behind(behind(behind(start)));
    for at in start..end {
        for bit in [0x01, 0x10] {
            let mut bytes = bytes.clone();
            bytes[at] ^= bit;
            fs::write(&path, &bytes).unwrap();
            assert!(!verify(&path).unwrap().is_sound(), "at {}, {bit}", at - start);
            let recovery = recover(&path, &out).unwrap();
            assert_eq!(recovery.messages, 10, "at {}, {bit}", at - start);
            let channels = info(&out, Detail::Index).unwrap().channels;
            let topics: Vec<&str> = channels.iter().map(|channel| &channel.topic[..]).collect();
            assert_eq!(topics, ["/a/raw-1.0", "/b/raw-1.0"], "at {}, {bit}", at - start);
            fs::remove_file(&out).unwrap();
        }
    }
}

#[test]
fn a_recording_whose_writer_was_killed_is_reported_and_recovered() {
    let dir = Dir::new();
    let (path, out) = (dir.path("killed.mcap"), dir.path("out.mcap"));
    drop(record(&path, 0..100, false));
    let verification = verify(&path).unwrap();
    assert!(!verification.is_closed && !verification.is_sound());
    let [damage] = verification.damages.as_slice() else { panic!("{:?}", verification.damages) };
    assert_eq!(damage.what, "it has no end: its writer is still at it, or died");
    let printed = info(&path, Detail::Index).unwrap();
    assert_eq!((printed.is_closed, printed.messages), (false, 100));
    assert_eq!(printed.channels[0].messages, 50);

    let recovery = recover(&path, &out).unwrap();
    assert_eq!((recovery.messages, recovery.damages.len(), recovery.was_closed), (100, 0, false));
    assert_eq!(numbers(&out), (0..100).collect::<Vec<_>>());
    assert!(verify(&out).unwrap().is_sound());
    let recovered = info(&out, Detail::Index).unwrap();
    assert_eq!(recovered.channels.len(), 2);
    assert_eq!(recovered.metadata[1].entries["sample"], "lysozyme");

    let exists = recover(&path, &out).unwrap_err();
    assert_eq!(exists.kind(), ErrorKind::Exists);
}

#[test]
fn a_cut_or_overwritten_recording_loses_only_what_was_there() {
    let dir = Dir::new();
    let (whole, path, out) = (dir.path("whole.mcap"), dir.path("x.mcap"), dir.path("out.mcap"));
    record(&whole, 0..100, true).finish().unwrap();
    let bytes = fs::read(&whole).unwrap();
    // A hundred places all over the file, ten bytes each.
    for place in 0..100 {
        let at = 600 + place * (bytes.len() - 700) / 100;
        let mut broken = bytes.clone();
        broken[at..at + 10].fill(0xa5);
        fs::write(&path, &broken).unwrap();
        let verification = verify(&path).unwrap();
        assert!(!verification.is_sound(), "at {at}");
        let recovery = recover(&path, &out).unwrap();
        let mut reader = McapReader::open(&out).unwrap();
        let mut found = BTreeSet::new();
        let mut changed = 0;
        while let Event::Message(received) = reader.poll().unwrap() {
            let whole = (0..100).find(|number| numbered(*number) == received.frames);
            match whole {
                Some(number) => assert!(found.insert(number), "at {at}: {number} twice"),
                None => changed += 1,
            }
        }
        assert!(found.len() >= 98 && changed <= 1, "at {at}: {} {changed}", found.len());
        assert_eq!(recovery.messages, found.len() as u64 + changed, "at {at}");
        assert!(verify(&out).unwrap().is_sound(), "at {at}");
        fs::remove_file(&out).unwrap();
    }
    for cut in [100, 1000, 10_000, 400_000, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert!(!verify(&path).unwrap().is_sound(), "cut at {cut}");
        match recover(&path, &out) {
            Ok(recovery) => {
                let numbers = numbers(&out);
                assert_eq!(numbers, (0..recovery.messages).collect::<Vec<_>>(), "cut at {cut}");
                fs::remove_file(&out).unwrap();
            }
            Err(error) => assert!(cut < 300_000, "cut at {cut}: {error}"),
        }
    }
}

/// Returns the attachments of a file: name, time and data.
fn attachments(path: &Path) -> Vec<(String, u64, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let indexes = summary.attachment_indexes.iter();
    let attachments = indexes.map(|index| mcap::read::attachment(&bytes, index).unwrap());
    attachments.map(|it| (it.name, it.log_time, it.data.into_owned())).collect()
}

#[test]
fn start_messages_of_series_that_began_in_another_file_are_carried_over_once() {
    let dir = Dir::new();
    let rotation = Rotation { max_size: Some(500_000), ..Rotation::default() };
    let path = dir.path("x.mcap");
    let mut writer =
        Box::new(RotatingWriter::create(&path, McapOptions::default(), rotation).unwrap());
    let origin = Origin::new("tcp://detector:1");
    let start = |series: u64| {
        let header = format!(r#"{{"htype":"dheader-1.0","series":{series}}}"#);
        Frames::from([header.into_bytes(), b"config".to_vec()])
    };
    let messages = [start(3), numbered(10), numbered(20), start(4), numbered(11)];
    for (number, frames) in (0..).zip(messages) {
        let time = Timestamp::from_nanos(1000 + number);
        writer.record(Received { frames, time, origin: Arc::clone(&origin) }, number).unwrap();
    }
    writer.close(Fsync::Never).unwrap();
    for name in ["x-0000.mcap", "x-0001.mcap"] {
        let (path, out) = (dir.path(name), dir.path("out.mcap"));
        let recovery = recover(&path, &out).unwrap();
        assert_eq!(recovery.damages, []);
        let (mut old, mut new) = (attachments(&path), attachments(&out));
        old.sort();
        new.sort();
        assert_eq!(new, old, "{name}");
        assert!(verify(&out).unwrap().is_sound());
        fs::remove_file(&out).unwrap();
    }
    let names = attachments(&dir.path("x-0001.mcap"));
    let names: Vec<_> = names.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["series-3-header", "series-4-header"]);
}

#[test]
fn a_damaged_attachment_is_left_out_and_reported() {
    let dir = Dir::new();
    let (path, out) = (dir.path("x.mcap"), dir.path("out.mcap"));
    let mut writer = mcap::Writer::new(fs::File::create(&path).unwrap()).unwrap();
    for (name, data) in [("good", b"1234"), ("bad", b"5678")] {
        let (name, media_type) = (name.to_owned(), "text/plain".to_owned());
        let data = data.as_slice().into();
        let attachment = mcap::Attachment { log_time: 1, create_time: 1, name, media_type, data };
        writer.attach(&attachment).unwrap();
    }
    let schema = writer.add_schema("mflow.Message", "protobuf", b"").unwrap();
    let id = writer.add_channel(schema, "/a/raw-1.0", "protobuf", &BTreeMap::new()).unwrap();
    let header = MessageHeader { channel_id: id, sequence: 0, log_time: 1, publish_time: 1 };
    writer.write_to_known_channel(&header, b"\x0a\x01a").unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|window| window == b"5678").unwrap();
    bytes[at] = b'x';
    fs::write(&path, &bytes).unwrap();
    let recovery = recover(&path, &out).unwrap();
    let [damage] = recovery.damages.as_slice() else { panic!("{:?}", recovery.damages) };
    assert_eq!(damage.what, "an attachment is damaged: it is left out");
    assert_eq!(attachments(&out), [("good".to_owned(), 1, b"1234".to_vec())]);
}

#[test]
fn files_of_others_are_verified_and_recovered() {
    let dir = Dir::new();
    let (path, out) = (dir.path("foreign.mcap"), dir.path("out.mcap"));
    for options in [
        WriteOptions::new().compression(None),
        WriteOptions::new().compression(Some(Compression::Zstd)),
        WriteOptions::new().compression(Some(Compression::Lz4)).calculate_data_section_crc(true),
        WriteOptions::new().use_chunks(false),
    ] {
        let mut writer = options.chunk_size(Some(5000)).create(Cursor::new(Vec::new())).unwrap();
        let ours = writer.add_schema("mflow.Message", "protobuf", b"").unwrap();
        let id = writer.add_channel(ours, "/a/raw-1.0", "protobuf", &BTreeMap::new()).unwrap();
        for number in 0..100_u32 {
            let log_time = 1000 + u64::from(number);
            let header = MessageHeader {
                channel_id: id,
                sequence: number,
                log_time,
                publish_time: log_time,
            };
            let data: Vec<u8> = (0..=number.to_le_bytes()[0]).collect();
            let length = u8::try_from(data.len()).unwrap();
            writer.write_to_known_channel(&header, &[&[0x0a, length][..], &data].concat()).unwrap();
        }
        writer
            .attach(&mcap::Attachment {
                log_time: 1,
                create_time: 1,
                name: "notes".into(),
                media_type: "text/plain".into(),
                data: b"hello".as_slice().into(),
            })
            .unwrap();
        writer.finish().unwrap();
        let bytes = writer.into_inner().into_inner();
        fs::write(&path, &bytes).unwrap();
        let verification = verify(&path).unwrap();
        assert_eq!(verification.damages, []);
        assert_eq!((verification.messages, verification.attachments), (100, 1));
        let info = info(&path, Detail::Messages).unwrap();
        assert_eq!(info.attachments[0].name, "notes");
        assert_eq!(info.channels[0].bytes, 5050);

        let recovery = recover(&path, &out).unwrap();
        assert_eq!((recovery.messages, recovery.damaged_places), (100, 0));
        assert_eq!(attachments(&out), [("notes".to_owned(), 1, b"hello".to_vec())]);
        fs::remove_file(&out).unwrap();
        // Damage in the middle of the data.
        let mut broken = bytes;
        let middle = broken.len() / 3;
        broken[middle..middle + 8].fill(0xff);
        fs::write(&path, &broken).unwrap();
        assert!(!verify(&path).unwrap().is_sound());
        let recovery = recover(&path, &out).unwrap();
        assert!((10..=100).contains(&recovery.messages), "{recovery:?}");
        assert!(verify(&out).unwrap().is_sound());
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn what_belongs_to_others_is_counted_where_it_has_chunks_of_its_own() {
    let dir = Dir::new();
    let (path, out) = (dir.path("mixed.mcap"), dir.path("out.mcap"));
    let options = WriteOptions::new().compression(None).chunk_size(Some(1000));
    let mut writer = options.create(Cursor::new(Vec::new())).unwrap();
    for (name, bytes) in [("other.Message", &b"theirs"[..]), ("mflow.Message", b"\x0a\x04ours")] {
        let schema = writer.add_schema(name, "protobuf", b"").unwrap();
        let id = writer.add_channel(schema, "/a/b", "protobuf", &BTreeMap::new()).unwrap();
        for time in 1..4 {
            let header =
                MessageHeader { channel_id: id, sequence: 0, log_time: time, publish_time: time };
            writer.write_to_known_channel(&header, bytes).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    fs::write(&path, writer.into_inner().into_inner()).unwrap();
    let recovery = recover(&path, &out).unwrap();
    assert_eq!((recovery.messages, recovery.foreign, recovery.damaged_places), (3, 3, 0));
}

#[test]
fn channels_of_one_topic_are_listed_separately() {
    let dir = Dir::new();
    let path = dir.path("same.mcap");
    let mut writer = McapWriter::create(&path, McapOptions::default()).unwrap();
    for (mode, frames) in [("PULL", [0, 1, 2]), ("SUB", [0, 1, 9])] {
        let (name, label) = ("tcp://det:1".to_owned(), Some("det".to_owned()));
        let origin = Arc::new(Origin { name, label, mode: Some(mode.into()) });
        for frame in frames {
            let header = format!(r#"{{"htype":"x-1.0","frame":{frame}}}"#).into_bytes();
            let frames = Frames::from([header]);
            let (time, origin) = (Timestamp::from_nanos(1), Arc::clone(&origin));
            writer.write(&Received { frames, time, origin }).unwrap();
        }
    }
    writer.finish().unwrap();
    let channels = info(&path, Detail::Index).unwrap().channels;
    let printed: Vec<_> =
        channels.iter().map(|it| (&*it.topic, it.mode.as_deref(), it.lost)).collect();
    let topic = "/det/x-1.0";
    assert_eq!(printed, [(topic, Some("PULL"), Some(0)), (topic, Some("SUB"), Some(7))]);
}

#[test]
fn random_damage_never_does_harm() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let dir = Dir::new();
    let (whole, path, out) = (dir.path("whole.mcap"), dir.path("x.mcap"), dir.path("out.mcap"));
    record(&whole, (1..40).filter(|number| number % 10 != 0), true).finish().unwrap();
    let bytes = fs::read(&whole).unwrap();
    for _ in 0..300 {
        let mut broken = bytes.clone();
        for _ in 0..=next() % 20 {
            let at = usize::try_from(next()).unwrap() % broken.len();
            // The structure is at the ends of what is small here.
            let at = if next() % 2 == 0 { at } else { broken.len() - 1 - at % 2000 };
            broken[at] = next().to_le_bytes()[0];
        }
        if next() % 4 == 0 {
            broken.truncate(usize::try_from(next()).unwrap() % broken.len());
        }
        fs::write(&path, &broken).unwrap();
        let _ = verify(&path);
        let _ = info(&path, Detail::Index);
        let _ = info(&path, Detail::Messages);
        if recover(&path, &out).is_ok() {
            assert!(verify(&out).unwrap().is_sound());
            fs::remove_file(&out).unwrap();
        }
    }
}
