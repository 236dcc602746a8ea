//! m_dump to a folder and to an MCAP file in memory, against two others, all reading from the same
//! sender:
//! * P: m_dump of psi-mflow 1.0.0, which writes a folder;
//! * the loop: a loop over the zmq crate that receives and writes and does nothing else, with the
//!   programs' allocator settings. It writes the same files, or appends to a plain one.
//!
//! Timed is from when the first quarter of the messages is written to when all are. Before, as much
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
const BYTES: usize = 1 << 30;
/// How many messages are written at most.
const MESSAGES: usize = 30_000;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let python = Python::find();
    if python.is_none() {
        writeln!(stderr(), "skipped: P, no psi-mflow found (see MFLOW_PEERS)")?;
    }
    let mut table = Table::new(["payload", "to", "m_dump", "/ P", "/ loop", "loop / P"]);
    for bytes in arguments.sizes_or(&PROMISED.map(|(bytes, _)| bytes)) {
        let mut ours = [const { Vec::new() }; 2];
        let mut loops = [const { Vec::new() }; 2];
        let mut theirs = Vec::new();
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            for (kind, (ours, loops)) in Kind::ALL.into_iter().zip(ours.iter_mut().zip(&mut loops))
            {
                ours.push(dump(&Side::Ours, kind, bytes, &arguments)?);
                loops.push(dump(&Side::Loop, kind, bytes, &arguments)?);
            }
            if let Some(python) = &python {
                theirs.push(dump(&Side::Python(python), Kind::Folder, bytes, &arguments)?);
            }
        }
        writeln!(stderr())?;
        let promised = PROMISED.iter().find(|(of, _)| *of == bytes);
        let promised = promised.map_or([0.0; 2], |(_, ratios)| *ratios);
        let against_original = |rates: &[f64], promised: f64| match python {
            Some(_) => against(Spread::of_ratios(rates, &theirs), promised),
            None => "-".into(),
        };
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            let [ours, loops] = [&ours[index], &loops[index]];
            let median = Spread::of(ours.iter().copied()).median;
            table.row([
                size(bytes),
                kind.name().into(),
                rate(median, float(bytes as u64)),
                against_original(ours, promised[index]),
                Spread::of_ratios(ours, loops).to_string(),
                against_original(loops, 0.0),
            ]);
        }
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
    File,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Folder, Self::File];

    fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File => ".mcap",
        }
    }
}

/// Who dumps them.
enum Side<'a> {
    Ours,
    Loop,
    Python(&'a Python),
}

impl Side<'_> {
    /// Returns the command that writes to a folder, or to a file in it.
    fn command(&self, address: &str, to: &Path, kind: Kind) -> Result<Command> {
        let mut command = match self {
            Self::Ours => Command::new(env!("CARGO_BIN_EXE_m_dump")),
            Self::Loop => {
                let mut command = Role::Write.command(&[])?;
                command.envs([
                    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
                    ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
                    ("MALLOC_TOP_PAD_", "67108864"),
                ]);
                command
            }
            Self::Python(python) => python.tool("dump"),
        };
        command.arg(address);
        if matches!(self, Self::Ours) && kind == Kind::File {
            command.arg("-o");
        }
        command.arg(to);
        Ok(command)
    }
}

/// Has messages dumped, and returns how many per second.
fn dump(side: &Side<'_>, kind: Kind, bytes: usize, arguments: &Arguments) -> Result<f64> {
    let messages = (BYTES / bytes).min(MESSAGES) / if arguments.quick { 10 } else { 1 };
    let folder = Folder::new()?;
    folder.warm_up()?;
    let address = free_address()?;
    let _sender = Running::start(&mut Role::SendShares.command(&[&address, &bytes.to_string()])?)?;
    let to = match kind {
        Kind::Folder => folder.path().to_owned(),
        Kind::File => folder.path().join("dump.mcap"),
    };
    let mut dumping = Running::start(&mut side.command(&address, &to, kind)?)?;
    let is_written = |message: usize| match kind {
        Kind::Folder => {
            let first = to.join(format!("{message:06}_000.raw"));
            first.metadata().is_ok_and(|file| file.len() > 0)
        }
        Kind::File => to.metadata().is_ok_and(|file| file.len() > (message * bytes) as u64),
    };
    let mut wait_for = |message: usize| -> Result<Instant> {
        while !is_written(message) {
            dumping.check()?;
            sleep(Duration::from_micros(500));
        }
        Ok(Instant::now())
    };
    let first = messages / 4;
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
