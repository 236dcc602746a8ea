//! What goes wrong around the programs: signals, kills, peers that are silent or slow, full disks.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

mod harness;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Dir, Finished, Process, numbered, recording, skip, wait_until};
use mflow::{Frame, Frames, MonitorOptions, Options, Stream, connect};

const PATIENCE: Duration = Duration::from_secs(60);
const ANY: &str = "tcp://127.0.0.1:*";
/// Enough that messages wait to be written.
const BURST: u64 = 5000;

/// A PUSH of ours that a program connects to.
fn sender() -> Stream {
    connect(ANY, Options::push().bind().send_timeout(PATIENCE)).unwrap()
}

/// A PULL of ours that connects to a program.
fn receiver(endpoint: &str) -> Stream {
    connect(endpoint, Options::pull().timeout(PATIENCE)).unwrap()
}

/// Receives one message, and fails unless it is one of `numbered`; returns its number.
#[track_caller]
fn receive(stream: &mut Stream, size: usize) -> u64 {
    let frames = stream.receive_frames().unwrap().expect("a message in time");
    let number = u64::from_le_bytes(frames[1].as_ref()[..8].try_into().unwrap());
    assert!(frames == numbered(number, size), "message {number} is not what was sent");
    number
}

/// Returns the files that a recording of numbered messages has.
fn files(numbers: impl IntoIterator<Item = u64>, size: usize) -> Vec<(String, Vec<u8>)> {
    let parts = |number| {
        let parts = numbered(number, size).into_iter().enumerate();
        parts.map(move |(part, frame)| {
            (format!("{number:06}_{part:03}.raw"), frame.as_ref().to_vec())
        })
    };
    numbers.into_iter().flat_map(parts).collect()
}

/// Writes a recording of numbered messages.
fn record(dir: &Dir, count: u64, size: usize) -> String {
    for (name, bytes) in files(0..count, size) {
        dir.write(Path::new("recording").join(name), bytes);
    }
    dir.path("recording").to_str().unwrap().to_owned()
}

fn write_config(dir: &Dir, text: &str) -> String {
    dir.write("split.json", text).to_str().unwrap().to_owned()
}

// ---- signals ----

#[test]
fn a_signal_ends_a_receiver_whose_source_is_silent() {
    for signal in ["INT", "TERM"] {
        let dir = Dir::new();
        let stats = dir.start("m_stats", [ANY, "--bind"]);
        stats.endpoint();
        stats.signal(signal);
        let ended = stats.end().expect(0);
        assert!(ended.stdout.contains("No messages received.\n"), "{}", ended.stdout);

        let dump = dir.start("m_dump", [ANY, "folder", "--bind"]);
        dump.endpoint();
        dump.signal(signal);
        dump.end().expect(0);
        assert_eq!(recording(dir.path("folder")), []);

        let split = dir.start("m_split", [ANY, ANY, ANY, "--bind"]);
        split.endpoints(3);
        split.signal(signal);
        let ended = split.end().expect(0);
        assert!(ended.stderr.contains("not handed over"), "{}", ended.stderr);
    }
}

#[test]
fn a_signal_ends_a_sender_without_peers() {
    for signal in ["INT", "TERM"] {
        let dir = Dir::new();
        let generate = dir.start("m_generate", ["-a", ANY]);
        generate.endpoint();
        generate.signal(signal);
        let ended = generate.end().expect(0);
        assert!(ended.stdout.contains("Terminated by user.\n"), "{}", ended.stdout);
        assert!(ended.stdout.contains("No messages sent.\n"), "{}", ended.stdout);

        let folder = record(&dir, 1, 100);
        let replay = dir.start("m_replay", [folder.as_str(), "-a", ANY]);
        replay.endpoint();
        replay.signal(signal);
        replay.end().expect(0);
    }
}

