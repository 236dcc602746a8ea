//! Processes that run until they are ended, and what the kernel knows about them.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::Result;

/// A process that ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts a program whose output is not read.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        command.stdout(Stdio::null());
        Self::spawn(command)
    }

    /// Starts a program, and returns its output line by line.
    pub(crate) fn start_reading(
        command: &mut Command,
    ) -> Result<(Self, Lines<BufReader<ChildStdout>>)> {
        command.stdout(Stdio::piped());
        let mut running = Self::spawn(command)?;
        let out = running.child.stdout.take().ok_or("the output is not a pipe")?;
        Ok((running, BufReader::new(out).lines()))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start '{name}': {error}"))?;
        Ok(Self { child, name })
    }

    /// Returns the number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails if the process has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(format!("'{}' ended too early: {status}", self.name).into()),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns our m_generate, sending so many bytes a message.
pub(crate) fn generate(address: &str, bytes: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_m_generate"));
    command.args(["--quiet", "-a", address, "-s", &format!("{bytes}B")]);
    command
}

/// Seconds on a processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    /// In the program.
    pub(crate) user: f64,
    /// In the kernel for it.
    pub(crate) system: f64,
}

impl Cpu {
    /// Returns what processes have spent so far; not a number if the kernel does not report it.
    pub(crate) fn spent_by(processes: &[u32]) -> Self {
        let nothing = Self { user: 0.0, system: 0.0 };
        processes.iter().fold(nothing, |sum, process| {
            let Self { user, system } =
                Self::read(*process).unwrap_or(Self { user: f64::NAN, system: f64::NAN });
            Self { user: sum.user + user, system: sum.system + system }
        })
    }

    fn read(process: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The second field is the name in brackets, which may hold anything.
        let (_, fields) = text.rsplit_once(')')?;
        let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
        let mut seconds = || Some(ticks.next()?.ok()? / TICKS_PER_SECOND);
        Some(Self { user: seconds()?, system: seconds()? })
    }

    /// Returns microseconds per message since an earlier time.
    pub(crate) fn per_message(self, earlier: Self, messages: f64) -> Self {
        let each = |seconds: f64| seconds * 1e6 / messages;
        Self { user: each(self.user - earlier.user), system: each(self.system - earlier.system) }
    }
}

/// What /proc counts in, on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the resident memory of a process in bytes; nothing if the kernel does not report it.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Returns a loopback address with a port that was free just now: not every program can be asked
/// which one it found.
pub(crate) fn free_address() -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(format!("tcp://{}", listener.local_addr()?))
}
