//! Runs the programs as a user does: command lines in, outputs and exit codes out.
//!
//! Each test has a fresh [`Dir`]. Every wait ends with an event or fails after [`PATIENCE`]; a test
//! that fails prints all outputs of all its commands. Nothing outlives its test.
//!
//! ```ignore
//! let dir = Dir::new();
//! let generate = dir.start("m_generate", ["-a", "tcp://127.0.0.1:*", "-n", "10"]);
//! let stats = dir.run("m_stats", [&generate.endpoint(), "-n", "10"]);
//! assert_eq!((stats.code, generate.end().code), (Some(0), Some(0)));
//! ```

#![allow(dead_code, unused_imports, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "only tests use it")]

mod peer;
mod process;

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mflow::Frames;

pub(crate) use peer::{Peers, free_address};
pub(crate) use process::{Finished, Process};

use process::{Family, Record};

/// How long to wait for anything that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A fresh directory, and every command that was started in it.
pub(crate) struct Dir {
    path: PathBuf,
    records: Mutex<Vec<Arc<Record>>>,
}

impl Dir {
    /// Makes a directory of its own for a test; it is removed when this is dropped.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "{}-{}-{number}",
            env!("CARGO_CRATE_NAME"),
            std::process::id()
        ));
        fs::create_dir_all(&path).unwrap();
        Self { path, records: Mutex::default() }
    }

    /// Returns the path of something in the directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, with the folders above it, and returns its path.
    pub(crate) fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs one of the programs to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Finished {
        self.start(program, arguments).end()
    }

    /// Starts one of the programs.
    pub(crate) fn start<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Process {
        let mut command = Command::new(path_of(program));
        command.args(arguments);
        self.start_command(command)
    }

    /// Starts a line of the shell, which finds the programs by their names.
    pub(crate) fn start_shell(&self, script: &str) -> Process {
        let programs = path_of("m_stats");
        let mut paths = vec![programs.parent().unwrap().to_owned()];
        paths.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("PATH", env::join_paths(paths).unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start_family(command, Family::Group)
    }

    /// Runs a line of the shell to its end.
    pub(crate) fn shell(&self, script: &str) -> Finished {
        self.start_shell(script).end()
    }

    /// Runs one of the programs to its end, with an output whose reader has closed it.
    pub(crate) fn run_unread<A: AsRef<OsStr>>(
        &self,
        unread: Unread,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Finished {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(path_of(program));
        command.args(arguments);
        match unread {
            Unread::Stdout => command.stdout(writer).stderr(Stdio::piped()),
            Unread::Stderr => command.stdout(Stdio::piped()).stderr(writer),
        };
        self.start_family(command, Family::Single).end()
    }

    /// Starts any command in the directory.
    pub(crate) fn start_command(&self, mut command: Command) -> Process {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start_family(command, Family::Single)
    }

    fn start_family(&self, mut command: Command, family: Family) -> Process {
        command.current_dir(&self.path).env_remove("RUST_LOG");
        let process = Process::start(command, family);
        self.records.lock().unwrap().push(process.record());
        process
    }

    /// Returns the Python peers; none if they are not installed, which the test should take as
    /// its end. Under CI they have to be there.
    pub(crate) fn peers(&self) -> Option<Peers<'_>> {
        Peers::find(self)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if thread::panicking() {
            for record in self.records.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                eprintln!("{record}");
            }
        }
        // What a test has made unreadable stays in the target folder.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// An output of a program whose pipe is closed before it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unread {
    Stdout,
    Stderr,
}

/// Says that the test at hand cannot run here, which it should take as its end. Under CI that is a
/// failure.
#[track_caller]
pub(crate) fn skip(why: impl Display) {
    assert!(env::var_os("CI").is_none(), "under CI nothing may be skipped: {why}");
    // Not through the macro, whose output a passing test would keep to itself.
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// A message that says its number at both ends.
pub(crate) fn numbered(number: u64, size: usize) -> Frames {
    let header = format!(r#"{{"htype":"raw-1.0","frame":{number}}}"#).into_bytes();
    let mut data = number.to_le_bytes().repeat(size.div_ceil(8));
    data.truncate(size);
    Frames::from([header, data])
}

/// Waits for something without an event, such as a file that another program writes.
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "waiting for {what}: it did not happen in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Returns where a program of this package was built.
pub(crate) fn path_of(program: &str) -> &'static Path {
    Path::new(match program {
        "m_stats" => env!("CARGO_BIN_EXE_m_stats"),
        "m_generate" => env!("CARGO_BIN_EXE_m_generate"),
        "m_dump" => env!("CARGO_BIN_EXE_m_dump"),
        "m_replay" => env!("CARGO_BIN_EXE_m_replay"),
        "m_split" => env!("CARGO_BIN_EXE_m_split"),
        other => panic!("there is no program '{other}'"),
    })
}

/// Returns the folder of a vector.
pub(crate) fn vector(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers/tests/vectors").join(case)
}

/// Returns the path of messages, or files, that were once read wrongly.
pub(crate) fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

/// Returns the names and contents of the `.raw` files of a folder, sorted.
pub(crate) fn recording(folder: impl AsRef<Path>) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("raw")))
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}