/// Starts a program that sends until it sleeps, as its peer takes one message and no more.
fn stuck(dir: &Dir, program: &str, arguments: &[&str]) -> (Process, Stream) {
    let process = dir.start(program, arguments);
    let options = Options::pull().queue_size(1).timeout(PATIENCE);
    let mut peer = connect(&process.endpoint(), options).unwrap();
    peer.receive_raw().unwrap().unwrap();
    wait_for_sleep(dir, &process);
    (process, peer)
}

/// Waits until a program sleeps, or has ended already: its linger may be over before the check.
fn wait_for_sleep(dir: &Dir, process: &Process) {
    wait_until("a sender that sleeps", || {
        dir.shell(&format!("ps -o stat= -p {}", process.id())).stdout.starts_with(['S', 'Z'])
    });
}

#[test]
fn a_signal_ends_the_wait_for_messages_to_leave() {
    let dir = Dir::new();
    for signal in ["INT", "TERM"] {
        let arguments = ["-a", ANY, "-s", "16MiB", "-n", "20", "--linger", "1000s"];
        let (process, _peer) = stuck(&dir, "m_generate", &arguments);
        process.stdout_line("Average message rate");
        wait_for_sleep(&dir, &process);
        process.signal(signal);
        let left = left(&process.end().expect(1));
        assert!((1..20).contains(&left), "{left}");
    }
}

#[test]
fn a_signal_ends_a_sender_whose_peer_does_not_read_with_the_number_of_messages_left() {
    // More than the system's buffers hold, in a few messages.
    let dir = Dir::new();
    let folder = record(&dir, 1, 16 << 20);
    for signal in ["INT", "TERM"] {
        let generate = ["-a", ANY, "-s", "16MiB", "--linger", "200ms"];
        let replay = [folder.as_str(), "-a", ANY, "--linger", "200ms", "-q", "20", "--loop"];
        for (program, arguments) in [("m_generate", &generate[..]), ("m_replay", &replay)] {
            let (process, _peer) = stuck(&dir, program, arguments);
            process.signal(signal);
            let ended = process.end().expect(1);
            let left = left(&ended);
            assert!(left > 0, "{}", ended.stderr);
        }
    }
}

/// Reads how many messages a sender says that were not handed to a peer.
#[track_caller]
fn left(ended: &Finished) -> u64 {
    let [error] = ended.errors()[..] else { panic!("one error: {}", ended.stderr) };
    let (count, peer) = error
        .strip_prefix("error: ")
        .and_then(|rest| rest.split_once(" not handed to a peer of "))
        .unwrap_or_else(|| panic!("{error}"));
    let count = count.trim_end_matches(" message was").trim_end_matches(" messages were");
    assert!(peer.starts_with("'tcp://127.0.0.1:"), "{error}");
    count.parse().unwrap()
}

