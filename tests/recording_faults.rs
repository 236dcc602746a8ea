//! What goes wrong around a recording: signals, disks that are full, slow or not there, and files
//! that are damaged, of others, or still grow.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use harness::{Dir, Finished, PATIENCE, Process, numbered, path_of, skip, wait_until};
use mflow::recording::McapReader;
use mflow::{Event, Options, Sink, Source, Stream, Unconfirmed, connect};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

const ANY: &str = "tcp://127.0.0.1:*";

/// A PUSH of ours that a program connects to.
fn sender() -> Stream {
    patient_sender(PATIENCE)
}

fn patient_sender(patience: Duration) -> Stream {
    connect(ANY, Options::push().bind().send_timeout(patience)).unwrap()
}

/// Counts the messages of a recording, which are all from the first one to some other.
#[track_caller]
fn count(path: &Path, size: usize) -> u64 {
    let mut reader = McapReader::open(path).unwrap();
    let mut count = 0;
    while let Event::Message(received) = reader.poll().unwrap() {
        assert!(received.frames == numbered(count, size), "not message {count}");
        count += 1;
    }
    assert_eq!(reader.report().damaged, 0);
    count
}

/// Records numbered messages, and returns the name of the file.
fn record(dir: &Dir, count: u64, size: usize) -> PathBuf {
    let mut sender = sender();
    let arguments = [sender.endpoint(), "-o", "good.mcap", "--crc", "-n", &count.to_string()];
    let dump = dir.start("m_dump", arguments);
    (0..count).for_each(|number| sender.send(numbered(number, size)).unwrap());
    dump.end().expect(0);
    dir.path("good.mcap")
}

fn parsed(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap()
}

// ---- signals ----

/// Sends until a stop is requested; returns the stream and how much was sent.
fn send_until(
    mut sender: Stream,
    size: usize,
    is_over: &Arc<AtomicBool>,
) -> JoinHandle<(Stream, u64)> {
    let is_over = Arc::clone(is_over);
    thread::spawn(move || {
        let mut sent = 0;
        // No failure may fill the disk.
        while !is_over.load(Ordering::Relaxed) && sent * (size as u64) < 1 << 30 {
            sender.send(numbered(sent, size)).unwrap();
            sent += 1;
        }
        (sender, sent)
    })
}

#[test]
fn a_signal_in_a_burst_loses_nothing_that_was_received() {
    for (signal, size) in [("INT", 16), ("TERM", 100), ("INT", 64 << 10), ("TERM", 1 << 20)] {
        let dir = Dir::new();
        let sender = sender();
        let dump = dir.start("m_dump", [sender.endpoint(), "-o", "x.mcap"]);
        let is_over = Arc::default();
        let sending = send_until(sender, size, &is_over);
        let path = dir.path("x.mcap");
        wait_until("messages in a file", || {
            fs::metadata(&path).is_ok_and(|file| file.len() > 3 << 20)
        });
        is_over.store(true, Ordering::Relaxed);
        let (sender, sent) = sending.join().unwrap();
        dump.signal(signal);
        let ended = dump.end().expect(0);
        let left = Box::new(sender).finish(Duration::ZERO).unwrap();
        let Unconfirmed::Count(left) = left else { panic!("{left:?}") };
        assert_eq!(count(&path, size) + left, sent, "{signal} at {size}: {}", ended.stderr);
        let verified = dir.run("m_dump", ["x.mcap", "--verify", "-J"]).expect(0);
        assert_eq!(parsed(&verified)["is_closed"], true);
    }
}

#[test]
fn signals_that_come_together_are_one_and_the_recording_is_closed() {
    let dir = Dir::new();
    let mut sender = sender();
    let dump = dir.start("m_dump", [sender.endpoint(), "-o", "x.mcap"]);
    sender.send(numbered(0, 1 << 20)).unwrap();
    wait_until("a message in the file", || {
        fs::metadata(dir.path("x.mcap")).is_ok_and(|file| file.len() > 1 << 20)
    });
    // As `timeout` does, which sends one to the program and one to its group.
    let pid = dump.id();
    dir.shell(&format!("kill -INT {pid}; kill -TERM {pid}; kill -INT {pid}"));
    dump.end().expect(0);
    dir.run("m_dump", ["x.mcap", "--verify"]).expect(0);
}

