//! [`JsonWriter`]: messages as lines of JSON, for other programs.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use mflow_handlers::{Canonical, Message, Registry};
use serde::Serialize;
use serde_json::{Value, json};

use crate::endpoint::{Offer, Received, Report, Sink, Unconfirmed, WaitSet};
use crate::error::Result;
use crate::printable::printable_json;
use crate::routing::Strays;
use crate::tools::Error;

/// How much of a message is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonContent {
    /// Its htype and the bytes of its parts.
    #[default]
    Outline,
    /// Also its decoded content, as [canonical](mflow_handlers::canonical()) JSON.
    Decoded,
}

/// Messages as JSON, a line for each, numbered from 0 as they are received.
///
/// ```text
/// {"index": 0, "htype": "raw-1.0", "parts": [58, 16]}
/// {"index": 1, "htype": null, "parts": [3], "decoded": {…}}
/// ```
///
/// A message that cannot be decoded has its line too: `decoded` holds its `error`, and it is
/// counted as damaged. So is a message with an image, a table, an array or a channel that cannot be
/// read; null or the error is in its place. Characters that might upset a terminal are escaped.
///
/// ```
/// use mflow::tools::dump::{JsonContent, JsonWriter};
/// let writer = JsonWriter::new(Vec::new(), JsonContent::Decoded);
/// ```
pub struct JsonWriter<W> {
    out: W,
    content: JsonContent,
    handlers: Registry,
    index: u64,
    damaged: u64,
    has_labels: bool,
}

/// The fields of a line, in this order.
#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    htype: Option<Cow<'a, str>>,
    parts: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded: Option<Value>,
}

/// Writes the last line: the counts of messages of other series than the expected one.
///
/// ```text
/// {"strays": {"starts": 0, "images": 3, "ends": 1}}
/// ```
///
/// # Errors
/// If the output fails.
pub fn write_strays(strays: &Strays, out: &mut dyn Write) -> Result<()> {
    let line = json!({ "strays": strays });
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::output)
}

impl<W: Write> JsonWriter<W> {
    /// Makes a writer with the decoders of this crate.
    pub fn new(out: W, content: JsonContent) -> Self {
        Self {
            out,
            content,
            handlers: Registry::default(),
            index: 0,
            damaged: 0,
            has_labels: false,
        }
    }

    /// Decodes with these handlers rather than with those of this crate.
    #[must_use]
    pub fn with_handlers(mut self, handlers: Registry) -> Self {
        self.handlers = handlers;
        self
    }

    /// Adds the label of the message's source to each line, after the index.
    #[must_use]
    pub fn with_labels(mut self) -> Self {
        self.has_labels = true;
        self
    }
}

impl<W: Write + Send> Sink for JsonWriter<W> {
    fn name(&self) -> &'static str {
        "the output"
    }

    fn offer(&mut self, received: &Received) -> Result<Offer> {
        let message = Message::from(received.frames.clone());
        let decoded = match self.content {
            JsonContent::Outline => None,
            JsonContent::Decoded => {
                let data = self.handlers.decode(message.clone());
                let Canonical { json, is_whole } = Canonical::of(&data);
                self.damaged += u64::from(!is_whole);
                Some(json)
            }
        };
        let source = self.has_labels.then(|| received.origin.label());
        let parts = message.parts().iter().map(bytes::Bytes::len).collect();
        let line = Line { index: self.index, source, htype: message.htype(), parts, decoded };
        let text = serde_json::to_string(&line).map_err(io::Error::from);
        let written =
            text.and_then(|text| self.out.write_all((printable_json(text) + "\n").as_bytes()));
        written.map_err(Error::output)?;
        self.index += 1;
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
        Report { damaged: self.damaged, ..Report::default() }
    }

    fn finish(mut self: Box<Self>, _patience: Duration) -> Result<Unconfirmed> {
        self.out.flush().map_err(Error::output)?;
        Ok(Unconfirmed::Count(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mflow_handlers::DecodeError;

    use crate::endpoint::{Origin, Timestamp};
    use crate::frame::Frames;

    fn written(content: JsonContent, messages: &[&[&str]]) -> (String, u64) {
        let mut out = Vec::new();
        let mut writer = JsonWriter::new(&mut out, content);
        for parts in messages {
            let frames =
                parts.iter().map(|part| part.as_bytes()).map(crate::frame::Frame::from).collect();
            let frames: Frames = frames;
            let (time, origin) = (Timestamp::now(), Origin::new("test"));
            writer.offer(&Received { frames, time, origin }).unwrap();
        }
        let damaged = writer.report().damaged;
        (String::from_utf8(out).unwrap(), damaged)
    }

    #[test]
    fn a_line_tells_htype_and_parts_in_this_order() {
        let messages: [&[&str]; 2] = [&[r#"{"htype":"raw-1.0"}"#, "abc"], &["x", ""]];
        let expected = "{\"index\":0,\"htype\":\"raw-1.0\",\"parts\":[19,3]}\n\
                        {\"index\":1,\"htype\":null,\"parts\":[1,0]}\n";
        assert_eq!(written(JsonContent::Outline, &messages), (expected.into(), 0));
    }

    #[test]
    fn a_message_that_cannot_be_decoded_has_its_line_and_the_next_one_too() {
        let messages: [&[&str]; 2] = [&["{", "abc"], &[r#"{"htype":"raw-1.0"}"#]];
        let (text, damaged) = written(JsonContent::Decoded, &messages);
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines[0]["decoded"]["error"].is_string(), "{text}");
        assert_eq!(
            lines[1]["decoded"],
            serde_json::json!({
                "header": {"htype": "raw-1.0"}, "data": []
            })
        );
        assert_eq!((lines.len(), damaged), (2, 1));
    }

    #[test]
    fn what_upsets_a_terminal_is_escaped_and_reads_back_the_same() {
        let header = "{\"htype\":\"raw-1.0\",\"x\":\"a\u{9b}\u{202e}\u{e0001}µ\"}";
        let (text, _) = written(JsonContent::Decoded, &[&[header]]);
        assert!(text.contains(r#""a\u009b\u202e\udb40\udc01µ""#), "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["decoded"]["header"]["x"], "a\u{9b}\u{202e}\u{e0001}µ");
    }

    #[test]
    fn a_line_tells_what_handlers_of_the_users_own_say() {
        let mut handlers = Registry::default();
        handlers.register("my-1.0", |_| Err(DecodeError::other("mine")));
        let mut out = Vec::new();
        let mut writer = JsonWriter::new(&mut out, JsonContent::Decoded).with_handlers(handlers);
        let frames = Frames::from([&br#"{"htype":"my-1.0"}"#[..]]);
        let (time, origin) = (Timestamp::now(), Origin::new("test"));
        writer.offer(&Received { frames, time, origin }).unwrap();
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["decoded"]["error"], "mine");
    }
}
