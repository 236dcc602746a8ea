//! Files written here are read by the `mcap` crate.

use std::fs;
use std::path::PathBuf;

use mcap::records::Record;

use super::*;
use crate::recording::mcap::format::parts::{DESCRIPTOR, PartRanges};

/// A file of a test, which goes with it.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mflow-{name}-{}.mcap", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }

    fn write(&self, options: McapOptions, messages: &[Received]) -> Written {
        let mut writer = McapWriter::create(&self.0, options).unwrap();
        for message in messages {
            writer.write(message).unwrap();
        }
        writer.finish().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.0).unwrap()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn received(parts: &[&[u8]], time: u64, origin: &Arc<Origin>) -> Received {
    let frames = parts.iter().map(|part| Frame::from(*part)).collect();
    Received { frames, time: Timestamp::from_nanos(time), origin: Arc::clone(origin) }
}

fn parts(data: &[u8]) -> Vec<&[u8]> {
    PartRanges::of(data).map(|range| &data[range.unwrap()]).collect()
}

#[test]
fn messages_of_every_size_are_read_in_their_order() {
    let file = TestFile::new("sizes");
    let origin = Origin::new("tcp://detector:1");
    let large = vec![7; OWN_CHUNK];
    let payloads: [&[&[u8]]; 6] = [
        &[br#"{"htype":"array-1.0","frame":1}"#, b"small"],
        &[br#"{"htype":"array-1.0","frame":2}"#, &large],
        &[b"", b""],
        &[&large[..1025], b"", &large, br"x", &large],
        &[b"\xff no header", b"data"],
        &[br#"{"htype":"array-1.0","frame":5}"#],
    ];
    for options in
        [McapOptions::default(), McapOptions { crc: true, align: true, ..McapOptions::default() }]
    {
        let _ = fs::remove_file(&file.0);
        let messages: Vec<_> =
            (0..).zip(payloads).map(|(n, p)| received(p, 50 - n, &origin)).collect();
        let written = file.write(options, &messages);
        let bytes = file.bytes();
        assert_eq!((written.messages, written.dropped, written.size), (6, 0, bytes.len() as u64));
        let read: Vec<_> = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).collect();
        for (index, (message, payload)) in (0_u32..).zip(read.iter().zip(payloads)) {
            assert_eq!(parts(&message.data), payload);
            // The clock went backwards: times rise all the same.
            assert_eq!((message.log_time, message.sequence), (50 + u64::from(index), index));
            assert_eq!(message.publish_time, message.log_time);
        }
        let topics: Vec<_> = read.iter().map(|message| message.channel.topic.as_str()).collect();
        let (a, raw) = ("/s0/array-1.0", "/s0/raw");
        assert_eq!(topics, [a, a, raw, raw, raw, a]);
        assert_eq!(read[0].channel.metadata["address"], "tcp://detector:1");
        assert_eq!(read[0].channel.schema.as_ref().unwrap().data, DESCRIPTOR);
    }
}

#[test]
fn a_message_without_parts_is_refused_and_the_next_one_written() {
    let file = TestFile::new("no-parts");
    let origin = Origin::new("x");
    let mut writer = McapWriter::create(&file.0, McapOptions::default()).unwrap();
    let error = writer.write(&received(&[], 1, &origin)).unwrap_err();
    assert!(matches!(error.get(), Some(endpoint::Error::NoParts { .. })));
    assert_eq!(error.place(), file.0.display().to_string());
    writer.write(&received(&[b""], 2, &origin)).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!((written.messages, written.dropped), (1, 0));
    let bytes = file.bytes();
    let read = mcap::MessageStream::new(&bytes).unwrap().map(|read| read.unwrap().sequence);
    assert_eq!(read.collect::<Vec<_>>(), [0]);
}

#[test]
fn the_summary_finds_everything() {
    let file = TestFile::new("summary");
    let origin = Arc::new(Origin { label: Some("a".into()), ..Origin::new("x").as_ref().clone() });
    let start: &[&[u8]] = &[br#"{"htype":"dheader-1.0","series":4}"#, b"config"];
    let image = br#"{"htype":"dimage-1.0","series":4,"frame":7}"#;
    let large = vec![1; OWN_CHUNK];
    let messages = [
        received(start, 10, &origin),
        received(&[image, &large], 20, &origin),
        received(&[br#"{"htype":"dimage-1.0","series":4,"frame":9}"#], 30, &origin),
        // The same start message again is not attached again.
        received(start, 40, &origin),
    ];
    let options = McapOptions {
        session: vec![("mode".into(), "PULL".into())],
        user: vec![("sample".into(), "lysozyme".into())],
        crc: true,
        ..McapOptions::default()
    };
    file.write(options, &messages);
    let bytes = file.bytes();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let statistics = summary.stats.as_ref().unwrap();
    assert_eq!((statistics.message_count, statistics.chunk_count), (4, 3));
    assert_eq!((statistics.message_start_time, statistics.message_end_time), (10, 40));
    assert_eq!(statistics.channel_message_counts, [(1, 2), (2, 2)].into());
    let mut indexed = Vec::new();
    for chunk in &summary.chunk_indexes {
        for message in summary.stream_chunk(&bytes, chunk).unwrap() {
            let message = message.unwrap();
            indexed.push((message.log_time, message.channel.topic.clone()));
        }
        let indexes = summary.read_message_indexes(&bytes, chunk).unwrap();
        for (channel, entries) in indexes {
            for entry in entries {
                let read = summary.seek_message(&bytes, chunk, &entry).unwrap();
                assert_eq!((read.log_time, &read.channel), (entry.log_time, &channel));
            }
        }
    }
    let (header, images) = ("/a/dheader-1.0".to_owned(), "/a/dimage-1.0".to_owned());
    let expected = [(10, header.clone()), (20, images.clone()), (30, images), (40, header)];
    assert_eq!(indexed, expected);
    let [attachment] = &summary.attachment_indexes[..] else { panic!() };
    assert_eq!((attachment.name.as_str(), attachment.log_time), ("series-4-header", 10));
    let attachment = mcap::read::attachment(&bytes, attachment).unwrap();
    assert_eq!(
        (attachment.media_type.as_str(), parts(&attachment.data)),
        (start::MEDIA_TYPE, start.to_vec())
    );
    let metadata: Vec<_> = summary
        .metadata_indexes
        .iter()
        .map(|index| mcap::read::metadata(&bytes, index).unwrap())
        .collect();
    assert_eq!(metadata[0].name, SESSION);
    assert_eq!(metadata[0].metadata["mode"], "PULL");
    assert_eq!(
        (metadata[1].name.as_str(), &metadata[1].metadata["sample"][..]),
        (USER, "lysozyme")
    );
    let summary = &metadata[2].metadata;
    assert_eq!((metadata[2].name.as_str(), &summary["received"][..]), (SUMMARY, "4"));
    assert_eq!((&summary["lost /a/dimage-1.0"][..], &summary["dropped"][..]), ("1", "0"));
    assert_eq!(summary["bytes /a/dheader-1.0"], "80");
}

#[test]
fn what_precedes_an_unfinished_chunk_is_read_without_a_summary() {
    let file = TestFile::new("unfinished");
    let origin = Origin::new("x");
    let mut writer = McapWriter::create(&file.0, McapOptions::default()).unwrap();
    writer.write(&received(&[b"one"], 1, &origin)).unwrap();
    assert!(writer.flush_due().is_some());
    writer.flush().unwrap();
    assert_eq!(writer.flush_due(), None);
    writer.write(&received(&[b"two"], 2, &origin)).unwrap();
    drop(writer);
    let bytes = file.bytes();
    let mut names = Vec::new();
    for record in mcap::read::LinearReader::new_with_options(
        &bytes,
        mcap::read::Options::IgnoreEndMagic.into(),
    )
    .unwrap()
    {
        names.push(match record.unwrap() {
            Record::Header(_) => "header",
            Record::Metadata(_) => "metadata",
            Record::Schema { .. } => "schema",
            Record::Channel(_) => "channel",
            Record::Chunk { .. } => "chunk",
            Record::MessageIndex(_) => "index",
            _ => "other",
        });
    }
    assert_eq!(names, ["header", "metadata", "schema", "channel", "chunk", "index"]);
}

#[test]
fn small_messages_are_batched_up_to_a_size() {
    let file = TestFile::new("batched");
    let origin = Origin::new("x");
    let messages: Vec<_> = (0..40).map(|n| received(&[&[0; 100_000]], n, &origin)).collect();
    file.write(McapOptions::default(), &messages);
    let bytes = file.bytes();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let sizes: Vec<_> =
        summary.chunk_indexes.iter().map(|chunk| chunk.chunk_length / 100_000).collect();
    assert_eq!(sizes, [10, 10, 10, 10]);
}

#[test]
fn the_largest_part_begins_at_a_page_where_that_is_asked_for() {
    let file = TestFile::new("aligned");
    let origin = Origin::new("x");
    let large = [vec![b'L'; OWN_CHUNK], b"end".to_vec()].concat();
    let messages: Vec<_> = (0..5)
        .map(|n| received(&[&vec![0; 777 * n], &large, b"appendix"], n as u64, &origin))
        .collect();
    file.write(McapOptions { align: true, ..McapOptions::default() }, &messages);
    let bytes = file.bytes();
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        assert_eq!(parts(&message.unwrap().data)[1], large);
    }
    let begins = memmem(&bytes, &vec![b'L'; 4096]);
    assert_eq!(begins.len(), 5);
    assert!(begins.iter().all(|begin| begin % 4096 == 0), "{begins:?}");
}

/// Finds where runs of something begin.
fn memmem(bytes: &[u8], run: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + run.len() <= bytes.len() {
        if bytes[at] != run[0] {
            at += 1;
        } else if bytes[at..].starts_with(run) {
            found.push(at);
            at += OWN_CHUNK;
        } else {
            at += 1;
        }
    }
    found
}

#[test]
fn a_file_that_exists_is_not_touched() {
    let file = TestFile::new("exists");
    fs::write(&file.0, "somebody's").unwrap();
    let error = McapWriter::create(&file.0, McapOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create '{}'", file.0.display()));
    assert_eq!(file.bytes(), b"somebody's");
}

#[test]
fn messages_that_were_lost_are_counted_in_the_summary() {
    let file = TestFile::new("lost");
    let origin = Origin::new("x");
    let mut writer = McapWriter::create(&file.0, McapOptions::default()).unwrap();
    writer.write(&received(&[b"one"], 1, &origin)).unwrap();
    writer.count_dropped(&origin, Some("dimage-1.0"), 3);
    assert_eq!(writer.finish().unwrap().dropped, 3);
    let bytes = file.bytes();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let index = summary.metadata_indexes.last().unwrap();
    let summary = mcap::read::metadata(&bytes, index).unwrap().metadata;
    assert_eq!((&summary["received"][..], &summary["dropped"][..]), ("4", "3"));
    assert_eq!(summary["dropped /s0/dimage-1.0"], "3");
}