#[test]
fn a_signal_ends_a_recording_of_a_sender_that_goes_on() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "1KiB", "--linger", "0"]);
    let dump = dir.start("m_dump", [generate.endpoint().as_str(), "-o", "x.mcap"]);
    wait_until("messages in a file", || {
        fs::metadata(dir.path("x.mcap")).is_ok_and(|file| file.len() > 2 << 20)
    });
    dump.interrupt().expect(0);
    dir.run("m_dump", ["x.mcap", "--verify"]).expect(0);
}

// ---- disks ----

/// A file system in the directory of a test; none if that is not allowed.
struct Disk<'a>(&'a Dir);

impl<'a> Disk<'a> {
    fn mount(dir: &'a Dir, options: &str) -> Option<Self> {
        fs::create_dir(dir.path("disk")).unwrap();
        let mounted = dir.shell(&format!("mount -t tmpfs -o {options} tmpfs disk"));
        if mounted.code == Some(0) {
            return Some(Self(dir));
        }
        skip(format_args!("cannot mount: {}", mounted.stderr.trim()));
        None
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        self.0.shell("umount disk");
    }
}

/// Sends until no receiver accepts more; returns how many were sent.
fn send_to_the_end(mut sender: Stream, size: usize) -> JoinHandle<u64> {
    thread::spawn(move || {
        (0..).find(|number| sender.send(numbered(*number, size)).is_err()).unwrap()
    })
}

const TOO_LARGE: &str = "cannot write 'x.mcap': File too large (os error 27)";

/// The error of a recording that failed for a reason, with messages that are not in it.
fn unwritten(messages: u64, reason: &str) -> String {
    let were = if messages == 1 { "message was" } else { "messages were" };
    format!("error: {messages} {were} not written: {reason}")
}

/// What a failed recording has to be: closed and sound, with as many messages as it says; returns how
/// many it lacks.
fn assert_closed_in_spite(dir: &Dir, name: &str, size: usize, at_least: u64) -> u64 {
    let count = count(&dir.path(name), size);
    assert!(count >= at_least, "{count}");
    let printed = parsed(&dir.run("m_dump", [name, "--info", "-J"]).expect(0));
    assert_eq!((&printed["messages"], &printed["is_closed"]), (&json!(count), &json!(true)));
    let dropped = printed["channels"][0]["dropped"].as_u64().unwrap();
    assert!(dropped > 0, "{printed}");
    let metadata = printed["metadata"].as_array().unwrap();
    let summary = metadata.iter().find(|it| it["name"] == "mflow.summary").unwrap();
    assert_eq!(summary["entries"]["received"], (count + dropped).to_string());
    dir.run("m_dump", [name, "--verify"]).expect(0);
    dropped
}

#[test]
fn a_file_that_is_taken_away_while_it_is_written_is_an_error() {
    for (cut, why) in [(None, "removed"), (Some(100), "made shorter")] {
        let dir = Dir::new();
        let (mut sender, path) = (sender(), dir.path("x.mcap"));
        let dump = dir.start("m_dump", [sender.endpoint(), "-o", "x.mcap"]);
        sender.send(numbered(0, 1 << 20)).unwrap();
        wait_until("it to be written", || path.metadata().is_ok_and(|it| it.len() > 1 << 20));
        match cut {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => File::options().write(true).open(&path).unwrap().set_len(bytes).unwrap(),
        }
        let ended = dump.interrupt().expect(1);
        let error = format!("cannot close 'x.mcap': it was {why} while it was written");
        let expected = if cut.is_none() { unwritten(1, &error) } else { format!("error: {error}") };
        assert_eq!(ended.errors(), [expected]);
    }
}

#[test]
fn a_file_that_is_cut_and_written_on_is_an_error_at_the_end() {
    let dir = Dir::new();
    let (mut sender, path) = (sender(), dir.path("x.mcap"));
    let dump = dir.start("m_dump", [sender.endpoint(), "-o", "x.mcap"]);
    let length = || path.metadata().map_or(0, |it| it.len());
    for number in 0..2 {
        sender.send(numbered(number, 1 << 20)).unwrap();
        wait_until("it to be written", || length() > 1 << 20);
        if number == 0 {
            File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
        }
    }
    let error = "error: cannot close 'x.mcap': it was made shorter while it was written";
    assert_eq!(dump.interrupt().expect(1).errors(), [error]);
}

