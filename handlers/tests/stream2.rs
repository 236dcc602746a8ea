//! The stream V2 of DECTRIS: the vectors decode and encode back, edited or not, and what was cut short
//! is broken.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod vector;

use mflow_handlers::dectris::stream2::Stream2;
use mflow_handlers::{Data, Message, Registry, canonical};

fn vectors() -> Vec<vector::Vector> {
    let mut vectors = vector::all();
    vectors.retain(|vector| vector.name.contains("stream2"));
    assert!(vectors.len() > 20);
    vectors
}

#[test]
fn every_vector_that_is_built_anew_says_the_same() {
    let registry = Registry::default();
    for vector in vectors() {
        let data = registry.decode(vector.message);
        assert_eq!(data.warnings(), [], "{}", vector.name);
        let encoded = registry.encode(&vector::built(&data)).unwrap();
        let decoded = registry.decode(encoded.clone());
        assert_eq!(decoded, data, "{}", vector.name);
        assert_eq!(canonical(&decoded), canonical(&data), "{}", vector.name);
        if !matches!(&data, Data::Stream2(message) if matches!(**message, Stream2::Other(_))) {
            // A map of up to 23 pairs has a head of one byte, one of up to 255 of two.
            let part = &encoded.parts()[0];
            let first = if part[3] == 0xb8 { 5 } else { 4 };
            assert!(part[first..].starts_with(b"\x64type"), "{}", vector.name);
        }
    }
}

#[test]
fn every_truncation_is_broken_and_keeps_the_message() {
    let registry = Registry::default();
    for vector in vectors() {
        let part = vector.message.parts()[0].clone();
        let step = (part.len() / 1000).max(1);
        for end in (0..part.len()).step_by(step) {
            let message = Message::new([part.slice(..end)]);
            let data = registry.decode(message.clone());
            assert!(end == 0 || !matches!(data, Data::Stream2(_)), "{} at {end}", vector.name);
            assert_eq!(registry.encode(&data).unwrap(), message);
        }
    }
}
