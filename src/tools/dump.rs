//! m_dump: messages to a folder, or as text to look at.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use super::run::Run;
use super::{Ending, Limits, Observer, Progress};
use crate::recording::FolderWriter;
use crate::{Event, Frame, Frames, Result, Source, Stop, WaitSet};

/// How many bytes of a part are shown where it is not text.
const SHOWN: usize = 64;

/// What to do with the messages.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder to write them to; as text to the output where there is none.
    pub folder: Option<PathBuf>,
    /// How many parts of each message to keep, all where it is `None`.
    pub keep_parts: Option<usize>,
    /// What to do with a folder that holds a recording already.
    pub existing: Existing,
    /// When to end.
    pub limits: Limits,
}

/// What to do with a folder that holds a recording already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuses it.
    #[default]
    Refuse,
    /// Goes on after its highest number.
    Append,
}

/// What was dumped.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// How many messages.
    pub messages: u64,
    /// Their bytes, all parts together.
    pub bytes: u64,
    /// What ended the run.
    pub ending: Ending,
}

/// Dumps what comes from a source.
///
/// # Errors
/// Where the source, the folder or the output fails.
pub fn run(
    source: &mut dyn Source,
    options: &Options,
    stop: &Stop,
    out: &mut dyn Write,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let mut target = Target::open(options, out)?;
    let mut run = Run::new(options.limits, stop);
    let mut bytes = 0;
    let ending = loop {
        match source.poll()? {
            Event::Message(received) => {
                target.write(run.messages(), &received.frames)?;
                bytes += received.frames.bytes() as u64;
                let now = Instant::now();
                run.count(1, now);
                observer.progress(Progress {
                    messages: run.messages(),
                    bytes,
                    total: options.limits.count,
                });
                if let Some(ending) = run.ending(now) {
                    break ending;
                }
            }
            Event::End => break Ending::SourceEnded,
            Event::Idle => {
                let mut set = WaitSet::new();
                source.readiness(&mut set);
                if let Some(ending) = run.wait(set, source.name())? {
                    break ending;
                }
            }
        }
    };
    target.finish()?;
    Ok(Summary { messages: run.messages(), bytes, ending })
}

/// Where the messages go.
enum Target<'a> {
    Folder(FolderWriter),
    Text { out: &'a mut dyn Write, keep: usize },
}

impl<'a> Target<'a> {
    fn open(options: &Options, out: &'a mut dyn Write) -> Result<Self> {
        let keep = options.keep_parts.unwrap_or(usize::MAX);
        let Some(folder) = &options.folder else {
            return Ok(Self::Text { out, keep });
        };
        let writer = match options.existing {
            Existing::Refuse => FolderWriter::create(folder)?,
            Existing::Append => FolderWriter::append(folder)?,
        };
        Ok(Self::Folder(writer.keep_parts(keep)))
    }

    fn write(&mut self, number: u64, frames: &Frames) -> Result<()> {
        match self {
            Self::Folder(writer) => writer.write(frames),
            Self::Text { out, keep } => {
                for (part, frame) in frames.iter().enumerate().take(*keep) {
                    show(number, part, frame, *out)?;
                }
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Text { out, .. } => Ok(out.flush()?),
        }
    }
}

/// Prints one part as a line: message, part, bytes, and JSON as text or the first bytes in hex.
/// Nothing that could upset a terminal gets out.
fn show(number: u64, part: usize, frame: &Frame, out: &mut dyn Write) -> Result<()> {
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

/// Returns the text of a JSON object or array on one line; none where it is not that.
fn json_text(bytes: &[u8]) -> Option<String> {
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    // Control characters of valid JSON stand between its words only; those beyond ASCII, and
    // characters that reorder text, may stand in its strings.
    Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
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
    fn everything_else_is_shown_in_hex() {
        assert_eq!(shown(b""), "     3   1          0  \n");
        assert_eq!(shown(b"\x1b[2J"), "     3   1          4  1b5b324a\n");
        assert_eq!(shown(b"{\x1b}"), "     3   1          3  7b1b7d\n");
        assert_eq!(shown(&[7; 65]), format!("     3   1         65  {}…\n", "07".repeat(64)));
    }
}
