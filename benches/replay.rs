//! m_replay at full speed, against a bare loop that sends slices of a map of the same file; and
//! opening a recording of 50 GB.
//!
//! Both send the same parts to the same receiver, which reports the time from the first message to
//! the last. From 2 MiB on, m_replay has the system hold less of what goes to the loopback
//! interface than the system itself would; so has the bare loop, in a second race.
//!
//! The file is in memory (`/dev/shm`), if there is such a place, and larger than any cache.
//!
//! `cargo bench --bench replay -- [--quick] [--runs N] [--sizes 64KiB,1MiB]`

mod harness;

use std::fs::{self, File};
use std::io::{Write, stderr, stdout};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use harness::arguments::Arguments;
use harness::baseline::Role;
use harness::process::{Running, free_address};
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};
use mflow::recording::{McapOptions, McapReader, McapWriter, Recording, Seek};
use mflow::{Frame, Options, Origin, Received, Timestamp};

/// What is promised as a ratio to the bare loop.
const PROMISED: f64 = 0.9;
/// How many bytes the file has.
const BYTES: usize = 3 << 30;
/// How many chunks the recording has that is opened.
const CHUNKS: u64 = 50_000;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let columns = ["payload", "m_replay", "bare loop", "ratio", "with its buffer", "ratio"];
    let mut table = Table::new(columns);
    for bytes in arguments.sizes_or(&[1 << 20]) {
        let messages = BYTES / bytes / if arguments.quick { 4 } else { 1 };
        let recording = Temporary::new("replay")?;
        record(recording.path(), messages, bytes)?;
        let mut rates = [const { Vec::new() }; Side::ALL.len()];
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            // The one that runs second may be slower, whichever it is: they take turns.
            for turn in 0..Side::ALL.len() {
                let index = (run + turn) % Side::ALL.len();
                let side = Side::ALL[index];
                rates[index].push(side.run(recording.path(), messages, bytes)?);
            }
        }
        writeln!(stderr())?;
        let [ours, bare, buffered] = &rates;
        let median =
            |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, float(bytes as u64));
        table.row([
            size(bytes),
            median(ours),
            median(bare),
            against(Spread::of_ratios(ours, bare), PROMISED),
            median(buffered),
            against(Spread::of_ratios(ours, buffered), PROMISED),
        ]);
    }
    write!(stdout(), "\n{table}")?;
    opening(&arguments)
}

/// Who sends.
#[derive(Clone, Copy)]
enum Side {
    Replay,
    Bare,
    Buffered,
}

impl Side {
    const ALL: [Self; 3] = [Self::Replay, Self::Bare, Self::Buffered];

    /// Returns the command that sends a recording.
    fn command(self, address: &str, path: &Path, messages: usize, bytes: usize) -> Result<Command> {
        let buffer = match self {
            Self::Replay => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_m_replay"));
                command.args(["--quiet", "-r", "max", "-a", address]).arg(path);
                return Ok(command);
            }
            Self::Bare => 0,
            Self::Buffered => Options::LOCAL_SEND_BUFFER,
        };
        let path = path.to_str().ok_or("the path is no text")?;
        let [messages, bytes, buffer] = [messages, bytes, buffer].map(|it| it.to_string());
        Role::SendSlices.command(&[address, path, &messages, &bytes, &buffer])
    }

    /// Has a recording sent, and returns the messages per second.
    fn run(self, path: &Path, messages: usize, bytes: usize) -> Result<f64> {
        let address = free_address()?;
        let mut receiver = Role::Time.command(&[&address, &messages.to_string()])?;
        let (_receiver, mut lines) = Running::start_reading(&mut receiver)?;
        let _sender = Running::start(&mut self.command(&address, path, messages, bytes)?)?;
        let rate = lines.next().ok_or("the receiver has ended too early")??;
        Ok(rate.parse()?)
    }
}

