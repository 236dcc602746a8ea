//! The command lines: options, outputs, exit codes, and what is said if something is wrong.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use harness::{Dir, Process, Unread, recording, skip};

const PROGRAMS: [&str; 5] = ["m_stats", "m_generate", "m_dump", "m_replay", "m_split"];
const ANY: &str = "tcp://127.0.0.1:*";
const RULE: &str = "____________________________________________________________";

/// Starts a generator of so many messages of so many bytes.
fn generate(dir: &Dir, count: usize, size: &str) -> (Process, String) {
    let count = count.to_string();
    let process = dir.start("m_generate", ["-a", ANY, "-n", &count, "-s", size]);
    let endpoint = process.endpoint();
    (process, endpoint)
}

/// Writes a folder of messages, each of the parts that are given.
fn write_folder(dir: &Dir, name: &str, messages: &[(u64, &[&str])]) {
    fs::create_dir_all(dir.path(name)).unwrap();
    for (message, parts) in messages {
        for (part, bytes) in parts.iter().enumerate() {
            dir.write(format!("{name}/{message:06}_{part:03}.raw"), bytes);
        }
    }
}

/// Returns what a folder holds, message by message, as text.
fn messages(folder: &Path) -> Vec<Vec<String>> {
    let mut messages: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (name, bytes) in recording(folder) {
        let number = name.split('_').next().unwrap().parse().unwrap();
        messages.entry(number).or_default().push(String::from_utf8(bytes).unwrap());
    }
    messages.into_values().collect()
}

// ---- what every program says of itself ----

#[test]
fn help_says_how_to_use_each_program() {
    let dir = Dir::new();
    for program in PROGRAMS {
        let help = dir.run(program, ["--help"]).expect(0);
        assert!(help.stdout.contains(&format!("Usage: {program} ")), "{}", help.stdout);
        assert!(help.stdout.contains("--completions <SHELL>"), "{}", help.stdout);
        assert_eq!(help.stderr, "", "{program}");
    }
}

#[test]
fn version_prints_that_of_libzmq_and_whether_it_has_curve() {
    let dir = Dir::new();
    let (major, minor, patch) = zmq::version();
    let curve = if zmq::has("curve") == Some(true) { "yes" } else { "no" };
    for program in PROGRAMS {
        let version = dir.run(program, ["--version"]).expect(0);
        let package = env!("CARGO_PKG_VERSION");
        let expected =
            format!("{program} {package} (libzmq {major}.{minor}.{patch}, curve={curve})\n");
        assert_eq!(version.stdout, expected);
    }
}

#[test]
fn bash_takes_the_completions_of_each_program() {
    let dir = Dir::new();
    for program in PROGRAMS {
        let completions = dir.run(program, ["--completions", "bash"]).expect(0);
        assert!(completions.stdout.contains("--queue-size"), "{program}");
        dir.write(program, completions.stdout);
        let taken = dir.shell(&format!("bash -c '. ./{program} && complete -p {program}'"));
        let taken = taken.expect(0).stdout;
        assert!(taken.contains(&format!(" -F _{program} ")), "{taken}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let dir = Dir::new();
    let wrong: [&[&str]; 32] = [
        &["m_stats"],
        &["m_stats", "tcp://h:1", "--colour"],
        &["m_stats", "tcp://h:1", "-m", "push"],
        &["m_stats", "tcp://h:1", "-n", "0"],
        &["m_stats", "tcp://h:1", "-n", "many"],
        &["m_stats", "tcp://h:1", "-d", "soon"],
        &["m_stats", "tcp://h:1", "-i", "-1"],
        &["m_stats", "tcp://h:1", "--bind", "--connect"],
        &["m_stats", "tcp://h:1", "--loopback"],
        &["m_stats", "tcp://h:1", "-v", "--quiet"],
        &["m_generate", "-m", "pull"],
        &["m_generate", "-s", "1 parsec"],
        &["m_generate", "-r", "0"],
        &["m_generate", "-r", "1e-30"],
        &["m_generate", "-r", "1e30"],
        &["m_stats", "--loopback", "-q", "5"],
        &["m_stats", "--loopback", "--io-threads", "2"],
        &["m_dump"],
        &["m_dump", "tcp://h:1", "--force"],
        &["m_replay"],
        &["m_split", "tcp://h:1"],
        &["m_split", "--check"],
        &["m_split", "--check", "tcp://h:1", "tcp://*:2"],
        &["m_stats", "tcp://h:1", "-s", "64KiB"],
        &["m_stats", "tcp://h:1", "-n", "-1"],
        &["m_stats", "tcp://h:1", "--io-threads", "65"],
        &["m_stats", "tcp://h:0"],
        &["m_stats", "tcp://127.0.0.1:*"],
        &["m_stats", "inproc://x"],
        &["m_replay", "tcp://h:1"],
        &["m_replay", "in.mcap", "-m", "pub", "--send-header-again", "0"],
        &["m_generate", "-i", "often"],
    ];
    for line in wrong {
        let failed = dir.run(line[0], &line[1..]).expect(2);
        assert!(failed.stderr.starts_with("error: "), "{line:?}: {}", failed.stderr);
        assert_eq!(failed.stdout, "", "{line:?}");
    }
}

#[test]
fn prefixes_of_what_is_no_subscriber_exit_with_2() {
    let dir = Dir::new();
    let source = "tcp://127.0.0.1:1";
    let lines: [&[&str]; 4] = [
        &["m_stats", source, "--subscribe", "x"],
        &["m_stats", source, "--subscribe", "x", "--subscribe", "y", "-m", "PULL"],
        &["m_dump", source, "--subscribe", "x"],
        &["m_split", source, ANY, "--subscribe", "x"],
    ];
    let error = "error: the argument '--subscribe <PREFIX>' cannot be used with '--mode pull'";
    for line in lines {
        let failed = dir.run(line[0], &line[1..]).expect(2);
        assert_eq!(failed.errors(), [error], "{line:?}");
    }
}

#[test]
fn help_version_and_completions_that_cannot_be_written_exit_with_1() {
    let dir = Dir::new();
    let options = ["--help", "-h", "--version", "-V", "--completions bash"];
    for (program, option) in PROGRAMS.into_iter().flat_map(|it| options.map(|option| (it, option)))
    {
        let failed = dir.shell(&format!("{program} {option} > /dev/full")).expect(1);
        let error = "error: cannot write the output: No space left on device (os error 28)";
        assert_eq!(failed.errors(), [error]);
    }
}

#[test]
fn a_unit_is_read_in_any_case_and_one_of_two_meanings_is_asked_back() {
    let dir = Dir::new();
    let no_receiver = ["-a", ANY, "-d", "1MS"];
    for (option, value) in [("-r", "10hz"), ("-r", "max"), ("-r", "2KHz"), ("-s", "64kib")] {
        dir.run("m_generate", no_receiver.iter().chain(&[option, value])).expect(4);
    }
    let asked = dir.run("m_generate", ["-s", "1mb"]).expect(2);
    assert!(asked.errors()[0].ends_with("found '1mb': MB or Mb?"), "{}", asked.stderr);
}

#[test]
fn a_size_with_a_unit_is_printed_in_megabytes() {
    let dir = Dir::new();
    for (size, printed) in [("8MB", "8.000000"), ("64KiB", "0.065536"), ("1.5", "1.500000")] {
        let generated = dir.run("m_generate", ["-a", ANY, "-d", "1ms", "-s", size]).expect(4);
        let line = format!("Sending messages of size {printed} MB\n");
        assert!(generated.stdout.starts_with(&line), "{}", generated.stdout);
    }
}

#[test]
fn every_option_of_the_original_is_taken_as_it_was() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["{}"])]);
    fs::write(
        dir.path("split.json"),
        r#"{"source": {"address": "tcp://127.0.0.1:1"}, "streams": [{"address": "tcp://*:*"}]}"#,
    )
    .unwrap();
    let source = "tcp://127.0.0.1:1";
    let lines: [&[&str]; 17] = [
        &["m_stats", source, "-m", "pull", "-i", "0.25"],
        &["m_stats", source, "--mode", "sub", "--sampling_interval", "0.25"],
        &["m_stats", source, "--sampling-interval", "0.25"],
        &["m_stats", source, "--interval", "0.25"],
        &["m_generate", "-a", ANY, "-s", "0.5", "-m", "push"],
        &["m_generate", "--address", ANY, "--size", "0.5", "--mode", "PUSH"],
        &["m_dump", source, "-m", "sub", "-s", "2"],
        &["m_dump", source, "out", "--mode", "pull", "--skip", "2"],
        &["m_replay", "in", "-a", ANY, "-m", "push"],
        &["m_replay", "in", "--address", ANY, "--mode", "PUSH"],
        &["m_split", source, ANY, ANY],
        &["m_split", "-c", "split.json"],
        &["m_split", "--config", "split.json"],
        // And what all have today.
        &["m_stats", source, "-q", "5", "--io-threads", "2", "--connect"],
        &["m_generate", "-a", ANY, "-q", "5", "--io-threads", "2", "--bind", "--linger", "1s"],
        &["m_dump", ANY, "-q", "5", "--io-threads", "2", "--bind"],
        &["m_replay", "in", "-a", ANY, "-q", "5", "--io-threads", "2", "--linger", "1s"],
    ];
    for line in lines {
        // No peer is connected, so each ends for lack of messages or of peers.
        let arguments = line[1..].iter().chain(&["-d", "10ms"]);
        let ended = dir.run(line[0], arguments).expect(4);
        if line[0] == "m_stats" && line.contains(&"0.25") {
            let started = format!(
                "mflow stats started. Sampling interval is 0.25 seconds.\n{RULE}\n\
                 No messages received.\n{RULE}\n"
            );
            assert_eq!(ended.stdout, started, "{line:?}");
        }
        if line[0] == "m_generate" && line.contains(&"0.5") {
            assert!(ended.stdout.starts_with("Sending messages of size 0.500000 MB\n"));
        }
    }
}

