//! A recorder that is killed at any moment leaves all that it has written readable, in order.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Dir, PATIENCE, numbered, wait_until};
use mflow::recording::{McapReader, Recording};
use mflow::{Event, Options, Source, Stream, connect};
use serde_json::{Value, json};

const ANY: &str = "tcp://127.0.0.1:*";
/// How often each kind of stream loses its recorder.
const KILLS: usize = 13;
/// What is batched at most, and for how long.
const BATCH: usize = 1 << 20;
const BATCH_TIME: Duration = Duration::from_millis(100);

/// Numbers as random as it takes, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A stream whose recorder is killed.
#[derive(Clone, Copy)]
struct Kind {
    /// The bytes of the message of a number.
    size: fn(u64) -> usize,
    /// So many messages are sent at once.
    burst: u64,
    /// So many milliseconds lie between bursts, which bounds what fills the disk.
    pause: u64,
}

const SMALL: Kind = Kind { size: |_| 100, burst: 20, pause: 1 };
const MEDIUM: Kind = Kind { size: |_| 64 << 10, burst: 1, pause: 1 };
const LARGE: Kind =
    Kind { size: |number| if number % 2 == 0 { 1 << 20 } else { 3_000_000 }, burst: 2, pause: 20 };
const MIXED: Kind = Kind {
    size: |number| match number % 40 {
        7 => 1 << 20,
        9 | 18 | 33 => 64 << 10,
        _ => 100,
    },
    burst: 4,
    pause: 2,
};

/// Sends until it is to stop; returns when each message was sent.
fn send(mut sender: Stream, kind: Kind, is_over: &AtomicBool) -> Vec<Instant> {
    let mut sent = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..kind.burst {
            let number = sent.len() as u64;
            if sender.send(numbered(number, (kind.size)(number))).is_err() {
                // No receiver is connected, yet or any more.
                break;
            }
            sent.push(Instant::now());
        }
        thread::sleep(Duration::from_millis(kind.pause));
    }
    sent
}

/// What was left of a recording.
struct Left {
    /// How long before the kill the last message was sent that is readable; none if all are.
    lost: Option<Duration>,
}

/// Records, kills the recorder, and has everything read what is left.
fn kill(dir: &Dir, name: &str, kind: Kind, after: Duration) -> Left {
    let options = Options::push().bind().send_timeout(Duration::from_millis(10));
    let sender = connect(ANY, options).unwrap();
    let path = dir.path(format!("{name}.mcap"));
    let arguments = [sender.endpoint(), "-o", path.to_str().unwrap()];
    let dump = dir.start("m_dump", arguments);
    let is_over = AtomicBool::new(false);
    let (killed, sent) = thread::scope(|scope| {
        let sending = scope.spawn(|| send(sender, kind, &is_over));
        wait_until("messages in a file", || {
            fs::metadata(&path).is_ok_and(|file| file.len() > 1500)
        });
        thread::sleep(after);
        let killed = Instant::now();
        drop(dump);
        is_over.store(true, Ordering::Relaxed);
        (killed, sending.join().unwrap())
    });

    let count = read(&path, kind);
    let file = fs::metadata(&path).unwrap().len();
    let printed: u64 = (0..count).map(|number| numbered_cost(number, kind)).sum();
    let largest = (0..40).map(kind.size).max().unwrap().max(BATCH);
    let most = u64::try_from(largest).unwrap() + (128 << 10);
    assert!(file - printed <= most, "{file} bytes of which {printed} are {count} messages");
    replays(dir, &path, kind, count);
    recovers(dir, name, kind, count);
    fs::remove_file(path).unwrap();
    let last = usize::try_from(count).unwrap().checked_sub(1);
    assert!(count <= sent.len() as u64);
    let all = sent.len() as u64 == count;
    let last = last.map_or(sent[0], |last| sent[last]);
    Left { lost: (!all).then(|| killed.saturating_duration_since(last)) }
}