#[test]
fn a_split_names_the_output_whose_peer_does_not_read() {
    let dir = Dir::new();
    let mut sender = sender();
    let arguments =
        [sender.endpoint(), ANY, ANY, "-n", "5", "--on-full", "block", "--linger", "200ms"];
    let split = dir.start("m_split", arguments);
    let outputs = split.endpoints(2);
    // More than the system's buffers hold, and than the peer takes that does not read.
    let size = 16 << 20;
    let idle = connect(&outputs[0], Options::pull().queue_size(1)).unwrap();
    let mut busy = receiver(&outputs[1]);
    for number in 0..5 {
        sender.send(numbered(number, size)).unwrap();
        assert_eq!(receive(&mut busy, size), number);
    }
    let ended = split.end().expect(1);
    assert!(left(&ended) > 0);
    assert!(ended.errors()[0].ends_with(&format!(" of '{}'", outputs[0])), "{}", ended.stderr);
    drop(idle);
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_ends_nothing() {
    let dir = Dir::new();
    let stats = dir.start_shell(&format!("trap '' HUP; exec m_stats {ANY} --bind -n 1"));
    let mut sender = connect(&stats.endpoint(), Options::push().send_timeout(PATIENCE)).unwrap();
    stats.signal("HUP");
    sender.send(numbered(0, 10)).unwrap();
    let ended = stats.end().expect(0);
    assert!(ended.stdout.contains("         1 messages\n"), "{}", ended.stdout);
    // One that is not ignored ends it.
    let stats = dir.start_shell(&format!("trap - HUP; exec m_stats {ANY} --bind"));
    stats.endpoint();
    stats.signal("HUP");
    stats.end().expect(0);
}

#[test]
fn a_script_ends_what_it_has_started_in_the_background() {
    // A shell has the programs in its background ignore an interrupt.
    let dir = Dir::new();
    let stats = dir.start_shell(&format!("trap '' INT; exec m_stats {ANY} --bind"));
    stats.endpoint();
    stats.signal("INT");
    stats.end().expect(0);
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let dir = Dir::new();
    let (mut process, _peer) =
        stuck(&dir, "m_generate", &["-a", ANY, "-s", "16MiB", "--linger", "1000s"]);
    process.signal("INT");
    // It has understood, and waits for its messages to leave.
    process.stdout_line("Average message rate");
    // A signal together with the first one does not count as a second.
    wait_until("its end", || {
        process.signal("INT");
        process.has_ended()
    });
    process.end().expect(130);
}

// ---- kills ----

#[test]
fn a_dump_that_is_killed_leaves_only_whole_messages() {
    // After so many messages, whatever it is doing then.
    for (after, size) in [(1, 100), (37, 1000), (50, 300_000), (200, 20_000), (500, 10)] {
        let dir = Dir::new();
        let mut sender = sender();
        let mut dump = dir.start("m_dump", [sender.endpoint(), "folder"]);
        for number in 0..after {
            sender.send(numbered(number, size)).unwrap();
        }
        let mut number = after;
        while (whole(&dir) as u64) < after {
            sender.send(numbered(number, size)).unwrap();
            number += 1;
            assert!(!dump.has_ended());
        }
        dump.signal("KILL");
        assert_eq!(dump.end().code, None);

        let written = whole(&dir);
        let replay = dir.start("m_replay", ["folder", "-a", ANY]);
        let mut stream = receiver(&replay.endpoint());
        let numbers: Vec<_> = (0..written).map(|_| receive(&mut stream, size)).collect();
        assert_eq!(numbers, (0..u64::try_from(written).unwrap()).collect::<Vec<_>>());
        // Messages in progress lack their first part, or it is not whole: the exit code reports it.
        let files = fs::read_dir(dir.path("folder")).unwrap().map(|entry| entry.unwrap().path());
        let parts = files.filter(|file| file.extension().is_some_and(|it| it == "raw")).count();
        let under_way = parts - 2 * written;
        assert!(under_way <= 600, "{under_way} of {parts}");
        replay.end().expect(if under_way > 0 { 3 } else { 0 });
    }
}

/// Counts the messages of a recording of which the first part is whole: its owner may read it.
fn whole(dir: &Dir) -> usize {
    let Ok(entries) = fs::read_dir(dir.path("folder")) else { return 0 };
    let is_whole = |entry: &fs::DirEntry| {
        let is_first = entry.file_name().to_str().unwrap().ends_with("_000.raw");
        // One that cannot be written is taken away again.
        is_first && entry.metadata().is_ok_and(|file| file.mode() & 0o400 != 0)
    };
    entries.filter(|entry| is_whole(entry.as_ref().unwrap())).count()
}

#[test]
fn the_kill_of_one_receiver_of_a_split_costs_the_other_nothing_and_its_heir_resumes() {
    const LAST: u64 = u64::MAX;
    let size = 1000;
    let dir = Dir::new();
    let mut sender = sender();
    // The queues hold all of them, so that only an output without any peer is ever full.
    let arguments = [sender.endpoint(), ANY, ANY, "-q", "100000", "--on-full", "1s"];
    let split = dir.start("m_split", arguments);
    let outputs = split.endpoints(2);
    let mut steady = receiver(&outputs[0]);
    let monitor = steady.monitor(MonitorOptions::default());
    assert!(monitor.wait_for_peers(1, PATIENCE));
    let victim = dir.start("m_dump", [outputs[1].as_str(), "folder"]);
    let receiving = thread::spawn(move || {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&LAST) {
            numbers.push(receive(&mut steady, size));
        }
        numbers
    });
    let mut numbers = 0..;
    let mut send = |sender: &mut Stream, count| {
        numbers
            .by_ref()
            .take(count)
            .for_each(|number| sender.send(numbered(number, size)).unwrap());
    };
    send(&mut sender, 1);
    // Some are sent too early for it, before it is connected.
    wait_until("a message of the victim", || {
        send(&mut sender, 1);
        whole(&dir) > 0
    });
    send(&mut sender, 500);
    victim.signal("KILL");
    send(&mut sender, 500);
    victim.end();
    send(&mut sender, 500);
    let mut heir = receiver(&outputs[1]);
    heir.set_timeout(Duration::from_millis(1));
    let deadline = Instant::now() + PATIENCE;
    while heir.receive_frames().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the heir receives nothing");
        send(&mut sender, 1);
    }
    sender.send(numbered(LAST, size)).unwrap();
    let received = receiving.join().unwrap();
    let sent = numbers.start;
    assert!(received.into_iter().eq((0..sent).chain([LAST])), "not each of {sent} in its order");
}

