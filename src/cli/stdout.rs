//! Where the programs write their results.

use std::io::{self, StdoutLock, Write};

use crate::printable::printable_lines;

/// The standard output, which no text from a file or from the network controls: each hidden character
/// but the end of a line is written as U+FFFD. JSON has escaped them before.
///
/// What is written at a time is UTF-8, as all that is formatted is.
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
