//! Peers in Python: programs of others, and users of their libraries.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Dir, Process, skip};

/// The Python that `tests/run` has installed, with the peers in it.
pub(crate) struct Peers<'a> {
    dir: &'a Dir,
    python: PathBuf,
}

impl<'a> Peers<'a> {
    pub(super) fn find(dir: &'a Dir) -> Option<Self> {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/python");
        if python.exists() {
            return Some(Self { dir, python });
        }
        skip("no Python peers in target/peers, see tests/run");
        None
    }

    /// Starts a script of `tests/peers`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        &self,
        script: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Process {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(script);
        let mut command = self.python();
        command.arg(script).args(arguments);
        self.dir.start_command(command)
    }

    /// Starts a module that is a program, as `python -m` does.
    pub(crate) fn start_module<A: AsRef<OsStr>>(
        &self,
        module: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Process {
        let mut command = self.python();
        command.args(["-m", module]).args(arguments);
        self.dir.start_command(command)
    }

    /// Starts a program that is given as text, as `python -c` does.
    pub(crate) fn start_code(&self, code: &str) -> Process {
        let mut command = self.python();
        command.args(["-c", code]);
        self.dir.start_command(command)
    }

    fn python(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// Returns an unused address, for peers that cannot say which one they have chosen.
/// Another process may take it before they do: who uses this tries again.
pub(crate) fn free_address() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("tcp://127.0.0.1:{port}")
}