// ---- splitting ----

#[test]
fn an_output_without_receiver_does_not_stall_the_other() {
    // The queues take all of them: an output that drops does so only without a receiver.
    let by_options = |source: &str, policy: &str| {
        let options = [source, ANY, ANY, "-n", "1000", "-q", "1000", "-vv", "--on-full", policy];
        options.map(str::to_owned).to_vec()
    };
    let by_configuration = |dir: &Dir, source: &str, policy: &str| {
        let output = format!(
            r#"{{"address": "{ANY}", "bind": true, "queue_size": 1000, "on_full": {policy}}}"#
        );
        let text =
            format!(r#"{{"source": {{"address": "{source}"}}, "streams": [{output}, {output}]}}"#);
        let config = write_config(dir, &text);
        ["-c", &config, "-n", "1000", "-vv"].map(str::to_owned).to_vec()
    };
    for case in 0..4 {
        let dir = Dir::new();
        let mut sender = sender();
        let arguments = match case {
            0 => by_options(sender.endpoint(), "2s"),
            1 => by_options(sender.endpoint(), "drop"),
            2 => by_configuration(&dir, sender.endpoint(), "0.3"),
            _ => by_configuration(&dir, sender.endpoint(), "\"drop\""),
        };
        let split = dir.start("m_split", arguments);
        let output = split.endpoints(2)[0].clone();
        let mut stream = receiver(&output);
        // The receiver may know its peer before m_split does.
        split.stderr_line(&format!("kind=HandshakeSucceeded endpoint={output} "));
        for number in 0..1000 {
            sender.send(numbered(number, 10)).unwrap();
        }
        let received: Vec<_> = (0..1000).map(|_| receive(&mut stream, 10)).collect();
        assert_eq!(received, (0..1000).collect::<Vec<_>>());
        // Who asks for it may lose messages.
        let ended = split.end().expect(if case % 2 == 0 { 4 } else { 0 });
        assert_eq!(table(&ended), [["1000", "0", "0"], ["0", "1000", "0"]]);
    }
}

/// Reads what a split prints about its outputs: sent, dropped, not handed over.
fn table(ended: &Finished) -> Vec<Vec<&str>> {
    let lines = ended.stderr.lines().filter(|line| line.starts_with("tcp://"));
    lines.map(|line| line.split_whitespace().skip(1).collect()).collect()
}

#[test]
fn an_output_that_blocks_holds_up_the_others_until_it_takes_messages() {
    let dir = Dir::new();
    let mut sender = sender();
    let config = write_config(
        &dir,
        &format!(
            r#"{{"source": {{"address": "{}"}},
                "streams": [{{"address": "{ANY}", "bind": true}},
                            {{"address": "{ANY}", "bind": true, "on_full": "block"}}]}}"#,
            sender.endpoint()
        ),
    );
    let split = dir.start("m_split", ["-c", config.as_str(), "-n", "500"]);
    let outputs = split.endpoints(2);
    let mut first = receiver(&outputs[0]);
    sender.send(numbered(0, 10)).unwrap();
    assert_eq!(receive(&mut first, 10), 0);
    // The first message waits for the second output, so the next one is not received.
    sender.send(numbered(1, 10)).unwrap();
    first.set_timeout(Duration::from_millis(300));
    assert!(first.receive_raw().unwrap().is_none());
    first.set_timeout(PATIENCE);
    let mut second = receiver(&outputs[1]);
    let sending = thread::spawn(move || {
        for number in 2..500 {
            sender.send(numbered(number, 10)).unwrap();
        }
        sender
    });
    let reading =
        thread::spawn(move || (0..500).map(|_| receive(&mut second, 10)).collect::<Vec<_>>());
    let numbers: Vec<_> = (1..500).map(|_| receive(&mut first, 10)).collect();
    assert_eq!(numbers, (1..500).collect::<Vec<_>>());
    assert_eq!(reading.join().unwrap(), (0..500).collect::<Vec<_>>());
    drop(sending.join().unwrap());
    split.end().expect(0);
}

