//! From an MCAP file to a PUSH as fast as it goes, against a bare loop that sends slices of a map
//! of the same file; and opening a recording of 50 GB.
//!
//! The file is in memory (`/dev/shm`), where there is such a place, and larger than any cache.
//!
//! `cargo bench --bench replay -- [--quick] [--runs N] [--sizes 64KiB,1MiB]`

mod harness;

use std::fs::{self, File};
use std::io::{Write, stderr, stdout};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use harness::arguments::Arguments;
use harness::baseline::{self, Role};
use harness::process::{Running, free_address};
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};
use mflow::recording::{McapOptions, McapReader, McapWriter, Recording, Seek};
use mflow::{Event, Frame, Frames, Options, Origin, Received, Source, Timestamp, connect};

/// What is promised as a ratio to the bare loop.
const PROMISED: f64 = 0.9;
/// How many bytes the file has.
const BYTES: usize = 3 << 30;
/// How many chunks the recording has that is opened.
const CHUNKS: u64 = 50_000;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let mut table = Table::new(["payload", "ours", "bare loop", "ours / bare"]);
    for bytes in arguments.sizes_or(&[1 << 20]) {
        let messages = BYTES / bytes / if arguments.quick { 4 } else { 1 };
        let recording = Temporary::new("replay")?;
        record(recording.path(), messages, bytes)?;
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            // Who comes second is a few percent slower, whoever it is: they take turns.
            for is_ours in [run % 2 == 0, run % 2 == 1] {
                if is_ours {
                    ours.push(replay(recording.path())?);
                } else {
                    bare.push(send_bare(recording.path(), messages, bytes)?);
                }
            }
        }
        writeln!(stderr())?;
        let median =
            |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, float(bytes as u64));
        let ratio = against(Spread::of_ratios(&ours, &bare), PROMISED);
        table.row([size(bytes), median(&ours), median(&bare), ratio]);
    }
    write!(stdout(), "\n{table}")?;
    opening(&arguments)
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

/// Returns the messages per second of a reader that feeds a stream.
fn replay(path: &Path) -> Result<f64> {
    let address = free_address()?;
    let mut stream = connect(&address, Options::push().bind().queue_size(100))?;
    let _receiver = Running::start(&mut Role::Receive.command(&[&address, "250"])?)?;
    let mut reader = McapReader::open(path)?;
    let mut start = Instant::now();
    let mut messages = 0;
    while let Event::Message(Received { frames, .. }) = reader.poll()? {
        let frames: Frames = frames;
        stream.send(frames)?;
        if messages == 0 {
            start = Instant::now();
        }
        messages += 1;
    }
    Ok(float(messages - 1) / start.elapsed().as_secs_f64())
}

/// Returns the messages per second of a loop that knows where they are.
fn send_bare(path: &Path, messages: usize, bytes: usize) -> Result<f64> {
    let address = free_address()?;
    let _receiver = Running::start(&mut Role::Receive.command(&[&address, "250"])?)?;
    let map = baseline::map(&File::open(path)?)?;
    let stride = map.len() / messages;
    let slices = (0..messages).filter_map(|message| map.get(message * stride..)?.get(..bytes));
    baseline::send_slices(&address, slices)
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

/// A file in memory, where there is such a place, that is removed at the end.
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
