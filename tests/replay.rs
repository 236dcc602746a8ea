//! m_replay at the boundary of its process: what it sends, when at the earliest, and what it reports.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::iter;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use harness::{Dir, PATIENCE, Process, skip};
use mflow::recording::{McapOptions, McapWriter};
use mflow::{Frames, Options, Origin, Received, Stop, Stream, Timestamp, connect};
use serde_json::{Value, json};

const ANY: &str = "tcp://127.0.0.1:*";
/// When the first message of each recording was received: 2026-01-31T12:00:00Z.
const NOON: u64 = 1_769_860_800;
const HOUR: u64 = 3_600_000;

/// Writes a recording: milliseconds since noon, the label of the source, and the first part.
fn write(dir: &Dir, name: &str, messages: &[(u64, &str, &str)]) {
    let mut writer = McapWriter::create(&dir.path(name), McapOptions::default()).unwrap();
    let mut origins: Vec<Arc<Origin>> = Vec::new();
    for (milliseconds, label, text) in messages {
        let known = origins.iter().find(|origin| origin.label.as_deref() == Some(label));
        let origin = known.cloned().unwrap_or_else(|| {
            let name = format!("tcp://{label}:9999");
            let label = Some((*label).to_owned());
            let origin = Arc::new(Origin { name, label, ..Origin::default() });
            origins.push(Arc::clone(&origin));
            origin
        });
        let time = Timestamp::from_nanos(NOON * 1_000_000_000 + milliseconds * 1_000_000);
        let frames = Frames::from([text.as_bytes(), b"data"]);
        writer.write(&Received { frames, time, origin }).unwrap();
    }
    writer.finish().unwrap();
}

/// Five messages of one source, a tenth of a second apart.
fn write_five(dir: &Dir) {
    let texts = ["0", "1", "2", "3", "4"];
    let messages: Vec<_> =
        (0..).zip(texts).map(|(number, text)| (number * 100, "a", text)).collect();
    write(dir, "in.mcap", &messages);
}

fn receiver(endpoint: &str) -> Stream {
    connect(endpoint, Options::pull().timeout(PATIENCE)).unwrap()
}

fn subscriber(endpoint: &str) -> Stream {
    connect(endpoint, Options::sub().timeout(PATIENCE)).unwrap()
}

/// Receives the first part of a message.
fn text(stream: &mut Stream) -> String {
    let message = stream.receive_raw().unwrap().expect("a message in time");
    String::from_utf8(message.parts()[0].to_vec()).unwrap()
}

fn texts(stream: &mut Stream, count: usize) -> Vec<String> {
    (0..count).map(|_| text(stream)).collect()
}

/// Replays to a receiver, and returns the received messages and the report.
fn replayed(dir: &Dir, name: &str, arguments: &[&str], count: usize) -> (Vec<String>, Value) {
    let common = [name, "-a", ANY, "--report", "json"];
    let replay = dir.start("m_replay", common.iter().chain(arguments));
    let came = texts(&mut receiver(&replay.endpoint()), count);
    let report = replay.end().expect(0).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["messages"], count);
    (came, report)
}

// ---- when messages leave ----

/// Asserts that no time was cut: the last message left so long after the first was due, or later.
/// The reported seconds begin when the first message was sent, which is late itself, at most by
/// `max_us`.
fn assert_lasted(report: &Value, seconds: f64) {
    let printed = report["seconds"].as_f64().unwrap();
    let late = report["lateness"]["max_us"].as_f64().unwrap() / 1e6;
    assert!(printed + late >= seconds, "{seconds} s: {report}");
}

#[test]
fn messages_leave_at_their_recorded_times_or_a_multiple_of_their_speed() {
    let dir = Dir::new();
    write_five(&dir);
    for (rate, at_least) in [("recorded", 0.4), ("2x", 0.2), ("0.8x", 0.5), ("20Hz", 0.2)] {
        let (came, report) = replayed(&dir, "in.mcap", &["-r", rate], 5);
        assert_eq!(came, ["0", "1", "2", "3", "4"]);
        assert_lasted(&report, at_least);
        assert_eq!(report["lateness"]["messages"], 5);
    }
    // Each has five bytes.
    let (_, report) = replayed(&dir, "in.mcap", &["-r", "100B/s"], 5);
    assert_lasted(&report, 0.2);
    // Without another rate, at the recorded times.
    let (_, report) = replayed(&dir, "in.mcap", &[], 5);
    assert_lasted(&report, 0.4);
}