#[test]
fn a_modulo_sends_each_kth_message_and_all_of_its_parts() {
    let dir = Dir::new();
    let mut sender = sender();
    let config = write_config(
        &dir,
        &format!(
            r#"{{"source": {{"address": "{}"}},
                "streams": [
                  {{"address": "{ANY}", "bind": true, "on_full": "block"}},
                  {{"address": "{ANY}", "bind": true, "on_full": "block", "modulo": 3}}
                ]}}"#,
            sender.endpoint()
        ),
    );
    let split = dir.start("m_split", ["-c", config.as_str(), "-n", "10"]);
    let outputs = split.endpoints(2);
    let (mut all, mut some) = (receiver(&outputs[0]), receiver(&outputs[1]));
    for number in 1..=10 {
        sender.send(numbered(number, 50)).unwrap();
    }
    let received: Vec<_> = (0..10).map(|_| receive(&mut all, 50)).collect();
    assert_eq!(received, (1..=10).collect::<Vec<_>>());
    assert_eq!([(); 3].map(|()| receive(&mut some, 50)), [3, 6, 9]);
    split.end().expect(0);
    some.set_timeout(Duration::ZERO);
    assert!(some.receive_raw().unwrap().is_none());
}

#[test]
fn a_subscriber_splits_to_publishers() {
    let dir = Dir::new();
    let mut publisher = connect(ANY, Options::publish().bind()).unwrap();
    let arguments =
        [publisher.endpoint(), ANY, ANY, "-m", "sub", "--subscribe", "{", "--output-mode", "pub"];
    let split = dir.start("m_split", arguments);
    let mut streams: Vec<_> = split
        .endpoints(2)
        .iter()
        .map(|endpoint| connect(endpoint, Options::sub()).unwrap())
        .collect();
    // Subscriptions take a while: publish until both have heard something.
    for stream in &mut streams {
        stream.set_timeout(Duration::from_millis(5));
        let mut heard = None;
        for _ in 0..10_000 {
            publisher.send([&b"not wanted"[..]]).unwrap();
            publisher.send(numbered(7, 100)).unwrap();
            heard = stream.receive_frames().unwrap();
            if heard.is_some() {
                break;
            }
        }
        assert_eq!(heard, Some(numbered(7, 100)));
    }
    split.interrupt().expect(0);
}

