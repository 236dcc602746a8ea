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

/// Takes the image out of what is expected of a compressed one, and checks what is there instead.
fn without_pixels(data: &Data, mut expected: Value, mut decoded: Value) -> (Value, Value) {
    let Data::Image(image) = data else {
        return (expected, decoded);
    };
    let encoding = image.encoding().unwrap();
    let Some(codec) = encoding.codec() else {
        return (expected, decoded);
    };
    let name = expected["part_2"]["encoding"].as_str().unwrap().to_owned();
    let error = image.pixels().unwrap_err().to_string();
    assert_eq!(error, format!("the codec {codec} of the encoding '{name}' is missing"));
    assert_eq!(decoded["image"], Value::Null);
    assert_eq!(decoded["image_raw"]["bytes_len"], image.blob.len());
    for value in [&mut expected, &mut decoded] {
        let object = value.as_object_mut().unwrap();
        object.remove("image");
        object.remove("image_raw");
    }
    (expected, decoded)
}

#[test]
fn every_vector_decodes_to_what_is_expected() {
    let registry = Registry::default();
    for vector in vector::all() {
        let name = vector.name;
        let data = registry.decode(vector.message);
        let (expected, decoded) = without_pixels(&data, vector.decoded, decoded(&data));
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
        let header = data.header_mut().unwrap().value_mut();
        header["comment"] = "edited: é \u{1f600} \"".into();
        let encoded = registry.encode(&data).unwrap();
        assert_eq!(registry.decode(encoded), data, "{}", vector.name);
    }
}