// ---- m_stats and m_generate ----

/// Reads the numbers at the places where a rate line has them; fails unless it is one to the byte.
fn rates(line: &str) -> (f64, f64) {
    let (data, messages) = line
        .strip_prefix("Data rate: ")
        .and_then(|rest| rest.strip_suffix(" Hz"))
        .and_then(|rest| rest.split_once(" MB/s    Message rate: "))
        .unwrap_or_else(|| panic!("no rate line: '{line}'"));
    let [data, messages]: [f64; 2] = [data, messages].map(|text| text.trim().parse().unwrap());
    let again = format!("Data rate: {data:>10.3} MB/s    Message rate: {messages:>10.3} Hz");
    assert_eq!(line, again);
    (data, messages)
}

/// Checks that these are the lines of a summary to the byte, and returns its numbers.
fn summary(lines: &[&str]) -> Vec<f64> {
    const LINES: [(&str, &str, usize); 6] = [
        ("Total elapsed time:   ", " s", 3),
        ("Average message size: ", " MB", 3),
        ("Total bytes received: ", " MB", 3),
        ("Average data rate:    ", " MB/s", 3),
        ("Messages received:    ", " messages", 0),
        ("Average message rate: ", " Hz", 3),
    ];
    assert_eq!((lines.len(), lines[0], lines[7]), (8, RULE, RULE), "{lines:?}");
    let read = |(line, (start, end, digits)): (&&str, &(&str, &str, usize))| {
        let number = line.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        let number: f64 = number.unwrap_or_else(|| panic!("{line}")).trim().parse().unwrap();
        assert_eq!(*line, format!("{start}{number:>10.digits$}{end}"));
        number
    };
    lines[1..7].iter().zip(&LINES).map(read).collect()
}

#[test]
fn stats_prints_the_text_of_the_original() {
    let dir = Dir::new();
    let (generate, endpoint) = generate(&dir, 5, "1");
    let stats = dir.run("m_stats", [&endpoint, "-n", "5", "-i", "0"]).expect(0);
    let lines: Vec<&str> = stats.stdout.lines().collect();
    assert_eq!(lines[..2], ["mflow stats started. Sampling interval is 0.00 seconds.", RULE]);
    let middle = &lines[2..lines.len() - 8];
    assert!(middle.len() >= 4, "a line for each message after the first: {middle:?}");
    middle.iter().for_each(|line| {
        rates(line);
    });
    let numbers = summary(&lines[lines.len() - 8..]);
    // Five times 1 MiB and a header of 67 bytes.
    assert_eq!((numbers[1], numbers[2], numbers[4]), (1.049, 5.243, 5.0));
    generate.end().expect(0);
}

#[test]
fn stats_counts_headers_and_generate_the_data_alone() {
    let dir = Dir::new();
    let (generate, endpoint) = generate(&dir, 1000, "1kB");
    let stats = dir.run("m_stats", [&endpoint, "-n", "1000"]).expect(0);
    let header = r#"{"htype":"raw-1.0","type":"int32","shape":[1,250],"frame":}"#.len();
    let digits = 10 + 90 * 2 + 900 * 3;
    let received: usize = 1000 * (1000 + header) + digits;
    let received = format!("Total bytes received: {:>10.3} MB", received as f64 / 1e6);
    assert!(stats.stdout.contains(&received), "{received}: {}", stats.stdout);
    let sent = generate.end().expect(0).stdout;
    assert!(sent.contains("Total bytes received:      1.000 MB\n"), "{sent}");
}

#[test]
fn generate_prints_the_text_of_the_original() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "0.001"]);
    let stats = dir.start("m_stats", [generate.endpoint()]);
    generate.stdout_lines(3);
    let generated = generate.interrupt().expect(0);
    let lines: Vec<&str> = generated.stdout.lines().collect();
    assert_eq!(lines[0], "Sending messages of size 0.001000 MB");
    let end = lines.iter().position(|line| *line == "Terminated by user.").unwrap();
    assert!(lines[1..end].iter().all(|line| rates(line).1 > 0.0));
    // A last line of rates, unless one was due just before.
    let rest = &lines[end + 1..];
    let rest = if rest[0] == RULE {
        rest
    } else {
        rates(rest[0]);
        &rest[1..]
    };
    summary(rest);
    let received = stats.interrupt().expect(0);
    let lines: Vec<&str> = received.stdout.lines().collect();
    summary(&lines[lines.len() - 8..]);
}

#[test]
fn rates_are_printed_in_json_too() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "1kB", "-n", "100", "--json"]);
    let stats = ["-n", "100", "--format", "json"];
    let stats = dir.run("m_stats", [generate.endpoint().as_str()].iter().chain(&stats)).expect(0);
    let header = r#"{"htype":"raw-1.0","type":"int32","shape":[1,250],"frame":0}"#.len() as u64;
    // Frames have one digit and two.
    let headers = 100 * header + 90;
    for (printed, bytes) in
        [(stats.stdout, 100_000 + headers), (generate.end().expect(0).stdout, 100_000)]
    {
        let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<_> = lines.collect();
        let (summary, intervals) = lines.split_last().unwrap();
        assert_eq!((&summary["event"], &summary["bytes"]), (&json!("summary"), &json!(bytes)));
        assert!(intervals.iter().all(|line| line["event"] == "interval"), "{printed}");
        let messages = intervals.iter().map(|line| line["messages"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(messages, 100, "{printed}");
    }
}

#[test]
fn a_silence_is_printed_while_it_lasts() {
    let dir = Dir::new();
    let silences = [
        ("text", format!("Data rate: {:>10.3} MB/s    Message rate: {:>10.3} Hz", 0.0, 0.0)),
        ("json", r#""messages":0,"bytes":0,"messages_per_second":0.0,"#.to_owned()),
    ];
    for (format, silence) in silences {
        let mut sender = mflow::connect(ANY, mflow::Options::push().bind()).unwrap();
        let arguments = [sender.endpoint(), "-i", "0.02", "-n", "2", "--format", format];
        let stats = dir.start("m_stats", arguments);
        sender.send(harness::numbered(0, 8)).unwrap();
        // It is printed although the second message has not arrived.
        stats.stdout_line(&silence);
        sender.send(harness::numbered(1, 8)).unwrap();
        stats.end().expect(0);
    }
}

#[test]
fn a_generator_that_waits_prints_its_silence_too() {
    let dir = Dir::new();
    let arguments = ["-a", ANY, "-m", "pub", "-s", "16B", "-r", "0.001", "-i", "0.02"];
    let generate = dir.start("m_generate", arguments);
    generate.stdout_line("Message rate:      0.000 Hz");
    generate.interrupt().expect(4);
}

#[test]
fn a_generated_rate_is_the_one_that_was_asked_for() {
    let dir = Dir::new();
    let arguments = ["-a", ANY, "-m", "pub", "-s", "1kB", "-r", "20Hz", "-n", "11", "--json"];
    let generated = dir.run("m_generate", arguments).expect(4).stdout;
    let lines = generated.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<_> = lines.collect();
    let (summary, intervals) = lines.split_last().unwrap();
    let (messages, seconds) = (summary["messages"].as_f64().unwrap(), summary["seconds"].as_f64());
    assert_eq!((messages, intervals[0]["event"].as_str()), (11.0, Some("interval")));
    let rate = summary["messages_per_second"].as_f64().unwrap();
    assert!((rate - 10.0 / seconds.unwrap()).abs() < 1e-6, "{generated}");
    // On a busy machine it is less, and nothing makes it more.
    assert!(rate <= 20.1, "{generated}");
}

#[test]
fn a_generator_that_has_sent_nothing_says_so() {
    let dir = Dir::new();
    let generated = dir.run("m_generate", ["-a", ANY, "-d", "10ms"]).expect(4).stdout;
    assert!(generated.ends_with(&format!("\nNo messages sent.\n{RULE}\n")), "{generated}");
}

#[test]
fn what_is_left_of_the_last_interval_has_a_line_of_rates() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "16B", "-n", "5"]);
    dir.run("m_stats", [generate.endpoint().as_str(), "-n", "5", "-i", "100"]).expect(0);
    let generated = generate.end().expect(0);
    let lines: Vec<&str> = generated.stdout.lines().collect();
    assert_eq!(lines.len(), 1 + 1 + 8, "{lines:?}");
    rates(lines[1]);
    summary(&lines[2..]);
}