/// The bytes that a message takes in a file at least.
fn numbered_cost(number: u64, kind: Kind) -> u64 {
    let parts = numbered(number, (kind.size)(number)).bytes();
    parts as u64 + if parts >= 256 << 10 { 100 } else { 40 }
}

/// Reads the messages of a file, which have to be all from the first one to some other, and counts
/// them.
fn read(path: &Path, kind: Kind) -> u64 {
    let mut reader = McapReader::open(path).unwrap();
    let mut count = 0;
    while let Event::Message(received) = reader.poll().unwrap() {
        let expected = numbered(count, (kind.size)(count));
        assert!(received.frames == expected, "not message {count}");
        count += 1;
    }
    assert_eq!(reader.report().damaged, 0);
    count
}

/// Has m_replay send what is left.
fn replays(dir: &Dir, path: &Path, kind: Kind, count: u64) {
    let replay = dir.start("m_replay", [path.to_str().unwrap(), "-a", ANY, "-r", "max"]);
    let mut receiver = connect(&replay.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    for number in 0..count {
        let frames = receiver.receive_frames().unwrap().expect("a message in time");
        assert!(frames == numbered(number, (kind.size)(number)), "not message {number}");
    }
    replay.end().expect(0);
}

/// Saves what is left: all that can be read, and what is whole of a batch that is not.
fn recovers(dir: &Dir, name: &str, kind: Kind, count: u64) {
    let (from, to) = (format!("{name}.mcap"), format!("{name}-saved.mcap"));
    let recovered = dir.run("m_dump", [&from, "--recover", &to, "-J"]);
    let printed: Value = serde_json::from_str(&recovered.stdout).unwrap();
    let damage = printed["damaged_places"].as_u64().unwrap();
    assert_eq!(recovered.code, Some(if damage == 0 { 0 } else { 3 }), "{}", recovered.stderr);
    let saved = read(&dir.path(&to), kind);
    assert!(saved >= count, "{saved} of {count}");
    assert_eq!((&printed["messages"], &printed["was_closed"]), (&json!(saved), &json!(false)));
    dir.run("m_dump", [&to, "--verify"]).expect(0);
}

/// Kills many recorders, and prints how much was lost of each.
fn kill_many(seed: u64, kind: Kind) {
    let dir = Dir::new();
    let mut random = Random(seed);
    let mut lost = Vec::new();
    for number in 0..KILLS {
        let after = Duration::from_millis(random.below(150));
        lost.extend(kill(&dir, &number.to_string(), kind, after).lost);
    }
    lost.sort_unstable();
    // A machine that has other things to do may delay some.
    let half = lost.get(lost.len() / 2).copied().unwrap_or_default();
    assert!(half <= BATCH_TIME + Duration::from_millis(100), "{lost:?}");
    python_reads(&dir);
}

/// Has Python read all that was saved.
fn python_reads(dir: &Dir) {
    let Some(peers) = dir.peers() else { return };
    let files: Vec<_> = (0..KILLS).map(|number| format!("{number}-saved.mcap")).collect();
    let read = peers.start("read_numbers.py", &files).end().expect(0);
    let read: Vec<Value> =
        read.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<_> = files
        .iter()
        .map(|file| {
            let messages = McapReader::open(&dir.path(file)).unwrap().messages();
            json!({"file": file, "messages": messages, "in_order": true})
        })
        .collect();
    assert_eq!(read, expected);
}

#[test]
fn a_recorder_of_small_messages_is_killed() {
    kill_many(1, SMALL);
}

#[test]
fn a_recorder_of_messages_of_64_kib_is_killed() {
    kill_many(2, MEDIUM);
}

#[test]
fn a_recorder_of_large_messages_is_killed() {
    kill_many(3, LARGE);
}

#[test]
fn a_recorder_of_messages_of_all_sizes_is_killed() {
    kill_many(4, MIXED);
}