#[test]
fn as_fast_as_it_goes_nothing_is_late() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "0"), (HOUR, "a", "1")]);
    let (came, report) = replayed(&dir, "in.mcap", &["-r", "max"], 2);
    assert_eq!((came, &report["lateness"]), (vec!["0".into(), "1".into()], &Value::Null));
}

#[test]
fn a_long_pause_is_cut() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "0"), (HOUR, "a", "1"), (HOUR + 100, "a", "2")]);
    let (_, report) = replayed(&dir, "in.mcap", &["--max-gap", "200ms"], 3);
    assert_lasted(&report, 0.3);
}

#[test]
fn a_long_pause_is_reported_with_what_cuts_it() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "0"), (53 * 8766 * HOUR, "a", "1")]);
    let replay = dir.start("m_replay", ["in.mcap", "-a", ANY]);
    let mut receiver = receiver(&replay.endpoint());
    assert_eq!(text(&mut receiver), "0");
    let reported = replay.stderr_line("the next message is due in");
    assert!(reported.contains("in 52 years: --max-gap sets"), "{reported}");
    replay.interrupt().expect(0);
}

#[test]
fn a_pause_in_a_recording_is_no_silence() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "0"), (600, "a", "1")]);
    replayed(&dir, "in.mcap", &["--timeout", "300ms"], 2);
}

#[test]
fn the_report_is_text_too() {
    let dir = Dir::new();
    write_five(&dir);
    let replay = dir.start("m_replay", ["in.mcap", "-a", ANY]);
    // It stays until the end: a receiver that disconnects before is reported.
    let mut receiver = receiver(&replay.endpoint());
    texts(&mut receiver, 5);
    let printed = replay.end().expect(0).stderr;
    let lines: Vec<_> = printed.lines().skip(1).collect();
    let [total, lateness] = lines[..] else { panic!("{printed}") };
    assert!(total.starts_with("5 messages, 25 B in 0."), "{printed}");
    assert!(lateness.starts_with("behind schedule: p50 "), "{printed}");
}

// ---- which messages ----

#[test]
fn a_range_is_one_of_numbers_or_of_times() {
    let dir = Dir::new();
    write_five(&dir);
    for (range, numbers) in [
        (&["--from", "1", "--to", "3"][..], &["1", "2", "3"][..]),
        (&["--from", "4"], &["4"]),
        (&["--to", "0"], &["0"]),
        (&["--start", "100ms", "--end", "300ms"], &["1", "2"]),
        (&["--start", "150ms", "--to", "3"], &["2", "3"]),
        (&["--start", "2026-01-31T12:00:00.3Z"], &["3", "4"]),
        (&["--end", "2026-01-31T13:00:00.2+01:00"], &["0", "1"]),
        (&["--start", "@1769860800.4"], &["4"]),
    ] {
        let (came, _) = replayed(&dir, "in.mcap", range, numbers.len());
        assert_eq!(came, numbers, "{range:?}");
    }
    // What is behind the end.
    let ended = dir.run("m_replay", ["in.mcap", "-a", ANY, "--from", "5"]).expect(4);
    assert!(ended.stderr.contains("no messages before the source ended"), "{}", ended.stderr);
}

#[test]
fn a_folder_has_ranges_of_numbers_and_none_of_times() {
    let dir = Dir::new();
    for number in [0, 1, 2, 7, 8] {
        dir.write(format!("in/{number:06}_000.raw"), number.to_string());
    }
    let (came, report) = replayed(&dir, "in", &["--from", "2", "--to", "7"], 2);
    assert_eq!((came, &report["lateness"]), (vec!["2".into(), "7".into()], &Value::Null));
    for arguments in [["--start", "1s"], ["-r", "2x"], ["--end", "@1769860800"]] {
        let failed = dir.run("m_replay", ["in", "-a", ANY].iter().chain(&arguments)).expect(1);
        assert!(failed.stderr.contains("error: 'in' has no times"), "{}", failed.stderr);
    }
}

