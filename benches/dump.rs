//! m_dump to a folder in memory, against that of psi-mflow 1.0.0; both read from the same sender.
//!
//! Timed is from the file of the message after the first tenth to that of the last.
//!
//! `cargo bench --bench dump -- [--quick] [--runs N] [--sizes 1KiB,1MiB]`

mod harness;

use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::arguments::Arguments;
use harness::baseline::Role;
use harness::process::{Running, free_address};
use harness::python::Python;
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};

/// What is promised for a size as a ratio to the original.
const PROMISED: [(usize, f64); 2] = [(1 << 10, 3.0), (1 << 20, 1.3)];
/// How many bytes are written at most.
const BYTES: usize = 2 << 30;
/// How many messages are written at most.
const MESSAGES: usize = 30_000;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let python = Python::find();
    if python.is_none() {
        writeln!(stderr(), "skipped: P, no psi-mflow found (see MFLOW_PEERS)")?;
    }
    let mut table = Table::new(["payload", "ours", "P", "ours / P"]);
    for bytes in arguments.sizes_or(&PROMISED.map(|(bytes, _)| bytes)) {
        let promised =
            PROMISED.iter().find(|(of, _)| *of == bytes).map_or(0.0, |(_, ratio)| *ratio);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            let command = Command::new(env!("CARGO_BIN_EXE_m_dump"));
            ours.push(dump(command, bytes, &arguments)?);
            if let Some(python) = &python {
                theirs.push(dump(python.tool("dump"), bytes, &arguments)?);
            }
        }
        writeln!(stderr())?;
        let median =
            |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, float(bytes as u64));
        table.row([
            size(bytes),
            median(&ours),
            median(&theirs),
            match python {
                Some(_) => against(Spread::of_ratios(&ours, &theirs), promised),
                None => "-".into(),
            },
        ]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}

/// Has messages dumped into a folder, and returns how many per second.
fn dump(mut command: Command, bytes: usize, arguments: &Arguments) -> Result<f64> {
    let messages = (BYTES / bytes).min(MESSAGES) / if arguments.quick { 10 } else { 1 };
    let folder = Folder::new()?;
    let address = free_address()?;
    let _sender = Running::start(&mut Role::SendShares.command(&[&address, &bytes.to_string()])?)?;
    let mut dumping = Running::start(command.arg(&address).arg(folder.path()))?;
    let mut wait_for = |message: usize| -> Result<Instant> {
        let file = folder.path().join(format!("{message:06}_000.raw"));
        while !file.exists() {
            dumping.check()?;
            sleep(Duration::from_micros(500));
        }
        Ok(Instant::now())
    };
    let first = messages / 10;
    let start = wait_for(first)?;
    let end = wait_for(messages)?;
    Ok(float((messages - first) as u64) / (end - start).as_secs_f64())
}

/// A folder in memory, where there is such a place, that is removed with all its files.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = parent.join(format!("mflow-bench-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is for the user to remove.
        let _ = fs::remove_dir_all(&self.0);
    }
}
