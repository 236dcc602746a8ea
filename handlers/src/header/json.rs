//! [`Json`]: a JSON part, its text and its value. The formats know which fields it should have.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::Value;

use super::byte_order_mark::without_byte_order_mark;
use super::field::Valid;
use super::non_number;
use super::outline::Outline;
use super::peek::Peek;

/// A JSON part of a message: its text as it was received, and its value.
///
/// The whole text is checked when it is parsed; the value is built on first use, because most
/// messages are decoded for their binary parts. Until the value is edited, the part is encoded to
/// its original bytes. Two are equal if their values are.
///
/// `NaN`, `Infinity` and `-Infinity`, which Python writes and JSON does not have, are read as null. A
/// byte order mark before the text is skipped.
///
/// ```
/// use bytes::Bytes;
/// use mflow_handlers::Json;
/// use serde_json::json;
///
/// let mut header = Json::parse(Bytes::from_static(b"{ \"frame\" : 7 }"))?;
/// assert_eq!(header.get("frame"), Some(&json!(7)));
/// assert_eq!(header.to_bytes(), "{ \"frame\" : 7 }");
///
/// header.value_mut()["frame"] = json!(8);
/// assert_eq!(header.to_bytes(), "{\"frame\":8}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Json(State);

#[derive(Clone)]
enum State {
    /// The text was checked; its value is built when it is asked for.
    Received {
        text: Bytes,
        /// The text with null in place of floats that are no numbers, if there were any.
        valid: Option<Box<[u8]>>,
        value: OnceLock<Box<Value>>,
    },
    /// The text is no JSON, and kept as it is if the format can do without it.
    Unreadable(Bytes),
    /// The value was built or edited here, so there is no text.
    Edited(Box<Value>),
}

impl Json {
    /// Takes a part that should be JSON.
    ///
    /// # Errors
    ///
    /// What is wrong in the text, if it is not JSON in UTF-8.
    pub fn parse(text: Bytes) -> Result<Self, serde_json::Error> {
        let readable = without_byte_order_mark(&text);
        let valid = match serde_json::from_slice::<Valid>(readable) {
            Ok(Valid) => None,
            Err(error) => match non_number::replaced(readable, &error) {
                Some(valid) if serde_json::from_slice::<Valid>(&valid).is_ok() => Some(valid),
                _ => return Err(error),
            },
        };
        Ok(Self::checked(text, valid))
    }

    /// Makes it from a part that was checked already, with the text to read in place of it, if it
    /// has floats that are no numbers.
    pub(crate) fn checked(text: Bytes, valid: Option<Box<[u8]>>) -> Self {
        Self(State::Received { text, valid, value: OnceLock::new() })
    }

    /// Makes it from a part that should be JSON. Anything else reads as null.
    pub(crate) fn parse_or_keep(text: Bytes) -> Self {
        Self::parse(text.clone()).unwrap_or(Self(State::Unreadable(text)))
    }

    /// Returns whether the text has floats that are no numbers, which JSON does not have and which
    /// read as null.
    pub fn has_non_numbers(&self) -> bool {
        matches!(self.0, State::Received { valid: Some(_), .. })
    }

    /// Returns the value.
    pub fn value(&self) -> &Value {
        match &self.0 {
            State::Received { text, valid, value } => {
                value.get_or_init(|| build(readable(text, valid.as_deref())))
            }
            State::Unreadable(_) => &Value::Null,
            State::Edited(value) => value,
        }
    }

    /// Returns the value for editing; the original text is forgotten.
    pub fn value_mut(&mut self) -> &mut Value {
        if !matches!(self.0, State::Edited(_)) {
            self.value();
            let built = match &mut self.0 {
                State::Received { value, .. } => value.take(),
                _ => None,
            };
            self.0 = State::Edited(built.unwrap_or_default());
        }
        match &mut self.0 {
            State::Edited(value) => value,
            _ => unreachable!("the state was changed in the lines before"),
        }
    }

    /// Returns a field of the value, if it is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value().get(key)
    }

    /// Returns whether the part stands for nothing: it is empty, or null.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.to_bytes().trim_ascii(), b"" | b"null")
    }

    /// Returns whether the value is an object.
    pub fn is_object(&self) -> bool {
        match &self.0 {
            State::Received { text, .. } => begins_object(text),
            State::Unreadable(_) => false,
            State::Edited(value) => value.is_object(),
        }
    }

    /// Reads htype, series and frame, if the value is an object that has them.
    pub fn peek(&self) -> Peek<'_> {
        self.outline().into()
    }

    /// Reads the fields that formats share, if the value is an object that has them.
    pub(crate) fn outline(&self) -> Outline<'_> {
        match &self.0 {
            State::Received { text, valid, .. } => Outline::of(readable(text, valid.as_deref())).0,
            State::Unreadable(_) => Outline::default(),
            State::Edited(value) => Outline::read(&**value).0,
        }
    }

    /// Returns the part: the text as received, or the value as compact text if it was edited.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            State::Received { text, .. } | State::Unreadable(text) => text.clone(),
            State::Edited(value) => value.to_string().into(),
        }
    }

    /// Returns whether the value was built or edited, so that it has no received text.
    pub(crate) fn is_edited(&self) -> bool {
        matches!(self.0, State::Edited(_))
    }
}

/// Returns the text to read: without a byte order mark, and with null in place of NaN and
/// infinities.
fn readable<'a>(text: &'a [u8], valid: Option<&'a [u8]>) -> &'a [u8] {
    valid.unwrap_or_else(|| without_byte_order_mark(text))
}

