//! Reading MCAP files of other writers, in every way there is, and broken ones.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

mod harness;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use harness::Dir;
use mcap::{Compression, WriteOptions, records::MessageHeader};
use mflow::recording::{self, McapReader, Recording, Seek};
use mflow::tools::{Ending, Interval, Reporter, Silent, Total, stats};
use mflow::{Error, Event, Frames, Source, Stop, Timestamp};

/// The parts of a message as protobuf.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::new();
    for part in parts {
        data.push(0x0a);
        let mut left = part.len();
        while left > 0x7f {
            data.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
            left >>= 7;
        }
        data.push(u8::try_from(left).unwrap());
        data.extend(*part);
    }
    data
}

/// A message of two parts that says its number in both.
fn numbered(number: u64, size: usize) -> [Vec<u8>; 2] {
    let header = format!(r#"{{"htype":"raw-1.0","frame":{number}}}"#).into_bytes();
    let mut data = number.to_le_bytes().repeat(size.div_ceil(8));
    data.truncate(size);
    [header, data]
}

/// Writes files as the crate `mcap` does.
struct Foreign {
    writer: mcap::Writer<Cursor<Vec<u8>>>,
    channels: Vec<u16>,
    sequence: u32,
}

impl Foreign {
    fn new(options: WriteOptions) -> Self {
        let mut writer = options.create(Cursor::new(Vec::new())).unwrap();
        let ours = writer.add_schema("mflow.Message", "protobuf", b"no matter").unwrap();
        let other = writer.add_schema("somebody.Else", "protobuf", b"").unwrap();
        let address = |address: &str| {
            BTreeMap::from([("address".into(), address.into()), ("mode".into(), "PULL".into())])
        };
        let channels = vec![
            writer.add_channel(ours, "/a/raw-1.0", "protobuf", &address("tcp://a:1")).unwrap(),
            writer.add_channel(ours, "/b/raw-1.0", "protobuf", &address("tcp://b:2")).unwrap(),
            writer.add_channel(other, "/c", "protobuf", &BTreeMap::new()).unwrap(),
        ];
        Self { writer, channels, sequence: 0 }
    }

    fn write(&mut self, channel: usize, time: u64, data: &[u8]) {
        let header = MessageHeader {
            channel_id: self.channels[channel],
            sequence: self.sequence,
            log_time: time,
            publish_time: time,
        };
        self.sequence += 1;
        self.writer.write_to_known_channel(&header, data).unwrap();
    }

    /// Writes a message that says its time.
    fn number(&mut self, channel: usize, time: u64, size: usize) {
        let [header, data] = numbered(time, size);
        self.write(channel, time, &framed(&[&header, &data]));
    }

    fn finish(mut self) -> Vec<u8> {
        self.writer.finish().unwrap();
        self.writer.into_inner().into_inner()
    }

    /// Returns the bytes of a file whose writer does not finish.
    fn killed(mut self) -> Vec<u8> {
        self.writer.flush().unwrap();
        self.writer.into_inner().into_inner()
    }
}

fn file(dir: &Dir, bytes: &[u8]) -> PathBuf {
    let path = dir.path("recording.mcap");
    fs::write(&path, bytes).unwrap();
    path
}

/// Writes a closed file of so many messages of 1000 bytes in chunks of 5000.
fn in_chunks(dir: &Dir, messages: u64) -> PathBuf {
    let mut foreign = Foreign::new(WriteOptions::new().chunk_size(Some(5000)).compression(None));
    (0..messages).for_each(|time| foreign.number(0, time, 1000));
    file(dir, &foreign.finish())
}

/// Reads to the end: the times, labels and sizes; every message must be one of `numbered`.
fn read(reader: &mut dyn Recording) -> Vec<(u64, String, usize)> {
    let mut messages = Vec::new();
    while let Event::Message(received) = reader.poll().unwrap() {
        let size = received.frames[1].len();
        let time = received.time.as_nanos();
        assert!(received.frames == Frames::from(numbered(time, size)), "message {time}");
        messages.push((time, received.origin.label.clone().unwrap(), size));
    }
    messages
}

fn times(reader: &mut dyn Recording) -> Vec<u64> {
    read(reader).into_iter().map(|(time, ..)| time).collect()
}

/// The ways in which others write.
fn ways() -> Vec<(&'static str, WriteOptions)> {
    let chunks = || WriteOptions::new().chunk_size(Some(10_000));
    vec![
        ("uncompressed", chunks().compression(None)),
        ("zstd", chunks().compression(Some(Compression::Zstd))),
        ("lz4", chunks().compression(Some(Compression::Lz4))),
        ("no chunks", WriteOptions::new().use_chunks(false)),
        ("no summary", chunks().compression(None).emit_summary_records(false)),
        ("no message indexes", chunks().compression(None).emit_message_indexes(false)),
        ("no chunk indexes", chunks().emit_chunk_indexes(false)),
        ("no channels in the summary", chunks().repeat_channels(false).repeat_schemas(false)),
        ("no checksums", chunks().calculate_chunk_crcs(false).calculate_summary_section_crc(false)),
    ]
}

#[test]
fn every_way_of_writing_is_read_the_same() {
    for (name, options) in ways() {
        let dir = Dir::new();
        let mut foreign = Foreign::new(options);
        let mut expected = Vec::new();
        for time in 1..=300 {
            let channel = usize::try_from(time % 3).unwrap();
            if channel == 2 {
                foreign.write(2, time, b"not of ours");
            } else {
                let size = usize::try_from(time * 37 % 3000).unwrap();
                foreign.number(channel, time, size);
                expected.push((time, ["a", "b"][channel].to_owned(), size));
            }
        }
        let mut reader = McapReader::open(&file(&dir, &foreign.finish())).unwrap();
        assert_eq!(reader.messages(), Some(200), "{name}");
        assert_eq!(
            reader.span().unwrap(),
            (Timestamp::from_nanos(1), Timestamp::from_nanos(300)),
            "{name}"
        );
        assert_eq!(read(&mut reader), expected, "{name}");
        assert_eq!((reader.position(), reader.report().damaged), (199, 0), "{name}");
        let notices = reader.report().notices.join("\n");
        assert!(notices.contains("leaving out 100 messages of other schemas: 'somebody.Else'"));
        let origins: Vec<_> = reader.origins().iter().map(|origin| (**origin).clone()).collect();
        let names: Vec<_> = origins.iter().map(|origin| origin.name.as_str()).collect();
        assert_eq!(names, ["tcp://a:1", "tcp://b:2"], "{name}");
        assert_eq!(origins[0].mode, Some("PULL".into()));

        for number in [0, 1, 57, 198, 199] {
            reader.seek(Seek::Message(number)).unwrap();
            let rest = &expected[usize::try_from(number).unwrap()..];
            assert_eq!(read(&mut reader), rest, "{name}: from {number}");
        }
        reader.seek(Seek::Message(200)).unwrap();
        assert!(matches!(reader.poll().unwrap(), Event::End));
        for time in [0, 1, 2, 150, 300] {
            reader.seek(Seek::Time(Timestamp::from_nanos(time))).unwrap();
            let rest: Vec<_> = expected.iter().filter(|(of, ..)| *of >= time).cloned().collect();
            assert_eq!(read(&mut reader), rest, "{name}: from {time} ns");
            assert_eq!(reader.position(), 199, "{name}: from {time} ns");
        }
        reader.seek(Seek::Time(Timestamp::from_nanos(301))).unwrap();
        assert!(matches!(reader.poll().unwrap(), Event::End));
    }
}

/// Returns a file of ours with some more records at the end of its data section.
fn with_more_data(closed: &[u8], more: &[u8]) -> Vec<u8> {
    let number = |at: usize| u64::from_le_bytes(closed[at..at + 8].try_into().unwrap());
    let footer = closed.len() - 8 - 29;
    let (summary, offsets) = (number(footer + 9), number(footer + 17));
    // Ahead of the summary is the end of the data: an opcode, a length, a checksum.
    let data_end = usize::try_from(summary).unwrap() - 13;
    let mut bytes = [&closed[..data_end], more, &closed[data_end..]].concat();
    let footer = footer + more.len();
    for (at, value) in [(footer + 9, summary), (footer + 17, offsets)] {
        let moved = value + more.len() as u64;
        bytes[at..at + 8].copy_from_slice(&moved.to_le_bytes());
    }
    // No checksum of the summary.
    bytes[footer + 25..footer + 29].fill(0);
    bytes
}

#[test]
fn parts_are_found_wherever_they_begin_in_a_chunk() {
    let dir = Dir::new();
    let mut foreign = Foreign::new(WriteOptions::new().chunk_size(Some(1)).compression(None));
    // What is ahead of the large part ends before, at and behind the first KiB of the chunk.
    let sizes = 900..1040_u16;
    let message = |size: u16| {
        [vec![b'x'; usize::from(size)], size.to_le_bytes().repeat(40_000), vec![b'y'; 9]]
    };
    for size in sizes.clone() {
        let parts = message(size);
        foreign.write(0, size.into(), &framed(&parts.each_ref().map(Vec::as_slice)));
    }
    let mut reader = McapReader::open(&file(&dir, &foreign.finish())).unwrap();
    for size in sizes {
        let Event::Message(received) = reader.poll().unwrap() else { panic!("{size}: no message") };
        assert!(received.frames == Frames::from(message(size)), "{size}");
    }
    assert!(matches!(reader.poll().unwrap(), Event::End));
}

#[test]
fn messages_beside_the_chunks_of_a_closed_file_are_read_too() {
    let dir = Dir::new();
    let mut foreign = Foreign::new(WriteOptions::new().compression(None));
    for time in 1..=5 {
        foreign.number(0, time, 100);
    }
    let channel = foreign.channels[0];
    let closed = foreign.finish();
    let [header, data] = numbered(6, 100);
    let data = framed(&[&header, &data]);
    let mut loose = vec![5];
    loose.extend((22 + data.len() as u64).to_le_bytes());
    loose.extend(channel.to_le_bytes());
    loose.extend(5_u32.to_le_bytes());
    loose.extend([6_u64.to_le_bytes(); 2].concat());
    loose.extend(data);
    let mut bytes = with_more_data(&closed, &loose);
    // The statistics count it: their first field is the number of all messages.
    let counted = [&5_u64.to_le_bytes()[..], &2_u16.to_le_bytes(), &3_u32.to_le_bytes()].concat();
    let at = bytes.windows(counted.len()).rposition(|window| window == counted).unwrap();
    bytes[at] = 6;
    let mut reader = McapReader::open(&file(&dir, &bytes)).unwrap();
    assert_eq!(times(&mut reader), [1, 2, 3, 4, 5, 6]);
    assert_eq!((reader.messages(), reader.is_closed()), (Some(6), true));
    let printed = "its summary does not say where messages are: it was read through";
    assert_eq!(reader.report().notices, [printed]);
}

#[test]
fn messages_of_chunks_that_overlap_come_in_the_order_of_their_times() {
    for compression in [None, Some(Compression::Zstd)] {
        let dir = Dir::new();
        let options = WriteOptions::new().chunk_size(Some(2000)).compression(compression);
        let mut foreign = Foreign::new(options);
        // Backwards within blocks of 64, so that chunks of about 20 overlap or come backwards.
        for block in 0..10 {
            for time in (block * 64..(block + 1) * 64).rev() {
                foreign.number(0, time, 60);
            }
        }
        let mut reader = McapReader::open(&file(&dir, &foreign.finish())).unwrap();
        assert!(times(&mut reader).into_iter().eq(0..640));
        for number in [0, 1, 63, 64, 65, 100, 639] {
            reader.seek(Seek::Message(number)).unwrap();
            assert!(times(&mut reader).into_iter().eq(number..640), "from {number}");
            reader.seek(Seek::Time(Timestamp::from_nanos(number))).unwrap();
            assert!(times(&mut reader).into_iter().eq(number..640), "from {number} ns");
            assert_eq!(reader.position(), 639);
        }
    }
}

#[test]
fn a_file_of_other_schemas_only_is_an_error_that_names_them() {
    let dir = Dir::new();
    for options in [WriteOptions::new(), WriteOptions::new().use_chunks(false)] {
        let mut writer = options.create(Cursor::new(Vec::new())).unwrap();
        let schema = writer.add_schema("foxglove.Log", "jsonschema", b"{}").unwrap();
        let id = writer.add_channel(schema, "/log", "json", &BTreeMap::new()).unwrap();
        let header = MessageHeader { channel_id: id, sequence: 0, log_time: 1, publish_time: 1 };
        writer.write_to_known_channel(&header, b"{}").unwrap();
        writer.finish().unwrap();
        let path = file(&dir, &writer.into_inner().into_inner());
        let error = McapReader::open(&path).unwrap_err();
        assert!(
            matches!(error.get(), Some(recording::Error::NotARecording { reason, .. }) if reason
            == "its messages have other schemas than mflow.Message: 'foxglove.Log'")
        );
    }
}

#[test]
fn what_is_no_mcap_file_is_an_error_that_says_so() {
    let dir = Dir::new();
    let reason = |path: &Path| {
        let error = McapReader::open(path).unwrap_err();
        match error.get() {
            Some(recording::Error::NotARecording { reason, .. }) => reason.clone(),
            _ => error.to_string(),
        }
    };
    assert_eq!(reason(&file(&dir, b"")), "it is empty");
    let other = "it does not begin as an MCAP file does";
    assert_eq!(reason(&file(&dir, b"\x89MCAP")), other);
    assert_eq!(reason(&file(&dir, &[7; 1000])), other);
    assert_eq!(reason(&dir.path("")), "it is not a file");
    let missing = dir.path("missing.mcap");
    assert_eq!(reason(&missing), format!("cannot read '{}'", missing.display()));
}

#[test]
fn a_file_that_grows_is_read_as_far_as_it_is_whole() {
    for (name, options) in ways() {
        let dir = Dir::new();
        let mut foreign = Foreign::new(options);
        for time in 0..60 {
            foreign.number(0, time, 1000);
        }
        let bytes = foreign.finish();
        let path = file(&dir, &bytes[..8]);
        let mut growing = File::options().append(true).open(&path).unwrap();
        let mut reader = McapReader::open(&path).unwrap();
        assert_eq!((reader.messages(), reader.is_closed()), (None, false));
        let mut read = Vec::new();
        for piece in bytes[8..].chunks(777) {
            growing.write_all(piece).unwrap();
            read.extend(times(&mut reader));
        }
        assert!(read.into_iter().eq(0..60), "{name}");
        assert_eq!(reader.report().damaged, 0, "{name}");
        let closed = McapReader::open(&path).unwrap();
        assert_eq!((closed.messages(), closed.is_closed()), (Some(60), true), "{name}");
    }
}

#[test]
fn a_file_whose_writer_was_killed_is_read_and_found_in() {
    let dir = Dir::new();
    for options in
        [WriteOptions::new().chunk_size(Some(5000)), WriteOptions::new().use_chunks(false)]
    {
        let mut foreign = Foreign::new(options);
        for time in 0..60 {
            foreign.number(0, time, 1000);
        }
        let mut reader = McapReader::open(&file(&dir, &foreign.killed())).unwrap();
        assert_eq!(reader.report().notices, ["it has no end: its writer is still at it, or died"]);
        assert!(times(&mut reader).into_iter().eq(0..60));
        reader.seek(Seek::Message(31)).unwrap();
        assert!(times(&mut reader).into_iter().eq(31..60));
        reader.seek(Seek::Time(Timestamp::from_nanos(59))).unwrap();
        assert!(times(&mut reader).into_iter().eq(59..60));
    }
}

#[test]
fn a_file_that_is_truncated_under_its_reader_is_an_error_and_the_end() {
    let dir = Dir::new();
    let path = in_chunks(&dir, 600);
    let mut reader = McapReader::open(&path).unwrap();
    for _ in 0..10 {
        assert!(matches!(reader.poll().unwrap(), Event::Message(_)));
    }
    File::options().write(true).open(&path).unwrap().set_len(20_000).unwrap();
    let mut rest = 0;
    let error = loop {
        match reader.poll() {
            Ok(Event::Message(_)) => rest += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(rest < 10);
    assert_eq!(error.to_string(), format!("cannot read '{}'", path.display()));
    assert!(matches!(reader.poll().unwrap(), Event::End));
}

/// Notes what is reported: how many messages there were in each interval, and in the total.
#[derive(Default)]
struct Reported(Vec<(&'static str, u64)>);

impl Reporter for Reported {
    fn interval(&mut self, interval: &Interval) -> io::Result<()> {
        self.0.push(("interval", interval.throughput.messages));
        Ok(())
    }

    fn total(&mut self, total: &Total) -> io::Result<()> {
        self.0.push(("total", total.throughput.messages));
        Ok(())
    }
}

#[test]
fn messages_before_a_run_broke_off_are_summed_up() {
    let dir = Dir::new();
    let path = in_chunks(&dir, 600);
    let mut reader = McapReader::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(20_000).unwrap();
    let (options, mut reported) = (stats::Options::default(), Reported::default());
    let (stop, observer) = (Stop::never(), &mut Silent);
    let failure = stats::run(&mut reader, &options, &stop, &mut reported, observer).unwrap_err();
    let done = failure.done.as_ref().expect("a summary");
    assert_eq!(done.findings.ending, Ending::Failed);
    assert!((1..20).contains(&done.total.messages), "{done:?}");
    assert_eq!(reported.0.last(), Some(&("total", done.total.messages)));
    let error = Error::from(failure);
    assert!(matches!(error.get(), Some(recording::Error::File { verb: "read", .. })));
}

#[test]
fn a_closed_file_that_may_not_be_mapped_is_read() {
    let dir = Dir::new();
    let path = in_chunks(&dir, 60);
    // There is no lease of a file that a program may be about to write.
    let writer = File::options().append(true).open(&path).unwrap();
    let mut reader = McapReader::open(&path).unwrap();
    assert!(times(&mut reader).into_iter().eq(0..60));
    reader.seek(Seek::Message(31)).unwrap();
    assert!(times(&mut reader).into_iter().eq(31..60));
    drop(writer);
}

#[test]
fn messages_without_readable_parts_are_left_out_and_counted_once() {
    let dir = Dir::new();
    let mut foreign = Foreign::new(WriteOptions::new());
    foreign.number(0, 1, 10);
    foreign.write(0, 2, b"\x0a\x05cut");
    foreign.write(0, 3, b"");
    foreign.number(0, 4, 10);
    let mut reader = McapReader::open(&file(&dir, &foreign.finish())).unwrap();
    for _ in 0..2 {
        assert_eq!(times(&mut reader), [1, 4]);
        assert_eq!((reader.report().damaged, reader.position()), (2, 3));
        reader.seek(Seek::Message(0)).unwrap();
    }
}

/// Reads whatever can be read; there are bounds to how much that may be.
fn exhaust(path: &Path) -> u64 {
    let Ok(mut reader) = McapReader::open(path) else { return 0 };
    let _ = (reader.report().notices, reader.messages(), reader.span());
    let mut messages = 0;
    let mut errors = 0;
    for _ in 0..100_000 {
        match reader.poll() {
            Ok(Event::Message(_)) => messages += 1,
            Ok(_) => break,
            Err(_) => errors += 1,
        }
    }
    assert!(messages + errors < 100_000, "it has no end");
    let _ = reader.seek(Seek::Message(7));
    let _ = reader.poll();
    let _ = reader.seek(Seek::Time(Timestamp::from_nanos(20)));
    let _ = reader.poll();
    messages
}

#[test]
fn a_file_cut_at_any_byte_gives_what_was_whole() {
    for (name, options) in ways() {
        let dir = Dir::new();
        let mut foreign = Foreign::new(options.chunk_size(Some(500)));
        for time in 0..12 {
            foreign.number(0, time, 100);
        }
        let bytes = foreign.finish();
        let mut previous = 0;
        for cut in 8..bytes.len() {
            let path = file(&dir, &bytes[..cut]);
            let messages = exhaust(&path);
            assert!(messages >= previous, "{name}: {messages} of {cut} bytes, {previous} of less");
            previous = messages;
        }
        assert_eq!(previous, 12, "{name}");
    }
}

#[test]
fn flipped_bytes_do_no_harm() {
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for (_, options) in ways() {
        let dir = Dir::new();
        let mut foreign = Foreign::new(options.chunk_size(Some(500)));
        for time in 0..20 {
            foreign.number(usize::try_from(time % 2).unwrap(), time, 100);
        }
        let bytes = foreign.finish();
        for _ in 0..1000 {
            let mut broken = bytes.clone();
            for _ in 0..=next() % 3 {
                let at = usize::try_from(next()).unwrap() % broken.len();
                broken[at] = match next() % 3 {
                    0 => 0xff,
                    1 => 0,
                    _ => next().to_le_bytes()[0],
                };
            }
            exhaust(&file(&dir, &broken));
        }
    }
}