#[test]
fn messages_are_chosen_by_htype_and_series() {
    let dir = Dir::new();
    let header = |htype: &str, series: u64| {
        format!(r#"{{"htype":"{htype}-1.0","header_detail":"none","series":{series}}}"#)
    };
    let messages = [
        header("dimage", 3),
        header("dheader", 4),
        header("dimage", 4),
        header("dimage", 3),
        header("dimage", 4),
        header("dseries_end", 4),
    ];
    let numbered: Vec<_> =
        (0..).zip(&messages).map(|(number, text)| (number, "a", text.as_str())).collect();
    write(&dir, "in.mcap", &numbered);
    for (filter, numbers) in [
        (&["--htype", "dheader-1.0", "--htype", "dseries_end"][..], &[1, 5][..]),
        (&["--series", "3"], &[0, 3]),
        (&["--series", "new"], &[1, 2, 4, 5]),
        (&["--series", "4", "--every", "2"], &[1, 2, 5]),
    ] {
        let (came, _) = replayed(&dir, "in.mcap", filter, numbers.len());
        let expected: Vec<_> = numbers.iter().map(|number| messages[*number].clone()).collect();
        assert_eq!(came, expected, "{filter:?}");
    }
    // Round and round without a message would never end.
    let arguments = ["in.mcap", "-a", ANY, "--loop", "--htype", "other"];
    dir.run("m_replay", arguments).expect(4);
}

#[test]
fn a_recording_is_played_as_often_as_is_asked_for() {
    let dir = Dir::new();
    write_five(&dir);
    let arguments = ["--loop=3", "-r", "max", "--from", "3"];
    let (came, _) = replayed(&dir, "in.mcap", &arguments, 6);
    assert_eq!(came, ["3", "4", "3", "4", "3", "4"]);
    let (came, _) = replayed(&dir, "in.mcap", &["-l", "-r", "4x", "-n", "7"], 7);
    assert_eq!(came, ["0", "1", "2", "3", "4", "0", "1"]);
}

// ---- addresses ----

#[test]
fn each_source_goes_to_its_own_address_by_one_clock() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "a0"), (50, "b", "b0"), (100, "c", "c0"), (150, "a", "a1")]);
    let map = format!("a={ANY}");
    let arguments = ["in.mcap", "--map", &map, "--map", "b=ipc://b", "-a", ANY];
    let replay = dir.start("m_replay", arguments);
    let endpoints = replay.endpoints(3);
    let b = format!("ipc://{}", dir.path("b").display());
    let [mut a, mut b, mut rest] = [&endpoints[0], &b, &endpoints[2]].map(|at| receiver(at));
    assert_eq!(texts(&mut a, 1), ["a0"]);
    assert_eq!(texts(&mut b, 1), ["b0"]);
    assert_eq!(texts(&mut rest, 1), ["c0"]);
    assert_eq!(texts(&mut a, 1), ["a1"]);
    replay.end().expect(0);
}

#[test]
fn two_sources_may_share_an_address() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "a0"), (1, "b", "b0")]);
    let arguments = ["in.mcap", "--map", "a=ipc://both", "--map", "b=ipc://both"];
    let replay = dir.start("m_replay", arguments);
    replay.endpoint();
    let both = format!("ipc://{}", dir.path("both").display());
    assert_eq!(texts(&mut receiver(&both), 2), ["a0", "b0"]);
    replay.end().expect(0);
}

#[test]
fn a_source_without_an_address_and_an_address_without_a_source_are_named() {
    let dir = Dir::new();
    write(&dir, "in.mcap", &[(0, "a", "a0"), (1, "b", "b0")]);
    let map = format!("a={ANY}");
    let failed = dir.run("m_replay", ["in.mcap", "--map", &map]).expect(1);
    let error = "error: source 'b' has no address in the replay of 'in.mcap', which has a, b\n";
    assert_eq!(failed.stderr, error);
    let map = format!("z={ANY}");
    let failed = dir.run("m_replay", ["in.mcap", "--map", &map, "-a", ANY]).expect(1);
    assert_eq!(failed.stderr, "error: source 'z' is not in 'in.mcap', which has a, b\n");
}

// ---- who is there ----

#[test]
fn a_publisher_waits_for_its_subscriber() {
    let dir = Dir::new();
    write_five(&dir);
    let replay = dir.start("m_replay", ["in.mcap", "-a", ANY, "-m", "pub", "-r", "max"]);
    let mut subscriber = subscriber(&replay.endpoint());
    assert_eq!(texts(&mut subscriber, 5), ["0", "1", "2", "3", "4"]);
    replay.end().expect(0);
}

