//! The C library of bitshuffle in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Result;

/// A Python that has bitshuffle, and answers. It ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The instructions that the library uses.
    pub(crate) instructions: String,
}

/// What is decoded.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    /// Bytes of an element.
    pub(crate) element: usize,
    /// How many elements it makes.
    pub(crate) count: usize,
    /// Elements of a block.
    pub(crate) block: usize,
    pub(crate) bytes: &'a [u8],
}

impl Peer {
    /// Starts it in the virtual environment that `MFLOW_PEERS` names, or else in the one that
    /// `tests/run` makes.
    pub(crate) fn start() -> Result<Self> {
        let peers = std::env::var_os("MFLOW_PEERS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers"),
            PathBuf::from,
        );
        let mut child = Command::new(peers.join("bin/python"))
            .args(["-c", include_str!("bitshuffle.py")])
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("the input is not a pipe")?;
        let output = BufReader::new(child.stdout.take().ok_or("the output is not a pipe")?);
        let mut peer = Self { child, input, output, instructions: String::new() };
        peer.instructions = peer.answer()?;
        Ok(peer)
    }

    /// Gives it something to decode.
    pub(crate) fn load(&mut self, source: &Source<'_>) -> Result<()> {
        let Source { name, element, count, block, bytes } = source;
        writeln!(self.input, "load {name} {element} {count} {block} {}", bytes.len())?;
        self.input.write_all(bytes)?;
        self.input.flush()?;
        self.answer().map(drop)
    }

    /// Returns the seconds that the fastest of some times took.
    pub(crate) fn run(&mut self, command: &str, name: &str, times: usize) -> Result<f64> {
        writeln!(self.input, "{command} {name} {times}")?;
        self.input.flush()?;
        Ok(self.answer()?.parse()?)
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err("the Python with bitshuffle has ended".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
