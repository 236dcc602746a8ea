//! Interoperability with the original: psi-mflow in Python, its programs and its library as peers.
//!
//! Its programs that have no end are killed, not interrupted: a SIGINT that comes just before they
//! block in libzmq is seen only when they unblock, and m_dump takes it for a TypeError.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use harness::{Dir, PATIENCE, Peers, Process, free_address, recording, vector, wait_until};
use mflow::handlers::{Message, Registry, canonical};
use mflow::{Options, connect};
use serde_json::{Value, json};

/// The size of messages in these tests: 1048 bytes for the original, as in the vector.
const SIZE: &str = "0.001";

/// Starts a program of the original that binds an address, and waits until it has.
///
/// It cannot say which free port it has got, so it gets one, and another if that was in use.
fn start_bound(
    peers: &Peers<'_>,
    module: &str,
    arguments: &[&str],
    says: &str,
) -> (Process, String) {
    for _ in 0..5 {
        let address = free_address();
        let process = peers.start_module(module, arguments.iter().chain(&["-a", &address]));
        if process.says(says) {
            return (process, address);
        }
    }
    panic!("{module} does not bind any address");
}

fn start_their_generate(peers: &Peers<'_>, mode: &str) -> (Process, String) {
    start_bound(peers, "mflow.cli.generate", &["-s", SIZE, "-m", mode], "Sending messages of size")
}

fn start_their_replay(peers: &Peers<'_>, folder: &Path) -> (Process, String) {
    start_bound(peers, "mflow.cli.replay", &[folder.to_str().unwrap()], "Sending 000000_000.raw")
}

/// Returns the files that a dump of what the original generates has to hold.
fn their_generated(messages: usize) -> Vec<(String, Vec<u8>)> {
    let file = |message: usize| {
        let header = format!(
            r#"{{"htype": "raw-1.0", "type": "int32", "shape": [1, 262.0], "frame": {message}}}"#
        );
        [
            (format!("{message:06}_000.raw"), header.into_bytes()),
            (format!("{message:06}_001.raw"), vec![0; 1048]),
        ]
    };
    (0..messages).flat_map(file).collect()
}

// ---- its m_generate into our programs ----

#[test]
fn its_generator_feeds_our_m_stats() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let (_generate, address) = start_their_generate(&peers, "push");
    let stats = dir.run("m_stats", [&address, "-n", "10", "--timeout", "60"]).expect(0);
    let lines: Vec<&str> = stats.stdout.lines().collect();
    assert!(lines.contains(&"Average message size:      0.001 MB"), "{lines:?}");
    assert!(lines.contains(&"Total bytes received:      0.011 MB"), "{lines:?}");
    assert!(lines.contains(&"Messages received:            10 messages"), "{lines:?}");
}

#[test]
fn its_publisher_reaches_our_subscriber() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let (_generate, address) = start_their_generate(&peers, "pub");
    let arguments = [&address, "-m", "sub", "-n", "10", "--timeout", "60"];
    let stats = dir.run("m_stats", arguments).expect(0);
    assert!(stats.stdout.contains("Messages received:            10 messages\n"));
}

#[test]
fn its_generator_feeds_our_m_dump() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let (_generate, address) = start_their_generate(&peers, "push");
    dir.run("m_dump", [&address, "folder", "-n", "10", "--timeout", "60"]).expect(0);
    let dumped = recording(dir.path("folder"));
    assert_eq!(dumped, their_generated(10));
    let captured = recording(vector("raw10_m_generate"));
    assert_eq!(dumped[..captured.len()], captured, "as a capture of it");
}

#[test]
fn its_generator_feeds_our_m_split() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let (_generate, address) = start_their_generate(&peers, "push");
    let any = "tcp://127.0.0.1:*";
    let split = dir.start("m_split", [&address, any, any, "-n", "10", "--on-full", "block"]);
    let dumps: Vec<_> = split
        .endpoints(2)
        .iter()
        .enumerate()
        .map(|(output, endpoint)| dir.start("m_dump", [endpoint, &format!("{output}"), "-n", "10"]))
        .collect();
    for (output, dump) in dumps.into_iter().enumerate() {
        dump.end().expect(0);
        assert_eq!(recording(dir.path(output.to_string())), their_generated(10), "output {output}");
    }
    split.end().expect(0);
}