#[test]
fn a_slow_receiver_of_a_split_loses_nothing_of_a_burst() {
    let count = 20_000;
    let dir = Dir::new();
    let mut sender = sender();
    let split = dir.start("m_split", [sender.endpoint(), ANY, ANY, "-n", "20000"]);
    let outputs = split.endpoints(2);
    let (mut slow, mut fast) = (receiver(&outputs[0]), receiver(&outputs[1]));
    let sending = thread::spawn(move || {
        for number in 0..count {
            sender.send(numbered(number, 64)).unwrap();
        }
        sender
    });
    let (read, ahead) = mpsc::channel();
    let reading = thread::spawn(move || {
        for number in 0..count {
            assert_eq!(receive(&mut fast, 64), number);
            let _ = read.send(());
        }
    });
    // What makes it slow: it is a thousand messages behind the other until that one has all.
    ahead.iter().take(1000).for_each(drop);
    for number in 0..count {
        let _ = ahead.recv();
        assert_eq!(receive(&mut slow, 64), number);
    }
    reading.join().unwrap();
    drop(sending.join().unwrap());
    split.end().expect(0);
}

// ---- how senders end ----

#[test]
fn a_replay_to_a_slow_reader_loses_nothing() {
    let dir = Dir::new();
    let folder = record(&dir, 300, 100_000);
    let replay = dir.start("m_replay", [folder.as_str(), "-a", ANY, "-q", "1000"]);
    let mut stream = receiver(&replay.endpoint());
    for number in 0..300 {
        // Longer than the 1 s for which the original waits at its end, all together.
        thread::sleep(Duration::from_millis(6));
        assert_eq!(receive(&mut stream, 100_000), number);
    }
    replay.end().expect(0);
}

#[test]
fn a_replay_to_a_peer_that_never_reads_says_how_many_messages_are_left() {
    let dir = Dir::new();
    let folder = record(&dir, 100, 1 << 20);
    let arguments = [folder.as_str(), "-a", ANY, "-q", "1000", "--linger", "300ms"];
    let (replay, peer) = stuck(&dir, "m_replay", &arguments);
    let ended = replay.end().expect(1);
    let left = left(&ended);
    // The peer has taken one and holds one; the system's buffers hold some more.
    assert!((1..=99).contains(&left), "{}", ended.stderr);
    drop(peer);
}

#[test]
fn what_is_generated_for_a_dump_is_all_there() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-n", "1000", "-s", "10KiB"]);
    let endpoint = generate.endpoint();
    dir.run("m_dump", [endpoint.as_str(), "folder", "-n", "1000"]).expect(0);
    generate.end().expect(0);
    let files = recording(dir.path("folder"));
    assert_eq!(files.len(), 2000);
    for (number, message) in files.chunks(2).enumerate() {
        let header =
            format!(r#"{{"htype":"raw-1.0","type":"int32","shape":[1,2560],"frame":{number}}}"#);
        assert_eq!(message[0], (format!("{number:06}_000.raw"), header.into_bytes()));
        assert!(message[1].1 == vec![0; 10 << 10]);
    }
}

#[test]
fn a_sender_whose_peers_never_come_ends_at_its_timeout() {
    let dir = Dir::new();
    let folder = record(&dir, 2, 10);
    dir.run("m_generate", ["-a", ANY, "--timeout", "100ms"]).expect(4);
    dir.run("m_replay", [folder.as_str(), "-a", ANY, "--timeout", "100ms"]).expect(4);
    dir.run("m_stats", [ANY, "--bind", "--timeout", "100ms"]).expect(4);
}

// ---- disks ----

/// A file system of so many KiB in the directory of a test; none if that is not allowed.
struct SmallDisk<'a> {
    dir: &'a Dir,
}