#[test]
fn peers_that_never_come_exit_with_4() {
    let dir = Dir::new();
    write_five(&dir);
    let arguments = ["in.mcap", "-a", ANY, "--wait-peers", "2", "--timeout", "300ms"];
    let replay = dir.start("m_replay", arguments);
    let endpoint = replay.endpoint();
    let _alone = receiver(&endpoint);
    let printed = replay.end().expect(4).stderr;
    let error = format!("error: 1 of 2 peers have connected to '{endpoint}' in time\n");
    assert!(printed.ends_with(&error), "{printed}");
}

#[test]
fn a_wait_for_peers_ends_by_a_signal() {
    let dir = Dir::new();
    write_five(&dir);
    for waits in [["-m", "pub"], ["--wait-peers", "1"], ["--delay", "1h"]] {
        let replay = dir.start("m_replay", ["in.mcap", "-a", ANY].iter().chain(&waits));
        replay.endpoint();
        replay.interrupt().expect(0);
    }
}

#[test]
fn a_subscriber_that_comes_late_gets_the_start_of_the_series_again() {
    let dir = Dir::new();
    let start = r#"{"htype":"dheader-1.0","header_detail":"none","series":4}"#;
    write(&dir, "in.mcap", &[(0, "a", start), (HOUR, "a", "never sent")]);
    let arguments = ["in.mcap", "-a", ANY, "-m", "pub", "--send-header-again", "50ms"];
    let replay = dir.start("m_replay", arguments);
    let endpoint = replay.endpoint();
    assert_eq!(text(&mut subscriber(&endpoint)), start);
    assert_eq!(texts(&mut subscriber(&endpoint), 2), [start, start]);
    let printed = replay.interrupt().expect(0).stderr;
    assert!(printed.contains("1 message, "), "{printed}");
}