// ---- our programs and library into its receivers ----

/// The message that our m_generate sends, as its raw-1.0 handler reads it.
fn generated(frame: usize) -> Value {
    json!({
        "header": {"htype": "raw-1.0", "type": "int32", "shape": [1, 16], "frame": frame},
        "data": [{"bytes_hex": "00".repeat(64)}],
    })
}

/// What a script of the peers has printed: a line of JSON for each message.
fn read_by(peer: Process) -> Vec<Value> {
    let finished = peer.end().expect(0);
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn our_generator_feeds_its_receiver() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let generate = dir.start("m_generate", ["-a", "tcp://127.0.0.1:*", "-s", "64B", "-n", "20"]);
    let endpoint = generate.endpoint();
    let read = read_by(peers.start("receive.py", [&endpoint, "20"]));
    assert_eq!(read, (0..20).map(generated).collect::<Vec<_>>());
    generate.end().expect(0);
}

#[test]
fn our_generator_feeds_its_receive_raw() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let generate = dir.start("m_generate", ["-a", "tcp://127.0.0.1:*", "-s", "64B", "-n", "3"]);
    let endpoint = generate.endpoint();
    let read = read_by(peers.start("receive.py", [&endpoint, "3", "--raw"]));
    assert_eq!(read, (0..3).map(generated).collect::<Vec<_>>());
    generate.end().expect(0);
}

#[test]
fn our_publisher_reaches_its_subscriber() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let generate = dir
        .start("m_generate", ["-a", "tcp://127.0.0.1:*", "-s", "64B", "-m", "pub", "-r", "1kHz"]);
    let endpoint = generate.endpoint();
    let read = read_by(peers.start("receive.py", [&endpoint, "20", "--mode", "sub"]));
    let first = usize::try_from(read[0]["header"]["frame"].as_u64().unwrap()).unwrap();
    assert_eq!(read, (first..first + 20).map(generated).collect::<Vec<_>>());
    generate.interrupt().expect(0);
}

#[test]
fn our_split_feeds_its_receivers() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let any = "tcp://127.0.0.1:*";
    let generate = dir.start("m_generate", ["-a", any, "-s", "64B", "-n", "20"]);
    let endpoint = generate.endpoint();
    let split = dir.start("m_split", [&endpoint, any, any, "-n", "20", "--on-full", "block"]);
    let receivers: Vec<_> = split
        .endpoints(2)
        .iter()
        .map(|endpoint| peers.start("receive.py", [endpoint, "20"]))
        .collect();
    for receiver in receivers {
        assert_eq!(read_by(receiver), (0..20).map(generated).collect::<Vec<_>>());
    }
    split.end().expect(0);
    generate.end().expect(0);
}

/// A message of the vectors, with what the handlers of the original read in it.
struct Known {
    name: String,
    message: Message,
    read: Value,
    decoded: Value,
}

/// Reads the messages of cases.
fn known(cases: &[&str]) -> Vec<Known> {
    cases.iter().flat_map(|case| known_of(case)).collect()
}

fn known_of(case: &str) -> Vec<Known> {
    let folder = vector(case);
    let expected: Value =
        serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let messages = expected["messages"].as_array().unwrap().iter().enumerate();
    let known = messages.map(|(index, expected)| {
        let parts: Vec<Bytes> = (0..expected["part_bytes"].as_array().unwrap().len())
            .map(|part| fs::read(folder.join(format!("{index:06}_{part:03}.raw"))).unwrap().into())
            .collect();
        Known {
            name: format!("message {index} of {case}"),
            read: as_read(expected, &parts),
            decoded: expected["decoded"].clone(),
            message: Message::new(parts),
        }
    });
    known.collect()
}

