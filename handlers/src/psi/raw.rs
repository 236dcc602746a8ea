//! [`Raw`]: raw-1.0 of PSI, parts that are not interpreted.
//!
//! ```text
//! part 1   {"htype": "raw-1.0", …}
//! part 2   bytes; an empty part stands for a missing value
//! …        as many more of them as there are parts, or none at all
//! ```
//!
//! Source: messages of PSI's mflow. Its m_generate adds `type`, `shape` and `frame` to the header,
//! which describe nothing that is sent.

use bytes::Bytes;

use crate::header::Json;
use crate::message::{DecodeError, EncodeError, Message, Parts, Warning};
use crate::walk::{Visitor, parts};

/// The htype of this format, for errors.
const HTYPE: &str = "raw-1.0";

/// A message raw-1.0: a header and parts of any content.
///
/// ```
/// use mflow_handlers::Raw;
/// use serde_json::json;
///
/// let raw = Raw { header: json!({"htype": "raw-1.0", "frame": 3}).into(), data: vec!["abc".into()] };
/// assert_eq!(raw.encode()?.bytes(), 32);
/// # Ok::<(), mflow_handlers::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// The header, with every key the sender put there.
    pub header: Json,
    /// The parts after the header. An empty one stands for a missing value.
    pub data: Vec<Bytes>,
}

impl Raw {
    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// If the header is missing or not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Ok(Self { header: parts.next_object()?, data: parts.rest().collect() })
    }

    /// Returns what was tolerated in the message: nothing.
    #[expect(clippy::unused_self, reason = "every format has this method")]
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }

    /// Visits the values of the message.
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        visitor.part("header", &self.header);
        visitor.entry("data", &|| parts(&self.data));
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NotAnObject`] if the header is not an object.
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let header = self.header.encode(HTYPE, 1)?;
        Ok(std::iter::once(header).chain(self.data.iter().cloned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_that_was_built_reads_back_equal() {
        let header = Json::from(json!({ "htype": "raw-1.0", "shape": [1, 262.0] }));
        for data in [vec![], vec!["abc".into()], vec![Bytes::new(), "abc".into(), Bytes::new()]] {
            let raw = Raw { header: header.clone(), data };
            assert_eq!(Raw::decode(&mut Parts::new(&raw.encode().unwrap())).unwrap(), raw);
        }
    }

    #[test]
    fn a_header_that_is_no_object_is_an_error() {
        let error = |header: &str| {
            let message = Message::new([Bytes::from(header.to_owned())]);
            Raw::decode(&mut Parts::new(&message)).unwrap_err().to_string()
        };
        assert_eq!(error("[1]"), "part 1 is JSON, but not an object");
        assert_eq!(error("hello"), "part 1 is not valid JSON");
        assert_eq!(error(""), "part 1 is not valid JSON");
    }
}
