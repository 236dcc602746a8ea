//! How well m_replay keeps recorded times: a minute at 1 kHz, by its own report.
//!
//! Promised, on a machine that has nothing else to do: no drift, so that the last message leaves
//! within a millisecond, and half of the messages within 100 us.
//!
//! `cargo bench --bench timing -- [--quick] [--runs N] [--sizes 1KiB,64KiB]`

mod harness;

use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::Result;
use harness::arguments::Arguments;
use harness::process::{Running, free_address};
use harness::table::{Table, size};
use mflow::recording::{McapOptions, McapWriter};
use mflow::{Frames, Origin, Received, Timestamp};
use serde_json::Value;

/// Messages per second.
const RATE: u64 = 1000;
/// Seconds.
const LENGTH: u64 = 60;
/// What is promised, in microseconds.
const PROMISED: [(&str, f64); 2] = [("p50_us", 100.0), ("last_us", 1000.0)];

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let length = if arguments.quick { LENGTH / 10 } else { LENGTH };
    let mut table = Table::new([
        "payload", "rate", "seconds", "p50 us", "p99 us", "max us", "last us", "late", "",
    ]);
    for bytes in arguments.sizes_or(&[1 << 10]) {
        let file = File::new(bytes, length)?;
        for run in 1..=arguments.runs.min(3) {
            write!(stderr(), "\r{:>8}: run {run}  ", size(bytes))?;
            let report = replay(&file)?;
            let late = &report["lateness"];
            let number = |value: &Value| value.as_f64().ok_or("the report lacks a number");
            let kept =
                PROMISED.iter().all(|(key, most)| number(&late[key]).is_ok_and(|us| us < *most));
            let mut cells = Vec::new();
            for key in ["p50_us", "p99_us", "max_us", "last_us"] {
                cells.push(format!("{:.0}", number(&late[key])?));
            }
            let [p50, p99, max, last] = cells.try_into().map_err(|_| "four numbers")?;
            table.row([
                size(bytes),
                format!("{:.3} Hz", number(&report["messages_per_second"])?),
                format!("{:.6}", number(&report["seconds"])?),
                p50,
                p99,
                max,
                last,
                late["late"].to_string(),
                if kept { "ok" } else { "LESS" }.to_owned(),
            ]);
        }
        writeln!(stderr())?;
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}

/// Replays a recording at its recorded times to a receiver, and returns the report.
fn replay(file: &File) -> Result<Value> {
    let address = free_address()?;
    let mut stats = Command::new(env!("CARGO_BIN_EXE_m_stats"));
    let _receiver = Running::start(stats.arg(&address).stderr(Stdio::null()))?;
    let mut replay = Command::new(env!("CARGO_BIN_EXE_m_replay"));
    replay.arg(&file.0).args(["-a", &address, "--report", "json", "--wait-peers", "1"]);
    let output = replay.stderr(Stdio::null()).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A recording in memory, if there is such a place, that is removed at the end.
struct File(PathBuf);

impl File {
    /// Writes messages that were received in time to the nanosecond.
    fn new(bytes: usize, length: u64) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = folder.join(format!("mflow-timing-{}.mcap", std::process::id()));
        let mut writer = McapWriter::create(&path, McapOptions::default())?;
        let file = Self(path);
        let frames = Frames::from([br#"{"htype":"raw-1.0"}"#.to_vec(), vec![0; bytes]]);
        let origin = Origin::new("bench");
        for number in 0..=RATE * length {
            let time =
                Timestamp::from_nanos(1_769_860_800_000_000_000 + number * 1_000_000_000 / RATE);
            let (frames, origin) = (frames.clone(), origin.clone());
            writer.write(&Received { frames, time, origin })?;
        }
        writer.finish()?;
        Ok(file)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What is left of it is for the user to remove.
        let _ = fs::remove_file(&self.0);
    }
}
