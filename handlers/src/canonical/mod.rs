//! [`canonical`]: a decoded message as JSON, for people and for comparisons.
//!
//! ```text
//! an array         {"dtype": "uint16", "shape": [slow, …, fast], "nbytes": n, "sha256": "…"}
//!                  and "values" (nested lists) if it has 64 elements or fewer
//! bytes            {"bytes_hex": "…"} up to 64 of them, else {"bytes_len": n, "sha256": "…"}
//! a missing value  null
//! no number        {"float": "nan" | "inf" | "-inf"}
//! a complex one    {"re": 1.0, "im": 2.0}
//! ```
//!
//! The hash of an array is computed from its bytes in C order and little endian, in whatever order
//! they were sent. `"warnings"` is present when something was tolerated.

pub mod arrays;

use serde_json::Value;

use crate::data::Data;
use crate::walk::Builder;

pub use arrays::NamedArray;

/// Returns a decoded message as canonical JSON.
///
/// ```
/// use mflow_handlers::{Array, ArrayMessage, canonical};
///
/// let data = ArrayMessage::new(Array::from_elements(&[1_u8, 2], &[2])?).into();
/// assert_eq!(canonical(&data)["data"][0]["values"], serde_json::json!([1, 2]));
/// # Ok::<(), mflow_handlers::ArrayError>(())
/// ```
pub fn canonical(data: &Data) -> Value {
    Canonical::of(data).json
}

/// A decoded message as [`canonical`] JSON, and whether all of it could be read.
///
/// ```
/// use mflow_handlers::{Canonical, Message, Registry};
///
/// let data = Registry::default().decode(Message::new(["{".into()]));
/// let canonical = Canonical::of(&data);
/// assert_eq!(canonical.json["error"].as_str().unwrap().split(':').next(), Some("part 1 is not valid JSON"));
/// assert!(!canonical.is_whole);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical {
    /// The JSON.
    pub json: Value,
    /// Whether the message could be decoded, and every image, table, array and value of a channel
    /// be read. [`Data::arrays`] returns the errors of those that could not. A value of a wrong
    /// type that holds no array is shown as it was sent, with a warning: that counts as whole.
    pub is_whole: bool,
}

impl Canonical {
    /// Reads all of a message.
    pub fn of(data: &Data) -> Self {
        let mut warnings: Vec<_> = data.warnings().iter().map(ToString::to_string).collect();
        let mut builder = Builder::default();
        data.walk(&mut builder);
        warnings.extend(builder.take_warnings());
        let is_whole = builder.is_whole() && !matches!(data, Data::Broken(_));
        let mut json = builder.finish();
        if !warnings.is_empty() {
            json["warnings"] = warnings.into();
        }
        Self { json, is_whole }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use bytes::Bytes;

    use super::*;
    use crate::registry::Registry;

    fn decoded(parts: &[&str]) -> Value {
        let message = parts.iter().map(|part| Bytes::from((*part).to_owned())).collect();
        canonical(&Registry::default().decode(message))
    }

    #[test]
    fn a_message_that_was_not_decoded_shows_its_parts() {
        assert_eq!(
            decoded(&[r#"{"htype":"x-1.0"}"#, "ab", ""]),
            json!({"header": {"htype": "x-1.0"}, "data": [{"bytes_hex": "6162"}, null]})
        );
        assert_eq!(decoded(&["ab"]), json!({"header_raw": {"bytes_hex": "6162"}, "data": []}));
        assert_eq!(decoded(&[]), json!({"data": [], "error": "the message has no parts"}));
        assert_eq!(
            decoded(&[r#"{"htype":"array-1.0","type":"u1"}"#, "ab"]),
            json!({
                "header": {"htype": "array-1.0", "type": "u1"},
                "data": [{"bytes_hex": "6162"}],
                "error": "part 2 of 'array-1.0' is not the array its header describes: \
                          expected 1 bytes of uint8 in shape [], found 2",
            })
        );
    }

    #[test]
    fn warnings_are_there_when_something_was_tolerated() {
        let decoded = decoded(&[r#"{"htype":"dseries_end-1.0","series":4}"#, "more"]);
        assert_eq!(
            decoded,
            json!({
                "header": {"htype": "dseries_end-1.0", "series": 4},
                "extra": [{"bytes_hex": "6d6f7265"}],
                "warnings": ["expected at most 1 parts, found 2"],
            })
        );
    }

    #[test]
    fn a_custom_value_shows_its_type() {
        assert_eq!(canonical(&Data::custom(7_u8)), json!({"custom": "u8"}));
    }
}
