//! The vectors, messages of real programs and detectors, decode to what is expected of them, and
//! encode back to the parts they came from.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod vector;

use mflow_handlers::{Data, Registry, canonical};
use serde_json::Value;

/// Compares numbers by value, and objects whatever the order of their keys.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| is_equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| is_equal(left, right)))
        }
        _ => left == right,
    }
}

/// The canonical JSON without warnings.
fn decoded(data: &Data) -> Value {
    let mut value = canonical(data);
    value.as_object_mut().unwrap().remove("warnings");
    value
}

#[test]
fn every_vector_decodes_to_what_is_expected() {
    let registry = Registry::default();
    for vector in vector::all() {
        let name = vector.name;
        let data = registry.decode(vector.message);
        let (expected, mut decoded) = (vector.decoded, decoded(&data));
        if name.contains("tolerance_stream2_bszstd") {
            // This one says what to expect of the pixels only.
            decoded.as_object_mut().unwrap().retain(|key, _| expected.get(key).is_some());
        }
        assert!(is_equal(&decoded, &expected), "{name}\nexpected {expected:#}\nfound {decoded:#}");
    }
}

#[test]
fn every_vector_encodes_back_to_identical_parts() {
    let registry = Registry::default();
    for vector in vector::all() {
        let data = registry.decode(vector.message.clone());
        assert_eq!(registry.encode(&data).unwrap(), vector.message, "{}", vector.name);
        // Nor does looking at a value edit it.
        canonical(&data);
        assert_eq!(registry.encode(&data).unwrap(), vector.message, "{}", vector.name);
    }
}

#[test]
fn every_vector_with_an_edited_header_reads_back_equal() {
    let registry = Registry::default();
    for vector in vector::all() {
        let mut data = registry.decode(vector.message);
        let Some(header) = data.header_mut() else {
            // Those in CBOR have none.
            assert!(matches!(data, Data::Stream2(_)), "{}", vector.name);
            continue;
        };
        header.value_mut()["comment"] = "edited: é \u{1f600} \"".into();
        let encoded = registry.encode(&data).unwrap();
        assert_eq!(registry.decode(encoded), data, "{}", vector.name);
    }
}