#[test]
fn files_of_a_folder_that_are_removed_while_it_is_written_are_an_error_at_the_end() {
    let dir = Dir::new();
    let mut sender = sender();
    dir.write("folder/000000_000.raw", "of another run");
    let dump = dir.start("m_dump", [sender.endpoint(), "-o", "folder", "--force"]);
    let file = |number: u64, part: u64| dir.path(format!("folder/{number:06}_{part:03}.raw"));
    (0..4).for_each(|number| sender.send(numbered(number, 10)).unwrap());
    wait_until("them to be written", || fs::read(file(4, 0)).is_ok_and(|it| !it.is_empty()));
    for (number, part) in [(2, 0), (2, 1), (3, 1), (0, 0)] {
        fs::remove_file(file(number, part)).unwrap();
    }
    let error = unwritten(1, "cannot close 'folder': 3 files were removed while it was written");
    assert_eq!(dump.interrupt().expect(1).errors(), [error]);
}

#[test]
fn a_file_of_several_that_is_removed_while_it_is_written_is_an_error_at_the_end() {
    let dir = Dir::new();
    let (mut sender, file) = (sender(), |number: u64| dir.path(format!("run-000{number}.mcap")));
    let arguments = [sender.endpoint(), "-o", "run.mcap", "--max-size", "1KiB", "--quiet"];
    let dump = dir.start("m_dump", arguments);
    for number in 0..3 {
        sender.send(numbered(number, 1 << 20)).unwrap();
        let is_written = || file(number).metadata().is_ok_and(|it| it.len() > 1 << 20);
        wait_until("it to be written", is_written);
        if number == 1 {
            fs::remove_file(file(1)).unwrap();
        }
    }
    let error = "cannot close 'run-0001.mcap': it was removed while it was written";
    assert_eq!(dump.interrupt().expect(1).errors(), [unwritten(1, error)]);
    for name in ["run-0000.mcap", "run-0002.mcap"] {
        let printed = parsed(&dir.run("m_dump", [name, "--info", "-J"]).expect(0));
        assert_eq!((&printed["messages"], &printed["is_closed"]), (&json!(1), &json!(true)));
    }
}

#[test]
fn a_full_disk_ends_a_recording_that_stays_whole() {
    for size in [100, 64 << 10, 1 << 20] {
        let dir = Dir::new();
        let Some(_disk) = Disk::mount(&dir, "size=9m") else { return };
        let sender = patient_sender(Duration::from_secs(2));
        let dump = dir.start("m_dump", [sender.endpoint(), "-o", "disk/x.mcap"]);
        let sending = send_to_the_end(sender, size);
        let ended = dump.end().expect(1);
        sending.join().unwrap();
        let dropped = assert_closed_in_spite(&dir, "disk/x.mcap", size, 7);
        let reason = "cannot write 'disk/x.mcap': No space left on device (os error 28)";
        // Thousands have commas.
        let errors: Vec<_> = ended.errors().iter().map(|error| error.replace(',', "")).collect();
        assert_eq!(errors, [unwritten(dropped, reason)]);
    }
}

#[test]
fn a_file_that_may_not_grow_ends_a_recording_that_stays_whole() {
    let dir = Dir::new();
    let sender = patient_sender(Duration::from_secs(2));
    // The signal for it has to be ignored to get the error; blocks are 512 or 1024 bytes.
    let script =
        format!("trap '' XFSZ; ulimit -f 9000; exec m_dump {} -o x.mcap", sender.endpoint());
    let dump = dir.start_shell(&script);
    let sending = send_to_the_end(sender, 1 << 20);
    let ended = dump.end().expect(1);
    sending.join().unwrap();
    let dropped = assert_closed_in_spite(&dir, "x.mcap", 1 << 20, 4);
    assert_eq!(ended.errors(), [unwritten(dropped, TOO_LARGE)]);
}