/// Returns what psi-mflow's handlers read: the JSON parts and the arrays as we do, everything else
/// as the bytes that were sent; nothing if an appendix is not JSON, which it cannot read.
fn as_read(expected: &Value, parts: &[Bytes]) -> Value {
    let decoded = &expected["decoded"];
    let mut read = serde_json::Map::new();
    for key in ["header", "data", "part_2", "part_3", "part_4", "part_5", "part_7", "appendix"] {
        if let Some(value) = decoded.get(key) {
            read.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(data) = expected.get("mflow_python_reads") {
        read.insert("data".to_owned(), data.clone());
    }
    let raw_parts: &[usize] = match decoded["header"]["htype"].as_str() {
        Some("dimage-1.0") => &[3],
        Some("dheader-1.0") if decoded["header"]["header_detail"] == "all" => &[4, 6, 8],
        _ => &[],
    };
    for number in raw_parts {
        let part = &parts[number - 1];
        let opaque = if part.len() <= 64 {
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "bytes_hex": hex })
        } else {
            json!({"bytes_len": part.len(), "sha256": expected["part_sha256"][number - 1]})
        };
        read.insert(format!("part_{number}_raw"), opaque);
    }
    for array in read.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(array) = array.as_object_mut() {
            array.remove("values");
        }
    }
    if decoded.get("appendix_raw").is_some() {
        // Any JSON to the original, an object or an array to us.
        match serde_json::from_slice(&parts[parts.len() - 1]) {
            Ok(appendix) => read.insert("appendix".to_owned(), appendix),
            Err(_) => return Value::Null,
        };
    }
    read.into()
}

/// All cases of the formats that the original knows.
const CASES: [&str; 21] = [
    "raw10_m_generate",
    "raw10_parts",
    "array10_dtypes_be_typestr",
    "array10_dtypes_le",
    "array10_empty_parts",
    "array10_endianness_big",
    "array10_multi_segments",
    "array10_scalar_shape",
    "dheader_all",
    "dheader_all_appendix",
    "dheader_basic",
    "dheader_basic_appendix",
    "dheader_none",
    "dheader_none_appendix",
    "dimage_3d",
    "dimage_514x1030_uint16",
    "dimage_appendix",
    "dimage_raw_3x5",
    "dimage_raw_514x1030_uint16",
    "dimage_raw_be_3x5",
    "dseries_end",
];

fn assert_read(read: &[Value], known: &[Known]) {
    for (read, known) in read.iter().zip(known) {
        assert_eq!(read, &known.read, "{}", known.name);
    }
    assert_eq!(read.len(), known.len());
}

#[test]
fn its_handlers_read_every_message_that_we_replay() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let known = known(&CASES);
    for (index, known) in known.iter().enumerate() {
        for (part, bytes) in known.message.parts().iter().enumerate() {
            dir.write(format!("vectors/{index:06}_{part:03}.raw"), bytes);
        }
    }
    let replay = dir.start("m_replay", ["vectors", "-a", "tcp://127.0.0.1:*"]);
    let endpoint = replay.endpoint();
    let read = read_by(peers.start("receive.py", [endpoint, known.len().to_string()]));
    assert_read(&read, &known);
    replay.end().expect(0);
}

#[test]
fn its_handlers_read_every_message_that_we_decode_and_forward() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let known = known(&CASES);
    let options = Options::push().bind().send_timeout(PATIENCE);
    let mut stream = connect("tcp://127.0.0.1:*", options).unwrap();
    let peer = peers.start("receive.py", [stream.endpoint(), &known.len().to_string()]);
    let handlers = Registry::default();
    for known in &known {
        stream.forward(&handlers.decode(known.message.clone())).unwrap();
    }
    assert_read(&read_by(peer), &known);
}

// ---- its senders into our library ----

/// The cases that the encoders of the original can send at all: they leave a raw-1.0 message of
/// many parts, a dheader without details and an array of nothing unfinished on the socket, and
/// never send the appendix of a dimage.
const SENT: [&str; 14] = [
    "raw10_m_generate",
    "array10_dtypes_be_typestr",
    "array10_dtypes_le",
    "array10_multi_segments",
    "array10_scalar_shape",
    "dheader_all",
    "dheader_all_appendix",
    "dheader_basic",
    "dheader_basic_appendix",
    "dimage_3d",
    "dimage_raw_3x5",
    "dimage_raw_514x1030_uint16",
    "dimage_raw_be_3x5",
    "dseries_end",
];

