//! m_dump to a folder and to an MCAP file in memory, against two others:
//! * P: m_dump of psi-mflow 1.0.0, which writes a folder;
//! * the loop: a loop over the zmq crate that receives and writes and does nothing else, with the
//!   programs' allocator settings. It writes the same files, or appends to a plain one.
//!
//! All read from the same sender, baseline B. Then m_dump and P once more, each behind the
//! m_generate of its own: as programs that are used or replaced together. The loop is behind
//! ours then: more than it reaches is hardly to be had.
//!
//! Timed is from when the first quarter of the messages is written to when all are. Before, as much
//! memory is used and freed as the file and all queues may take: a virtual machine may have given it
//! back to its host, and getting it again takes longer than everything else. The first round is left
//! out for the same reason.
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
use harness::process::{Running, free_address, generate};
use harness::python::Python;
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};

/// What is promised for a size as a ratio to the original: of a folder, and of an MCAP file.
const PROMISED: [(usize, [f64; 2]); 2] = [(1 << 10, [3.0, 0.0]), (1 << 20, [1.3, 1.5])];
/// How many bytes are written at most.
const BYTES: usize = 1 << 30;
/// How much memory is used and freed before: twice as much, for m_dump may have 256 MiB waiting, and
/// libzmq has its own queues.
const WARM_UP: usize = 2 * BYTES;
/// Ways through all cases: each has no divisor in common with their number, eight or ten.
const STEPS: [usize; 4] = [1, 3, 7, 9];
/// How many messages are written at most.
const MESSAGES: usize = 30_000;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let python = Python::find();
    if python.is_none() {
        writeln!(stderr(), "skipped: P, no psi-mflow found (see MFLOW_PEERS)")?;
    }
    let columns = [
        "payload",
        "to",
        "m_dump",
        "/ P",
        "/ loop",
        "loop / P",
        "with m_generate",
        "/ P",
        "/ loop",
        "loop / P",
    ];
    let mut table = Table::new(columns);
    for bytes in arguments.sizes_or(&PROMISED.map(|(bytes, _)| bytes)) {
        let mut cases = Case::all(python.as_ref());
        let count = cases.len();
        for run in 0..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            // What comes behind another may be slower, whatever it is: the order is another each time.
            let step = STEPS[run % STEPS.len()];
            for turn in 0..count {
                let case = &mut cases[(run + turn * step) % count];
                let rate = case.dump(bytes, &arguments)?;
                if run > 0 {
                    case.rates.push(rate);
                }
            }
        }
        writeln!(stderr())?;
        let rates = |of: fn(&Side<'_>) -> bool, kind, sender| -> &[f64] {
            let is_it =
                |case: &&Case<'_>| of(&case.side) && (case.kind, case.sender) == (kind, sender);
            cases.iter().find(is_it).map_or(&[], |case| &case.rates)
        };
        let promised = PROMISED.iter().find(|(of, _)| *of == bytes);
        let promised = promised.map_or([0.0; 2], |(_, ratios)| *ratios);
        let median =
            |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, float(bytes as u64));
        for (kind, promised) in Kind::ALL.into_iter().zip(promised) {
            let [same, own] = [Sender::Same, Sender::Own].map(|sender| {
                let theirs = rates(|side| matches!(side, Side::Python(_)), Kind::Folder, sender);
                let loops = rates(|side| matches!(side, Side::Loop), kind, sender);
                let ours = rates(|side| matches!(side, Side::Ours), kind, sender);
                let to_theirs = against(Spread::of_ratios(ours, theirs), promised);
                let to_loop = Spread::of_ratios(ours, loops).to_string();
                let loop_to_theirs = against(Spread::of_ratios(loops, theirs), 0.0);
                [median(ours), to_theirs, to_loop, loop_to_theirs]
            });
            let name = [size(bytes), kind.name().into()];
            table.row(name.into_iter().chain(same).chain(own).collect::<Vec<_>>());
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

/// Who sends them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// Baseline B, the same for all.
    Same,
    /// The m_generate that belongs to the m_dump.
    Own,
}

/// Who dumps them.
enum Side<'a> {
    Ours,
    Loop,
    Python(&'a Python),
}

impl Side<'_> {
    /// Returns the command that sends.
    fn sender(&self, sender: Sender, address: &str, bytes: usize) -> Result<Command> {
        match (sender, self) {
            (Sender::Own, Self::Ours | Self::Loop) => Ok(generate(address, bytes)),
            (Sender::Own, Self::Python(python)) => Ok(python.generate(address, bytes)),
            _ => Role::SendShares.command(&[address, &bytes.to_string()]),
        }
    }

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

/// Who dumps, to what, from whom, and how many messages a second that were.
struct Case<'a> {
    side: Side<'a>,
    kind: Kind,
    sender: Sender,
    rates: Vec<f64>,
}

impl<'a> Case<'a> {
    /// Returns all cases; the original writes folders alone.
    fn all(python: Option<&'a Python>) -> Vec<Self> {
        let mut cases = Vec::new();
        for sender in [Sender::Same, Sender::Own] {
            let mut add = |side, kind| cases.push(Self { side, kind, sender, rates: Vec::new() });
            for kind in Kind::ALL {
                add(Side::Ours, kind);
                add(Side::Loop, kind);
            }
            python.into_iter().for_each(|python| add(Side::Python(python), Kind::Folder));
        }
        cases
    }

    /// Has messages dumped, and returns how many per second.
    fn dump(&self, bytes: usize, arguments: &Arguments) -> Result<f64> {
        let messages = (BYTES / bytes).min(MESSAGES) / if arguments.quick { 10 } else { 1 };
        let folder = Folder::new()?;
        folder.warm_up()?;
        let address = free_address()?;
        let _sender = Running::start(&mut self.side.sender(self.sender, &address, bytes)?)?;
        let to = match self.kind {
            Kind::Folder => folder.path().to_owned(),
            Kind::File => folder.path().join("dump.mcap"),
        };
        let mut dumping = Running::start(&mut self.side.command(&address, &to, self.kind)?)?;
        let is_written = |message: usize| match self.kind {
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
}

/// A folder in memory, if there is such a place, that is removed with all its files.
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
        for _ in 0..WARM_UP / zeros.len() {
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
