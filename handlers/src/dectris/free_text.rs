//! [`FreeText`]: a part for people and programs of the site, with unknown content.

use bytes::Bytes;
use serde_json::Value;

use crate::header::{Json, begins_object};
use crate::message::Warning;

/// A part that should be text, and is often JSON, but whose content the sender's site decides.
///
/// ```
/// use mflow_handlers::dectris::FreeText;
///
/// let appendix = FreeText::from("{\"run\": 7}");
/// assert_eq!(appendix.json().unwrap().get("run").unwrap(), 7);
/// assert_eq!(FreeText::from("run 7").json(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeText(Bytes);

impl FreeText {
    /// Returns the bytes of the part.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns the text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the JSON object or list, if it is one. A number or a quoted word is not taken for
    /// JSON, as it may as well be text.
    pub fn json(&self) -> Option<Json> {
        let json = Json::parse(self.0.clone()).ok()?;
        matches!(json.value(), Value::Object(_) | Value::Array(_)).then_some(json)
    }

    /// Returns what is wrong with the part: it is no text, or it begins like a JSON object and is
    /// none. Any other text is accepted without a warning.
    pub(super) fn warning(&self, part: usize) -> Option<Warning> {
        let text = self.text().ok_or(Warning::NotText { part });
        match text.map(|text| begins_object(text.as_bytes())) {
            Err(warning) => Some(warning),
            Ok(false) => None,
            Ok(true) => match self.json() {
                Some(json) => json.warning(part),
                None => Some(Warning::NotJson { part }),
            },
        }
    }
}

impl From<Bytes> for FreeText {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<&str> for FreeText {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<&Json> for FreeText {
    fn from(json: &Json) -> Self {
        Self(json.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_neither_json_nor_text_is_warned_of() {
        for text in [
            "",
            "run 7",
            "[draft] run 7",
            "7",
            "{}",
            " {\"run\": 7}",
            "\u{feff}{}",
            "[1]",
            "\u{e9}",
        ] {
            assert_eq!(FreeText::from(text).warning(5), None, "{text}");
        }
        let bytes = FreeText::from(Bytes::from_static(b"\xff{"));
        assert_eq!(bytes.warning(5), Some(Warning::NotText { part: 5 }));
        assert_eq!(FreeText::from("{'run': 7}").warning(5), Some(Warning::NotJson { part: 5 }));
        let nan = FreeText::from("{\"run\": NaN}");
        assert_eq!(nan.warning(5), Some(Warning::NonNumbers { part: 5 }));
    }
}