#[test]
fn our_stream_decodes_every_message_that_it_encodes() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let known = known(&SENT);
    let options = Options::pull().bind().timeout(PATIENCE);
    let mut stream = connect("tcp://127.0.0.1:*", options).unwrap();
    let cases = SENT.iter().map(|case| vector(case));
    let peer = peers.start("send.py", [PathBuf::from(stream.endpoint())].into_iter().chain(cases));
    for (known, number) in known.iter().zip(1..) {
        let message = stream.receive().unwrap().expect("a message in time");
        let mut decoded = canonical(&message.data);
        decoded.as_object_mut().unwrap().remove("warnings");
        assert_eq!(decoded, known.decoded, "{}", known.name);
        assert_eq!(message.statistics.messages_received, number);
    }
    peer.end().expect(0);
    stream.set_timeout(Duration::ZERO);
    assert!(stream.receive_raw().unwrap().is_none(), "nothing follows");
}

// ---- folders ----

#[test]
fn a_folder_dumped_by_the_original_is_replayed_by_ours() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let generate = dir.start("m_generate", ["-a", "tcp://127.0.0.1:*", "-s", "1KiB", "-n", "20"]);
    let folder = dir.path("theirs");
    let endpoint = generate.endpoint();
    let dump = peers.start_module("mflow.cli.dump", [endpoint.as_str(), folder.to_str().unwrap()]);
    generate.end().expect(0);
    let last = folder.join("000019_001.raw");
    wait_until("the last part", || fs::metadata(&last).is_ok_and(|file| file.len() == 1024));
    drop(dump);
    let dumped = recording(&folder);
    assert_eq!(dumped.len(), 40);

    let replay = dir.start("m_replay", [folder.to_str().unwrap(), "-a", "tcp://127.0.0.1:*"]);
    dir.run("m_dump", [&replay.endpoint(), "ours", "-n", "20"]).expect(0);
    replay.end().expect(0);
    assert_eq!(recording(dir.path("ours")), dumped);
}

#[test]
fn a_folder_dumped_by_ours_is_replayed_by_the_original() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let generate = dir.start("m_generate", ["-a", "tcp://127.0.0.1:*", "-s", "1KiB", "-n", "20"]);
    dir.run("m_dump", [&generate.endpoint(), "ours", "-n", "20"]).expect(0);
    generate.end().expect(0);
    let dumped = recording(dir.path("ours"));
    assert_eq!(dumped.len(), 40);

    let (replay, address) = start_their_replay(&peers, &dir.path("ours"));
    dir.run("m_dump", [&address, "again", "-n", "20"]).expect(0);
    replay.end().expect(0);
    assert_eq!(recording(dir.path("again")), dumped);
}

#[test]
fn detector_messages_pass_through_both_unchanged() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let (replay, address) = start_their_replay(&peers, &vector("dheader_all_appendix"));
    dir.run("m_dump", [&address, "ours", "-n", "1"]).expect(0);
    replay.end().expect(0);
    assert_eq!(recording(dir.path("ours")), recording(vector("dheader_all_appendix")));
}

// ---- the one rule of routing that both have ----

#[test]
fn modulo_sends_what_the_original_sends_of_messages_of_one_part() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let messages: Vec<String> = (0..20)
        .map(|series| format!(r#"{{"htype":"dseries_end-1.0","series":{series}}}"#))
        .collect();
    for (index, message) in messages.iter().enumerate() {
        dir.write(format!("ends/{index:06}_000.raw"), message);
    }
    let every_third: Vec<_> = messages.iter().skip(2).step_by(3).map(String::as_str).collect();
    let any = "tcp://127.0.0.1:*";
    // Theirs binds `tcp://*:PORT` only.
    for ours in [true, false] {
        let replay = dir.start("m_replay", ["ends", "-a", any]);
        let output = free_address();
        let port = output.rsplit(':').next().unwrap();
        let config = json!({
            "source": {"address": replay.endpoint()},
            "streams": [{"address": format!("tcp://*:{port}"), "modulo": 3}],
        });
        dir.write("split.json", config.to_string());
        let split = if ours {
            dir.start("m_split", ["-c", "split.json"])
        } else {
            peers.start_module("mflow.cli.split", ["-c", "split.json"])
        };
        let count = every_third.len().to_string();
        dir.run("m_dump", [&output, &format!("{ours}"), "-n", &count]).expect(0);
        let taken: Vec<_> = recording(dir.path(ours.to_string()))
            .into_iter()
            .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
            .collect();
        assert_eq!(taken, every_third, "ours: {ours}");
        replay.end().expect(0);
        drop(split);
    }
}