/// Returns whether a text begins as a JSON object does.
pub(crate) fn begins_object(text: &[u8]) -> bool {
    without_byte_order_mark(text).trim_ascii_start().starts_with(b"{")
}

/// Builds the value of a text that was checked.
fn build(text: &[u8]) -> Box<Value> {
    Box::new(serde_json::from_slice(text).expect("the text was checked when it was parsed"))
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(State::Edited(Box::new(value)))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (State::Received { text: left, .. }, State::Received { text: right, .. })
                if left == right =>
            {
                true
            }
            (State::Unreadable(left), State::Unreadable(right)) => left == right,
            (State::Unreadable(_), _) | (_, State::Unreadable(_)) => false,
            _ => self.value() == other.value(),
        }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &'static str) -> Json {
        Json::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn an_unedited_part_keeps_its_text() {
        let part = parse(" {\"a\" : 1.50, \"a\":2e0}\n");
        assert_eq!(part.value(), &json!({"a": 2.0}));
        assert_eq!(part.to_bytes(), " {\"a\" : 1.50, \"a\":2e0}\n");
    }

    #[test]
    fn an_edited_part_forgets_its_text() {
        let mut part = parse("{\"b\" : 1, \"a\" : 2}");
        part.value_mut()["b"] = json!(3);
        assert_eq!(part.to_bytes(), r#"{"b":3,"a":2}"#);
        assert_eq!(part.peek(), Peek::default());
    }

    #[test]
    fn parts_are_equal_by_value() {
        assert_eq!(parse("{\"a\":1,\"b\":2}"), Json::from(json!({"b": 2, "a": 1})));
        assert_ne!(parse("{\"a\":1}"), parse("{\"a\":2}"));
    }

    #[test]
    fn what_no_value_can_be_built_of_is_refused_when_parsed() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let texts: [&[u8]; 9] = [
            b"",
            b"{\"a\":1e999}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\xff\"}",
            b"{\"\xff\":1}",
            b"{} {}",
            b"{\"a\":NaN,}",
            b"{\"a\":nan}",
            deep.as_bytes(),
        ];
        for text in texts {
            assert!(Json::parse(Bytes::copy_from_slice(text)).is_err(), "{text:?}");
            assert!(serde_json::from_slice::<Value>(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn floats_that_are_no_numbers_read_as_null_and_are_sent_as_they_came() {
        let text = "{\"frame\":NaN, \"x\":[-Infinity,1.5], \"series\":3, \"text\":\"NaN\"}";
        let mut part = parse(text);
        assert!(part.has_non_numbers());
        assert_eq!(part.peek(), Peek { series: Some(3), ..Peek::default() });
        let expected = json!({"frame": null, "x": [null, 1.5], "series": 3, "text": "NaN"});
        assert_eq!(part.value(), &expected);
        assert_eq!(part.to_bytes(), text);
        assert_eq!(part.encode("a-1.0", 1).unwrap(), text);
        assert_eq!(part, Json::from(expected.clone()));
        part.value_mut();
        assert_eq!(part.to_bytes(), expected.to_string());
        assert!(!part.has_non_numbers());
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_sent_unchanged() {
        for text in ["{\"frame\":3}", "{\"frame\":3, \"x\":NaN}"] {
            let marked = format!("\u{feff}{text}");
            let part = Json::parse(marked.clone().into()).unwrap();
            assert_eq!((part.value(), part.is_object()), (parse(text).value(), true));
            assert_eq!(
                (part.peek(), part.warning(1)),
                (parse(text).peek(), parse(text).warning(1))
            );
            assert_eq!(part.encode("a-1.0", 1).unwrap(), marked);
        }
        assert!(Json::parse("\u{feff}\u{feff}{}".into()).is_err());
    }

    #[test]
    fn what_is_no_json_may_be_kept() {
        let mut part = Json::parse_or_keep("{ \"a\"".into());
        assert_eq!((part.value(), part.is_object()), (&Value::Null, false));
        assert_eq!(part.to_bytes(), "{ \"a\"");
        assert_eq!(part.encode_or_keep("a-1.0", 2).unwrap(), "{ \"a\"");
        assert!(part.encode("a-1.0", 2).is_err());
        assert_eq!(part, Json::parse_or_keep("{ \"a\"".into()));
        assert_ne!(part, Json::parse_or_keep("{".into()));
        assert_ne!(part, Json::from(Value::Null));
        *part.value_mut() = json!({"a": 1});
        assert_eq!(part.encode_or_keep("a-1.0", 2).unwrap(), r#"{"a":1}"#);
    }

    #[test]
    fn peek_reads_an_edited_value() {
        let part = Json::from(json!({"htype": "a-1.0", "series": 3}));
        assert_eq!(
            part.peek(),
            Peek { htype: Some("a-1.0".into()), series: Some(3), ..Peek::default() }
        );
    }

    #[test]
    fn only_objects_that_read_back_are_encoded() {
        let error = |part: &Json| part.encode("a-1.0", 2).unwrap_err().to_string();
        assert_eq!(error(&parse("[1]")), "part 2 of 'a-1.0' must be a JSON object");
        assert_eq!(error(&Json::from(json!(7))), "part 2 of 'a-1.0' must be a JSON object");
        let deep = (0..200).fold(json!({}), |value, _| json!({ "a": value }));
        assert_eq!(error(&Json::from(deep)), "part 2 of 'a-1.0' would not be valid JSON");
    }

    #[test]
    fn floats_read_back_equal() {
        for number in [0.1 + 0.2, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 1e23] {
            let part = Json::from(json!({ "x": number }));
            assert_eq!(Json::parse(part.to_bytes()).unwrap(), part);
        }
    }
}