impl<'a> SmallDisk<'a> {
    fn mount(dir: &'a Dir, options: &str) -> Option<Self> {
        fs::create_dir(dir.path("disk")).unwrap();
        let mounted = dir.shell(&format!("mount -t tmpfs -o {options} tmpfs disk"));
        if mounted.code == Some(0) {
            return Some(Self { dir });
        }
        skip(format_args!("cannot mount: {}", mounted.stderr.trim()));
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        self.dir.shell("umount disk");
    }
}

#[test]
fn a_full_disk_ends_a_dump_and_what_was_written_is_whole() {
    // The disk has 256 pages of 4 KiB; each part takes whole ones.
    for (size, fit) in [(100_000, 9), (20_000, 42), (1000, 128)] {
        fill_disk(size, fit);
    }
}

/// Dumps messages until the disk is full; so many fit.
fn fill_disk(size: usize, fit: u64) {
    let dir = Dir::new();
    let Some(_disk) = SmallDisk::mount(&dir, "size=1m") else { return };
    let options = Options::push().bind().send_timeout(Duration::from_secs(5));
    let mut sender = connect(ANY, options).unwrap();
    let dump = dir.start("m_dump", [sender.endpoint(), "disk/folder"]);
    let sending = thread::spawn(move || {
        // Until no receiver accepts one any more.
        (0..).find(|number| sender.send(numbered(*number, size)).is_err())
    });
    let ended = dump.end().expect(1);
    assert!(sending.join().unwrap().is_some_and(|sent| sent > fit));
    let files_left = recording(dir.path("disk/folder"));
    assert_eq!(files_left.len() as u64, 2 * fit);
    assert!(files_left == files(0..fit, size), "not what was sent");
    assert_eq!(fs::read_dir(dir.path("disk/folder")).unwrap().count(), files_left.len());
    let cause = "No space left on device (os error 28)";
    let why = |part| format!("cannot write 'disk/folder/{fit:06}_{part:03}.raw': {cause}");
    let error = ended.errors().concat();
    let (_, printed) = error.split_once(" not written: ").unwrap();
    assert!([why(0), why(1)].contains(&printed.to_owned()), "{error}");
    // Every accepted message is there, or reported as lost.
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let lost = number(error.split(' ').nth(1).unwrap());
    let taken = ended.stderr.lines().find_map(|line| line.split_once(" message")).unwrap();
    assert_eq!(number(taken.0), fit + lost, "{}", ended.stderr);
}

#[test]
fn a_burst_is_dumped_with_few_descriptors() {
    let dir = Dir::new();
    let mut sender = sender();
    let dump = dir
        .start_shell(&format!("ulimit -n 40; exec m_dump {} folder -n {BURST}", sender.endpoint()));
    (0..BURST).for_each(|number| sender.send(numbered(number, 100)).unwrap());
    dump.end().expect(0);
    assert!(recording(dir.path("folder")) == files(0..BURST, 100), "not what was sent");
}

#[test]
fn a_file_that_may_not_grow_ends_a_dump_and_what_was_written_is_whole() {
    let dir = Dir::new();
    let mut sender = sender();
    // The signal for it has to be ignored to get the error; blocks are 512 or 1024 bytes.
    let script = format!("trap '' XFSZ; ulimit -f 100; exec m_dump {} folder", sender.endpoint());
    let dump = dir.start_shell(&script);
    sender.send(numbered(0, 1000)).unwrap();
    sender.send(numbered(1, 1000)).unwrap();
    sender.send(numbered(2, 1_000_000)).unwrap();
    let ended = dump.end().expect(1);
    let why = "cannot write 'folder/000002_001.raw': File too large (os error 27)";
    assert_eq!(ended.errors(), [format!("error: 1 message was not written: {why}")]);
    assert_eq!(recording(dir.path("folder")), files(0..2, 1000));
    assert_eq!(fs::read_dir(dir.path("folder")).unwrap().count(), 4);
}

