//! m_dump to a folder and to an MCAP file in memory, against m_dump of psi-mflow 1.0.0 to a folder;
//! all read from the same sender.
//!
//! Timed is from when the first tenth of the messages is written to when all are. Before, as much
//! memory is used and freed: a virtual machine may have given it back to its host, and getting it
//! again takes longer than everything else.
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

/// What is promised for a size as a ratio to the original: of a folder, and of an MCAP file.
const PROMISED: [(usize, [f64; 2]); 2] = [(1 << 10, [3.0, 0.0]), (1 << 20, [1.3, 1.5])];
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
    let mut table = Table::new(["payload", "folder", ".mcap", "P", "folder / P", ".mcap / P"]);
    for bytes in arguments.sizes_or(&PROMISED.map(|(bytes, _)| bytes)) {
        let promised = PROMISED.iter().find(|(of, _)| *of == bytes);
        let promised = promised.map_or([0.0; 2], |(_, ratios)| *ratios);
        let [mut folders, mut files, mut theirs] = [const { Vec::new() }; 3];
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            let command = || Command::new(env!("CARGO_BIN_EXE_m_dump"));
            folders.push(dump(command(), Kind::Folder, bytes, &arguments)?);
            files.push(dump(command(), Kind::Mcap, bytes, &arguments)?);
            if let Some(python) = &python {
                theirs.push(dump(python.tool("dump"), Kind::Folder, bytes, &arguments)?);
            }
        }
        writeln!(stderr())?;
        let median =
            |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, float(bytes as u64));
        let ratio = |ours: &[f64], promised: f64| match python {
            Some(_) => against(Spread::of_ratios(ours, &theirs), promised),
            None => "-".into(),
        };
        table.row([
            size(bytes),
            median(&folders),
            median(&files),
            median(&theirs),
            ratio(&folders, promised[0]),
            ratio(&files, promised[1]),
        ]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}

/// What messages are dumped to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A file for each part.
    Folder,
    /// One file.
    Mcap,
}

/// Has messages dumped, and returns how many per second.
fn dump(mut command: Command, kind: Kind, bytes: usize, arguments: &Arguments) -> Result<f64> {
    let messages = (BYTES / bytes).min(MESSAGES) / if arguments.quick { 10 } else { 1 };
    let folder = Folder::new()?;
    folder.warm_up()?;
    let address = free_address()?;
    let _sender = Running::start(&mut Role::SendShares.command(&[&address, &bytes.to_string()])?)?;
    let file = folder.path().join("dump.mcap");
    match kind {
        Kind::Folder => command.arg(&address).arg(folder.path()),
        Kind::Mcap => command.arg(&address).arg("-o").arg(&file),
    };
    let mut dumping = Running::start(&mut command)?;
    let is_written = |message: usize| match kind {
        Kind::Folder => folder.path().join(format!("{message:06}_000.raw")).exists(),
        Kind::Mcap => file.metadata().is_ok_and(|file| file.len() > (message * bytes) as u64),
    };
    let mut wait_for = |message: usize| -> Result<Instant> {
        while !is_written(message) {
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

    /// Fills the memory that is going to be used, and frees it.
    fn warm_up(&self) -> Result<()> {
        let path = self.0.join("warm-up");
        let (mut file, zeros) = (fs::File::create(&path)?, vec![0; 1 << 20]);
        for _ in 0..BYTES / zeros.len() {
            file.write_all(&zeros)?;
        }
        fs::remove_file(path)?;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is for the user to remove.
        let _ = fs::remove_dir_all(&self.0);
    }
}
