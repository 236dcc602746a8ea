//! Recordings written here are read by others: the `mcap` crate, and Python's packages `mcap` and
//! `mcap-protobuf-support`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod harness;

use std::env;
use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use harness::{Dir, PATIENCE};
use mflow::recording::{self, McapOptions, McapWriter, Recorder, RecorderOptions};
use mflow::{Frame, Frames, Offer, Options, Origin, Received, Sink, Timestamp, open_sink};
use serde_json::{Value, json};

fn received(parts: &[&[u8]], time: u64, origin: &Arc<Origin>) -> Received {
    let frames: Frames = parts.iter().map(|part| Frame::from(*part)).collect();
    Received { frames, time: Timestamp::from_nanos(time), origin: Arc::clone(origin) }
}

const START: &[u8] = br#"{"htype":"dheader-1.0","series":4,"header_detail":"none"}"#;
const PULSE: &[u8] = br#"{"htype":"bsr_m-1.1","global_timestamp":{"sec":7,"ns":8}}"#;

/// Writes messages of every kind: small and large ones, empty parts, two sources.
fn write(path: &Path, options: McapOptions) {
    let camera = Arc::new(Origin {
        name: "tcp://camera:1".into(),
        label: Some("camera".into()),
        mode: Some("PULL".into()),
    });
    let machine = Origin::new("tcp://machine:2");
    let large = vec![7; 1 << 20];
    let medium = vec![8; 100_000];
    let mut writer = McapWriter::create(path, options).unwrap();
    for message in [
        received(&[START], 1000, &camera),
        received(&[br#"{"htype":"dimage-1.0","series":4,"frame":0}"#, &large], 2000, &camera),
        received(&[PULSE, b"", &medium, b""], 3000, &machine),
        received(&[b"\xff", &large, &medium], 3000, &machine),
        received(&[b""], 4000, &machine),
    ] {
        writer.write(&message).unwrap();
    }
    assert_eq!(writer.finish().unwrap().messages, 5);
}

fn options() -> McapOptions {
    McapOptions {
        session: vec![("address".into(), "tcp://camera:1".into())],
        user: vec![("sample".into(), "lysozyme".into())],
        crc: true,
        align: true,
        ..McapOptions::default()
    }
}

#[test]
fn python_reads_messages_times_parts_attachments_and_metadata() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let path = dir.path("x.mcap");
    write(&path, options());
    let run = |range: &[&str]| -> Value {
        let arguments = [path.to_str().unwrap()].into_iter().chain(range.iter().copied());
        let finished = peers.start("read_mcap.py", arguments).end().expect(0);
        serde_json::from_str(&finished.stdout).unwrap()
    };
    let read = run(&[]);
    let hex = |bytes: &[u8]| -> String {
        bytes[..bytes.len().min(16)].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let part = |bytes: &[u8]| json!([bytes.len(), hex(bytes)]);
    let message = |topic: &str, number: u64, times: (u64, u64), parts: &[&[u8]]| {
        let parts: Vec<_> = parts.iter().map(|bytes| part(bytes)).collect();
        json!({
            "topic": topic, "schema": "mflow.Message", "sequence": number,
            "log_time": times.0, "publish_time": times.1, "parts": parts,
        })
    };
    let (large, medium) = (vec![7; 1 << 20], vec![8; 100_000]);
    let image = br#"{"htype":"dimage-1.0","series":4,"frame":0}"#;
    let expected = json!([
        message("/camera/dheader-1.0", 0, (1000, 1000), &[START]),
        message("/camera/dimage-1.0", 1, (2000, 2000), &[image, &large]),
        message("/s1/bsr_m-1.1", 2, (3000, 7_000_000_008), &[PULSE, b"", &medium, b""]),
        message("/s1/raw", 3, (3001, 3001), &[b"\xff", &large, &medium]),
        message("/s1/raw", 4, (4000, 4000), &[b""]),
    ]);
    assert_eq!(read["messages"], expected);
    assert_eq!((&read["count"], &read["descriptors"]), (&json!(5), &json!(["Message"])));
    let length = u8::try_from(START.len()).unwrap();
    let data: String =
        [&[0x0a, length], START].concat().iter().map(|b| format!("{b:02x}")).collect();
    let attachment = json!(["series-4-header", "application/x-protobuf", 1000, data]);
    assert_eq!(read["attachments"], json!([attachment]));
    let metadata = &read["metadata"];
    assert_eq!(metadata["mflow.session"]["address"], "tcp://camera:1");
    assert_eq!(metadata["mflow.user"], json!({"sample": "lysozyme"}));
    assert_eq!(metadata["mflow.summary"]["received"], "5");
    assert_eq!(metadata["mflow.summary"]["dropped /s1/raw"], "0");

    let range = run(&["--start", "2000", "--end", "3001"]);
    let times: Vec<_> =
        range["messages"].as_array().unwrap().iter().map(|it| &it["log_time"]).collect();
    assert_eq!(times, [2000, 3000]);
}

/// Returns the program in a block of the page on recordings.
fn page(language: &str) -> &'static str {
    let text = include_str!("../docs/recordings.md");
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_python_of_the_docs_reads_a_recording() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    // The page is for messages whose headers are JSON: the streams in its examples have no others.
    let origin = Origin::new("tcp://detector:9999");
    let mut writer = McapWriter::create(&dir.path("run42.mcap"), options()).unwrap();
    for (time, parts) in [(1000, [PULSE, b"data"]), (2000, [START, b""])] {
        writer.write(&received(&parts, time, &origin)).unwrap();
    }
    writer.finish().unwrap();
    let finished = peers.start_code(page("python")).end().expect(0);
    let expected = format!(
        "1000 /s0/bsr_m-1.1 bsr_m-1.1 [{}, 4]\n2000 /s0/dheader-1.0 dheader-1.0 [{}, 0]\n",
        PULSE.len(),
        START.len()
    );
    assert_eq!(finished.stdout, expected);
}

#[test]
fn a_path_that_ends_in_mcap_is_a_recording() {
    let dir = Dir::new();
    let path = dir.path("x.mcap");
    let mut sink = open_sink(path.to_str().unwrap(), Options::push()).unwrap();
    let origin = Origin::new("x");
    for number in 0..100 {
        assert_eq!(sink.offer(&received(&[b"{}"], number, &origin)).unwrap(), Offer::Taken);
    }
    sink.finish(PATIENCE).unwrap();
    let bytes = fs::read(path).unwrap();
    let read = mcap::MessageStream::new(&bytes).unwrap();
    assert!(read.map(|message| message.unwrap().sequence).eq(0..100));
}

/// Names the file for the process that runs under a limit.
const LIMITED: &str = "MFLOW_TEST_LIMITED";

#[test]
fn a_file_that_may_not_grow_is_a_clear_error_and_whole_up_to_there() {
    if let Some(path) = env::var_os(LIMITED) {
        return record_until_it_fails(Path::new(&path));
    }
    let dir = Dir::new();
    let path = dir.path("limited.mcap");
    let test = "a_file_that_may_not_grow_is_a_clear_error_and_whole_up_to_there";
    let (program, path_text) = (env::current_exe().unwrap(), path.display());
    let finished = dir.shell(&format!(
        "trap '' XFSZ; ulimit -f 9000; {LIMITED}='{path_text}' exec '{}' --exact {test} --nocapture",
        program.display()
    ));
    let finished = finished.expect(0);
    let bytes = fs::read(&path).unwrap();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let read = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).count();
    assert!(read >= 4, "{read}");
    assert_eq!(summary.stats.unwrap().message_count, read as u64);
    let index = summary.metadata_indexes.last().unwrap();
    let printed = mcap::read::metadata(&bytes, index).unwrap().metadata;
    let dropped: usize = printed["dropped"].parse().unwrap();
    assert!(dropped > 0);
    let error =
        format!("{dropped} dropped: cannot write '{path_text}': File too large (os error 27)");
    assert!(finished.stdout.contains(&error), "{}", finished.stdout);
    assert_eq!(printed["received"], (read + dropped).to_string());
}

/// Prints the error that ends the recording.
fn record_until_it_fails(path: &Path) {
    let writer = McapWriter::create(path, McapOptions::default()).unwrap();
    let mut recorder = Box::new(Recorder::start(writer, RecorderOptions::default()).unwrap());
    let origin = Origin::new("x");
    let large = vec![7; 1 << 20];
    for number in 0..20 {
        if recorder.offer(&received(&[b"{}", &large], number, &origin)).is_err() {
            break;
        }
    }
    match recorder.finish(PATIENCE).unwrap_err().get() {
        Some(recording::Error::Unwritten { messages, source }) => {
            println!("{messages} dropped: {source}: {}", source.source().unwrap());
        }
        other => panic!("{other:?}"),
    }
}
