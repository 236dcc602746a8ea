//! Interoperability of recordings: what psi-mflow and psi-bsread send is recorded, and replayed to the
//! programs in Python that would have received it, with equal data.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::ffi::OsStr;
use std::path::PathBuf;

use harness::{Dir, Peers, Process, numbered, recording, vector};
use mflow::recording::{McapOptions, McapWriter};
use mflow::{Origin, Received, Timestamp};
use serde_json::{Value, json};

const ANY: &str = "tcp://127.0.0.1:*";

/// What a script of the peers has printed: a line of JSON for each message.
fn read_by(peer: Process) -> Vec<Value> {
    let finished = peer.end().expect(0);
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Has m_replay send x.mcap, as fast as it goes, to a script that prints what it receives.
fn replayed(dir: &Dir, start: impl FnOnce(&str) -> Process) -> Vec<Value> {
    let replay = dir.start("m_replay", ["x.mcap", "-a", ANY, "-r", "max"]);
    let read = read_by(start(&replay.endpoint()));
    replay.end().expect(0);
    read
}

/// The parts that Python's package `mcap` reads in x.mcap: the length and the beginning of each.
fn parts_in_python(dir: &Dir, peers: &Peers<'_>) -> Vec<Value> {
    let read = read_by(peers.start("read_mcap.py", [dir.path("x.mcap")])).remove(0);
    let messages = read["messages"].as_array().unwrap().iter();
    messages.map(|message| message["parts"].clone()).collect()
}

/// The cases that the encoders of the original can send at all.
const SENT: [&str; 7] = [
    "raw10_m_generate",
    "array10_dtypes_le",
    "array10_multi_segments",
    "dheader_all_appendix",
    "dheader_basic",
    "dimage_raw_514x1030_uint16",
    "dseries_end",
];

#[test]
fn a_stream_of_psi_mflow_is_recorded_and_read_by_psi_mflow_again() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let cases = SENT.map(vector);
    // What its receiver reads without a recording in between.
    let split =
        dir.start("m_split", [ANY, ANY, ANY, "--bind", "--on-full", "block", "--timeout", "60"]);
    let [direct, recorded, source] = <[String; 3]>::try_from(split.endpoints(3)).unwrap();
    let dump = dir.start("m_dump", [&recorded, "-o", "x.mcap"]);
    let first_parts = |case: &PathBuf| {
        recording(case).iter().filter(|(name, _)| name.ends_with("_000.raw")).count()
    };
    let messages = cases.iter().map(first_parts).sum::<usize>().to_string();
    let receiver = peers.start("receive.py", [&direct, &messages]);
    let arguments = [PathBuf::from(source)].into_iter().chain(cases);
    peers.start("send.py", arguments).end().expect(0);
    let direct = read_by(receiver);
    split.interrupt().expect(0);
    dump.interrupt().expect(0);

    let read = replayed(&dir, |endpoint| peers.start("receive.py", [endpoint, &messages]));
    assert_eq!(read, direct);
    assert_eq!(parts_in_python(&dir, &peers).len(), direct.len());
}

#[test]
fn pulses_of_psi_bsread_are_recorded_and_read_by_psi_bsread_again() {
    for compression in [None, Some("bitshuffle_lz4")] {
        let dir = Dir::new();
        let Some(peers) = dir.peers() else { return };
        let dump = dir.start("m_dump", [ANY, "--bind", "-o", "x.mcap", "-n", "5"]);
        let endpoint = dump.endpoint();
        let (address, port) = endpoint.rsplit_once(':').unwrap();
        let options = compression.into_iter().flat_map(|name| ["--compression", name]);
        let arguments = [address, port, "5"].into_iter().chain(options);
        peers.start("send_bsread.py", arguments).end().expect(0);
        dump.end().expect(0);

        let read = replayed(&dir, |endpoint| {
            let host = endpoint.strip_prefix("tcp://").unwrap();
            let (host, port) = host.rsplit_once(':').unwrap();
            peers.start("receive_bsread.py", [host, port, "5"])
        });
        let expected: Vec<_> = (0..5).map(pulse).collect();
        assert_eq!(read, expected, "{compression:?}");

        // The sender's own time is in the file.
        let read = read_by(peers.start("read_mcap.py", [dir.path("x.mcap")])).remove(0);
        let messages = read["messages"].as_array().unwrap().iter();
        let printed: Vec<_> = messages
            .map(|message| (message["topic"].clone(), message["publish_time"].clone()))
            .collect();
        let expected: Vec<_> = (0..5)
            .map(|pulse: u64| {
                (
                    json!("/s0/bsr_m-1.1"),
                    json!((1_700_000_000 + pulse) * 1_000_000_000 + 123_456_789),
                )
            })
            .collect();
        assert_eq!(printed, expected);
    }
}

#[test]
fn what_python_has_written_is_sound() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let mut writer = McapWriter::create(&dir.path("x.mcap"), McapOptions::default()).unwrap();
    for number in 0..20 {
        let (frames, origin) = (numbered(number, 1000), Origin::new("tcp://detector:9999"));
        writer.write(&Received { frames, time: Timestamp::now(), origin }).unwrap();
    }
    writer.finish().unwrap();
    for compression in ["NONE", "LZ4", "ZSTD"] {
        let files = [dir.path("x.mcap"), dir.path(compression)];
        let arguments = files.iter().map(AsRef::as_ref).chain([OsStr::new(compression)]);
        peers.start("rewrite_mcap.py", arguments).end().expect(0);
        let printed = dir.run("m_dump", [compression, "--verify"]).expect(0).stdout;
        assert!(printed.contains("20 messages"), "{printed}");
    }
}

/// A pulse as send_bsread.py sends it and receive_bsread.py reads it.
fn pulse(n: u32) -> Value {
    let time = json!([1_700_000_000 + n, 123_456_789]);
    let channel = |value: Value| json!({"value": value, "timestamp": time});
    let wave: Vec<_> = (0..5).map(|element| f64::from(element + n)).collect();
    let camera: Vec<Vec<u32>> =
        (0..6).map(|row| (0..10).map(|column| row * 10 + column + n).collect()).collect();
    json!({
        "pulse_id": 500 + n,
        "global_timestamp": time,
        "channels": {
            "FLOAT": channel(json!(1.5 * f64::from(n))),
            "INT": channel(json!(-i64::from(n))),
            "TEXT": channel(json!(format!("pulse {n}"))),
            "WAVE": channel(json!({"dtype": "float32", "values": wave})),
            "CAMERA": channel(json!({"dtype": "uint16", "values": camera})),
        },
    })
}

#[test]
fn what_python_reads_in_a_recording_is_what_psi_mflow_sent() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let dump = dir.start("m_dump", [ANY, "--bind", "-o", "x.mcap"]);
    let arguments = [PathBuf::from(dump.endpoint()), vector("dimage_raw_514x1030_uint16")];
    peers.start("send.py", arguments).end().expect(0);
    dump.interrupt().expect(0);
    let parts = parts_in_python(&dir, &peers);
    assert!(!parts.is_empty());
    for message in parts {
        assert_eq!(message[2][0], 514 * 1030 * 2, "{message}");
    }
}
