//! [`FreeText`]: a part for people and programs of the site, of which nobody knows what is in it.

use bytes::Bytes;
use serde_json::Value;

use crate::json::Json;

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
