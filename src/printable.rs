//! Makes text from files and from the network safe to print: it cannot control a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns whether a character is invisible and may upset a terminal, or changes how other
/// characters are shown: it joins, hides, breaks or reorders them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0001}'..='\u{e007f}')
}

/// Returns a text on one line, with U+FFFD in place of each hidden character.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    without(text, is_hidden)
}

/// Returns a text as [`printable`] does, but with its lines.
#[cfg(feature = "cli")]
pub(crate) fn printable_lines(text: &str) -> Cow<'_, str> {
    without(text, |c| c != '\n' && is_hidden(c))
}

fn without(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let shown = |c| if is_bad(c) { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Returns JSON with its hidden characters escaped, except line ends. They can only be inside
/// strings, so the meaning of the JSON does not change.
pub(crate) fn printable_json(json: String) -> String {
    let is_bad = |c| c != '\n' && is_hidden(c);
    if !json.contains(is_bad) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_bad(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect("a String accepts everything");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_replaced_and_others_are_not() {
        let text = "det\u{1b}[31m\u{9b}2J\r\nµm 検出器\u{202e}";
        assert_eq!(printable(text), "det\u{fffd}[31m\u{fffd}2J\u{fffd}\u{fffd}µm 検出器\u{fffd}");
        assert!(matches!(printable("µm 検出器"), Cow::Borrowed("µm 検出器")));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn lines_stay_lines() {
        assert_eq!(printable_lines("a\n\tb\u{7f}"), "a\n\u{fffd}b\u{fffd}");
    }

    #[test]
    fn escaped_json_reads_back_the_same() {
        let text = "{\n\"a\": \"\u{9b}2J\u{7f}\u{e0001}\"\n}";
        let escaped = printable_json(text.to_owned());
        assert_eq!(escaped, "{\n\"a\": \"\\u009b2J\\u007f\\udb40\\udc01\"\n}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&escaped), read(text));
    }
}
