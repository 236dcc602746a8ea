//! What m_dump's options do to a recording, and what it prints about one.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::{Dir, Finished, PATIENCE, recording, wait_until};
use mflow::recording::{McapReader, Recording};
use mflow::{Event, Frames, Options, Sink, Source, Stream, Unconfirmed, connect};
use serde_json::{Value, json};

const ANY: &str = "tcp://127.0.0.1:*";

fn sender() -> Stream {
    connect(ANY, Options::push().bind().send_timeout(PATIENCE)).unwrap()
}

/// A message of the stream V1, with one part behind its header.
fn message(htype: &str, series: u64, frame: u64) -> Frames {
    let header = format!(
        r#"{{"htype":"{htype}-1.0","header_detail":"basic","series":{series},"frame":{frame}}}"#
    );
    Frames::from([header.as_bytes(), br#"{"nimages":3,"ntrigger":1}"#])
}

fn start(series: u64) -> Frames {
    message("dheader", series, 0)
}

fn image(series: u64, frame: u64) -> Frames {
    message("dimage", series, frame)
}

fn end(series: u64) -> Frames {
    message("dseries_end", series, 0)
}

/// Messages of two series, of which the first was joined late and the second begins too early.
fn two_series() -> Vec<Frames> {
    vec![
        image(3, 1),
        image(3, 2),
        start(4),
        image(4, 0),
        end(3),
        image(4, 1),
        image(4, 2),
        end(4),
        Frames::from([&b"no header"[..]]),
    ]
}

/// Returns all messages of a recording with their sources.
fn read(path: &Path) -> Vec<(String, Frames)> {
    let mut reader = McapReader::open(path).unwrap();
    let mut messages = Vec::new();
    while let Event::Message(received) = reader.poll().unwrap() {
        messages.push((received.origin.label.clone().unwrap(), received.frames));
    }
    assert_eq!(reader.report().damaged, 0);
    messages
}

fn frames(path: &Path) -> Vec<Frames> {
    read(path).into_iter().map(|(_, frames)| frames).collect()
}

/// Records messages with some options until all have arrived; returns what is in x.mcap.
fn recorded(dir: &Dir, messages: &[Frames], options: &[&str]) -> (Finished, Vec<Frames>) {
    let _ = fs::remove_file(dir.path("x.mcap"));
    let ended = record(dir, messages, options);
    (ended.expect(0), frames(&dir.path("x.mcap")))
}

fn record(dir: &Dir, messages: &[Frames], options: &[&str]) -> Finished {
    record_to(dir, "x.mcap", messages, options)
}

fn record_to(dir: &Dir, name: &str, messages: &[Frames], options: &[&str]) -> Finished {
    let mut sender = sender();
    let arguments = [sender.endpoint(), "-o", name];
    let dump = dir.start("m_dump", arguments.iter().chain(options));
    messages.iter().for_each(|message| sender.send(message.clone()).unwrap());
    // What is on its way is still recorded.
    assert_eq!(Box::new(sender).finish(PATIENCE).unwrap(), Unconfirmed::Count(0));
    dump.interrupt()
}

fn parsed(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap()
}

fn info(dir: &Dir, name: &str) -> Value {
    parsed(&dir.run("m_dump", [name, "--info", "-J"]).expect(0))
}

// ---- which messages ----

#[test]
fn a_run_whose_messages_were_all_left_out_says_so() {
    let dir = Dir::new();
    let ended = record(&dir, &two_series(), &["--htype", "other", "--timeout", "10s"]);
    let count = two_series().len();
    let printed = format!("none of {count} messages passed the filters");
    assert!(ended.stderr.contains(&printed), "{}", ended.stderr);
}

#[test]
fn filters_say_which_messages_are_recorded() {
    let dir = Dir::new();
    let all = two_series();
    for (options, expected) in [
        (&[][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8][..]),
        // All starts and ends, and every other one of what is between.
        (&["--every", "2"], &[0, 2, 3, 4, 6, 7]),
        (&["--htype", "dimage"], &[0, 1, 3, 5, 6]),
        (&["--htype", "dheader-1.0", "--htype", "dseries_end", "--htype", "raw"], &[2, 4, 7, 8]),
        (&["--series", "any", "-n", "4"], &[0, 1, 2, 3]),
        (&["--series", "new"], &[2, 3, 5, 6, 7, 8]),
        (&["--series", "3"], &[0, 1, 4]),
        (&["--series", "5"], &[]),
        (&["--series", "new", "--htype", "dimage", "--every", "3"], &[3]),
    ] {
        let (_, messages) = recorded(&dir, &all, options);
        let expected: Vec<_> = expected.iter().map(|index| all[*index].clone()).collect();
        assert!(messages == expected, "{options:?}: {messages:?}");
    }
}

#[test]
fn headers_are_recorded_alone() {
    let dir = Dir::new();
    let (_, messages) = recorded(&dir, &two_series(), &["--headers-only"]);
    let headers: Vec<_> =
        two_series().iter().map(|message| Frames::from([message[0].as_ref()])).collect();
    assert!(messages == headers, "{messages:?}");
    // A message of the stream V2 is all header; an image has its pixels in it.
    let of = |kind: &[u8]| Frames::from([[b"\xa2\x64type", kind, b"\x69series_id\x07"].concat()]);
    let (start, image, end) = (of(b"\x65start"), of(b"\x65image"), of(b"\x63end"));
    let (_, messages) = recorded(&dir, &[start.clone(), image, end.clone()], &["--headers-only"]);
    assert!(messages == [start, end], "{messages:?}");
}

// ---- the end of a series ----

/// Records until the end of a series, in a thread.
fn until_series_end(dir: &Dir, messages: &[Frames], option: &str, code: i32) -> (String, u64) {
    let _ = fs::remove_file(dir.path("x.mcap"));
    let mut sender = sender();
    let dump = dir.start("m_dump", [sender.endpoint(), "-o", "x.mcap", option]);
    messages.iter().for_each(|message| sender.send(message.clone()).unwrap());
    let ended = dump.end().expect(code);
    (ended.stderr, frames(&dir.path("x.mcap")).len() as u64)
}

#[test]
fn a_recording_ends_with_the_series() {
    let dir = Dir::new();
    // A grace as long as this would show.
    let option = "--until-series-end=1000s";
    let whole = [start(4), image(4, 0), image(4, 1), image(4, 2), end(4)];
    assert_eq!(until_series_end(&dir, &whole, option, 0).1, 5);
    // Images arrive late and in any order, and images of another series do not count.
    let late = [start(4), end(3), image(3, 7), image(4, 2), end(4), image(4, 0), image(4, 1)];
    assert_eq!(until_series_end(&dir, &late, option, 0).1, 7);
}

#[test]
fn a_recording_of_several_sources_ends_with_the_series_of_each() {
    let dir = Dir::new();
    let mut senders = [sender(), sender(), sender()];
    let sources = ["a", "b", "other"].iter().zip(&senders);
    let sources: Vec<_> = sources.map(|(name, it)| format!("{name}={}", it.endpoint())).collect();
    let option = "--until-series-end=1000s";
    let sources = sources.iter().map(String::as_str);
    let dump = dir.start("m_dump", sources.chain(["-o", "x.mcap", option, "-v"]));
    // One has no series at all.
    senders[2].send(Frames::from([&br#"{"htype":"raw-1.0"}"#[..]])).unwrap();
    let series = [start(1), image(1, 0), image(1, 1), image(1, 2), end(1)];
    for sender in &mut senders[..2] {
        series.iter().for_each(|message| sender.send(message.clone()).unwrap());
    }
    dump.end().expect(0);
    assert_eq!(frames(&dir.path("x.mcap")).len(), 11);
}

#[test]
fn a_series_that_lacks_images_ends_after_a_grace_and_exits_with_3() {
    let dir = Dir::new();
    let lacking = [start(4), image(4, 0), end(4)];
    let (printed, count) = until_series_end(&dir, &lacking, "--until-series-end=300ms", 3);
    assert_eq!(count, 3);
    assert!(printed.contains("2 images announced by the series did not arrive"), "{printed}");
    // Without an argument, some seconds.
    until_series_end(&dir, &lacking, "--until-series-end", 3);
    // Their number was not announced.
    let unannounced = [image(4, 0), end(4)];
    assert_eq!(until_series_end(&dir, &unannounced, "--until-series-end=300ms", 0).1, 2);
}

#[test]
fn a_stray_end_cuts_no_series_and_is_reported() {
    let dir = Dir::new();
    // A grace as short as this would end it between any two messages.
    let option = "--until-series-end=0s";
    let stale = [end(3), start(4), image(4, 0), image(4, 1), image(4, 2), end(4)];
    let (printed, count) = until_series_end(&dir, &stale, option, 0);
    assert_eq!(count, 6);
    let strays = "warning: messages of other series: 1 end";
    assert!(printed.contains(strays), "{printed}");
    let ended = dir.run("m_dump", ["x.mcap", option, "-J"]).expect(0);
    let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last, json!({"strays": {"starts": 0, "images": 0, "ends": 1}}));
}

#[test]
fn a_series_that_another_start_cuts_short_exits_with_3() {
    let dir = Dir::new();
    let all = [start(4), image(4, 0), image(4, 1), image(4, 2), start(5), image(5, 0)];
    let (printed, count) = until_series_end(&dir, &all[..5], "--until-series-end=1000s", 3);
    assert_eq!(count, 5);
    assert!(printed.contains("error: another series began"), "{printed}");
    assert!(printed.contains("messages of other series: 1 start"), "{printed}");
}

// ---- files ----

/// Returns the names in a directory that begin with `run`, sorted.
fn runs(dir: &Dir) -> Vec<String> {
    let entries = fs::read_dir(dir.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("run")).collect();
    names.sort();
    names
}

/// Returns all messages of these files.
fn frames_of(dir: &Dir, names: &[String]) -> Vec<Frames> {
    names.iter().flat_map(|name| frames(&dir.path(name))).collect()
}

fn large(frame: u64) -> Frames {
    let header = format!(r#"{{"htype":"raw-1.0","frame":{frame}}}"#).into_bytes();
    Frames::from([header, vec![u8::try_from(frame).unwrap(); 400_000]])
}

#[test]
fn a_recording_goes_on_in_files_that_are_each_whole() {
    let dir = Dir::new();
    let messages: Vec<_> = std::iter::once(start(4)).chain((0..10).map(large)).collect();
    let send = |options: &[&str]| record_to(&dir, "run.mcap", &messages, options).expect(0);
    send(&["--max-size", "1MB", "--meta", "sample=lysozyme"]);
    let expected: Vec<_> = (0..5).map(|number| format!("run-{number:04}.mcap")).collect();
    assert_eq!(runs(&dir), expected);
    let all = frames_of(&dir, &expected);
    assert!(all == messages, "{} messages", all.len());
    // They are one again, in whichever order they are named, as a recording and as a stream.
    let files = || expected.iter().rev().map(String::as_str);
    dir.run("m_dump", files().chain(["--convert", "all.mcap"])).expect(0);
    assert!(frames(&dir.path("all.mcap")) == messages);
    let printed = dir.run("m_dump", ["all.mcap", "--info"]).expect(0).stdout;
    assert!(
        printed.contains("sample") && printed.contains("run-0004.mcap run-0003.mcap"),
        "{printed}"
    );
    dir.run("m_dump", ["all.mcap", "--verify"]).expect(0);
    let replay = dir.start("m_replay", files().chain(["-a", "tcp://127.0.0.1:*", "--from", "3"]));
    let mut receiver = connect(&replay.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    for sent in &messages[3..] {
        let came = receiver.receive_raw().unwrap().expect("a message in time");
        assert!(came.parts().iter().eq(sent.iter().map(AsRef::as_ref)));
    }
    replay.end().expect(0);
    for name in &expected {
        let printed = info(&dir, name);
        assert_eq!(printed["attachments"][0]["name"], "series-4-header");
        let user =
            printed["metadata"].as_array().unwrap().iter().find(|it| it["name"] == "mflow.user");
        assert_eq!(user.unwrap()["entries"], json!({"sample": "lysozyme"}));
        assert!(fs::metadata(dir.path(name)).unwrap().len() < 1_010_000);
        dir.run("m_dump", [name.as_str(), "--verify"]).expect(0);
        fs::remove_file(dir.path(name)).unwrap();
    }
    // The latest are kept.
    send(&["--max-size", "1MB", "--keep", "2"]);
    assert_eq!(runs(&dir), expected[3..]);
    let all = frames_of(&dir, &expected[3..]);
    assert!(all == messages[messages.len() - all.len()..] && all.len() >= 3);
    // The start of the series is in none of them, but for the attachments.
    let convert = expected[3..].iter().map(String::as_str).chain(["--convert", "kept.mcap"]);
    dir.run("m_dump", convert).expect(0);
    let attachments = info(&dir, "kept.mcap")["attachments"].as_array().unwrap().clone();
    assert_eq!(attachments.len(), 1);
    assert_eq!(attachments[0]["name"], "series-4-header");
    dir.run("m_dump", ["kept.mcap", "--verify"]).expect(0);
}

#[test]
fn a_large_start_is_stored_once_in_the_file_that_has_it_and_found_from_the_middle() {
    let dir = Dir::new();
    let header = br#"{"htype":"dheader-1.0","header_detail":"all","series":4}"#;
    let start = Frames::from([&header[..], &vec![7; 2 << 20]]);
    let messages = [start.clone(), image(4, 0), large(1), image(4, 2), large(3), end(4)];
    record(&dir, &messages, &[]).expect(0);
    let length = fs::metadata(dir.path("x.mcap")).unwrap().len();
    assert!(length < 3_000_000, "{length}");
    assert_eq!(info(&dir, "x.mcap")["attachments"], json!([]));
    dir.run("m_dump", ["x.mcap", "--verify"]).expect(0);
    let replay = |files: &[&str], from: &str| {
        let arguments = ["--from", from, "--send-header-first", "-a", ANY];
        let replay = dir.start("m_replay", files.iter().copied().chain(arguments));
        let mut receiver = connect(&replay.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
        let came = receiver.receive_raw().unwrap().expect("a message in time");
        drop(replay);
        came.parts().iter().map(mflow::bytes::Bytes::len).collect::<Vec<_>>()
    };
    let lengths: Vec<_> = start.iter().map(mflow::Frame::len).collect();
    assert_eq!(replay(&["x.mcap"], "3"), lengths);
    // What is left of a file without an end points to it too, and what is saved of it.
    let bytes = fs::read(dir.path("x.mcap")).unwrap();
    fs::write(dir.path("cut.mcap"), &bytes[..bytes.len() - 1000]).unwrap();
    dir.run("m_dump", ["cut.mcap", "--recover", "saved.mcap"]).expect(0);
    for name in ["cut.mcap", "saved.mcap"] {
        assert_eq!(replay(&[name], "3"), lengths, "{name}");
    }
    // The files of a recording have an attachment if the start is not among their messages; as a
    // message it is there once.
    record_to(&dir, "run.mcap", &messages, &["--max-size", "2500KB"]).expect(0);
    let names = runs(&dir);
    assert!(names.len() > 1, "{names:?}");
    let counts = names.iter().map(|it| info(&dir, it)["attachments"].as_array().unwrap().len());
    assert!(counts.eq((0..names.len()).map(|file| usize::from(file > 0))));
    let files = || names.iter().map(String::as_str);
    dir.run("m_dump", files().chain(["--convert", "all.mcap"])).expect(0);
    assert_eq!(info(&dir, "all.mcap")["attachments"], json!([]));
    let last = names.last().unwrap();
    dir.run("m_dump", [last, "--convert", "rest.mcap"]).expect(0);
    assert_eq!(info(&dir, "rest.mcap")["attachments"].as_array().unwrap().len(), 1);
}

#[test]
fn a_start_that_was_in_a_file_between_is_kept_when_the_others_are_converted() {
    let dir = Dir::new();
    let (large, starts) = ((0..6).map(large), [start(4), start(5)]);
    let mut messages: Vec<_> = large.collect();
    messages.insert(0, starts[0].clone());
    messages.insert(4, starts[1].clone());
    record_to(&dir, "run.mcap", &messages, &["--max-size", "1MB"]).expect(0);
    let files = runs(&dir);
    assert_eq!(files, ["run-0000.mcap", "run-0001.mcap", "run-0002.mcap"]);
    let attached = |name: &str, files: &[&str]| {
        dir.run("m_dump", files.iter().chain(&["--convert", name])).expect(0);
        let attachments = info(&dir, name)["attachments"].as_array().unwrap().clone();
        let mut names: Vec<_> = attachments.iter().map(|it| it["name"].to_string()).collect();
        names.sort();
        names
    };
    let both = ["\"series-4-header\"", "\"series-5-header\""];
    assert_eq!(attached("two.mcap", &["run-0000.mcap", "run-0002.mcap"]), both);
    let all: Vec<_> = files.iter().map(String::as_str).collect();
    assert_eq!(attached("all.mcap", &all), both);
}

#[test]
fn a_recording_goes_on_in_another_file_after_a_time() {
    let dir = Dir::new();
    let mut sender = sender();
    let arguments = [sender.endpoint(), "-o", "run.mcap", "--max-time", "200ms"];
    let dump = dir.start("m_dump", arguments);
    let mut sent = 0;
    wait_until("three files", || {
        sender.send(large(sent % 256)).unwrap();
        sent += 1;
        runs(&dir).len() >= 3
    });
    dump.interrupt().expect(0);
    let files = runs(&dir);
    let all = frames_of(&dir, &files);
    assert!(all.into_iter().eq((0..sent).map(|number| large(number % 256))));
    for name in files {
        let (first, last) = McapReader::open(&dir.path(name)).unwrap().span().unwrap();
        assert!(last.as_nanos() - first.as_nanos() <= 200_000_000);
    }
}

#[test]
fn a_file_has_the_notes_of_the_user_and_how_it_was_made() {
    let dir = Dir::new();
    let options = ["--meta", "sample=lysozyme", "--meta", "note=a=b", "--crc", "--fsync", "close"];
    let (_, messages) = recorded(&dir, &two_series(), &options);
    assert!(messages == two_series());
    let printed = info(&dir, "x.mcap");
    let metadata: BTreeMap<_, _> = printed["metadata"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), &it["entries"]))
        .collect();
    assert_eq!(*metadata["mflow.user"], json!({"sample": "lysozyme", "note": "a=b"}));
    let session = metadata["mflow.session"].as_object().unwrap();
    assert!(session["address"].as_str().unwrap().starts_with("tcp://127.0.0.1:"), "{session:?}");
    assert_eq!((&session["mode"], &session["queue_size"]), (&json!("PULL"), &json!("32")));
    let verified = parsed(&dir.run("m_dump", ["x.mcap", "--verify", "-J"]).expect(0));
    assert!(verified["checksums"].as_u64().unwrap() >= 2, "{verified}");
    // Again and again, beside the writing.
    let (_, messages) = recorded(&dir, &two_series(), &["--fsync", "1ms"]);
    assert!(messages == two_series());
    // What was left out is noted, so that it is not looked for.
    assert!(!session.contains_key("every") && !session.contains_key("parts"), "{session:?}");
    let left_out = ["--every", "2", "--headers-only", "--htype", "dimage", "--htype", "dheader"];
    let convert = ["x.mcap", "--convert", "y.mcap", "--series", "new"];
    dir.run("m_dump", convert.iter().chain(&left_out)).expect(0);
    let printed = info(&dir, "y.mcap");
    let session = &printed["metadata"][0]["entries"];
    for (key, value) in
        [("every", "2"), ("parts", "header"), ("htype", "dimage, dheader"), ("series", "new")]
    {
        assert_eq!(session[key], value, "{session}");
    }
}

// ---- several sources ----

#[test]
fn several_sources_are_recorded_and_replayed_in_their_order_on_one_clock() {
    let dir = Dir::new();
    let (mut a, mut b) = (sender(), sender());
    let sources = [format!("a={}", a.endpoint()), format!("b={}", b.endpoint())];
    let arguments = [sources[0].as_str(), &sources[1], "-o", "x.mcap"];
    let dump = dir.start("m_dump", arguments);
    let path = dir.path("x.mcap");
    wait_until("the file", || path.exists());
    let sent = ["a", "b", "b", "a", "b", "a", "a"];
    for (number, label) in (0..).zip(sent) {
        let before = size(&dir, "x.mcap");
        let stream = if label == "a" { &mut a } else { &mut b };
        stream.send(image(1, number)).unwrap();
        wait_until("the message in the file", || size(&dir, "x.mcap") > before);
    }
    dump.interrupt().expect(0);
    let expected: Vec<_> =
        (0..).zip(sent).map(|(number, label)| (label.to_owned(), image(1, number))).collect();
    assert!(read(&path) == expected);
    let printed = info(&dir, "x.mcap");
    let channel = |index: usize| {
        let channel = &printed["channels"][index];
        (channel["topic"].clone(), channel["address"].clone(), channel["messages"].clone())
    };
    assert_eq!(channel(0), (json!("/a/dimage-1.0"), json!(a.endpoint()), json!(4)));
    assert_eq!(channel(1), (json!("/b/dimage-1.0"), json!(b.endpoint()), json!(3)));

    let maps = ["a", "b"].map(|label| format!("{label}={ANY}"));
    let arguments = ["x.mcap", "--map", &maps[0], "--map", &maps[1], "--wait-peers", "1"];
    let replay = dir.start("m_replay", arguments);
    let [a, b] = <[_; 2]>::try_from(replay.endpoints(2)).unwrap();
    let sources = [format!("a={a}"), format!("b={b}")];
    dir.run("m_dump", [&sources[0], &sources[1], "-o", "y.mcap", "-n", "7"]).expect(0);
    replay.end().expect(0);
    assert!(read(&dir.path("y.mcap")) == expected);
    let length = |name: &str| {
        let (first, last) = McapReader::open(&dir.path(name)).unwrap().span().unwrap();
        Duration::from_nanos(last.as_nanos() - first.as_nanos())
    };
    let (recorded, again) = (length("x.mcap"), length("y.mcap"));
    assert!(again > recorded - Duration::from_millis(50), "{again:?} of {recorded:?}");
}

// ---- looks at a recording ----

/// Writes a folder of `.raw` files with all that may be in one.
fn folder(dir: &Dir) -> Vec<(String, Vec<u8>)> {
    let many: Vec<Vec<u8>> = (0..12).map(|part| vec![part; usize::from(part) * 100]).collect();
    let messages: [Vec<Vec<u8>>; 5] = [
        vec![br#"{"htype":"raw-1.0","frame":0}"#.to_vec(), vec![1; 300_000]],
        vec![Vec::new()],
        vec![b"\xff\xfe".to_vec(), Vec::new(), b"x".to_vec(), Vec::new()],
        many,
        vec![br#"{"htype":"raw-1.0","frame":2}"#.to_vec(), b"data".to_vec()],
    ];
    for (number, parts) in messages.iter().enumerate() {
        for (part, bytes) in parts.iter().enumerate() {
            dir.write(format!("in/{number:06}_{part:03}.raw"), bytes);
        }
    }
    recording(dir.path("in"))
}

#[test]
fn a_folder_becomes_an_mcap_file_and_the_same_folder_again() {
    let dir = Dir::new();
    let files = folder(&dir);
    for (from, to) in [("in", "x.mcap"), ("x.mcap", "y.mcap"), ("y.mcap", "out"), ("out", "again")]
    {
        let ended = dir.run("m_dump", [from, "--convert", to]).expect(0);
        assert!(ended.stderr.starts_with("5 messages, 306.67 kB in "), "{}", ended.stderr);
    }
    for out in ["out", "again"] {
        assert!(recording(dir.path(out)) == files, "{out} is another recording");
        let entries = fs::read_dir(dir.path(out)).unwrap().count();
        assert_eq!(entries, files.len());
    }
    // As it is recorded, it is converted.
    dir.run("m_dump", ["in", "--convert", "few.mcap", "--every", "4", "--meta", "a=b"]).expect(0);
    assert_eq!(info(&dir, "few.mcap")["messages"], 2);
    // Names and times of what was recorded stay.
    assert_eq!(read(&dir.path("x.mcap")), read(&dir.path("y.mcap")));
    let span = |name: &str| McapReader::open(&dir.path(name)).unwrap().span();
    assert_eq!(span("x.mcap"), span("y.mcap"));
}

#[test]
fn every_program_reads_a_recording() {
    let dir = Dir::new();
    let files = folder(&dir);
    dir.run("m_dump", ["in", "--convert", "x.mcap"]).expect(0);
    let [of_folder, of_file] =
        ["in", "x.mcap"].map(|name| dir.run("m_dump", [name, "-J"]).expect(0).stdout);
    assert_eq!(of_folder, of_file);
    assert_eq!(dir.run("m_dump", ["in"]).expect(0).stdout, dir.run("m_dump", ["x.mcap"]).stdout);
    let stats = dir.run("m_stats", ["x.mcap"]).expect(0);
    assert!(stats.stdout.contains("Messages received:             5 messages\n"));
    assert!(stats.stdout.contains("Total bytes received:      0.307 MB\n"), "{}", stats.stdout);
    let split = dir.start("m_split", ["x.mcap", ANY, "y.mcap", "--on-full", "block"]);
    dir.run("m_dump", [split.endpoint().as_str(), "out", "-n", "5"]).expect(0);
    split.end().expect(0);
    assert!(frames(&dir.path("y.mcap")) == frames(&dir.path("x.mcap")));
    assert!(recording(dir.path("out")) == files);
}

/// Writes a recording whose times are known, by the library.
fn known(dir: &Dir) {
    use mflow::recording::{McapOptions, McapWriter};
    use mflow::{Origin, Received, Timestamp};
    let options = McapOptions {
        session: vec![("address".into(), "tcp://eiger:9999".into())],
        user: vec![("sample".into(), "lysozyme".into())],
        crc: true,
        ..McapOptions::default()
    };
    let mut writer = McapWriter::create(&dir.path("x.mcap"), options).unwrap();
    let origin = std::sync::Arc::new(Origin {
        name: "tcp://eiger:9999".into(),
        label: Some("eiger".into()),
        mode: Some("PULL".into()),
    });
    let messages = [start(4), image(4, 0), image(4, 1), image(4, 5), end(4)];
    for (number, frames) in (0..).zip(messages) {
        // From 2026-01-31T12:00:00Z on, four a second.
        let time = Timestamp::from_nanos(1_769_860_800_000_000_000 + number * 250_000_000);
        writer.write(&Received { frames, time, origin: origin.clone() }).unwrap();
    }
    writer.finish().unwrap();
}

/// Returns what m_dump printed, without values that differ from run to run and without column
/// widths.
fn printed(dir: &Dir, arguments: &[&str], code: i32) -> Vec<String> {
    let ended = dir.run("m_dump", arguments).expect(code);
    let lines = ended.stdout.lines();
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let differs =
        |line: &str| DIFFERS.iter().any(|key| line.starts_with(&format!("mflow.session {key} ")));
    lines.filter(|line| !differs(line)).collect()
}

/// What the metadata of a recording say that differs from run to run.
const DIFFERS: [&str; 6] = ["clock", "host", "libzmq", "mflow", "started", "ended"];

fn size(dir: &Dir, name: &str) -> u64 {
    fs::metadata(dir.path(name)).unwrap().len()
}

/// The size of a file as people read it; the name of the host is in it.
fn readable(bytes: u64) -> String {
    format!("{}.{:02} kB", bytes / 1000, (bytes % 1000 + 5) / 10)
}

#[test]
fn what_is_in_a_recording_is_printed_as_text_and_json() {
    let dir = Dir::new();
    known(&dir);
    let size = size(&dir, "x.mcap");
    let expected = [
        &format!("x.mcap: 5 messages, {}, closed", readable(size)),
        "2026-01-31T12:00:00.000Z to 2026-01-31T12:00:01.000Z, 1.000 s",
        "",
        "channel messages bytes first s last s Hz lost dropped",
        "/eiger/dheader-1.0 1 94 B 0.000 0.000 - 0 0",
        "/eiger/dimage-1.0 3 279 B 0.250 0.750 4.000 3 0",
        "/eiger/dseries_end-1.0 1 98 B 1.000 1.000 - 0 0",
        "",
        "source from mode",
        "eiger tcp://eiger:9999 PULL",
        "",
        "attachment bytes",
        "series-4-header 98 B",
        "",
        "metadata key value",
        "mflow.session address tcp://eiger:9999",
        "mflow.user sample lysozyme",
    ];
    assert_eq!(printed(&dir, &["x.mcap", "--info"], 0), expected);
    assert_eq!(printed(&dir, &["x.mcap", "--info", "-v"], 0), expected);

    let mut printed = info(&dir, "x.mcap");
    for metadata in printed["metadata"].as_array_mut().unwrap() {
        let entries = metadata["entries"].as_object_mut().unwrap();
        entries.retain(|key, _| !DIFFERS.contains(&key.as_str()));
    }
    let noon = 1_769_860_800_000_000_000_u64;
    let channel = |htype: &str, counts: [u64; 3], times: [u64; 2], rate: Option<f64>| {
        let [messages, bytes, lost] = counts;
        json!({
            "topic": format!("/eiger/{htype}"), "source": "eiger", "htype": htype,
            "address": "tcp://eiger:9999", "mode": "PULL", "messages": messages, "bytes": bytes,
            "first": noon + times[0] * 250_000_000, "last": noon + times[1] * 250_000_000,
            "rate": rate, "lost": lost, "dropped": 0,
        })
    };
    let summary = json!({
        "received": "5", "bytes": "471", "lost": "3", "dropped": "0",
        "received /eiger/dheader-1.0": "1", "bytes /eiger/dheader-1.0": "94",
        "lost /eiger/dheader-1.0": "0", "dropped /eiger/dheader-1.0": "0",
        "received /eiger/dimage-1.0": "3", "bytes /eiger/dimage-1.0": "279",
        "lost /eiger/dimage-1.0": "3", "dropped /eiger/dimage-1.0": "0",
        "received /eiger/dseries_end-1.0": "1", "bytes /eiger/dseries_end-1.0": "98",
        "lost /eiger/dseries_end-1.0": "0", "dropped /eiger/dseries_end-1.0": "0",
    });
    let expected = json!({
        "path": "x.mcap", "size": size, "is_closed": true, "messages": 5, "foreign": 0, "damaged": 0,
        "damaged_places": 0, "first": noon, "last": noon + 1_000_000_000,
        "channels": [
            channel("dheader-1.0", [1, 94, 0], [0, 0], None),
            channel("dimage-1.0", [3, 279, 3], [1, 3], Some(4.0)),
            channel("dseries_end-1.0", [1, 98, 0], [4, 4], None),
        ],
        "attachments": [{"name": "series-4-header", "bytes": 98}],
        "metadata": [
            {"name": "mflow.session", "entries": {"address": "tcp://eiger:9999"}},
            {"name": "mflow.user", "entries": {"sample": "lysozyme"}},
            {"name": "mflow.summary", "entries": summary},
        ],
        "notices": [],
    });
    assert_eq!(printed, expected);
}

#[test]
fn whether_a_recording_is_sound_is_printed_as_text_and_json() {
    let dir = Dir::new();
    known(&dir);
    let size = size(&dir, "x.mcap");
    let expected = [
        "x.mcap: sound".to_owned(),
        format!("5 messages in 2 chunks, {}", readable(size)),
        "4 checksums".to_owned(),
    ];
    assert_eq!(printed(&dir, &["x.mcap", "--verify"], 0), expected);
    let verified = parsed(&dir.run("m_dump", ["x.mcap", "--verify", "-J"]).expect(0));
    let expected = json!({
        "path": "x.mcap", "size": size, "messages": 5, "foreign": 0, "chunks": 2, "attachments": 1,
        "metadata": 3, "unknown": 0, "checksums": 4, "is_closed": true, "has_summary": true, "out_of_order": 0,
        "damages": [], "damaged_places": 0,
    });
    assert_eq!(verified, expected);
}

#[test]
fn what_was_saved_of_a_recording_is_printed_as_text_and_json() {
    let dir = Dir::new();
    known(&dir);
    let saved = "whole.mcap: 5 messages, 471 B saved from x.mcap";
    assert_eq!(printed(&dir, &["x.mcap", "--recover", "whole.mcap"], 0), [saved]);

    // Cut within the third image, which shares a chunk with the two before it.
    let whole = fs::read(dir.path("x.mcap")).unwrap();
    let find = |frames: &Frames| {
        let header = frames[0].as_ref();
        let at = whole.windows(header.len()).position(|window| window == header).unwrap();
        // Ahead of it are the heads of the message and of the part.
        at as u64 - 31 - 2
    };
    let (chunk, cut) = (find(&image(4, 0)) - 49, find(&image(4, 5)));
    dir.write("cut.mcap", &whole[..usize::try_from(cut + 50).unwrap()]);
    let damages = [
        "damage at byte bytes",
        &format!("a record is cut off {chunk} 49"),
        &format!("a record is cut off {cut} 50"),
    ];
    let saved = ["y.mcap: 3 messages, 280 B saved from cut.mcap", ""];
    let expected = [&saved[..], &damages].concat();
    assert_eq!(printed(&dir, &["cut.mcap", "--recover", "y.mcap"], 3), expected);
    let recovered = parsed(&dir.run("m_dump", ["cut.mcap", "--recover", "z.mcap", "-J"]).expect(3));
    let what = "a record is cut off";
    let expected = json!({
        "path": "cut.mcap", "messages": 3, "bytes": 280, "damaged": 0, "foreign": 0, "was_closed": false,
        "damages": [
            {"at": chunk, "bytes": 49, "what": what},
            {"at": cut, "bytes": 50, "what": what},
        ],
        "damaged_places": 2,
    });
    assert_eq!(recovered, expected);

    let size = readable(cut + 50);
    let expected = [
        "cut.mcap: damaged",
        &format!("3 messages in 1 chunk, {size}"),
        "2 checksums",
        "not closed: --recover OUT.mcap writes what there is as a whole file",
        "",
    ];
    let end = format!("it has no end: its writer is still at it, or died {} 0", cut + 50);
    let expected = [&expected[..], &damages, &[&end]].concat();
    assert_eq!(printed(&dir, &["cut.mcap", "--verify"], 3), expected);
    let printed = printed(&dir, &["cut.mcap", "--info"], 0);
    assert_eq!(printed[0], format!("cut.mcap: 1 message, {size}, not closed"));
    let last = [
        "warning: it has no end: its writer is still at it, or died",
        "warning: its last 355 bytes are no whole record: --recover may save more",
        "hint: --recover OUT.mcap writes what there is as a whole file",
    ];
    assert_eq!(printed[printed.len() - 3..], last);
}

// ---- usage ----

#[test]
fn what_makes_no_sense_exits_with_2_and_says_why() {
    let dir = Dir::new();
    folder(&dir);
    dir.run("m_dump", ["in", "--convert", "x.mcap"]).expect(0);
    let needs_mcap = "--max-size, --max-time, --keep, --fsync, --meta and --crc need an output that \
                      ends in .mcap";
    for (arguments, error) in [
        (&["in", "-o", "a.mcap", "--keep", "2"][..], "--keep needs --max-size or --max-time"),
        (&["in", "-o", "out", "--max-size", "1"], needs_mcap),
        (&["in", "-o", "out", "--meta", "a=b"], needs_mcap),
        (&["in", "--crc"], needs_mcap),
        (
            &["in", "-o", "a.mcap", "--meta", "a"],
            "invalid value 'a' for '--meta <KEY=VALUE>': expected a key and a value such as sample=lysozyme, found 'a'",
        ),
        (
            &["in", "-o", "a.mcap", "--fsync", "no"],
            "invalid value 'no' for '--fsync <never|close|DURATION>': expected never, close or a duration such as 10s, found 'no'",
        ),
        (
            &["in", "-o", "a.mcap", "--series", "old"],
            "invalid value 'old' for '--series <new|any|NUMBER>': expected new, any or the number of a series, found 'old'",
        ),
        (&["in", "-o", "a.mcap", "--force"], "an MCAP file does not support --force"),
        (&["in", "-o", "a.mcap", "-s", "1"], "an MCAP file does not support --skip"),
        (&["in", "--convert", "a.mcap", "-J"], "--format json accepts no output"),
        (&["a=tcp://x:1", "a=tcp://x:2", "-o", "a.mcap"], "two sources have the name 'a'"),
        (&["x.mcap", "y.mcap", "--recover", "a.mcap"], "--recover expects one recording"),
        (&["a=x.mcap", "--info"], "--info expects an MCAP file, found 'a=x.mcap'"),
        (
            &["x.mcap", "--info", "-o", "a.mcap"],
            "the argument '--info' cannot be used with '--output <PATH>'",
        ),
        (
            &["x.mcap", "--recover", "a.mcap", "--every", "2"],
            "the argument '--recover <OUT.mcap>' cannot be used with '--every <MESSAGES>'",
        ),
        (
            &["x.mcap", "--verify", "--mode", "pull"],
            "the argument '--verify' cannot be used with '--mode <pull|sub>'",
        ),
        (
            &["x.mcap", "x.mcap"],
            "'x.mcap' is there already: --format text shows both, --output writes",
        ),
        (&["a=x.mcap", "-J"], "'x.mcap' keeps the names that its sources have"),
        (
            &["tcp://localhost:1", "x.mcap", "-o", "a.mcap"],
            "expected streams or recordings, found some of each: 'tcp://localhost:1' and 'x.mcap'",
        ),
        (
            &["tcp://localhost:1", "--verify"],
            "--verify expects an MCAP file, found 'tcp://localhost:1'",
        ),
        (
            &["in", "--verify"],
            "--verify expects an MCAP file, found the folder 'in', which --convert makes one of",
        ),
        (&["x.mcap", "--info", "--verify"], "the argument '--info' cannot be used with '--verify'"),
    ] {
        let ended = dir.run("m_dump", arguments).expect(2);
        let first = ended.stderr.lines().next().unwrap();
        assert_eq!(first, format!("error: {error}"), "{arguments:?}");
        assert!(ended.stderr.contains("try '--help'"), "{}", ended.stderr);
    }
    let names = fs::read_dir(dir.path("")).unwrap().count();
    assert_eq!(names, 2, "something was made");
}

#[test]
fn what_was_said_of_a_recording_goes_with_its_messages() {
    let dir = Dir::new();
    recorded(&dir, &two_series(), &["--meta", "sample=lysozyme", "--meta", "run=1"]);
    let convert = ["x.mcap", "--convert", "y.mcap", "--meta", "run=2"];
    dir.run("m_dump", convert).expect(0);
    let printed = info(&dir, "y.mcap");
    let entries = |name: &str| {
        let all = printed["metadata"].as_array().unwrap().iter();
        all.clone().find(|it| it["name"] == name).unwrap()["entries"].clone()
    };
    assert_eq!(entries("mflow.user"), json!({"sample": "lysozyme", "run": "2"}));
    assert_eq!(entries("mflow.session")["recorded mode"], "PULL");
    // What a split records has its source too.
    dir.run("m_split", ["x.mcap", "z.mcap"]).expect(0);
    let printed = info(&dir, "z.mcap");
    assert_eq!(printed["metadata"][0]["entries"]["address"], "x.mcap");
    // The times of a folder are none of its own.
    dir.run("m_dump", ["x.mcap", "--convert", "folder"]).expect(0);
    dir.run("m_dump", ["folder", "--convert", "w.mcap"]).expect(0);
    let printed = info(&dir, "w.mcap");
    let times = "when the folder was read, which has none";
    assert_eq!(printed["metadata"][0]["entries"]["times"], times);
}

#[test]
fn sources_without_names_are_named_in_their_order() {
    let dir = Dir::new();
    let mut senders = [sender(), sender(), sender()];
    let [first, second, third] = senders.each_ref().map(|sender| sender.endpoint().to_owned());
    let named = format!("s1={second}");
    let dump = dir.start("m_dump", [&first, &named, &third, "-o", "x.mcap", "-n", "3"]);
    // It is not the order in which they send.
    for sender in senders.iter_mut().rev() {
        sender.send(Frames::from([&b"{}"[..]])).unwrap();
    }
    dump.end().expect(0);
    let reader = McapReader::open(&dir.path("x.mcap")).unwrap();
    let mut names: Vec<_> = reader.origins().iter().map(|it| (it.label(), &it.name)).collect();
    names.sort();
    assert_eq!(names, [("s0", &first), ("s1", &second), ("s2", &third)]);
}

#[test]
fn pulses_that_another_receiver_has_taken_are_lost() {
    let dir = Dir::new();
    let pulse = |pulse: u64| {
        let header = format!(r#"{{"htype":"bsr_m-1.1","pulse_id":{pulse}}}"#);
        let channels = br#"{"htype":"bsr_d-1.1","channels":[{"name":"X","type":"int16"}]}"#;
        Frames::from([header.as_bytes(), channels, b"\x01\x00", &[0; 16]])
    };
    let unnumbered = Frames::from([&b"no header"[..]]);
    let messages: Vec<_> = (0..10).map(|number| pulse(500 + 2 * number)).collect();
    record(&dir, &[&messages[..], &[unnumbered]].concat(), &[]).expect(0);
    for detail in [&["--info", "-J"][..], &["--info", "-J", "-v"]] {
        let printed = parsed(&dir.run("m_dump", ["x.mcap"].iter().chain(detail)).expect(0));
        let lost: Vec<_> =
            printed["channels"].as_array().unwrap().iter().map(|it| &it["lost"]).collect();
        assert_eq!(lost, [&json!(9), &Value::Null], "{printed}");
    }
    let printed = dir.run("m_dump", ["x.mcap", "--info"]).expect(0).stdout;
    let row = printed.lines().find(|line| line.starts_with("/s0/raw")).unwrap();
    assert!(row.split_whitespace().rev().take(2).eq(["0", "-"]), "{row}");
}

#[test]
fn that_what_was_left_out_counts_as_lost_is_explained() {
    let dir = Dir::new();
    let images: Vec<_> = (0..9).map(|frame| image(4, frame)).collect();
    for (options, is_printed) in [(&[][..], false), (&["--every", "3"], true)] {
        recorded(&dir, &images, options);
        let printed = dir.run("m_dump", ["x.mcap", "--info"]).expect(0).stdout;
        let note = "note: what was left out counts as lost, too: every 3";
        assert_eq!(printed.contains(note), is_printed, "{printed}");
    }
}

#[test]
fn changed_bytes_are_reported_when_a_recording_is_converted() {
    let dir = Dir::new();
    recorded(&dir, &[image(4, 0)], &["--crc"]);
    let whole = fs::read(dir.path("x.mcap")).unwrap();
    let changed = |text: &[u8]| {
        let mut bytes = whole.clone();
        let at = bytes.windows(text.len()).position(|it| it == text).unwrap();
        bytes[at] ^= 0x20;
        fs::write(dir.path("x.mcap"), bytes).unwrap();
    };
    // In a message, and in the metadata ahead of it.
    for (text, converted) in [(&b"htype"[..], 3), (b"mflow.session", 0)] {
        changed(text);
        dir.run("m_dump", ["x.mcap", "--verify"]).expect(3);
        dir.run("m_dump", ["x.mcap", "--recover", "saved.mcap"]).expect(3);
        dir.run("m_dump", ["x.mcap", "--convert", "y.mcap"]).expect(converted);
        assert_eq!(
            (frames(&dir.path("saved.mcap")).len(), frames(&dir.path("y.mcap")).len()),
            (1, 1)
        );
        for name in ["saved.mcap", "y.mcap"] {
            fs::remove_file(dir.path(name)).unwrap();
        }
    }
}

#[test]
fn a_look_at_several_recordings_prints_each_whatever_the_others_are() {
    let dir = Dir::new();
    recorded(&dir, &two_series(), &[]);
    let mut damaged = fs::read(dir.path("x.mcap")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20].fill(0xa5);
    dir.write("damaged.mcap", &damaged);
    let paths = ["damaged.mcap", "none.mcap", "x.mcap"];
    let ended = dir.run("m_dump", paths.iter().chain(&["--verify"])).expect(1);
    assert_eq!(
        ended.errors(),
        ["error: cannot read 'none.mcap': No such file or directory (os error 2)"]
    );
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines.contains(&"x.mcap: sound"), "{}", ended.stdout);
    assert!(lines[0].starts_with("damaged.mcap: "), "{}", ended.stdout);
    dir.run("m_dump", ["x.mcap", "damaged.mcap", "x.mcap", "--verify"]).expect(3);
    // A line for each, also for those that cannot be read.
    let printed =
        dir.run("m_dump", ["x.mcap", "none.mcap", "x.mcap", "--info", "-J"]).expect(1).stdout;
    let printed: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths: Vec<_> = printed.iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["x.mcap", "none.mcap", "x.mcap"]);
    assert_eq!(
        printed[1]["error"],
        "cannot read 'none.mcap': No such file or directory (os error 2)"
    );
    let once = dir.run("m_dump", ["x.mcap", "--info"]).expect(0).stdout;
    let twice = dir.run("m_dump", ["x.mcap", "x.mcap", "--info"]).expect(0).stdout;
    assert_eq!(twice, format!("{once}\n{once}"));
}

#[test]
fn a_pipe_is_no_file_to_look_at_and_an_address_no_output() {
    let dir = Dir::new();
    dir.shell("mkfifo pipe.mcap").expect(0);
    for look in ["--info", "--verify"] {
        let error = format!(
            "error: {look} expects an MCAP file, found the pipe 'pipe.mcap', which is read only once"
        );
        assert_eq!(dir.run("m_dump", ["pipe.mcap", look]).expect(2).errors(), [error]);
    }
    dir.run("m_dump", ["pipe.mcap", "-o", "tcp://127.0.0.1:9"]).expect(2);
    assert!(!dir.path("tcp:").exists());
    dir.run("m_replay", ["x.mcap", "--map", "a=tcp://*:1", "--map", "a=tcp://*:2"]).expect(2);
}