#[test]
fn a_part_from_the_middle_of_a_series_has_its_start_ahead() {
    let dir = Dir::new();
    let start = |series: u64| {
        format!(r#"{{"htype":"dheader-1.0","header_detail":"none","series":{series}}}"#)
    };
    let image = |series: u64, frame: u64| {
        format!(r#"{{"htype":"dimage-1.0","series":{series},"frame":{frame}}}"#)
    };
    // Of one source, and of two that count their series alike.
    for other in ["a", "b"] {
        let texts = [start(3), image(3, 0), start(4), image(4, 0), start(4) + " ", image(4, 1)];
        let labels = ["a", "a", "a", "a", other, "a"];
        let messages = (0..).zip(labels).zip(&texts);
        let messages: Vec<_> = messages.map(|((at, label), text)| (at, label, &**text)).collect();
        write(&dir, "in.mcap", &messages);
        let header = if other == "a" { &texts[4] } else { &texts[2] };
        let part = ["--from", "5", "--send-header-first"];
        let report = part_of(&dir, &part, &[header, &texts[5]]);
        assert_eq!((&report["messages"], &report["headers_first"]), (&json!(1), &json!(1)));
        // It is as wanted as other messages are, and nothing if the part begins with it.
        part_of(&dir, &[&part[..], &["--htype", "dimage"]].concat(), &[&texts[5]]);
        part_of(&dir, &["--from", "2", "--to", "3", part[2]], &[&texts[2], &texts[3]]);
        part_of(&dir, &part[..2], &[&texts[5]]);
        // It may be in another file.
        write(&dir, "later.mcap", &[(HOUR, "a", &image(4, 2))]);
        part_of(&dir, &["later.mcap", "--from", "6", part[2]], &[header, &image(4, 2)]);
        fs::remove_file(dir.path("later.mcap")).unwrap();
        fs::remove_file(dir.path("in.mcap")).unwrap();
    }
}

#[test]
fn a_start_with_the_time_of_another_message_is_found() {
    let dir = Dir::new();
    let start = r#"{"htype":"dheader-1.0","header_detail":"none","series":3}"#.to_owned();
    let image = r#"{"htype":"dimage-1.0","series":3,"frame":0}"#.to_owned();
    write(&dir, "in.mcap", &[(1, "a", "x"), (1, "b", &start), (2, "b", &image)]);
    part_of(&dir, &["--from", "2", "--send-header-first"], &[&start, &image]);
}

/// Checks what is replayed of `in.mcap`, and returns the report.
fn part_of(dir: &Dir, arguments: &[&str], texts: &[&String]) -> Value {
    let common = ["in.mcap", "-a", ANY, "--report", "json"];
    let replay = dir.start("m_replay", common.iter().chain(arguments));
    let came = self::texts(&mut receiver(&replay.endpoint()), texts.len());
    assert!(came.iter().eq(texts.iter().copied()), "{arguments:?}: {came:?}");
    let report = replay.end().expect(0).stdout;
    serde_json::from_str(&report).unwrap()
}

// ---- faults ----

/// More messages of 1 MiB than the system takes on their way to a receiver that does not read them.
const MANY: usize = 90;

/// Starts a replay of many messages to a receiver, which takes in one, and returns their texts.
fn replay_many(dir: &Dir, options: &str, stop: &Stop) -> (Process, Stream, Vec<String>) {
    let texts: Vec<_> = (0..MANY).map(|number| format!("{number:04}").repeat(1 << 18)).collect();
    write(dir, "in.mcap", &texts.iter().map(|text| (0, "a", text.as_str())).collect::<Vec<_>>());
    let replay = dir.start_shell(&format!("exec m_replay in.mcap -a '{ANY}' -r max {options}"));
    let options = Options::pull().timeout(PATIENCE).queue_size(1).stop(stop);
    let receiver = connect(&replay.endpoint(), options).unwrap();
    (replay, receiver, texts)
}

/// If frames of a map that libzmq holds were gone, the process would end by a signal.
#[test]
fn what_is_under_way_of_a_recording_that_is_truncated_arrives() {
    let dir = Dir::new();
    let (replay, mut receiver, texts) = replay_many(&dir, "-q 100 -v", &Stop::never());
    replay.stdout_line(&format!("Sending {:06}_001.raw", MANY - 1));
    // Opening it waits until the messages in flight are in memory.
    File::create(dir.path("in.mcap")).unwrap();
    assert!(texts.iter().all(|sent| text(&mut receiver) == *sent));
    replay.end().expect(0);
}

#[test]
fn a_recording_that_is_truncated_while_it_is_replayed_is_an_error() {
    for bytes in [1 << 20, 0] {
        let dir = Dir::new();
        let stop = Stop::new().unwrap();
        let (replay, mut receiver, texts) = replay_many(&dir, "-q 1 -v", &stop);
        replay.stdout_line("Sending 000001_001.raw");
        File::options().write(true).open(dir.path("in.mcap")).unwrap().set_len(bytes).unwrap();
        let came = thread::spawn(move || {
            let messages = iter::from_fn(|| receiver.receive_raw().unwrap());
            messages.zip(texts).map(|(came, sent)| came.parts()[0] == sent.as_bytes()).collect()
        });
        let ended = replay.end().expect(1);
        stop.request();
        let came: Vec<bool> = came.join().unwrap();
        assert!((1..MANY).contains(&came.len()) && !came.contains(&false), "{came:?}");
        let [error] = ended.errors()[..] else { panic!("one error: {}", ended.stderr) };
        assert!(error.ends_with(" has become shorter while it was read"), "{error}");
        // The number of sent messages is printed nevertheless.
        let total = ended.stderr.lines().find_map(|line| line.split_once(" messages, "));
        let sent: usize = total.unwrap().0.parse().unwrap();
        assert!(sent >= came.len(), "{}", ended.stderr);
    }
}

#[test]
fn what_was_sent_until_a_replay_broke_off_is_reported_and_why_to_whoever_reads_it() {
    for (options, is_read) in [("-q 1 -J", true), ("-q 1 -J > /dev/full", false)] {
        let dir = Dir::new();
        let stop = Stop::new().unwrap();
        let (replay, mut receiver, texts) = replay_many(&dir, options, &stop);
        assert_eq!(text(&mut receiver), texts[0]);
        File::options().write(true).open(dir.path("in.mcap")).unwrap().set_len(0).unwrap();
        let reading = thread::spawn(move || while receiver.receive_raw().unwrap().is_some() {});
        let ended = replay.end().expect(1);
        stop.request();
        reading.join().unwrap();
        let [error] = ended.errors()[..] else { panic!("one error: {}", ended.stderr) };
        assert!(error.ends_with(" has become shorter while it was read"), "{error}");
        if is_read {
            let report: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(report["ending"], "failed");
            assert!(report["messages"].as_u64().unwrap() >= 1, "{report}");
        }
    }
}

#[test]
fn a_number_of_loops_is_given_behind_an_equals_sign() {
    let dir = Dir::new();
    write_five(&dir);
    let printed = dir.run("m_replay", ["in.mcap", "--loop", "2"]).expect(2).stderr;
    assert!(printed.contains("--loop=2"), "{printed}");
}

// ---- the keyboard ----

#[test]
fn keys_step_and_end_a_replay_and_leave_the_terminal_as_it_was() {
    let dir = Dir::new();
    if dir.shell("script --version").code != Some(0) {
        return skip("there is no script(1) of util-linux");
    }
    let messages = ["0", "1", "2", "3"];
    let messages: Vec<_> =
        (0..).zip(messages).map(|(number, text)| (number * HOUR, "a", text)).collect();
    write(&dir, "in.mcap", &messages);
    let (script, mut keys) = at_a_terminal(&dir, "m_replay in.mcap -a ipc://here");
    let mut receiver = receiver(&format!("ipc://{}", dir.path("here").display()));
    assert_eq!(text(&mut receiver), "0");
    for (key, next) in [(&b"."[..], "1"), (b"x.", "2")] {
        keys.write_all(key).unwrap();
        assert_eq!(text(&mut receiver), next);
    }
    keys.write_all(b" q").unwrap();
    let shown = script.end().stdout;
    assert!(shown.contains("3 messages, 15 B in "), "{shown}");
    assert_left_alone(&dir);
}

#[test]
fn a_key_ends_a_wait_for_peers() {
    let dir = Dir::new();
    if dir.shell("script --version").code != Some(0) {
        return skip("there is no script(1) of util-linux");
    }
    write_five(&dir);
    let line = "m_replay in.mcap -a ipc://here --wait-peers 1";
    let (script, mut keys) = at_a_terminal(&dir, line);
    keys.write_all(b". q").unwrap();
    let shown = script.end().stdout;
    assert!(shown.contains("listening on ipc://here"), "{shown}");
    assert_left_alone(&dir);
}

#[test]
fn a_quit_ends_at_once_and_leaves_the_terminal_as_it_was() {
    let dir = Dir::new();
    if dir.shell("script --version").code != Some(0) {
        return skip("there is no script(1) of util-linux");
    }
    write(&dir, "in.mcap", &[(0, "a", "0"), (HOUR, "a", "1")]);
    let line = "ulimit -c 0; trap : QUIT; m_replay in.mcap -a ipc://here";
    let (script, mut keys) = at_a_terminal(&dir, line);
    let mut receiver = receiver(&format!("ipc://{}", dir.path("here").display()));
    assert_eq!(text(&mut receiver), "0");
    // Ctrl-\
    keys.write_all(b"\x1c").unwrap();
    script.end();
    assert_ended_with(&dir, 131);
}

/// Starts a command at a terminal, and returns where its keys are pressed.
fn at_a_terminal(dir: &Dir, command: &str) -> (Process, File) {
    let made = Command::new("mkfifo").arg(dir.path("keys")).status().unwrap();
    assert!(made.success());
    let line = format!("{command}; echo \"code $?\" > code; stty -a > after");
    let script = dir.start_shell(&format!("script -qec '{line}' /dev/null < keys"));
    // Opens once the shell has opened it to read.
    (script, OpenOptions::new().write(true).open(dir.path("keys")).unwrap())
}

/// Checks that the command has ended well, and that its terminal is as it was.
fn assert_left_alone(dir: &Dir) {
    assert_ended_with(dir, 0);
}

/// Checks how the command has ended, and that its terminal is as it was.
fn assert_ended_with(dir: &Dir, code: i32) {
    assert_eq!(fs::read_to_string(dir.path("code")).unwrap(), format!("code {code}\n"));
    let mode = fs::read_to_string(dir.path("after")).unwrap();
    let has = |flag: &str| mode.split([' ', ';', '\n']).any(|word| word == flag);
    assert!(has("icanon") && has("echo"), "{mode}");
}

// ---- nothing to send ----

#[test]
fn the_reason_why_nothing_was_sent_is_printed() {
    let dir = Dir::new();
    write_five(&dir);
    write(&dir, "empty.mcap", &[]);
    let printed = |arguments: &[&str]| {
        dir.run("m_replay", arguments.iter().chain(&["-a", ANY])).expect(4).stderr
    };
    let part = "no message of 'in.mcap' is in the requested part";
    let no_receiver = "no receiver accepted a message at 'tcp://127.0.0.1:";
    for (arguments, expected) in [
        (&["in.mcap", "--series", "9"][..], [true, false]),
        (&["in.mcap", "--from", "9"], [true, false]),
        (&["in.mcap", "-d", "50ms"], [false, true]),
        (&["in.mcap", "--timeout", "50ms"], [false, true]),
        (&["empty.mcap"], [false, false]),
        (&["empty.mcap", "--start", "10s"], [false, false]),
    ] {
        let printed = printed(arguments);
        assert_eq!([part, no_receiver].map(|text| printed.contains(text)), expected, "{printed}");
        assert!(printed.contains("no messages"), "{printed}");
    }
}

#[test]
fn a_warning_says_that_a_pub_drops_at_full_speed() {
    let dir = Dir::new();
    write_five(&dir);
    for (rate, is_printed) in [("max", true), ("100Hz", false)] {
        let arguments = ["in.mcap", "-a", ANY, "-m", "pub", "--wait-peers", "0", "-r", rate];
        let printed = dir.run("m_replay", arguments).expect(0).stderr;
        assert_eq!(printed.contains("a PUB drops what does not fit"), is_printed, "{printed}");
    }
}

#[test]
fn a_search_through_a_large_file_ends_with_the_first_signal() {
    let dir = Dir::new();
    write_five(&dir);
    let bytes = fs::read(dir.path("in.mcap")).unwrap();
    let file = File::options().write(true).open(dir.path("in.mcap")).unwrap();
    // A long gap in the place of the data, and an end that points behind itself.
    file.set_len(bytes.len() as u64 / 4).unwrap();
    let (end, mut last) = (1 << 40, bytes[bytes.len() - 37..].to_vec());
    last[9..17].fill(0xff);
    file.write_all_at(&last, end - last.len() as u64).unwrap();
    drop(file);
    for tool in [&["m_replay", "in.mcap", "-a", ANY][..], &["m_dump", "in.mcap", "--info"]] {
        let search = dir.start(tool[0], &tool[1..]);
        search.stderr_line("searching all of it");
        search.interrupt().expect(130);
    }
}

#[test]
fn a_replay_that_nobody_takes_more_of_is_not_done() {
    let dir = Dir::new();
    let messages = [(0, "a", "0"), (1, "b", "1"), (2, "a", "2")];
    write(&dir, "in.mcap", &messages);
    let mut a = connect(ANY, Options::pull().bind().timeout(PATIENCE)).unwrap();
    let map = format!("a={}", a.endpoint());
    let arguments = ["in.mcap", "--connect", "--map", &map, "--map", "b=tcp://127.0.0.1:9", "-J"];
    let replay = dir.start("m_replay", arguments.iter().chain(&["--timeout", "100ms"]));
    assert_eq!(text(&mut a), "0");
    let ended = replay.end().expect(4);
    let error =
        "error: 'tcp://127.0.0.1:9': no receiver accepted more than 1 message before the timeout";
    assert_eq!(ended.errors(), [error]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["waiting_for"], "tcp://127.0.0.1:9");
}

// ---- usage ----

#[test]
fn what_makes_no_sense_exits_with_2() {
    let dir = Dir::new();
    write_five(&dir);
    for arguments in [
        &["--from", "1", "--start", "1s"][..],
        &["--to", "1", "--end", "1s"],
        &["--start", "1769860800"],
        &["--start", "3s", "--end", "3s"],
        &["--start", "@1769860801", "--end", "@1769860800"],
        &["-r", "fast"],
        &["--map", "a"],
        &["--series", "old"],
        &["--every", "0"],
        &["--loop=0"],
        &["--send-header-again", "1s"],
    ] {
        let failed = dir.run("m_replay", ["in.mcap", "-a", ANY].iter().chain(arguments)).expect(2);
        assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    }
}

#[test]
fn quiet_prints_nothing() {
    let dir = Dir::new();
    write_five(&dir);
    let mut receiver = connect(ANY, Options::pull().bind().timeout(PATIENCE)).unwrap();
    let endpoint = receiver.endpoint().to_owned();
    let arguments = ["in.mcap", "-a", &endpoint, "--connect", "--quiet", "-r", "max"];
    let replay = dir.start("m_replay", arguments);
    texts(&mut receiver, 5);
    let ended = replay.end().expect(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}