#[test]
fn a_recording_that_fails_ends_a_split_only_where_it_is_all_there_is() {
    let limited = |dir: &Dir, arguments: &str| {
        dir.start_shell(&format!("trap '' XFSZ; ulimit -f 9000; exec m_split {arguments}"))
    };
    let dir = Dir::new();
    let mut sender = sender();
    let split = limited(&dir, &format!("{} '{ANY}' x.mcap -n 40", sender.endpoint()));
    let mut stream = connect(&split.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    for number in 0..40 {
        sender.send(numbered(number, 1 << 20)).unwrap();
        assert_eq!(stream.receive_frames().unwrap(), Some(numbered(number, 1 << 20)));
        if number == 20 {
            split.stderr_line("the other outputs continue");
        }
    }
    let ended = split.end().expect(1);
    let unwritable = assert_closed_in_spite(&dir, "x.mcap", 1 << 20, 4);
    let [failed, dropped] = ended.errors()[..] else { panic!("two errors: {}", ended.stderr) };
    assert_eq!(failed, unwritten(unwritable, TOO_LARGE));
    let dropped = dropped.strip_suffix(" messages were dropped: 'x.mcap' accepted no more");
    let dropped: u64 = dropped.unwrap().trim_start_matches("error: ").parse().unwrap();
    let written = count(&dir.path("x.mcap"), 1 << 20);
    assert_eq!((dropped >= 19, written + unwritable + dropped), (true, 40));
    let row = ended.stderr.lines().find(|line| line.starts_with("x.mcap ")).unwrap();
    let row: Vec<_> = row.split_whitespace().skip(1).map(|it| it.parse::<u64>().unwrap()).collect();
    assert_eq!(row, [written + unwritable, dropped, unwritable]);

    let dir = Dir::new();
    let sender = patient_sender(Duration::from_secs(2));
    let split = limited(&dir, &format!("{} x.mcap", sender.endpoint()));
    let sending = send_to_the_end(sender, 1 << 20);
    let ended = split.end().expect(1);
    sending.join().unwrap();
    let dropped = assert_closed_in_spite(&dir, "x.mcap", 1 << 20, 4);
    assert_eq!(ended.errors()[0], unwritten(dropped, TOO_LARGE));
    assert_eq!(ended.errors().last(), Some(&"error: no output is left"));
    assert!(!ended.stderr.contains("go on"), "{}", ended.stderr);
}

#[test]
fn what_is_saved_before_the_disk_is_full_is_in_a_file_that_is_closed() {
    let dir = Dir::new();
    record(&dir, 20, 1 << 20);
    let command = "exec m_dump good.mcap --recover out.mcap";
    let ended = dir.start_shell(&format!("trap '' XFSZ; ulimit -f 9000; {command}")).end();
    let error = "error: cannot write 'out.mcap': File too large (os error 27)";
    assert_eq!(ended.expect(1).errors(), [error]);
    assert!((4..20).contains(&count(&dir.path("out.mcap"), 1 << 20)));
    dir.run("m_dump", ["out.mcap", "--verify"]).expect(0);
}

#[test]
fn what_cannot_be_made_is_an_error_before_a_message_is_taken() {
    let dir = Dir::new();
    let mut sender = patient_sender(Duration::from_millis(100));
    let endpoint = sender.endpoint().to_owned();
    let mut fails = |output: &str, options: &[&str], error: &str| {
        let arguments = [endpoint.as_str(), "-o", output];
        let ended = dir.run("m_dump", arguments.iter().chain(options)).expect(1);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", error));
        assert!(sender.send(numbered(0, 10)).is_err(), "it was connected");
    };
    let missing = "No such file or directory (os error 2)\n";
    fails("no/x.mcap", &[], &format!("error: cannot create 'no/x.mcap': {missing}"));
    fails("no/x.mcap", &["--max-size", "1"], &format!("error: cannot read 'no': {missing}"));
    let path = dir.write("old.mcap", "precious");
    let exists = "error: cannot create 'old.mcap': File exists (os error 17)\n\
                  hint: nothing is overwritten: give another name, or move the file away\n";
    fails("old.mcap", &[], exists);
    assert_eq!(fs::read(path).unwrap(), b"precious");
    let path = dir.write("run-0007.mcap", "precious");
    let error = "error: 'run-0007.mcap' holds a recording already\n\
                 hint: nothing is overwritten: give another name, or move these files away\n";
    fails("run.mcap", &["--max-time", "1"], error);
    assert_eq!(fs::read(path).unwrap(), b"precious");
    if let Some(_disk) = Disk::mount(&dir, "ro") {
        let cause = "Read-only file system (os error 30)\n";
        fails("disk/x.mcap", &[], &format!("error: cannot create 'disk/x.mcap': {cause}"));
    }
    if !dir.shell("id -u").stdout.starts_with("0\n") {
        fs::create_dir(dir.path("closed")).unwrap();
        fs::set_permissions(dir.path("closed"), fs::Permissions::from_mode(0o555)).unwrap();
        let cause = "Permission denied (os error 13)\n";
        fails("closed/x.mcap", &[], &format!("error: cannot create 'closed/x.mcap': {cause}"));
    }
}

#[test]
fn a_source_that_cannot_be_opened_leaves_no_file() {
    let dir = Dir::new();
    let taken = sender();
    for options in [&[][..], &["--max-size", "1"]] {
        let arguments = [taken.endpoint(), "--bind", "-o", "x.mcap"];
        dir.run("m_dump", arguments.iter().chain(options)).expect(1);
        dir.run("m_dump", ["./missing.mcap", "-o", "x.mcap"].iter().chain(options)).expect(1);
        assert_eq!(fs::read_dir(dir.path("")).unwrap().count(), 0, "{options:?}");
    }
}

#[test]
fn a_look_overwrites_nothing() {
    let dir = Dir::new();
    let good = record(&dir, 3, 10);
    let before = fs::read(&good).unwrap();
    let precious = dir.write("old.mcap", "precious");
    dir.write("old/000000_000.raw", "precious");
    let exists = "error: cannot create 'old.mcap': File exists (os error 17)\n\
                  hint: nothing is overwritten: give another name, or move the file away\n";
    let holds = "error: 'old' holds a recording already\n\
                 hint: give another name; m_dump can continue in a folder with --force\n";
    for (option, to, error) in [
        ("--recover", "old.mcap", exists),
        ("--convert", "old.mcap", exists),
        ("--convert", "old", holds),
    ] {
        let ended = dir.run("m_dump", ["good.mcap", option, to]).expect(1);
        assert_eq!(ended.stderr, error, "{option}");
    }
    for option in ["--recover", "--convert"] {
        dir.run("m_dump", ["good.mcap", option, "good.mcap"]).expect(1);
    }
    assert_eq!(fs::read(precious).unwrap(), b"precious");
    assert_eq!(harness::recording(dir.path("old")).len(), 1);
    assert!(fs::read(good).unwrap() == before);
}

// ---- a disk that stalls ----

/// Has writes to files wait as long as the file that `STALLED` names is there and locked.
const STALL: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t writev(int fd, const struct iovec *slices, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "writev");
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        int stalled = open(getenv("STALLED"), O_RDONLY | O_CLOEXEC);
        if (stalled >= 0) {
            flock(stalled, LOCK_SH);
            close(stalled);
        }
    }
    return real(fd, slices, count);
}
"#;