/// Writes the recording.
fn record(path: &Path, messages: usize, bytes: usize) -> Result<()> {
    let mut writer = McapWriter::create(path, McapOptions::default())?;
    let origin = Origin::new("tcp://127.0.0.1:9999");
    let payload = Frame::from(vec![7; bytes]);
    for frame in 0..messages {
        let header = format!(r#"{{"htype":"raw-1.0","type":"int32","frame":{frame}}}"#);
        let frames = [Frame::from(header.into_bytes()), payload.clone()].into_iter().collect();
        let origin = origin.clone();
        writer.write(&Received { frames, time: Timestamp::now(), origin })?;
    }
    writer.finish()?;
    Ok(())
}

/// Measures how long it takes to open a recording of 50 GB and to find a place in it.
fn opening(arguments: &Arguments) -> Result<()> {
    let recording = Temporary::new("open")?;
    write_sparse(recording.path())?;
    let (mut open, mut number, mut time) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.runs {
        let start = Instant::now();
        let mut reader = McapReader::open(recording.path())?;
        open.push(start.elapsed().as_secs_f64() * 1e3);
        if reader.messages() != Some(CHUNKS) {
            return Err("the summary was not believed".into());
        }
        for (measured, to) in [
            (&mut number, Seek::Message(CHUNKS / 2)),
            (&mut time, Seek::Time(Timestamp::from_nanos(CHUNKS / 2))),
        ] {
            let start = Instant::now();
            reader.seek(to)?;
            measured.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let mut table = Table::new(["ms, of 50 000 chunks", "median (quartiles)"]);
    for (name, values) in [("open", open), ("seek by number", number), ("seek by time", time)] {
        table.row([name.into(), Spread::of(values).to_string()]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}

/// Writes a file of a real summary and chunks of 1 MiB that take no room on the disk.
fn write_sparse(path: &Path) -> Result<()> {
    const MAGIC: &[u8] = b"\x89MCAP0\r\n";
    let text = |text: &str| {
        let length = u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
        [&length[..], text.as_bytes()].concat()
    };
    let numbers = |numbers: &[u64]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let record = |opcode: u8, fields: Vec<u8>| {
        [&[opcode][..], &(fields.len() as u64).to_le_bytes(), &fields].concat()
    };
    let (chunk, index) = (1_u64 << 20, 31);
    let mut summary = [
        record(3, [&[1, 0][..], &text("mflow.Message"), &text("protobuf"), &[0; 4]].concat()),
        record(4, [&[1, 0, 1, 0][..], &text("/s0/raw"), &text("protobuf"), &[0; 4]].concat()),
    ]
    .concat();
    let file = File::create_new(path)?;
    let mut chunk_head = numbers(&[0, 0, chunk - 49]);
    chunk_head.extend([0; 8]);
    chunk_head.extend((chunk - 49).to_le_bytes());
    for number in 0..CHUNKS {
        let start = 8 + number * (chunk + index);
        // The places that are looked for are there: one message without parts in each chunk.
        if number == CHUNKS / 2 {
            let message = [&[5][..], &(chunk - 58).to_le_bytes(), &[1, 0, 0, 0, 0, 0]].concat();
            let fields = [&numbers(&[number, number, chunk - 49])[..], &chunk_head[24..]].concat();
            let head = [&[6][..], &(chunk - 9).to_le_bytes(), &fields, &message].concat();
            file.write_all_at(&head, start)?;
            file.write_all_at(&number.to_le_bytes(), start + 64)?;
        }
        let mut fields = numbers(&[number, number, start, chunk]);
        fields.extend(10_u32.to_le_bytes());
        fields.extend([1, 0]);
        fields.extend((start + chunk).to_le_bytes());
        fields.extend(index.to_le_bytes());
        fields.extend([0; 4]);
        fields.extend(numbers(&[chunk - 49, chunk - 49]));
        summary.extend(record(8, fields));
    }
    let end = 8 + CHUNKS * (chunk + index);
    let footer = record(2, [&numbers(&[end, 0])[..], &[0; 4]].concat());
    file.write_all_at(MAGIC, 0)?;
    file.write_all_at(&[&summary[..], &footer, MAGIC].concat(), end)?;
    Ok(())
}

/// A file in memory, if there is such a place, that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Ok(Self(parent.join(format!("mflow-bench-{name}-{}.mcap", std::process::id()))))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left of it is for the user to remove.
        let _ = fs::remove_file(&self.0);
    }
}
