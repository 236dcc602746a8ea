//! The output of the programs for their results.

use std::io::{self, StdoutLock, Write};

use crate::printable::printable_lines;

/// The standard output. Text from a file or from the network cannot control the terminal: each
/// hidden character except a line end is written as U+FFFD. In JSON they are escaped before.
///
/// Each write is whole UTF-8, as formatted text is.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

/// Returns the standard output.
#[must_use]
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

impl Stdout {
    /// Returns how many characters fit into a line; none if it is no terminal.
    #[must_use]
    pub fn columns(&self) -> Option<u16> {
        super::columns(&self.0)
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_printable(bytes, &mut self.0.lock())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn write_printable(bytes: &[u8], out: &mut StdoutLock<'_>) -> io::Result<()> {
    out.write_all(printable_lines(&String::from_utf8_lossy(bytes)).as_bytes())
}