#[test]
fn a_rate_is_kept() {
    let dir = Dir::new();
    let start = Instant::now();
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "16B", "-r", "100", "-n", "21"]);
    dir.run("m_stats", [generate.endpoint().as_str(), "-n", "21"]).expect(0);
    generate.end().expect(0);
    assert!(start.elapsed() >= Duration::from_millis(200), "20 intervals of 10 ms");
    // If this was sent at less than 2 Hz, the patience of the harness would end.
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "16B", "-r", "10kHz", "-n", "121"]);
    dir.run("m_stats", [generate.endpoint().as_str(), "-n", "121"]).expect(0);
    let sent = generate.end().expect(0).stdout;
    let lines: Vec<&str> = sent.lines().collect();
    let rate = summary(&lines[lines.len() - 8..])[5];
    assert!((2.0..=10_100.0).contains(&rate), "{rate} Hz");
}

#[test]
fn loopback_measures_this_machine() {
    let dir = Dir::new();
    let stats = dir.run("m_stats", ["--loopback", "-s", "64KiB", "-d", "300ms"]).expect(0);
    assert!(stats.stderr.starts_with("listening on tcp://127.0.0.1:"), "{}", stats.stderr);
    let lines: Vec<&str> = stats.stdout.lines().collect();
    assert_eq!(lines[0], "mflow stats started. Sampling interval is 0.50 seconds.");
    let numbers = summary(&lines[lines.len() - 8..]);
    assert_eq!(numbers[1], 0.066, "64 KiB and a header");
    assert!(numbers.iter().all(|number| *number > 0.0), "{numbers:?}");
}

#[test]
fn a_loopback_of_no_length_ends_by_itself() {
    let dir = Dir::new();
    // Messages arrive all the time, so the timeout ends nothing.
    let stats = dir.run("m_stats", ["--loopback", "-s", "1kB", "--timeout", "30s"]).expect(0);
    let lines: Vec<&str> = stats.stdout.lines().collect();
    let seconds = summary(&lines[lines.len() - 8..])[0];
    assert!(seconds > 4.0, "{seconds} s");
}

// ---- who binds, who connects, and what is printed ----

#[test]
fn a_star_address_of_a_receiver_binds() {
    let dir = Dir::new();
    let stats = dir.start("m_stats", ["tcp://*:*", "-n", "2"]);
    let port = stats.endpoint().strip_prefix("tcp://0.0.0.0:").unwrap().to_owned();
    let address = format!("tcp://127.0.0.1:{port}");
    dir.run("m_generate", ["-a", &address, "--connect", "-n", "2", "-s", "16B"]).expect(0);
    stats.end().expect(0);
}

#[test]
fn quiet_leaves_results_and_errors_only() {
    let dir = Dir::new();
    let stats = dir.run("m_stats", [ANY, "--bind", "--quiet", "-d", "10ms"]).expect(4);
    assert_eq!(stats.stderr, format!("error: '{ANY}': no messages before the time was up\n"));
    let dump = dir.run("m_dump", ["nowhere", "--quiet"]).expect(2);
    assert_eq!((dump.errors().len(), dump.stderr.lines().count()), (1, 1));
    write_folder(&dir, "in", &[(0, &["a"])]);
    dir.write("in/000001_001.raw", "");
    let dump = dir.run("m_dump", ["in", "out", "--quiet"]).expect(3);
    assert_eq!(dump.stderr, "error: 'in': skipped 1 damaged message\n");
}

#[test]
fn an_address_of_ipv6_is_listened_on() {
    let dir = Dir::new();
    if TcpListener::bind("[::1]:0").is_err() {
        skip("this machine has no IPv6");
        return;
    }
    let generate = dir.start("m_generate", ["-a", "tcp://[::1]:*", "-n", "2", "-s", "16B"]);
    let endpoint = generate.endpoint();
    assert!(endpoint.starts_with("tcp://[::1]:"), "{endpoint}");
    dir.run("m_stats", [endpoint.as_str(), "-n", "2"]).expect(0);
    generate.end().expect(0);
}

#[test]
fn a_subscriber_gets_what_it_has_asked_for() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["apple", "1"]), (1, &["pear", "2"]), (2, &["plum", "3"])]);
    let replay = dir.start("m_replay", ["in", "-a", ANY, "-m", "pub", "-l"]);
    let endpoint = replay.endpoint();
    let arguments = [&endpoint, "out", "-m", "sub", "--subscribe", "pl", "--subscribe", "ap"];
    dir.run("m_dump", arguments.into_iter().chain(["-n", "4"])).expect(0);
    let mut seen = messages(&dir.path("out"));
    seen.sort();
    let (apple, plum) = (["apple", "1"], ["plum", "3"]);
    assert_eq!(seen, [apple, apple, plum, plum]);
    replay.interrupt().expect(0);
}

// ---- m_dump ----

#[test]
fn dump_shows_a_line_for_each_part() {
    let dir = Dir::new();
    let (generate, endpoint) = generate(&dir, 2, "16B");
    let dump = dir.run("m_dump", [&endpoint, "-n", "2"]).expect(0);
    let zeros = "00".repeat(16);
    let expected = format!(
        "     0   0         58  {{\"htype\":\"raw-1.0\",\"type\":\"int32\",\"shape\":[1,4],\"frame\":0}}\n     \
              0   1         16  {zeros}\n     \
              1   0         58  {{\"htype\":\"raw-1.0\",\"type\":\"int32\",\"shape\":[1,4],\"frame\":1}}\n     \
              1   1         16  {zeros}\n"
    );
    assert_eq!(dump.stdout, expected);
    assert_eq!(dump.stderr, "");
    generate.end().expect(0);
}

#[test]
fn skip_keeps_the_parts_before_it() {
    let dir = Dir::new();
    let message: &[&str] = &["a", "b", "c"];
    write_folder(&dir, "in", &[(0, message)]);
    for (skip, kept) in [("0", 3), ("1", 0), ("2", 1), ("3", 2), ("9", 3)] {
        let replay = dir.start("m_replay", ["in", "-a", ANY]);
        let endpoint = replay.endpoint();
        dir.run("m_dump", [&endpoint, skip, "-s", skip, "-n", "1"]).expect(0);
        replay.end().expect(0);
        let files: Vec<String> = recording(dir.path(skip)).into_iter().map(|(n, _)| n).collect();
        let expected: Vec<String> = (0..kept).map(|part| format!("000000_{part:03}.raw")).collect();
        assert_eq!(files, expected, "-s {skip}");
    }
}

