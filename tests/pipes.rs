//! Recordings through pipes: the standard input and output, and FIFOs.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

use harness::{Dir, PATIENCE, Unread};
use mflow::recording::{self, JoinedReader, McapOptions, McapPipe, McapWriter, Recording, Seek};
use mflow::{Event, Frames, Options, Origin, Received, Source, Stop, Timestamp, WaitSet, connect};
use serde_json::{Value, json};

const ANY: &str = "tcp://127.0.0.1:*";
const START: u64 = 1_769_860_800_000_000_000;
/// A message of this length has a chunk of its own.
const LARGE: usize = 300 << 10;

/// Writes in.mcap: messages of so many bytes, 100 ms apart, and what the user says of it.
fn write(dir: &Dir, messages: u64, bytes: usize) {
    let user = vec![("sample".to_owned(), "lysozyme".to_owned())];
    let options = McapOptions { user, crc: true, ..McapOptions::default() };
    let mut writer = McapWriter::create(&dir.path("in.mcap"), options).unwrap();
    let label = Some("a".to_owned());
    let origin = Arc::new(Origin { name: "tcp://a:9999".into(), label, ..Origin::default() });
    for number in 0..messages {
        let header = format!(r#"{{"htype":"raw-1.0","frame":{number}}}"#);
        let frames = Frames::from([header.as_bytes(), &vec![7; bytes]]);
        let time = Timestamp::from_nanos(START + number * 100_000_000);
        writer.write(&Received { frames, time, origin: Arc::clone(&origin) }).unwrap();
    }
    writer.finish().unwrap();
}

/// Fails if there is anything in the directory but this.
fn expect_only(dir: &Dir, expected: &[&str]) {
    let names = fs::read_dir(dir.path("")).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, expected);
}

#[test]
fn a_stream_that_is_recorded_into_a_pipe_is_replayed_from_it() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-n", "5"]);
    let pipe = dir.start_shell(&format!(
        "m_dump {} -n 5 -o - | m_replay - -a '{ANY}' -r max -J",
        generate.endpoint()
    ));
    let mut receiver = connect(&pipe.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    for _ in 0..5 {
        assert!(receiver.receive_raw().unwrap().is_some());
    }
    let report: Value = serde_json::from_str(&pipe.end().expect(0).stdout).unwrap();
    assert_eq!([&report["messages"], &report["ending"]], [&json!(5), &json!("source_ended")]);
    generate.end().expect(0);
    expect_only(&dir, &[]);
}

