//! Baseline P: psi-mflow 1.0.0, the original, in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::float;

/// A Python that has psi-mflow.
#[derive(Clone, Debug)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// Finds it in the virtual environment that `MFLOW_PEERS` names, or else in the one that
    /// `tests/run` makes. Where there is none, nothing is compared with it.
    pub(crate) fn find() -> Option<Self> {
        let peers = std::env::var_os("MFLOW_PEERS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"),
            PathBuf::from,
        );
        let python = peers.join("bin/python");
        Command::new(&python)
            .args(["-c", "import mflow.cli.stats"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
            .then_some(Self(python))
    }

    /// Returns a command that runs a tool of the original.
    pub(crate) fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.args(["-u", "-m", &format!("mflow.cli.{name}")]);
        command
    }

    /// Returns its m_generate, sending so many bytes a message.
    pub(crate) fn generate(&self, address: &str, bytes: usize) -> Command {
        // Whole bytes of a fraction of MiB are cut off: half a byte more is on the safe side.
        let mebibytes = (float(bytes as u64) + 0.5) / 1_048_576.0;
        let mut command = self.tool("generate");
        command.args(["-a", address, "-s", &mebibytes.to_string()]);
        command
    }
}