#[test]
fn a_folder_that_holds_a_recording_is_not_touched() {
    let dir = Dir::new();
    write_folder(&dir, "out", &[(7, &["old"])]);
    let refused = dir.run("m_dump", ["tcp://127.0.0.1:1", "out"]).expect(1);
    assert_eq!(refused.errors(), ["error: 'out' holds a recording already"]);
    assert_eq!(messages(&dir.path("out")), [["old"]]);
}

#[test]
fn force_goes_on_after_the_highest_number() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["new"])]);
    write_folder(&dir, "out", &[(2, &["2"]), (7, &["7"])]);
    let replay = dir.start("m_replay", ["in", "-a", ANY]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "--force", "-n", "1"]).expect(0);
    replay.end().expect(0);
    let files = recording(dir.path("out"));
    let expected = [("000002", "2"), ("000007", "7"), ("000008", "new")]
        .map(|(number, text)| (format!("{number}_000.raw"), text.as_bytes().to_vec()));
    assert_eq!(files, expected);
}

#[test]
fn a_folder_of_other_files_is_dumped_to() {
    let dir = Dir::new();
    dir.write("out/notes.txt", "mine");
    write_folder(&dir, "in", &[(0, &["new"])]);
    let replay = dir.start("m_replay", ["in", "-a", ANY]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "1"]).expect(0);
    replay.end().expect(0);
    assert_eq!(messages(&dir.path("out")), [["new"]]);
    assert_eq!(fs::read(dir.path("out/notes.txt")).unwrap(), b"mine");
}

#[test]
fn a_folder_that_cannot_be_made_fails() {
    let dir = Dir::new();
    dir.write("file", "");
    let failed = dir.run("m_dump", ["tcp://127.0.0.1:1", "file/out"]).expect(1);
    assert_eq!(failed.errors(), ["error: cannot create 'file/out': Not a directory (os error 20)"]);
}

// ---- m_replay ----

#[test]
fn verbose_replay_names_each_part_as_the_original_does() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a", "b"]), (1, &["c"])]);
    let replay = dir.start("m_replay", ["in", "-a", ANY, "-v"]);
    dir.run("m_stats", [replay.endpoint().as_str(), "-n", "2"]).expect(0);
    let expected = "Sending 000000_000.raw [True]\n\
                    Sending 000000_001.raw [False]\n\
                    Sending 000001_000.raw [False]\n";
    assert_eq!(replay.end().expect(0).stdout, expected);
}

#[test]
fn replay_loops_until_the_count() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"]), (1, &["b"])]);
    let replay = dir.start("m_replay", ["in", "-a", ANY, "--loop", "-n", "5"]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "5"]).expect(0);
    replay.end().expect(0);
    assert_eq!(messages(&dir.path("out")), [["a"], ["b"], ["a"], ["b"], ["a"]]);
}

#[test]
fn messages_beyond_the_millionth_are_replayed_in_their_order() {
    let dir = Dir::new();
    write_folder(
        &dir,
        "in",
        &[(1_000_001, &["last"]), (999_999, &["first"]), (1_000_000, &["middle", "part"])],
    );
    let replay = dir.start("m_replay", ["in", "-a", ANY]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "3"]).expect(0);
    replay.end().expect(0);
    assert_eq!(messages(&dir.path("out")), [vec!["first"], vec!["middle", "part"], vec!["last"]]);
}

#[test]
fn gaps_and_foreign_files_are_reported_and_skipped() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(3, &["a"]), (6, &["b"])]);
    dir.write("in/README.txt", "");
    dir.write("in/0_0.raw", "");
    // What is no file is no part either: reading a pipe would wait for ever.
    fs::create_dir(dir.path("in/000007_000.raw")).unwrap();
    dir.shell("mkfifo in/000008_000.raw && ln -s nowhere in/000009_000.raw").expect(0);
    let replay = dir.start("m_replay", ["in", "-a", ANY]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "2"]).expect(0);
    assert_eq!(messages(&dir.path("out")), [["a"], ["b"]]);
    let mut all_printed = vec![replay.end().expect(0)];
    let lines: [&[&str]; 4] = [
        &["m_stats", "in"],
        &["m_dump", "in"],
        &["m_dump", "in", "--convert", "out.mcap"],
        &["m_split", "./in", "./copy"],
    ];
    all_printed.extend(lines.map(|line| dir.run(line[0], &line[1..]).expect(0)));
    for ended in all_printed {
        let printed = ended.stderr;
        assert!(printed.contains("in': ignoring 5 other files\n"), "{printed}");
        assert!(printed.contains("in': 2 messages missing in between\n"), "{printed}");
    }
}

#[test]
fn a_message_that_lacks_parts_is_skipped_and_exits_with_3() {
    let dir = Dir::new();
    // Written out of order; the second lacks its first part, the fourth its second.
    for name in ["000004_000", "000002_001", "000001_000", "000003_002", "000003_000"] {
        dir.write(format!("in/{name}.raw"), name);
    }
    let replay = dir.start("m_replay", ["in", "-a", ANY, "-v"]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "2"]).expect(0);
    let printed = replay.end().expect(3).stderr;
    assert!(printed.contains("message 2 lacks part 0: skipped"), "{printed}");
    assert!(printed.contains("message 3 lacks part 1: skipped"), "{printed}");
    assert!(printed.contains("error: 'in': skipped 2 damaged messages\n"), "{printed}");
    assert_eq!(messages(&dir.path("out")), [["000001_000"], ["000004_000"]]);
}

#[test]
fn damage_of_a_folder_exits_with_3_whoever_reads_it() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"]), (3, &["b"])]);
    dir.write("in/000001_001.raw", "");
    dir.write("in/000002_002.raw", "");
    let lines: [&[&str]; 3] =
        [&["m_stats", "in"], &["m_dump", "in"], &["m_dump", "in", "out", "--timeout", "10s"]];
    for line in lines {
        let printed = dir.run(line[0], &line[1..]).expect(3).stderr;
        assert!(printed.contains("error: 'in': skipped 2 damaged messages\n"), "{printed}");
    }
    assert_eq!(messages(&dir.path("out")), [["a"], ["b"]]);
    // The requested messages were ahead of any damage.
    dir.run("m_dump", ["in", "-n", "1"]).expect(0);
}

#[test]
fn a_loop_counts_each_damaged_message_once() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"]), (2, &["b"])]);
    dir.write("in/000001_001.raw", "");
    let replay = dir.start("m_replay", ["in", "-a", ANY, "--loop", "-n", "7", "-v"]);
    dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "7"]).expect(0);
    let printed = replay.end().expect(3).stderr;
    assert!(printed.contains("error: 'in': skipped 1 damaged message\n"), "{printed}");
    assert_eq!(printed.matches("message 1 lacks part 0: skipped").count(), 1, "{printed}");
}

#[test]
fn a_recording_and_its_replay_end_with_their_total() {
    let dir = Dir::new();
    let message = "m".repeat(500);
    let parts: &[&str] = &[&message, &message];
    write_folder(&dir, "in", &(0..1200).map(|number| (number, parts)).collect::<Vec<_>>());
    let replay = dir.start("m_replay", ["in", "-a", ANY]);
    let dump = dir.run("m_dump", [replay.endpoint().as_str(), "out", "-n", "1200"]).expect(0);
    for printed in [dump.stderr, replay.end().expect(0).stderr] {
        let last = printed.lines().last().unwrap();
        let seconds = last.strip_prefix("1,200 messages, 1.20 MB in ");
        let seconds =
            seconds.and_then(|rest| rest.strip_suffix(" s")).unwrap_or_else(|| panic!("{printed}"));
        assert!(seconds.parse::<f64>().is_ok(), "{last}");
    }
    assert_eq!(dir.run("m_dump", ["in", "again", "--quiet"]).expect(0).stderr, "");
    let dump = dir.start("m_dump", [ANY, "third", "--bind", "-n", "1200"]);
    let arguments = ["in", "-a", &dump.endpoint(), "--connect", "--quiet"];
    assert_eq!(dir.run("m_replay", arguments).expect(0).stderr, "");
    dump.end().expect(0);
}

