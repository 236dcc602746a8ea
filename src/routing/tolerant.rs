//! Configurations that psi-mflow accepts and that a check refuses: unknown keys, keys given twice,
//! and whole numbers written as `10.0`.
//!
//! A file whose other keys are all keys of psi-mflow was written for psi-mflow. It runs here too,
//! with a warning for each of these. A file with a key that only mflow has, or one that looks like
//! it, was written for mflow: an unknown key in it is a misspelt one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::config::Problem;

/// The keys of psi-mflow: of the whole, of its source, and of its streams.
const WHOLE: [&str; 2] = ["source", "streams"];
const SOURCE: [&str; 3] = ["address", "mode", "queue_size"];
const STREAM: [&str; 4] = ["address", "mode", "queue_size", "modulo"];
/// Those of them that are whole numbers.
const NUMBERS: [&str; 2] = ["queue_size", "modulo"];
/// The keys that only mflow has.
const OURS: [&str; 4] = ["bind", "subscribe", "send_buffer", "on_full"];

/// Returns a configuration for psi-mflow without the entries that a check refuses, and a list of
/// these; none if it is not for psi-mflow, or no JSON.
pub(super) fn tolerated(text: &[u8]) -> Option<(Value, Vec<Problem>)> {
    let Json::Object(whole) = serde_json::from_slice(text).ok()? else { return None };
    let mut reading = Reading::default();
    let mut kept = Map::new();
    for (key, json) in reading.known(whole, "", &WHOLE)? {
        let value = match (key.as_str(), json) {
            ("source", Json::Object(source)) => reading.options(source, &key, &SOURCE)?,
            ("streams", Json::List(streams)) => {
                let streams = streams.into_iter().enumerate().map(|(index, stream)| match stream {
                    Json::Object(stream) => {
                        reading.options(stream, &format!("streams[{index}]"), &STREAM)
                    }
                    other => Some(other.into()),
                });
                Value::Array(streams.collect::<Option<_>>()?)
            }
            (_, other) => other.into(),
        };
        kept.insert(key, value);
    }
    Some((Value::Object(kept), reading.ignored))
}

/// Reads a configuration, and collects the ignored entries.
#[derive(Default)]
struct Reading {
    ignored: Vec<Problem>,
}

impl Reading {
    /// Returns the options of a source or a stream that psi-mflow knows; none if there is a key of
    /// ours.
    fn options(&mut self, json: Entries, place: &str, known: &[&str]) -> Option<Value> {
        let entries = self.known(json, place, known)?;
        let entries = entries.into_iter().map(|(key, json)| {
            let mut value = Value::from(json);
            let whole = if NUMBERS.contains(&key.as_str()) { whole(&value) } else { None };
            if let Some(number) = whole {
                let reason = format!("expected a whole number, read {value} as {number}");
                self.ignored.push((format!("{place}.{key}"), reason));
                value = Value::Number(number);
            }
            (key, value)
        });
        Some(Value::Object(entries.collect()))
    }

    /// Returns the last value of each key that psi-mflow knows; none if there is a key of ours.
    fn known(&mut self, json: Entries, place: &str, known: &[&str]) -> Option<Entries> {
        let mut kept: Entries = Vec::new();
        for (key, json) in json {
            let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            if !known.contains(&key.as_str()) {
                if OURS.iter().any(|ours| is_meant(ours, &key)) {
                    return None;
                }
                self.ignored.push((path, "ignored an unknown key".to_owned()));
                continue;
            }
            if kept.iter().any(|(other, _)| *other == key) {
                kept.retain(|(other, _)| *other != key);
                self.ignored.push((path, "the key is there again: the last one counts".to_owned()));
            }
            kept.push((key, json));
        }
        Some(kept)
    }
}

/// Returns a whole number that is written with a point.
fn whole(value: &Value) -> Option<Number> {
    let number = value.as_f64().filter(|_| value.is_f64())?;
    // A number too large for an exact float is no number of messages.
    let is_whole = number.fract() == 0.0 && (0.0..=9e15).contains(&number);
    let text = is_whole.then(|| format!("{number:.0}"))?;
    text.parse::<u64>().ok().map(Number::from)
}

/// Returns whether `key` is probably a misspelt `ours`: it differs by two letters at most, or by
/// one if it is short.
fn is_meant(ours: &str, key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    let most = if ours.len() < 6 { 1 } else { 2 };
    key.chars().next() == ours.chars().next()
        && key.len().abs_diff(ours.len()) <= most
        && distance(ours, &key) <= most
}

/// Returns how many letters have to be added, removed or replaced to make one text of another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], index + 1);
        for (at, same) in other.iter().enumerate() {
            let replaced = before + usize::from(*same != letter);
            before = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(before + 1);
        }
    }
    row[other.len()]
}

/// Keys and values in their order, with repeated keys.
type Entries = Vec<(String, Json)>;

/// JSON as it is written.
enum Json {
    Object(Entries),
    List(Vec<Json>),
    Other(Value),
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Object(entries) => {
                Self::Object(entries.into_iter().map(|(key, json)| (key, json.into())).collect())
            }
            Json::List(list) => Self::Array(list.into_iter().map(Self::from).collect()),
            Json::Other(value) => value,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Object(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Json::List(values))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Other(text.into()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Other(value.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
                Ok(Json::Other(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                Ok(Json::Other(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
                Ok(Json::Other(number.into()))
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Other(Value::Null))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_ours_is_known_when_it_is_misspelt() {
        let is_ours = |key: &str| OURS.iter().any(|ours| is_meant(ours, key));
        for key in ["on_full", "on_ful", "onfull", "on-full", "On_Full", "bnd", "sendbuffer"] {
            assert!(is_ours(key), "{key}");
        }
        for key in ["comment", "name", "description", "kind", "module", "_comment", ""] {
            assert!(!is_ours(key), "{key}");
        }
    }

    #[test]
    fn only_whole_numbers_are_whole() {
        let whole = |text: &str| whole(&serde_json::from_str(text).unwrap());
        assert_eq!(whole("10.0"), Some(10.into()));
        for text in ["10", "10.5", "-1.0", "1e300", "\"10.0\"", "null"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