#[test]
fn a_folder_that_is_a_file_or_read_only_or_goes_away_is_an_error() {
    let dir = Dir::new();
    dir.write("file", "");
    let ended = dir.run("m_dump", [ANY, "file", "--bind"]).expect(1);
    assert_eq!(ended.errors(), ["error: cannot create 'file': File exists (os error 17)"]);

    if let Some(_disk) = SmallDisk::mount(&dir, "ro") {
        let ended = dir.run("m_dump", [ANY, "disk/folder", "--bind"]).expect(1);
        let error = "error: cannot create 'disk/folder': Read-only file system (os error 30)";
        assert_eq!(ended.errors(), [error]);
    }

    let mut sender = sender();
    let dump = dir.start("m_dump", [sender.endpoint(), "folder"]);
    sender.send(numbered(0, 10)).unwrap();
    wait_until("a whole message", || whole(&dir) == 1);
    fs::remove_dir_all(dir.path("folder")).unwrap();
    sender.send(numbered(1, 10)).unwrap();
    let ended = dump.end().expect(1);
    // The first is gone with the folder.
    let why = "cannot write 'folder/000001_001.raw': No such file or directory (os error 2)";
    assert_eq!(ended.errors(), [format!("error: 2 messages were not written: {why}")]);
}

// ---- bad messages ----

#[test]
fn bad_messages_go_through_every_program() {
    let bad: [&[&[u8]]; 14] = [
        &[b""],
        &[b"", b""],
        &[b"\xff\xfe{"],
        &[b"{"],
        &[b"[1]"],
        &[b"null"],
        &[b"{}"],
        &[br#"{"htype":7}"#],
        &[br#"{"htype":["a","b"]}"#],
        &[br#"{"htype":"array-1.0","type":"int32","shape":[-1]}"#, b"x"],
        &[br#"{"htype":"dheader-1.0","header_detail":"all"}"#],
        &[br#"{"htype":"dimage-1.0"}"#, b"{}", b"", b"", b"", b"", b"", b""],
        &[br#"{"htype":"dseries_end-1.0"}"#, b"too", b"many"],
        &[br#"{"htype":"bsr_m-1.1"}"#],
    ];
    let messages: Vec<Frames> = bad
        .iter()
        .map(|parts| parts.iter().map(|part| Frame::from(*part)).collect())
        .chain([numbered(0, 10)])
        .collect();
    let count = messages.len().to_string();
    let expected: Vec<(String, Vec<u8>)> = (0..)
        .zip(&messages)
        .flat_map(|(number, message)| {
            let parts = message.iter().enumerate();
            parts.map(move |(part, frame): (usize, &Frame)| {
                (format!("{number:06}_{part:03}.raw"), frame.as_ref().to_vec())
            })
        })
        .collect::<Vec<(String, Vec<u8>)>>();

    let dir = Dir::new();
    let mut sender = sender();
    let split = dir
        .start("m_split", [sender.endpoint(), ANY, ANY, ANY, "-n", &count, "--on-full", "block"]);
    let outputs = split.endpoints(3);
    let stats = dir.start("m_stats", [outputs[0].as_str(), "-n", &count]);
    let text = dir.start("m_dump", [outputs[1].as_str(), "-n", &count]);
    let dump = dir.start("m_dump", [outputs[2].as_str(), "folder", "-n", &count]);
    for message in &messages {
        sender.send(message.clone()).unwrap();
    }
    let stats = stats.end().expect(0);
    assert!(stats.stdout.contains(&format!("{count} messages\n")), "{}", stats.stdout);
    assert_eq!(text.end().expect(0).stdout.lines().count(), expected.len());
    dump.end().expect(0);
    split.end().expect(0);
    assert_eq!(recording(dir.path("folder")), expected);

    let replay = dir.start("m_replay", ["folder", "-a", ANY]);
    let mut stream = receiver(&replay.endpoint());
    for message in &messages {
        assert_eq!(stream.receive_frames().unwrap().as_ref(), Some(message));
    }
    replay.end().expect(0);
}