/// A recorder whose disk stalls until [`Stalling::go_on`].
struct Stalling {
    /// Locked.
    stalled: File,
    dump: Process,
}

impl Stalling {
    /// Starts a recorder; none if there is no compiler for what makes its disk stall.
    fn start(dir: &Dir, arguments: &[&str]) -> Option<Self> {
        dir.write("stall.c", STALL);
        let built = dir.shell("cc -shared -fPIC -o stall.so stall.c -ldl");
        if built.code != Some(0) {
            skip(format_args!("cannot compile C: {}", built.stderr.trim()));
            return None;
        }
        let mut command = Command::new(path_of("m_dump"));
        command.args(arguments);
        command.env("LD_PRELOAD", dir.path("stall.so")).env("STALLED", dir.path("stalled"));
        let dump = dir.start_command(command);
        // What is written ahead of all messages shall not wait.
        wait_until("the file", || fs::metadata(dir.path("x.mcap")).is_ok_and(|it| it.len() > 0));
        let stalled = File::create(dir.path("stalled")).unwrap();
        flock(&stalled, FlockOperation::LockExclusive).unwrap();
        Some(Self { stalled, dump })
    }

    /// Returns the most memory it has had, in KiB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.dump.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn go_on(self) -> Process {
        drop(self.stalled);
        self.dump
    }
}

/// The sizes and how many messages of each are more than fit anywhere.
const MORE_THAN_FITS: [(usize, u64); 2] = [(64 << 10, 3000), (1 << 20, 200)];

#[test]
fn a_disk_that_stalls_has_the_sender_wait_and_loses_nothing() {
    for (size, messages) in MORE_THAN_FITS {
        let dir = Dir::new();
        let mut sender = patient_sender(Duration::from_millis(500));
        let (endpoint, count_text) = (sender.endpoint().to_owned(), messages.to_string());
        let arguments =
            [&endpoint, "-o", "x.mcap", "--max-memory", "8MiB", "-q", "10", "-n", &count_text];
        let Some(stalling) = Stalling::start(&dir, &arguments) else { return };
        let sent = Arc::new(AtomicU64::new(0));
        let refused = Arc::new(AtomicBool::new(false));
        let (counter, flag) = (Arc::clone(&sent), Arc::clone(&refused));
        let sending = thread::spawn(move || {
            for number in 0..messages {
                while sender.send(numbered(number, size)).is_err() {
                    // Before the first one is accepted, no receiver is connected yet.
                    flag.store(number > 10, Ordering::Relaxed);
                }
                counter.fetch_add(1, Ordering::Relaxed);
            }
            sender
        });
        wait_until("the sender to be refused", || refused.load(Ordering::Relaxed));
        assert!(sent.load(Ordering::Relaxed) < messages, "all were taken");
        let peak = stalling.peak();
        assert!(peak < 100 << 10, "{peak} KiB");
        stalling.go_on().end().expect(0);
        drop(sending.join().unwrap());
        assert_eq!(count(&dir.path("x.mcap"), size), messages);
    }
}