#[test]
fn a_dump_until_the_end_of_a_series_ends_though_another_one_follows_at_once() {
    let dir = Dir::new();
    let header = |htype: &str, series: u32| {
        format!(r#"{{"htype":"{htype}-1.0","header_detail":"basic","series":{series}}}"#)
    };
    let series = [4, 5].map(|series| {
        [header("dheader", series), header("dimage", series), header("dseries_end", series)]
    });
    let messages: Vec<_> = series.iter().flatten().zip(0..).collect();
    for (header, number) in messages {
        let announced: &[&str] = &[header, r#"{"nimages":1}"#];
        let is_start = header.contains("dheader");
        write_folder(&dir, "in", &[(number, if is_start { announced } else { &announced[..1] })]);
    }
    dir.run("m_dump", ["in", "out", "--until-series-end=1000s"]).expect(0);
    assert_eq!(messages_of(&dir, "out"), series[0]);
}

/// Returns the first part of each message in a folder.
fn messages_of(dir: &Dir, folder: &str) -> Vec<String> {
    messages(&dir.path(folder)).into_iter().map(|mut parts| parts.remove(0)).collect()
}

#[test]
fn a_series_that_has_not_ended_exits_with_4() {
    let dir = Dir::new();
    let image = r#"{"htype":"dimage-1.0","series":4}"#;
    write_folder(&dir, "in", &[(0, &[image])]);
    let ended = dir.run("m_dump", ["in", "out", "--until-series-end"]).expect(4);
    let error = "error: the series did not end before the source ended";
    assert_eq!(ended.errors(), [error]);
    dir.run("m_dump", ["in", "first", "--until-series-end", "-n", "1"]).expect(0);
}

#[test]
fn a_folder_of_damaged_messages_alone_exits_with_3() {
    let dir = Dir::new();
    dir.write("in/000000_001.raw", "");
    let replay = dir.run("m_replay", ["in", "-a", ANY, "-l"]).expect(3);
    assert!(replay.stderr.contains("error: 'in': skipped 1 damaged message\n"));
}

#[test]
fn a_folder_that_is_missing_or_empty_or_none_fails() {
    let dir = Dir::new();
    dir.write("file", "");
    fs::create_dir(dir.path("empty")).unwrap();
    for (folder, error) in [
        ("nowhere", "error: cannot read 'nowhere': No such file or directory (os error 2)"),
        ("file", "error: 'file' is no recording: it is empty"),
        ("empty", "error: 'empty' holds no recording: expected files named like 000000_000.raw"),
    ] {
        let failed = dir.run("m_replay", [folder, "-a", ANY]).expect(1);
        assert_eq!(failed.errors(), [error]);
    }
}

#[test]
fn a_folder_that_may_not_be_read_fails() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    fs::set_permissions(dir.path("in"), fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything, until it gives that up.
    let privileged = fs::read_dir(dir.path("in")).is_ok();
    let without = "setpriv --bounding-set -dac_override,-dac_read_search";
    let failed =
        dir.shell(&format!("{} m_replay in -a {ANY}", if privileged { without } else { "" }));
    fs::set_permissions(dir.path("in"), fs::Permissions::from_mode(0o755)).unwrap();
    let error = "error: cannot read 'in': Permission denied (os error 13)";
    assert_eq!(failed.expect(1).errors(), [error]);
}

// ---- m_split ----

#[test]
fn a_split_by_configuration_routes_as_it_says() {
    let dir = Dir::new();
    let (generate, endpoint) = generate(&dir, 10, "16B");
    let config = format!(
        r#"{{"source": {{"address": "{endpoint}", "mode": "PULL", "queue_size": 10}},
            "streams": [
              {{"address": "{ANY}", "bind": true, "mode": "push", "on_full": "block"}},
              {{"address": "{ANY}", "bind": true, "modulo": 3, "queue_size": 5, "on_full": "block"}}
            ]}}"#
    );
    dir.write("split.json", config);
    let split = dir.start("m_split", ["-c", "split.json", "-n", "10"]);
    let endpoints = split.endpoints(2);
    let all = dir.start("m_dump", [&endpoints[0], "all", "-n", "10"]);
    let third = dir.start("m_dump", [&endpoints[1], "third", "-n", "3"]);
    all.end().expect(0);
    third.end().expect(0);
    let printed = split.end().expect(0).stderr;
    generate.end().expect(0);
    let all = messages(&dir.path("all"));
    let third = messages(&dir.path("third"));
    assert_eq!(all.len(), 10);
    assert_eq!(third, [&all[2], &all[5], &all[8]].map(Clone::clone));
    let table: Vec<Vec<&str>> = printed
        .lines()
        .filter(|line| line.starts_with("tcp://"))
        .map(|line| line.split_whitespace().skip(1).collect())
        .collect();
    assert_eq!(table, [["10", "0", "0"], ["3", "0", "0"]], "sent, dropped, not handed over");
}

#[test]
fn check_says_that_a_good_configuration_is_good() {
    let dir = Dir::new();
    dir.write(
        "good.json",
        r#"{"source": {"address": "tcp://*:7777", "mode": "SUB", "subscribe": ["x"]},
            "streams": [{"address": "tcp://*:8888", "on_full": 0.5}, {"address": "tcp://h:1"}]}"#,
    );
    let checked = dir.run("m_split", ["--check", "-c", "good.json"]).expect(0);
    assert_eq!(checked.stdout, "good.json: ok, 2 streams\n");
    assert_eq!(checked.stderr, "");
}