#[test]
fn a_recording_from_a_pipe_is_replayed_at_its_recorded_times() {
    let dir = Dir::new();
    write(&dir, 4, 10);
    let pipe = dir.start_shell(&format!("cat in.mcap | m_replay - -a '{ANY}' --to 2 -J"));
    let mut receiver = connect(&pipe.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    for _ in 0..3 {
        assert!(receiver.receive_raw().unwrap().is_some());
    }
    let report: Value = serde_json::from_str(&pipe.end().expect(0).stdout).unwrap();
    assert_eq!(report["messages"], 3);
    assert!(report["seconds"].as_f64().unwrap() >= 0.19, "{report}");
}

#[test]
fn a_pipe_carries_messages_times_and_notes_of_a_recording() {
    for bytes in [10, LARGE] {
        let dir = Dir::new();
        write(&dir, 50, bytes);
        let direct = dir.shell("m_dump in.mcap -J").expect(0);
        assert_eq!(direct.stdout.lines().count(), 50);
        let piped = dir.shell("m_dump in.mcap -o - | m_dump - --format json").expect(0);
        assert!(piped.stdout == direct.stdout, "{}", piped.stdout);
        dir.shell("m_dump in.mcap - | m_dump - --convert out.mcap").expect(0);
        dir.shell("m_dump --convert - in.mcap | m_dump /dev/stdin folder").expect(0);
        let copied = dir.shell("m_dump out.mcap -J").expect(0);
        assert!(copied.stdout == direct.stdout, "{}", copied.stdout);
        let info = dir.shell("m_dump out.mcap --info -J").expect(0).stdout;
        let info: Value = serde_json::from_str(&info).unwrap();
        let metadata = info["metadata"].as_array().unwrap();
        let user = metadata.iter().find(|it| it["name"] == "mflow.user").unwrap();
        assert_eq!(user["entries"], json!({ "sample": "lysozyme" }));
        assert_eq!(fs::read_dir(dir.path("folder")).unwrap().count(), 100);
        expect_only(&dir, &["folder", "in.mcap", "out.mcap"]);
    }
}

#[test]
fn a_file_on_the_standard_input_or_output_is_a_recording_like_others() {
    let dir = Dir::new();
    write(&dir, 3, 10);
    dir.shell("m_dump - -o - < in.mcap > out.mcap").expect(0);
    dir.shell("m_dump --verify out.mcap").expect(0);
    let info = dir.shell("m_dump --info - < out.mcap").expect(0).stdout;
    assert!(info.contains("3 messages"), "{info}");
    let error = dir.shell("m_dump in.mcap -o - >> out.mcap").expect(1).stderr;
    assert!(error.contains("nothing is overwritten"), "{error}");
    dir.shell("m_dump --verify out.mcap").expect(0);
}

#[test]
fn a_fifo_is_written_and_read_and_stays() {
    let dir = Dir::new();
    write(&dir, 5, LARGE);
    for fifo in ["fifo", "fifo.mcap"] {
        dir.shell(&format!("mkfifo {fifo}")).expect(0);
        let reader = dir.start("m_dump", [fifo, "--format", "json"]);
        dir.run("m_dump", ["in.mcap", "-o", fifo]).expect(0);
        assert_eq!(reader.end().expect(0).stdout.lines().count(), 5);
        // An output that is taken back is no reason to remove what was there before.
        let reader = dir.start_shell(&format!("cat {fifo} > /dev/null"));
        dir.run("m_dump", ["tcp://192.0.2.1:1", "--bind", "-o", fifo]).expect(1);
        reader.end().expect(0);
        assert!(fs::metadata(dir.path(fifo)).unwrap().file_type().is_fifo());
    }
}

#[test]
fn python_reads_what_came_through_a_pipe_and_is_read_through_one() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    write(&dir, 5, LARGE);
    dir.shell("m_dump in.mcap -o - --crc | cat > piped.mcap").expect(0);
    let read = peers.start("read_mcap.py", [dir.path("piped.mcap")]).end().expect(0).stdout;
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["count"], 5);
    let times: Vec<_> =
        read["messages"].as_array().unwrap().iter().map(|it| &it["log_time"]).collect();
    let expected: Vec<_> = (0..5).map(|number| json!(START + number * 100_000_000)).collect();
    assert_eq!(times, expected.iter().collect::<Vec<_>>());
    for compression in ["NONE", "LZ4", "ZSTD"] {
        let out = format!("{compression}.mcap");
        let arguments = [dir.path("in.mcap"), dir.path(&out), compression.into()];
        peers.start("rewrite_mcap.py", arguments).end().expect(0);
        let direct = dir.shell(&format!("m_dump {out} -J")).expect(0).stdout;
        let piped = dir.shell(&format!("cat {out} | m_dump - -J")).expect(0).stdout;
        assert!(piped == direct && direct.lines().count() == 5, "{piped}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_success() {
    let dir = Dir::new();
    write(&dir, 50, LARGE);
    dir.run_unread(Unread::Stdout, "m_dump", ["in.mcap", "-o", "-"]).expect(0);
    let shell =
        dir.shell("{ m_dump in.mcap -o -; echo code $? >&2; } | m_dump - -n 3 -J").expect(0);
    assert_eq!(shell.stdout.lines().count(), 3);
    assert!(shell.stderr.contains("code 0\n"), "{}", shell.stderr);
    assert_eq!(shell.errors(), [""; 0]);
}

#[test]
fn a_pipe_that_is_cut_or_damaged_ends_there_and_is_reported() {
    let dir = Dir::new();
    write(&dir, 5, LARGE);
    let length = fs::metadata(dir.path("in.mcap")).unwrap().len();
    for (script, messages, fault) in [
        ("head -c 800000 in.mcap".to_owned(), 2, "a record is cut off"),
        (format!("head -c {} in.mcap", length - 5), 5, "its summary is cut off"),
        ("head -c 800000 in.mcap | cat - in.mcap".to_owned(), 2, "there is no record"),
        ("cat in.mcap in.mcap".to_owned(), 5, "there is more behind the end"),
    ] {
        let read = dir.shell(&format!("({script}) | m_dump - -J")).expect(3);
        let lines = read.stdout.lines().count();
        assert!(read.stderr.contains(fault), "{}", read.stderr);
        assert!(read.stderr.contains("damaged at"), "{}", read.stderr);
        assert!(lines >= messages, "{script}: {lines}");
    }
    for (script, reason) in [
        ("true", "it is empty"),
        ("echo no recording", "it does not begin as an MCAP file does"),
        ("printf '\\211MCA'", "it does not begin as an MCAP file does"),
    ] {
        let read = dir.shell(&format!("{script} | m_dump -")).expect(1);
        assert!(read.stderr.contains(reason), "{}", read.stderr);
    }
}

#[test]
fn messages_are_handed_out_before_the_pipe_ends_and_a_stop_ends_the_wait() {
    let dir = Dir::new();
    write(&dir, 3, LARGE);
    dir.shell("mkfifo fifo").expect(0);
    let bytes = fs::read(dir.path("in.mcap")).unwrap();
    let reader = dir.start("m_dump", ["fifo", "-J"]);
    let mut writer = File::options().write(true).open(dir.path("fifo")).unwrap();
    writer.write_all(&bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(reader.stdout_lines(1).len(), 1);
    let stopped = reader.interrupt().expect(0);
    assert!(stopped.stderr.contains("stopped before the end of 'fifo'"), "{}", stopped.stderr);
}

#[test]
fn what_a_pipe_cannot_do_is_wrong_usage_and_makes_no_file() {
    let dir = Dir::new();
    write(&dir, 3, 10);
    for script in [
        "m_dump --info -",
        "m_dump --verify -",
        "m_dump - --recover out.mcap",
        "m_dump in.mcap --recover -",
        "m_dump - in.mcap --format text",
        "m_dump in.mcap -o - --max-size 1",
        "m_dump in.mcap -o - --max-time 1s",
        "m_dump in.mcap -o - --fsync close",
        "m_dump in.mcap -o - --format npy",
        "m_dump in.mcap -o - --force",
        "m_replay - --loop",
        "m_replay - --from 1",
        "m_replay - --start 1s",
        "m_replay - --end 1s",
        "m_replay - in.mcap",
        "m_replay - --send-header-first",
    ] {
        let pipe = dir.shell(&format!("cat in.mcap | {script} | cat >&2; exit 0")).expect(0);
        assert!(pipe.stderr.contains("error: "), "{script}: {}", pipe.stderr);
        assert!(pipe.stderr.contains("Usage: "), "{script}: {}", pipe.stderr);
    }
    expect_only(&dir, &["in.mcap"]);
    // This is how a folder of this name is meant.
    dir.shell("m_dump in.mcap -o ./-").expect(0);
    expect_only(&dir, &["-", "in.mcap"]);
}

#[test]
fn a_pipe_goes_nowhere_and_is_sorted_into_no_others() {
    let dir = Dir::new();
    write(&dir, 3, 10);
    dir.shell("mkfifo fifo").expect(0);
    let joined = JoinedReader::open(&[dir.path("in.mcap"), dir.path("fifo")]);
    let is_refused = |result: mflow::Result<()>| {
        matches!(result.unwrap_err().get(), Some(recording::Error::Pipe { .. }))
    };
    assert!(is_refused(joined.map(drop)));
    let _writer = dir.start_shell("cat in.mcap > fifo");
    let mut pipe = McapPipe::open(&dir.path("fifo")).unwrap();
    pipe.seek(Seek::Message(0)).unwrap();
    assert!(is_refused(pipe.seek(Seek::Message(1))));
    assert!(is_refused(pipe.seek(Seek::Time(Timestamp::from_nanos(0)))));
    let mut messages = 0;
    loop {
        match pipe.poll().unwrap() {
            Event::Message(received) => {
                assert_eq!(received.time.as_nanos(), START + messages * 100_000_000);
                assert_eq!((pipe.position(), received.origin.label()), (messages, "a"));
                messages += 1;
            }
            Event::Idle => {
                let mut set = WaitSet::new();
                pipe.readiness(&mut set);
                set.wait(&Stop::never(), None).unwrap();
            }
            Event::End => break,
        }
    }
    assert_eq!((messages, pipe.report().damaged_places), (3, 0));
}