#[test]
fn a_disk_that_stalls_drops_and_reports_how_many_of_which() {
    for (size, messages) in MORE_THAN_FITS {
        let dir = Dir::new();
        let mut sender = sender();
        let arguments =
            [sender.endpoint(), "-o", "x.mcap", "--max-memory", "8MiB", "--on-full", "drop"];
        let Some(stalling) = Stalling::start(&dir, &arguments) else { return };
        for number in 0..messages {
            let [header, data] = <[_; 2]>::try_from(numbered(number, size).to_vec()).ok().unwrap();
            let header = match number % 3 {
                0 => br#"{"htype":"rare-1.0"}"#[..].into(),
                _ => header,
            };
            sender.send([header, data]).unwrap();
        }
        // All have left, so that what was not written is in its memory, or dropped.
        assert_eq!(Box::new(sender).finish(PATIENCE).unwrap(), Unconfirmed::Count(0));
        let peak = stalling.peak();
        assert!(peak < 100 << 10, "{peak} KiB");
        stalling.dump.signal("INT");
        let ended = stalling.go_on().end().expect(3);
        let printed = parsed(&dir.run("m_dump", ["x.mcap", "--info", "-J"]).expect(0));
        let of = |htype: &str| {
            let channels = printed["channels"].as_array().unwrap();
            let channel = channels.iter().find(|channel| channel["htype"] == htype).unwrap();
            let number = |key: &str| channel[key].as_u64().unwrap();
            (number("messages"), number("dropped"))
        };
        for (htype, sent) in [("rare-1.0", messages / 3), ("raw-1.0", messages - messages / 3)] {
            let (written, dropped) = of(htype);
            assert!(written > 0 && dropped > 0, "{htype}: {printed}");
            assert!(
                written + dropped >= sent.saturating_sub(1) && written + dropped <= sent + 1,
                "{htype} {sent}: {printed}"
            );
            let notice = format!("{dropped} messages of {htype} dropped: the disk was too slow");
            assert!(ended.stderr.replace(',', "").contains(&notice.replace(',', "")), "{printed}");
        }
        let (rare, raw) = (of("rare-1.0"), of("raw-1.0"));
        assert_eq!(rare.0 + rare.1 + raw.0 + raw.1, messages);
    }
}

// ---- files that are not as they should be ----

/// Has every program that reads look at a file, and fails unless each ends by itself with a code
/// that is one of those given and a message, if it is an error.
#[track_caller]
fn all_read(dir: &Dir, name: &str, codes: &[i32]) {
    let out = [dir.path("out.mcap"), dir.path("out")];
    let looks: [(&str, &[&str]); 9] = [
        ("m_dump", &[name]),
        ("m_dump", &[name, "-J"]),
        ("m_dump", &[name, "--info"]),
        ("m_dump", &[name, "--info", "-v"]),
        ("m_dump", &[name, "--verify"]),
        ("m_dump", &[name, "--recover", "out.mcap"]),
        ("m_dump", &[name, "--convert", "out"]),
        ("m_stats", &[name, "-n", "100000"]),
        ("m_replay", &[name, "-a", ANY, "-r", "max", "--timeout", "1ms"]),
    ];
    for (program, arguments) in looks {
        let ended = dir.run(program, arguments);
        let code =
            ended.code.unwrap_or_else(|| panic!("a signal has ended {program} {arguments:?}"));
        assert!(codes.contains(&code), "{program} {arguments:?}: {code}, {}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        if code == 1 {
            assert_eq!(ended.errors().len(), 1, "{}", ended.stderr);
        }
        let _ = fs::remove_file(&out[0]);
        let _ = fs::remove_dir_all(&out[1]);
    }
}

#[test]
fn a_recording_cut_anywhere_gives_what_is_whole_to_every_program() {
    let dir = Dir::new();
    let good = fs::read(record(&dir, 20, 30_000)).unwrap();
    for cut in (1..12).map(|place| good.len() * place / 12).chain([1, 7, 8, 40, good.len() - 1]) {
        dir.write("cut.mcap", &good[..cut]);
        all_read(&dir, "cut.mcap", &[0, 1, 3, 4]);
    }
}

