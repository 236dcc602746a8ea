//! [`TextWriter`]: messages as text to look at.

use std::io::{self, Write};
use std::time::Duration;

use mflow_handlers::without_byte_order_mark;

use crate::endpoint::{Offer, Received, Report, Sink, Unconfirmed, WaitSet};
use crate::error::Result;
use crate::frame::Frame;
use crate::printable::{is_hidden, printable};
use crate::tools::Error;

/// How many bytes of a part are shown if it is not text.
const SHOWN: usize = 64;

/// Messages as text to look at, a line for each part: message, part, bytes, and JSON as text or the
/// first bytes in hex.
///
/// ```
/// use mflow::tools::dump::TextWriter;
/// let mut text = Vec::new();
/// let writer = TextWriter::new(&mut text);
/// ```
pub struct TextWriter<W> {
    out: W,
    number: u64,
    /// How wide the labels of the sources are, if they are shown.
    labels: Option<usize>,
}

impl<W: Write> TextWriter<W> {
    /// Makes a writer that shows messages from number 0 on.
    pub fn new(out: W) -> Self {
        Self { out, number: 0, labels: None }
    }

    /// Begins each line with the label of the message's source, in this many columns.
    #[must_use]
    pub fn with_labels(mut self, columns: usize) -> Self {
        self.labels = Some(columns);
        self
    }

    fn write(&mut self, message: &Received) -> io::Result<()> {
        for (part, frame) in message.frames.iter().enumerate() {
            if let Some(columns) = self.labels {
                write!(self.out, "{:columns$}  ", printable(message.origin.label()))?;
            }
            show(self.number, part, frame, &mut self.out)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Sink for TextWriter<W> {
    fn name(&self) -> &'static str {
        "the output"
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        self.write(message).map_err(Error::output)?;
        self.number += 1;
        Ok(Offer::Taken)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.ready();
    }

    // It fails only in an offer.
    fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    fn report(&self) -> Report {
        Report::default()
    }

    fn finish(mut self: Box<Self>, _patience: Duration) -> Result<Unconfirmed> {
        self.out.flush().map_err(Error::output)?;
        Ok(Unconfirmed::Count(0))
    }
}

/// Prints one part as a line, without anything that could upset a terminal.
fn show(number: u64, part: usize, frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
    let bytes = frame.as_ref();
    write!(out, "{number:>6} {part:>3} {:>10}  ", bytes.len())?;
    match json_text(bytes) {
        Some(text) => writeln!(out, "{text}")?,
        None => {
            for byte in bytes.iter().take(SHOWN) {
                write!(out, "{byte:02x}")?;
            }
            writeln!(out, "{}", if bytes.len() > SHOWN { "…" } else { "" })?;
        }
    }
    Ok(())
}

/// Returns the text of JSON on one line; none if it is not that.
fn json_text(bytes: &[u8]) -> Option<String> {
    let bytes = without_byte_order_mark(bytes);
    // Other JSON does not begin with the most frequent bytes of binary data.
    if !matches!(bytes.first(), Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
    {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    // Control characters of valid JSON are between its tokens only; those beyond ASCII, and
    // characters that reorder text, may stand in its strings.
    Some(text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        show(3, 1, &Frame::from(bytes), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_shown_as_text_on_one_line() {
        assert_eq!(
            shown(b"{\"htype\": \"raw-1.0\",\n \"x\": 1}"),
            "     3   1         29  {\"htype\": \"raw-1.0\",  \"x\": 1}\n"
        );
    }

    #[test]
    fn what_upsets_a_terminal_or_reorders_text_is_blank() {
        for bad in [
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2069}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e0001}',
            '\u{e007f}',
        ] {
            let text = format!("[\"a{bad}b\"]");
            let line = shown(text.as_bytes());
            assert_eq!(line, format!("     3   1 {:>10}  [\"a b\"]\n", text.len()), "{bad:?}");
        }
        let harmless = "[\"µm, 0 °C, 検出器, 🔬\"]";
        assert!(shown(harmless.as_bytes()).ends_with(&format!("  {harmless}\n")));
    }

    #[test]
    fn any_json_is_text() {
        for json in ["\"no object\"", "-1.5e3", "12345", "true", "null", "[1, 2]"] {
            assert_eq!(shown(json.as_bytes()), format!("     3   1 {:>10}  {json}\n", json.len()));
        }
        assert_eq!(shown(b"nil"), "     3   1          3  6e696c\n");
    }

    #[test]
    fn json_behind_a_byte_order_mark_is_text() {
        assert_eq!(shown("\u{feff}{}".as_bytes()), "     3   1          5  {}\n");
    }

    #[test]
    fn everything_else_is_shown_in_hex() {
        assert_eq!(shown(b""), "     3   1          0  \n");
        assert_eq!(shown(b"\x1b[2J"), "     3   1          4  1b5b324a\n");
        assert_eq!(shown(b"{\x1b}"), "     3   1          3  7b1b7d\n");
        assert_eq!(shown(&[7; 65]), format!("     3   1         65  {}…\n", "07".repeat(64)));
    }
}
