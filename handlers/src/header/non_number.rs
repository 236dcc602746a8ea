//! NaN, Infinity and -Infinity, which Python's `json` writes where a float is no number, and which
//! JSON does not have. They are read as null.

use serde_json::error::Category;

/// What Python writes.
const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Returns the text with null in place of every float that is no number, if it was one of them on
/// which reading the text failed. Whether it is valid JSON then is for a reader to say.
///
/// A text that fails otherwise is not looked at beyond the place where it failed.
pub(crate) fn replaced(text: &[u8], error: &serde_json::Error) -> Option<Box<[u8]>> {
    let fault = text.get(offset(text, error)?..)?;
    word(fault).filter(|_| error.classify() == Category::Syntax)?;

    let mut valid = Vec::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    let mut is_string = false;
    while let Some((&byte, behind)) = rest.split_first() {
        match (is_string, word(rest)) {
            (false, Some(word)) => {
                valid.extend(b"null");
                rest = &rest[word.len()..];
                continue;
            }
            (true, _) if byte == b'\\' => {
                let (escape, behind) = rest.split_at(rest.len().min(2));
                valid.extend(escape);
                rest = behind;
                continue;
            }
            _ => is_string ^= byte == b'"',
        }
        valid.push(byte);
        rest = behind;
    }
    Some(valid.into())
}

/// Returns the word with which a text begins.
fn word(text: &[u8]) -> Option<&'static [u8]> {
    WORDS.into_iter().find(|word| text.starts_with(word))
}

/// Returns where in the text an error is. In -Infinity it is behind the sign.
fn offset(text: &[u8], error: &serde_json::Error) -> Option<usize> {
    let start = match error.line().checked_sub(2) {
        None => 0,
        Some(lines) => {
            let mut ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            ends.nth(lines)?.0 + 1
        }
    };
    start.checked_add(error.column().checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn replace(text: &str) -> Option<String> {
        let error = serde_json::from_str::<Value>(text).unwrap_err();
        let valid = replaced(text.as_bytes(), &error)?;
        Some(String::from_utf8(valid.into()).unwrap())
    }

    #[test]
    fn every_float_that_is_no_number_becomes_null() {
        let text = "{\"a\":NaN,\n\"b\" : [Infinity, -Infinity,1],\n\n \"c\":NaN}";
        let expected = "{\"a\":null,\n\"b\" : [null, null,1],\n\n \"c\":null}";
        assert_eq!(replace(text).unwrap(), expected);
        assert_eq!(replace("{\n\n\"a\":-Infinity}").unwrap(), "{\n\n\"a\":null}");
        assert_eq!(replace("NaN").unwrap(), "null");
    }

    #[test]
    fn texts_and_keys_are_left_alone() {
        let text = r#"{"NaN":"NaN","\"Infinity":"\\","x":"\\\"NaN","y":NaN,"z":"-Infinity"}"#;
        let expected = text.replace(r#""y":NaN"#, r#""y":null"#);
        assert_eq!(replace(text), Some(expected));
    }

    #[test]
    fn what_fails_otherwise_is_not_touched() {
        for text in ["", "{", "{\"a\":nan,\"b\":NaN}", "{\"a\":NaB}", "{\"a\" NaN}x", "\"NaN"] {
            let other =
                replace(text).is_none_or(|valid| serde_json::from_str::<Value>(&valid).is_err());
            assert!(other, "{text}");
        }
        assert_eq!(replace("{\"a\":x,\"b\":NaN}"), None);
        assert_eq!(replace("{\"a\":NaN\\").unwrap(), "{\"a\":null\\");
    }
}