#[test]
fn flipped_bytes_stop_no_program() {
    let dir = Dir::new();
    let good = fs::read(record(&dir, 20, 30_000)).unwrap();
    let mut random = 0x1234_5678_9abc_def1_u64;
    for place in 0..12 {
        let mut broken = good.clone();
        for _ in 0..=place {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random).unwrap() % broken.len();
            // The structure is at the ends.
            let at = if random & 1 == 0 { at } else { broken.len() - 1 - at % 2000 };
            broken[at] ^= 0x55;
        }
        dir.write("broken.mcap", &broken);
        all_read(&dir, "broken.mcap", &[0, 1, 3, 4]);
    }
}

#[test]
fn a_file_that_is_no_recording_is_reported_by_every_program() {
    let dir = Dir::new();
    let other = "it does not begin as an MCAP file does";
    dir.write("empty.mcap", "");
    dir.write("text.mcap", "This is no recording.\n".repeat(1000));
    dir.write("zeros.mcap", vec![0; 100_000]);
    fs::create_dir(dir.path("folder.mcap")).unwrap();
    for (name, reason) in
        [("empty.mcap", "it is empty"), ("text.mcap", other), ("zeros.mcap", other)]
    {
        let error = format!("error: '{name}' is no recording: {reason}\n");
        for arguments in [&[name][..], &[name, "--info"], &[name, "--convert", "out.mcap"]] {
            assert_eq!(dir.run("m_dump", arguments).expect(1).stderr, error, "{arguments:?}");
        }
        assert_eq!(dir.run("m_replay", [name, "-a", ANY]).expect(1).stderr, error);
        assert_eq!(dir.run("m_stats", [name]).expect(1).stderr, error);
        let ended = dir.run("m_dump", [name, "--recover", "out.mcap"]).expect(1);
        assert_eq!(ended.errors().len(), 1, "{}", ended.stderr);
        dir.run("m_dump", [name, "--verify"]).expect(1);
        assert!(!dir.path("out.mcap").exists(), "{name} left something");
    }
    let missing = "No such file or directory (os error 2)\n";
    for option in ["--info", "--verify", "--recover=out.mcap"] {
        let ended = dir.run("m_dump", ["./missing.mcap", option]).expect(1);
        assert_eq!(ended.stderr, format!("error: cannot read './missing.mcap': {missing}"));
    }
}

#[test]
fn a_recording_of_another_writer_is_reported_by_every_program() {
    let dir = Dir::new();
    let mut writer = mcap::Writer::new(File::create(dir.path("other.mcap")).unwrap()).unwrap();
    let schema = writer.add_schema("foxglove.Log", "jsonschema", b"{}").unwrap();
    let id =
        writer.add_channel(schema, "/log", "json", &std::collections::BTreeMap::new()).unwrap();
    let header =
        mcap::records::MessageHeader { channel_id: id, sequence: 0, log_time: 1, publish_time: 1 };
    writer.write_to_known_channel(&header, b"{}").unwrap();
    writer.finish().unwrap();
    drop(writer);
    let reason = "its messages have other schemas than mflow.Message: 'foxglove.Log'";
    let error = format!("error: 'other.mcap' is no recording: {reason}\n");
    for arguments in [&["other.mcap"][..], &["other.mcap", "--info"]] {
        assert_eq!(dir.run("m_dump", arguments).expect(1).stderr, error, "{arguments:?}");
    }
    assert_eq!(dir.run("m_replay", ["other.mcap", "-a", ANY]).expect(1).stderr, error);
    assert_eq!(dir.run("m_stats", ["other.mcap"]).expect(1).stderr, error);
    // It is a good file, only none of ours.
    let verified = dir.run("m_dump", ["other.mcap", "--verify"]).expect(0);
    assert!(verified.stdout.contains("1 message of other schemas"), "{}", verified.stdout);
    let ended = dir.run("m_dump", ["other.mcap", "--recover", "out.mcap"]).expect(1);
    let reason = "there is no message of mflow.Message in it";
    assert_eq!(ended.stderr, format!("error: 'other.mcap' is no recording: {reason}\n"));
    assert!(!dir.path("out.mcap").exists());
}

// ---- files that grow ----

