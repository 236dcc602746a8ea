//! What recording to MCAP costs, against plain appends of the same bytes to a file.
//!
//! - *writer*: messages that are in memory, to a file in memory, against `write_all` of each part;
//!   `CPU` is how long the processor works for a gigabyte, system included.
//! - *recorder*: from a socket, through the queue and its thread, against a thread that appends
//!   messages from the same queue.
//! - *disk*: to a file on the disk until the disk has it, against buffered writing; the stall is
//!   the longest that a single message took.
//!
//! `cargo bench --bench recording -- [--quick] [--runs N] [--sizes 1MiB]`
//! `MFLOW_BENCH_DISK=FOLDER` names a folder on a disk; the temporary folder of the target otherwise.

mod harness;

use std::fs::{self, File};
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::arguments::Arguments;
use harness::baseline::Role;
use harness::process::{Running, free_address};
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};
use mflow::recording::{Fsync, McapOptions, McapWriter, RecordWriter, Recorder, RecorderOptions};
use mflow::{
    Event, Frame, Frames, Options, Origin, Received, Sink, Stop, Timestamp, WaitSet, open_source,
};

/// What is promised of the writer and the recorder as a ratio to plain appends.
const PROMISED: f64 = 0.9;
/// What is promised on the disk.
const PROMISED_ON_DISK: f64 = 2.0;
/// What is promised for small messages, per second.
const PROMISED_SMALL: f64 = 300e3;
/// How long a message may take on the disk.
const LONGEST_STALL: Duration = Duration::from_millis(50);

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let only = std::env::var("MFLOW_BENCH_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|part| part == name);
    if wanted("writer") {
        writer(&arguments)?;
    }
    if wanted("recorder") {
        recorder(&arguments)?;
    }
    if wanted("disk") {
        disk(&arguments)?;
    }
    Ok(())
}

/// A place for files in memory, if there is one.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// A file that does not exist yet, and is removed with this.
struct Temporary(PathBuf);