#[test]
fn check_names_the_file_and_the_key_of_what_is_wrong() {
    let dir = Dir::new();
    let source = r#""source": {"address": "tcp://h:1"}"#;
    let stream = |text: &str| format!(r#"{{{source}, "streams": [{{{text}}}]}}"#);
    let cases = [
        (
            "unknown",
            stream(r#""address": "tcp://h:2", "on_ful": "block""#),
            "streams[0].on_ful: unknown field `on_ful`",
        ),
        (
            "ours",
            stream(r#""address": "tcp://h:2", "bind": true, "module": 2"#),
            "streams[0].module: unknown field `module`",
        ),
        (
            "mode",
            stream(r#""address": "tcp://h:2", "mode": "pull""#),
            "streams[0].mode: expected PUSH or PUB, found 'pull'",
        ),
        (
            "modulo",
            stream(r#""address": "tcp://h:2", "modulo": 0"#),
            "streams[0].modulo: expected a whole number, 1 or more, found 0",
        ),
        (
            "twice",
            stream(r#""address": "tcp://h:1""#),
            "streams[0].address: 'tcp://h:1' is the address of source too",
        ),
        (
            "address",
            stream(r#""address": "h:2""#),
            "streams[0].address: 'h:2' is not an address: expected tcp://host:port",
        ),
        (
            "none",
            format!(r#"{{{source}, "streams": []}}"#),
            "streams: expected at least one stream",
        ),
        ("missing", r#"{"streams": []}"#.to_owned(), "missing field `source`"),
        ("syntax", "{".to_owned(), "EOF while parsing an object at line 1 column 1"),
        ("empty", String::new(), "EOF while parsing a value at line 1 column 0"),
    ];
    for (name, text, reason) in cases {
        let file = format!("{name}.json");
        dir.write(&file, text);
        let expected = format!("error: {file}: {reason}");
        // Checked or run, it is the same.
        for arguments in [&["--check", "-c", &file][..], &["-c", &file]] {
            let failed = dir.run("m_split", arguments).expect(78);
            assert_eq!(failed.stdout, "");
            assert_eq!(failed.errors().len(), 1);
            assert!(failed.stderr.starts_with(&expected), "{expected}\n{}", failed.stderr);
        }
    }
    let missing = dir.run("m_split", ["-c", "nowhere.json"]).expect(78);
    assert_eq!(missing.errors(), ["error: nowhere.json: No such file or directory (os error 2)"]);
}

#[test]
fn a_configuration_for_the_original_runs_with_warnings_and_is_no_good_one() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"]), (1, &["b"]), (2, &["c"])]);
    let split = |text: &str| {
        let source = r#""source": {"address": "./in", "queue_size": 1, "queue_size": 100}"#;
        let stream = r#"{"address": "./out", "modulo": 3.0}"#;
        dir.write("split.json", format!(r#"{{{text} {source}, "streams": [{stream}]}}"#));
    };
    split(r#""comment": "beamline 7","#);
    let ran = dir.run("m_split", ["-c", "split.json"]).expect(0);
    for warning in [
        "comment: ignored an unknown key",
        "source.queue_size: the key is there again: the last one counts",
        "streams[0].modulo: expected a whole number, read 3.0 as 3",
    ] {
        let line = format!("warning: split.json: {warning}\n");
        assert!(ran.stderr.contains(&line), "{}", ran.stderr);
    }
    assert_eq!(messages(&dir.path("out")), [["c"]]);
    let checked = dir.run("m_split", ["-c", "split.json", "--check"]).expect(78);
    assert!(checked.stderr.starts_with("error: split.json: comment: unknown field `comment`"));
    split("");
    let checked = dir.run("m_split", ["-c", "split.json", "--check"]).expect(78);
    assert!(checked.stderr.contains("duplicate field `queue_size`"), "{}", checked.stderr);
}

#[test]
fn a_configuration_may_begin_with_a_byte_order_mark() {
    let dir = Dir::new();
    let text = r#"{"source": {"address": "tcp://h:1"}, "streams": [{"address": "tcp://h:2"}]}"#;
    dir.write("bom.json", format!("\u{feff}{text}"));
    dir.run("m_split", ["--check", "-c", "bom.json"]).expect(0);
}

#[test]
fn check_knows_a_port_by_its_other_names() {
    let dir = Dir::new();
    for (name, source, output) in [
        ("all", "tcp://*:9999", "tcp://0.0.0.0:9999"),
        ("one", "tcp://*:9999", "tcp://127.0.0.1:9999"),
        ("six", "tcp://[::]:9999", "tcp://*:9999"),
    ] {
        let text = format!(
            r#"{{"source": {{"address": "{source}", "bind": true}},
                "streams": [{{"address": "{output}", "bind": true}}]}}"#
        );
        dir.write(name, text);
        let failed = dir.run("m_split", ["--check", "-c", name]).expect(78);
        let error = format!(
            "error: {name}: streams[0].address: '{output}' is bound by source already, as '{source}'"
        );
        assert_eq!(failed.errors(), [error.as_str()]);
    }
}

// ---- addresses ----

#[test]
fn an_address_without_its_scheme_exits_with_2_and_makes_no_folder() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    let lines: [&[&str]; 6] = [
        &["m_generate", "-a", "localhost:9999"],
        &["m_replay", "in", "-a", "localhost:9999"],
        &["m_stats", "localhost:9999"],
        &["m_dump", "localhost:9999"],
        &["m_split", "localhost:9999", ANY],
        &["m_split", "tcp://127.0.0.1:1", "localhost:9999"],
    ];
    for line in lines {
        let failed = dir.run(line[0], &line[1..]).expect(2);
        let expected = match line[0] {
            "m_generate" | "m_replay" => "ipc://path or inproc://name",
            // There may be a recording in its place.
            _ => "ipc://path, or a path such as x.mcap or ./folder",
        };
        let error = "error: 'localhost:9999' is not an address: expected tcp://host:port, ";
        assert_eq!(failed.errors(), [format!("{error}{expected}")], "{line:?}");
    }
    assert!(!dir.path("localhost:9999").exists());
    // What looks like a path is none, and what is there is one.
    let failed = dir.run("m_stats", ["runs/42"]).expect(1);
    let error = "error: cannot read 'runs/42': No such file or directory (os error 2)";
    assert_eq!(failed.errors(), [error]);
    write_folder(&dir, "localhost:9999", &[(0, &["a"])]);
    dir.run("m_stats", ["localhost:9999"]).expect(0);
}

#[test]
fn a_malformed_address_exits_with_2_and_says_what_is_wrong() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    let bad = "tcp://127.0.0.1:port";
    let lines: [&[&str]; 6] = [
        &["m_stats", bad],
        &["m_generate", "-a", bad],
        &["m_dump", bad],
        &["m_replay", "in", "-a", bad],
        &["m_split", bad, ANY],
        &["m_split", "tcp://127.0.0.1:1", bad],
    ];
    for line in lines {
        let failed = dir.run(line[0], &line[1..]).expect(2);
        let expected =
            format!("error: '{bad}' is not an address: expected a port from 0 to 65535, or *");
        assert_eq!(failed.errors(), [expected.as_str()], "{line:?}");
    }
}

#[test]
fn a_size_that_no_memory_holds_is_an_error_with_a_hint_about_the_unit() {
    let dir = Dir::new();
    let failed = dir.run("m_generate", ["-a", ANY, "-s", "900000000"]).expect(1);
    assert_eq!(failed.errors(), ["error: there is no memory for 943718400000000 bytes"]);
    assert!(failed.stderr.contains("\nhint: a size may have a unit"), "{}", failed.stderr);
    // The run does not wait for messages that will never arrive.
    dir.run("m_stats", ["--loopback", "-s", "900000000", "-n", "1"]).expect(1);
}

#[test]
fn an_address_in_use_fails() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", taken.local_addr().unwrap());
    let lines: [&[&str]; 5] = [
        &["m_stats", &address, "--bind"],
        &["m_generate", "-a", &address],
        &["m_dump", &address, "--bind"],
        &["m_replay", "in", "-a", &address],
        &["m_split", "tcp://127.0.0.1:1", &address],
    ];
    for line in lines {
        let failed = dir.run(line[0], &line[1..]).expect(1);
        let expected = format!("error: cannot bind '{address}': Address already in use");
        assert_eq!(failed.errors(), [expected.as_str()], "{line:?}");
    }
}

#[test]
fn an_interface_that_does_not_exist_fails() {
    let dir = Dir::new();
    let failed = dir.run("m_generate", ["-a", "tcp://nonesuch0:9999"]).expect(1);
    let error = "error: cannot bind 'tcp://nonesuch0:9999': No such device";
    assert_eq!(failed.errors(), [error]);
}

#[test]
fn a_host_that_nobody_knows_fails() {
    let dir = Dir::new();
    for arguments in
        [["m_stats", "tcp://nonesuch.invalid:9999"], ["m_dump", "tcp://nonesuch.invalid:9999"]]
    {
        let failed = dir.run(arguments[0], &arguments[1..]).expect(1);
        let start = "error: cannot resolve the host of 'tcp://nonesuch.invalid:9999': ";
        assert!(failed.stderr.starts_with(start), "{}", failed.stderr);
    }
}

// ---- how programs end ----

#[test]
fn too_few_messages_exit_with_4() {
    let dir = Dir::new();
    let (generate, endpoint) = generate(&dir, 3, "16B");
    let arguments = [&endpoint, "out", "-n", "5", "--timeout", "500ms"];
    dir.run("m_dump", arguments).expect(4);
    generate.end().expect(0);
    assert_eq!(recording(dir.path("out")).len(), 6, "what arrived is there");
}

#[test]
fn nothing_in_time_exits_with_4() {
    let dir = Dir::new();
    let stats = dir.run("m_stats", ["tcp://127.0.0.1:1", "--timeout", "20ms"]).expect(4);
    assert!(stats.stdout.ends_with(&format!("No messages received.\n{RULE}\n")));
    dir.run("m_dump", ["tcp://127.0.0.1:1", "--timeout", "20ms"]).expect(4);
    dir.run("m_split", ["tcp://127.0.0.1:1", ANY, "--timeout", "20ms"]).expect(4);
}

#[test]
fn a_sender_whose_peers_never_come_exits_with_4() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    dir.run("m_generate", ["-a", ANY, "--timeout", "20ms"]).expect(4);
    dir.run("m_replay", ["in", "-a", ANY, "--timeout", "20ms"]).expect(4);
}

#[test]
fn what_is_published_to_nobody_exits_with_4() {
    let dir = Dir::new();
    let generate = dir.run("m_generate", ["-a", ANY, "-m", "pub", "-n", "3"]).expect(4);
    assert!(
        generate.errors()[0].starts_with("error: no receiver has subscribed to 'tcp://127.0.0.1:")
    );
}

#[test]
fn messages_that_an_output_has_not_accepted_are_an_error_unless_dropping_was_requested() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"]), (1, &["b"])]);
    for (policy, code) in [("10ms", 4), ("drop", 0)] {
        let split = dir.run("m_split", ["./in", ANY, "--on-full", policy, "--quiet"]).expect(code);
        let error =
            "error: 2 messages were dropped: no receiver was connected to 'tcp://127.0.0.1:";
        assert_eq!(split.stderr.starts_with(error), code == 4, "{}", split.stderr);
    }
    // Other outputs still get everything, however short the silence that ends a run.
    write_folder(&dir, "in", &[(2, &["c"])]);
    dir.run("m_split", ["./in", "./copy", ANY, "--timeout", "20ms"]).expect(4);
    assert_eq!(messages(&dir.path("copy")), [["a"], ["b"], ["c"]]);
    // An output that is to be waited for ends the run when nothing moves any more.
    let arguments = ["./in", ANY, "--on-full", "block", "--timeout", "50ms"];
    let split = dir.run("m_split", arguments).expect(4);
    assert!(split.errors()[0].contains("1 message was dropped"), "{}", split.stderr);
}

#[test]
fn messages_that_nobody_takes_at_the_end_exit_with_1() {
    let dir = Dir::new();
    let arguments = ["-a", ANY, "-n", "20", "-s", "8MiB", "--linger", "100ms"];
    let generate = dir.start("m_generate", arguments);
    // It takes one message into its queue, and reads none.
    let options = mflow::Options::pull().queue_size(1);
    let endpoint = generate.endpoint();
    let _idle = mflow::connect(&endpoint, options).unwrap();
    let failed = generate.end().expect(1);
    let [error] = failed.errors()[..] else { panic!("{}", failed.stderr) };
    let count = error
        .strip_prefix("error: ")
        .and_then(|text| text.strip_suffix(&format!("'{endpoint}'")))
        .and_then(|text| text.strip_suffix(" messages were not handed to a peer of "))
        .unwrap();
    assert!((1..20).contains(&count.parse().unwrap()), "{error}");
}

#[test]
fn a_signal_ends_a_program_that_waits() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    let lines: [&[&str]; 5] = [
        &["m_stats", ANY, "--bind"],
        &["m_generate", "-a", ANY],
        &["m_dump", ANY, "out", "--bind"],
        &["m_replay", "in", "-a", ANY],
        &["m_split", ANY, ANY, "--bind"],
    ];
    for line in lines {
        for signal in ["INT", "TERM"] {
            let program = dir.start(line[0], &line[1..]);
            program.endpoint();
            program.signal(signal);
            let ended = program.end().expect(0);
            assert_eq!(ended.errors(), [""; 0], "{line:?}");
        }
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    dir.write(
        "good.json",
        r#"{"source": {"address": "tcp://h:1"}, "streams": [{"address": "tcp://h:2"}]}"#,
    );
    // A reader that has seen enough gets no errors about the rest either.
    write_folder(&dir, "bad", &[(1, &["a"])]);
    dir.write("bad/000000_001.raw", "");
    let lines: [&[&str]; 12] = [
        &["m_stats", "./bad", "-i", "0"],
        &["m_dump", "bad"],
        &["m_generate", "-a", ANY, "-m", "pub", "-i", "0", "-n", "1000"],
        &["m_stats", "tcp://127.0.0.1:1"],
        &["m_stats", "--loopback"],
        &["m_generate", "-a", ANY],
        &["m_dump", "in"],
        &["m_replay", "in", "-a", ANY, "-v", "--timeout", "1s"],
        &["m_split", "--check", "-c", "good.json"],
        &["m_stats", "--completions", "bash"],
        &["m_stats", "--help"],
        &["m_stats", "--version"],
    ];
    for line in lines {
        let ended = dir.run_unread(Unread::Stdout, line[0], &line[1..]).expect(0);
        assert!(
            !ended.stderr.contains("error: ") && !ended.stderr.contains("panicked"),
            "{line:?}"
        );
    }
}

#[test]
fn notices_and_errors_that_nobody_reads_change_nothing() {
    let dir = Dir::new();
    write_folder(&dir, "in", &[(0, &["a"])]);
    dir.write("damaged/000000_001.raw", "");
    dir.write("bad.json", "{");
    let silence = "--timeout=10ms";
    let lines: [(i32, &[&str]); 12] = [
        // Listening, and an error at the end.
        (4, &["m_stats", ANY, "--bind", silence]),
        (4, &["m_generate", "-a", ANY, silence]),
        (4, &["m_dump", ANY, "--bind", silence]),
        (4, &["m_replay", "in", "-a", ANY, silence]),
        (4, &["m_split", ANY, ANY, "--bind", silence]),
        // Totals, warnings, and the events of the library.
        (0, &["m_stats", "--loopback", "-n", "10"]),
        (0, &["m_dump", "in", "out"]),
        (3, &["m_dump", "damaged", "-v"]),
        (3, &["m_replay", "damaged", "-a", ANY, "-vv"]),
        // What ends at once.
        (1, &["m_replay", "nowhere"]),
        (2, &["m_generate", "--colour"]),
        (78, &["m_split", "-c", "bad.json"]),
    ];
    for (code, line) in lines {
        let ended = dir.run_unread(Unread::Stderr, line[0], &line[1..]);
        assert_eq!(ended.code, Some(code), "{line:?}");
    }
}

#[test]
fn a_generator_whose_reader_has_seen_enough_ends() {
    let dir = Dir::new();
    // It prints two lines before it sends: a closed pipe at the second would end it too.
    let script = format!("{{ m_generate -a {ANY}; echo $? > code; }} 2>&1 | head -n 2");
    let generate = dir.start_shell(&script);
    let listening = generate.stdout_line("listening on ");
    let endpoint = listening.strip_prefix("listening on ").unwrap();
    // Its first line of rates has no reader.
    let stats = dir.start("m_stats", [endpoint, "--timeout", "1s"]);
    generate.end().expect(0);
    stats.end().expect(0);
    assert_eq!(fs::read_to_string(dir.path("code")).unwrap(), "0\n");
}

// ---- what a terminal shows ----

/// Runs a line of the shell on a terminal of its own, and returns what that has shown; none if
/// there is no program for it.
fn on_a_terminal(dir: &Dir, line: &str) -> Option<String> {
    if dir.shell("script --version").code != Some(0) {
        skip("there is no script(1) of util-linux");
        return None;
    }
    // Wide enough not to cut the bar off.
    let script = format!("script -qec 'stty cols 200; {line}' /dev/null");
    Some(dir.shell(&script).expect(0).stdout)
}

#[test]
fn a_bar_shows_on_a_terminal_how_far_a_dump_and_a_replay_are() {
    let dir = Dir::new();
    let folder: Vec<(u64, &[&str])> = (0..50).map(|number| (number, &["part"][..])).collect();
    write_folder(&dir, "in", &folder);
    let Some(shown) = on_a_terminal(&dir, "m_dump in out -n 50") else { return };
    let bar = |shown: &str| shown.contains("100%") && shown.contains("50 messages  200 B");
    assert!(bar(&shown), "{shown}");

    let dump = dir.start("m_dump", [ANY, "again", "--bind", "-n", "50"]);
    let line = format!("m_replay in -a {} --connect", dump.endpoint());
    let Some(shown) = on_a_terminal(&dir, &line) else { return };
    assert!(bar(&shown), "{shown}");
    let ended = dump.end().expect(0);
    assert!(!ended.stderr.contains('%'), "{}", ended.stderr);

    // Neither if it is not wanted, nor if stderr is something else.
    let Some(shown) = on_a_terminal(&dir, "m_dump in third --quiet") else { return };
    assert_eq!(shown, "");
    let Some(shown) = on_a_terminal(&dir, "m_dump in fourth 2> told") else { return };
    assert_eq!(shown, "");
    let printed = fs::read_to_string(dir.path("told")).unwrap();
    assert!(
        printed.starts_with("50 messages, 200 B in ") && printed.lines().count() == 1,
        "{printed}"
    );
}

#[test]
fn an_endless_dump_ends_with_its_pipe() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", ANY, "-s", "16B"]);
    let endpoint = generate.endpoint();
    let line = format!("{{ m_dump {endpoint}; echo \"exit code $?\" >&2; }} | head -n 1");
    let dump = dir.shell(&line).expect(0);
    assert!(dump.stdout.starts_with("     0   0         58  {\"htype\":\"raw-1.0\""));
    assert_eq!(dump.stderr, "exit code 0\n");
    generate.interrupt().expect(0);
}

#[test]
fn m_dump_prints_what_is_in_a_folder() {
    let dir = Dir::new();
    for name in ["in/000000_000.raw", "in/000000_001.raw", "in/000002_000.raw", "in/notes.txt"] {
        dir.write(name, "{}");
    }
    let printed = dir.run("m_dump", ["in", "--info"]).expect(0);
    let expected = "in: 2 messages in 3 files, 6 B\n1 message missing between 0 and 2\n\
                    1 other file ignored\n";
    assert_eq!(printed.stdout, expected);
    let refused = dir.run("m_dump", ["in", "--verify"]).expect(2);
    let error =
        "error: --verify expects an MCAP file, found the folder 'in', which --convert makes one of";
    assert_eq!(refused.errors(), [error]);
}

#[test]
fn m_dump_leaves_no_file_behind_when_its_source_cannot_be_opened() {
    let dir = Dir::new();
    let holder = dir.start("m_dump", ["tcp://127.0.0.1:*", "--bind", "-d", "60s"]);
    let endpoint = holder.endpoint();
    for arguments in [vec!["gone.mcap"], vec![&*endpoint, "--bind"]] {
        dir.run("m_dump", [&["-o", "out.mcap"], &*arguments].concat()).expect(1);
        assert!(!dir.path("out.mcap").exists(), "{arguments:?}");
    }
    holder.interrupt();
}

#[test]
fn m_dump_takes_no_two_sources_of_one_name_and_no_output_for_a_look() {
    let dir = Dir::new();
    for arguments in [
        &["a=ipc://a", "a=ipc://b", "-o", "out.mcap"][..],
        &["in.mcap", "--info", "-o", "out.mcap"],
        &["in.mcap", "other.mcap", "--recover", "out.mcap"],
        &["ipc://a", "-o", "out.mcap", "--max-size", "0"],
        &["ipc://a", "-o", "out.mcap", "--max-time", "0"],
    ] {
        dir.run("m_dump", arguments).expect(2);
    }
}

#[test]
fn a_name_of_a_file_need_not_be_utf8() {
    let dir = Dir::new();
    let named = |name: &[u8]| OsStr::from_bytes(name).to_owned();
    let arguments = |line: &[&str], names: &[&OsString]| {
        let line = line.iter().map(OsString::from);
        line.chain(names.iter().copied().cloned()).collect::<Vec<_>>()
    };
    let (file, copy) = (named(b"mess\xe4rung.mcap"), named(b"./kopie\xe4"));
    let (part, whole) = (named(b"teil\xe4.mcap"), named(b"ganz\xe4.mcap"));
    write_folder(&dir, "in", &[(0, &["a"]), (1, &["b"])]);
    dir.run("m_dump", arguments(&["in", "-o"], &[&file])).expect(0);
    for line in [&["m_stats"][..], &["m_dump"], &["m_dump", "--info"], &["m_dump", "--verify"]] {
        let read = dir.run(line[0], arguments(&line[1..], &[&file])).expect(0);
        assert!(!read.stdout.is_empty(), "{line:?}");
    }
    dir.run("m_split", arguments(&[], &[&file, &copy])).expect(0);
    assert_eq!(messages(&dir.path(&copy)), [["a"], ["b"]]);
    dir.run("m_dump", arguments(&["--convert"], &[&part, &copy])).expect(0);
    dir.run("m_dump", arguments(&["--convert"], &[&whole, &file, &part])).expect(0);
    let dump = dir.start("m_dump", [ANY, "--bind", "-n", "4", "-o", "out"]);
    let endpoint = dump.endpoint();
    dir.run("m_replay", arguments(&["-a", &endpoint, "--connect"], &[&whole])).expect(0);
    dump.end().expect(0);
    assert_eq!(messages(&dir.path("out")).len(), 4);
    let missing = dir.run("m_stats", [named(b"fehlt\xe4")]).expect(2);
    assert!(missing.errors()[0].starts_with("error: 'fehlt\u{fffd}' is not an address: "));
}

#[test]
fn text_from_a_file_does_not_control_the_terminal() {
    let dir = Dir::new();
    let file = "name\u{1b}[2J\u{9b}1A.mcap";
    dir.write(file, include_bytes!("cases/terminal-escape-in-source-name.mcap"));
    dir.write("folder\u{1b}]0;own\u{7}/000000_000.raw", "{}");
    let name = "x\u{1b}[31m\u{9b}2J";
    let map = format!("{name}={ANY}");
    let named = format!("{name}=tcp://127.0.0.1:1");
    let config = format!("{name}.json");
    dir.write(&config, format!(r#"{{"{}": 1}}"#, name.replace('\u{1b}', "\\u001b")));
    let lines: [&[&str]; 19] = [
        &["m_dump", file, "--info"],
        &["m_dump", file, "--info", "-v"],
        &["m_dump", file, "--info", "-J"],
        &["m_dump", file, file, "--info", "-J"],
        &["m_dump", file, "--verify"],
        &["m_dump", file, "--verify", "-J"],
        &["m_dump", file, "--recover", "saved\u{1b}[2J.mcap"],
        &["m_dump", file],
        &["m_dump", file, "-J"],
        &["m_dump", file, "-J", "--decode"],
        &["m_dump", "folder\u{1b}]0;own\u{7}", "--info"],
        &["m_dump", "nowhere\u{1b}[2J.mcap"],
        &["m_dump", &named],
        &["m_stats", file, "-vv"],
        &["m_stats", file, "--json"],
        &["m_stats", "tcp://127.0.0.1:1", name],
        &["m_replay", file, "--map", &map, "-vv"],
        &["m_replay", "-a", ANY, "-m", "pub", "--wait-peers", "0", "-v", "-r", "max", file],
        &["m_split", "-c", &config],
    ];
    let is_control = |c: char| c.is_control() && c != '\n';
    for line in lines {
        let ended = dir.run(line[0], &line[1..]);
        let text = ended.stdout + &ended.stderr;
        assert!(!text.is_empty() && !text.contains(is_control), "{line:?}: {text:?}");
    }
}

#[test]
fn json_of_a_name_with_escape_sequences_is_exact() {
    let dir = Dir::new();
    dir.write("in.mcap", include_bytes!("cases/terminal-escape-in-source-name.mcap"));
    let printed = dir.run("m_dump", ["in.mcap", "--info", "-J"]).stdout;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let channels = printed["channels"].as_array().unwrap();
    assert!(channels.iter().any(|channel| channel["topic"] == "\u{9b}31m"), "{printed}");
}

#[test]
fn a_source_has_the_name_that_people_give_it() {
    let dir = Dir::new();
    let names = ["det 1", "a/b", "SAR-BPM:EvtSet"];
    let generators = names.map(|_| generate(&dir, 1, "16B"));
    let sources = [0, 1, 2].map(|index| format!("{}={}", names[index], generators[index].1));
    let record = sources.iter().map(String::as_str).chain(["-o", "out.mcap", "-n", "3"]);
    dir.run("m_dump", record).expect(0);
    let printed = dir.run("m_dump", ["out.mcap", "--info", "-J"]).expect(0).stdout;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let channels = printed["channels"].as_array().unwrap().iter();
    let channels: Vec<_> =
        channels.map(|it| (it["source"].as_str(), it["topic"].as_str())).collect();
    let expected = [
        (Some("SAR-BPM:EvtSet"), Some("/SAR-BPM:EvtSet/raw-1.0")),
        (Some("a/b"), Some("/a%2Fb/raw-1.0")),
        (Some("det 1"), Some("/det 1/raw-1.0")),
    ];
    assert_eq!(channels, expected);
    let dump = dir.start("m_dump", [ANY, "--bind", "-n", "3"]);
    let maps = names.map(|name| format!("--map={name}={}", dump.endpoint()));
    let [one, two, three] = maps.each_ref().map(String::as_str);
    dir.run("m_replay", ["out.mcap", one, two, three, "--connect"]).expect(0);
    dump.end().expect(0);
    let refused = dir.run("m_dump", ["a\u{1b}=tcp://127.0.0.1:1"]).expect(2);
    let reason = "'a\u{fffd}' is no name of a source: it has a character that is not visible";
    assert!(refused.errors()[0].ends_with(reason), "{}", refused.stderr);
}

#[test]
fn a_dump_of_several_sources_labels_them() {
    let dir = Dir::new();
    let [camera, bs] = [(); 2].map(|()| generate(&dir, 1, "16B"));
    let sources = [format!("camera={}", camera.1), format!("bs={}", bs.1)];
    let sources = sources.each_ref().map(String::as_str);
    let text = dir.run("m_dump", sources.iter().chain(&["-n", "2", "-s", "2"])).expect(0).stdout;
    let mut labels: Vec<_> = text.lines().map(|line| line.split("   ").next().unwrap()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["bs", "camera"], "{text}");
}