#[test]
fn a_recording_that_grows_gives_what_is_whole_so_far() {
    let dir = Dir::new();
    let good = fs::read(record(&dir, 30, 300_000)).unwrap();
    let path = dir.write("grows.mcap", &good[..700]);
    let mut growing = File::options().append(true).open(&path).unwrap();
    let mut before = 0;
    for piece in good[700..].chunks(good.len() / 5) {
        growing.write_all(piece).unwrap();
        let whole = count(&path, 300_000);
        assert!(whole > before);
        let lines = dir.run("m_dump", ["grows.mcap", "-J"]).expect(0).stdout;
        assert_eq!(lines.lines().count() as u64, whole);
        let replay = dir.start("m_replay", ["grows.mcap", "-a", ANY, "-r", "max"]);
        let mut receiver = connect(&replay.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
        for number in 0..whole {
            let frames = receiver.receive_frames().unwrap().expect("a message in time");
            assert!(frames == numbered(number, 300_000), "not message {number}");
        }
        replay.end().expect(0);
        before = whole;
    }
    assert_eq!(before, 30);
}

#[test]
fn a_recording_is_looked_at_while_it_is_recorded() {
    let dir = Dir::new();
    let mut sender = sender();
    let dump = dir.start("m_dump", [sender.endpoint(), "-o", "x.mcap"]);
    // It grows whenever a program is about to look.
    let (grow, turns) = mpsc::channel();
    let sending = thread::spawn(move || {
        let mut sent = 0;
        for messages in turns {
            for _ in 0..messages {
                sender.send(numbered(sent, 50_000)).unwrap();
                sent += 1;
            }
        }
        (sender, sent)
    });
    let run = |arguments: &[&str]| {
        grow.send(30).unwrap();
        dir.run(arguments[0], &arguments[1..])
    };
    grow.send(100).unwrap();
    wait_until("messages in a file", || {
        fs::metadata(dir.path("x.mcap")).is_ok_and(|file| file.len() > 3 << 20)
    });
    for _ in 0..3 {
        let info = parsed(&run(&["m_dump", "x.mcap", "--info", "-J"]).expect(0));
        assert_eq!(info["is_closed"], false);
        assert!(info["messages"].as_u64().unwrap() > 10, "{info}");
        run(&["m_dump", "x.mcap", "-J", "-n", "10"]).expect(0);
        run(&["m_stats", "x.mcap", "-n", "10"]).expect(0);
        run(&["m_dump", "x.mcap", "--verify"]).expect(3);
        grow.send(30).unwrap();
        let replay = dir.start("m_replay", ["x.mcap", "-a", ANY, "-n", "10", "-r", "max"]);
        let mut receiver = connect(&replay.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
        for number in 0..10 {
            let frames = receiver.receive_frames().unwrap().expect("a message in time");
            assert!(frames == numbered(number, 50_000), "not message {number}");
        }
        replay.end().expect(0);
        let recovered = run(&["m_dump", "x.mcap", "--recover", "y.mcap"]);
        assert!(matches!(recovered.code, Some(0 | 3)), "{}", recovered.stderr);
        assert!(count(&dir.path("y.mcap"), 50_000) > 10);
        fs::remove_file(dir.path("y.mcap")).unwrap();
    }
    drop(grow);
    let (_sender, sent) = sending.join().unwrap();
    dump.interrupt().expect(0);
    assert_eq!(count(&dir.path("x.mcap"), 50_000), sent);
}

#[test]
fn a_chunk_that_ends_before_it_starts_is_reported_as_damage() {
    let dir = Dir::new();
    let reversed = include_bytes!("cases/info-times-reversed.mcap");
    fs::write(dir.path("x.mcap"), reversed).unwrap();
    for detail in [&["--info", "-J"][..], &["--info", "-J", "-v"]] {
        let printed = parsed(&dir.run("m_dump", ["x.mcap"].iter().chain(detail)).expect(0));
        assert_eq!(printed["damaged_places"], 1, "{printed}");
        let notices = printed["notices"].to_string();
        assert!(notices.contains("damaged: a chunk ends before it starts"), "{notices}");
    }
    dir.run("m_dump", ["x.mcap", "--verify"]).expect(3);
    dir.run("m_dump", ["x.mcap"]).expect(0);
}

#[test]
fn a_message_of_the_greatest_number_is_read() {
    let dir = Dir::new();
    dir.write(format!("folder/{}_000.raw", u64::MAX), "{}");
    dir.run("m_dump", ["folder"]).expect(0);
    dir.run("m_dump", ["folder", "--info"]).expect(0);
    dir.run("m_replay", ["folder", "--from", "0", "-d", "10ms", "-a", "tcp://127.0.0.1:*"])
        .expect(4);
}