impl Temporary {
    fn new(folder: &Path) -> Self {
        let path = folder.join(format!("mflow-bench-{}.mcap", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left of it is for the user to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// Appends the parts of messages to a file, one after the other.
struct Plain(File);

impl Plain {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self(File::create_new(path)?))
    }
}

fn output(error: std::io::Error) -> mflow::Error {
    mflow::tools::Error::Output(error).into()
}

impl RecordWriter for Plain {
    fn name(&self) -> String {
        "plain".into()
    }

    fn record(&mut self, message: Received, _number: u64) -> mflow::Result<()> {
        message.frames.iter().try_for_each(|part| self.0.write_all(part.as_ref()).map_err(output))
    }

    fn sync(&mut self) -> mflow::Result<()> {
        self.0.sync_data().map_err(output)
    }

    fn close(&mut self, fsync: Fsync) -> mflow::Result<()> {
        if fsync == Fsync::Never { Ok(()) } else { self.sync() }
    }
}

/// Messages with a header and a payload, of different numbers.
fn messages(bytes: usize) -> Vec<Received> {
    let origin = Origin::new("tcp://bench:1");
    let count = ((64 << 20) / bytes).clamp(4, 1000);
    let message = |frame: usize| {
        let integers = bytes / 4;
        let header = format!(
            r#"{{"htype":"raw-1.0","type":"int32","shape":[1,{integers}],"frame":{frame}}}"#
        );
        let payload: Vec<u8> = (0..=250).cycle().skip(frame % 251).take(bytes).collect();
        let frames = Frames::from([Frame::from(header.as_bytes()), Frame::from(payload)]);
        Received { frames, time: Timestamp::now(), origin: Arc::clone(&origin) }
    };
    (0..count).map(message).collect()
}

/// What writing some messages took.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Messages in a second.
    rate: f64,
    /// The longest that one took.
    stall: Duration,
    /// Seconds of the processor for a gigabyte.
    cpu: f64,
}

fn write(
    mut to: Box<dyn RecordWriter>,
    messages: &[Received],
    count: usize,
    fsync: Fsync,
) -> Result<Cost> {
    let (start, cpu) = (Instant::now(), cpu_seconds()?);
    let mut stall = Duration::ZERO;
    let (mut before, mut bytes) = (start, 0);
    for (number, message) in (0..).zip(messages.iter().cycle().take(count)) {
        to.record(message.clone(), number)?;
        bytes += message.frames.bytes();
        let now = Instant::now();
        stall = stall.max(now - before);
        before = now;
    }
    to.close(fsync)?;
    Ok(Cost {
        rate: float(count as u64) / start.elapsed().as_secs_f64(),
        stall,
        cpu: (cpu_seconds()? - cpu) / (float(bytes as u64) / 1e9),
    })
}

/// Returns how long the processor has worked for this process; 0 if unknown.
fn cpu_seconds() -> Result<f64> {
    let Ok(text) = fs::read_to_string("/proc/self/stat") else { return Ok(0.0) };
    // Behind the name in parentheses: user and system time are the 12th and 13th, in 1/100 s.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: Vec<f64> =
        fields.skip(11).take(2).map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

fn mcap(path: &Path) -> Result<Box<dyn RecordWriter>> {
    Ok(Box::new(McapWriter::create(path, McapOptions::default())?))
}

/// The writer alone, in memory.
fn writer(arguments: &Arguments) -> Result<()> {
    let mut table =
        Table::new(["writer", "ours", "plain", "ours / plain", "CPU s/GB", "plain CPU s/GB"]);
    for bytes in arguments.sizes_or(&[100, 64 << 10, 1 << 20, 8 << 20]) {
        let total = if arguments.quick { 128 << 20 } else { 1 << 30 };
        let count = (total / bytes).min(1_000_000);
        let messages = messages(bytes);
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            let file = Temporary::new(&memory());
            ours.push(write(mcap(&file.0)?, &messages, count, Fsync::Never)?);
            let file = Temporary::new(&memory());
            let to = Box::new(Plain::create(&file.0)?);
            plain.push(write(to, &messages, count, Fsync::Never)?);
        }
        writeln!(stderr())?;
        let (ours, theirs) = (Costs(ours), Costs(plain));
        table.row([
            size(bytes),
            rate(ours.rate().median, float(bytes as u64)),
            rate(theirs.rate().median, float(bytes as u64)),
            against(Spread::of_ratios(&ours.rates(), &theirs.rates()), PROMISED),
            format!("{:.2}", ours.cpu()),
            format!("{:.2}", theirs.cpu()),
        ]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}

struct Costs(Vec<Cost>);

impl Costs {
    fn rates(&self) -> Vec<f64> {
        self.0.iter().map(|cost| cost.rate).collect()
    }

    fn rate(&self) -> Spread {
        Spread::of(self.rates())
    }

    fn cpu(&self) -> f64 {
        Spread::of(self.0.iter().map(|cost| cost.cpu)).median
    }

    fn stall(&self) -> Duration {
        self.0.iter().map(|cost| cost.stall).max().unwrap_or_default()
    }
}

/// From a socket to a file in memory.
fn recorder(arguments: &Arguments) -> Result<()> {
    let mut table =
        Table::new(["recorder", "ours", "plain", "ours / plain", "CPU s/GB", "promised"]);
    for bytes in arguments.sizes_or(&[100, 64 << 10, 1 << 20, 8 << 20]) {
        let total = if arguments.quick { 128 << 20 } else { 1 << 30 };
        let count = (total / bytes).min(600_000) as u64;
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            let file = Temporary::new(&memory());
            let to = McapWriter::create(&file.0, McapOptions::default())?;
            ours.push(record(to, bytes, count)?);
            let file = Temporary::new(&memory());
            plain.push(record(Plain::create(&file.0)?, bytes, count)?);
        }
        writeln!(stderr())?;
        let (ours, theirs) = (Costs(ours), Costs(plain));
        let ratio = Spread::of_ratios(&ours.rates(), &theirs.rates());
        let (ratio, promised) = if bytes < 1000 {
            let verdict = if ours.rate().median >= PROMISED_SMALL { "ok" } else { "LESS" };
            (ratio.to_string(), format!("{} {verdict}", rate(PROMISED_SMALL, 100.0)))
        } else {
            (ratio.to_string(), against(ratio, PROMISED))
        };
        table.row([
            size(bytes),
            rate(ours.rate().median, float(bytes as u64)),
            rate(theirs.rate().median, float(bytes as u64)),
            ratio,
            format!("{:.2}", ours.cpu()),
            promised,
        ]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}

/// Receives messages from a process that sends as fast as it can, until all are in the file.
fn record(to: impl RecordWriter + 'static, bytes: usize, count: u64) -> Result<Cost> {
    let address = free_address()?;
    let _sender = Running::start(&mut Role::SendShares.command(&[&address, &bytes.to_string()])?)?;
    let mut source = open_source(&address, Options::pull())?;
    let mut recorder = Box::new(Recorder::start(to, RecorderOptions::default())?);
    let stop = Stop::never();
    let (mut received, mut total) = (0, 0);
    // The connection is made before the first message.
    let mut start = None;
    while received < count {
        match source.poll()? {
            Event::Message(message) => {
                if start.is_none() {
                    start = Some((Instant::now(), cpu_seconds()?));
                }
                while recorder.offer(&message)? == mflow::Offer::Full {
                    let mut set = WaitSet::new();
                    recorder.readiness(&mut set);
                    set.wait(&stop, None)?;
                }
                received += 1;
                total += message.frames.bytes();
            }
            Event::Idle => {
                let mut set = WaitSet::new();
                source.readiness(&mut set);
                set.wait(&stop, None)?;
            }
            Event::End => return Err("a stream has no end".into()),
        }
    }
    recorder.finish(Duration::from_secs(60))?;
    let (start, cpu) = start.ok_or("no messages were asked for")?;
    Ok(Cost {
        rate: float(count) / start.elapsed().as_secs_f64(),
        stall: Duration::ZERO,
        cpu: (cpu_seconds()? - cpu) / (float(total as u64) / 1e9),
    })
}

/// The writer alone, on the disk.
fn disk(arguments: &Arguments) -> Result<()> {
    let folder = std::env::var_os("MFLOW_BENCH_DISK").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned());
    let mut table =
        Table::new(["disk", "ours", "plain", "ours / plain", "longest stall", "plain stall"]);
    for bytes in arguments.sizes_or(&[1 << 20]) {
        // More than the system keeps in memory before it makes who writes wait.
        let total: usize = if arguments.quick { 1 << 30 } else { 6 << 30 };
        let messages = messages(bytes);
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            let file = Temporary::new(&folder);
            ours.push(write(mcap(&file.0)?, &messages, total / bytes, Fsync::Close)?);
            drop(file);
            let file = Temporary::new(&folder);
            let to = Box::new(Plain::create(&file.0)?);
            plain.push(write(to, &messages, total / bytes, Fsync::Close)?);
        }
        writeln!(stderr())?;
        let (ours, theirs) = (Costs(ours), Costs(plain));
        let verdict = if ours.stall() < LONGEST_STALL { "ok" } else { "LONGER" };
        table.row([
            size(bytes),
            rate(ours.rate().median, float(bytes as u64)),
            rate(theirs.rate().median, float(bytes as u64)),
            against(Spread::of_ratios(&ours.rates(), &theirs.rates()), PROMISED_ON_DISK),
            format!("{:.1?}, {LONGEST_STALL:?} {verdict}", ours.stall()),
            format!("{:.1?}", theirs.stall()),
        ]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}
