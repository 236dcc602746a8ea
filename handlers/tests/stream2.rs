//! The stream V2 of DECTRIS: the vectors decode and encode back, edited or not, and nothing that was
//! cut short or garbled makes the library panic or loses a message.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod vector;

use bytes::Bytes;
use mflow_handlers::dectris::stream2::{Received, Stream2};
use mflow_handlers::{Data, Message, Registry, canonical};

fn vectors() -> Vec<vector::Vector> {
    let mut vectors = vector::all();
    vectors.retain(|vector| vector.name.contains("stream2"));
    assert!(vectors.len() > 20);
    vectors
}

/// The same message, as if it had been built here.
fn built(data: &Data) -> Data {
    let Data::Stream2(message) = data else { panic!("expected stream2, found {data:?}") };
    let mut message = message.clone();
    match &mut *message {
        Stream2::Start(start) => start.received = Received::default(),
        Stream2::Image(image) => image.received = Received::default(),
        Stream2::End(end) => end.received = Received::default(),
        Stream2::Other(other) => other.received = Received::default(),
        _ => unreachable!("there are no others"),
    }
    Data::Stream2(message)
}

fn exercise(registry: &Registry, part: Bytes) {
    let message = Message::new([part]);
    let data = registry.decode(message.clone());
    data.warnings();
    canonical(&data);
    assert_eq!(registry.encode(&data).unwrap(), message);
    if matches!(data, Data::Stream2(_)) {
        let encoded = registry.encode(&built(&data)).unwrap();
        let again = registry.encode(&built(&registry.decode(encoded.clone()))).unwrap();
        assert_eq!(again, encoded, "{message:?}");
    }
}

#[test]
fn every_vector_that_is_built_anew_says_the_same() {
    let registry = Registry::default();
    for vector in vectors() {
        let data = registry.decode(vector.message);
        assert_eq!(data.warnings(), [], "{}", vector.name);
        let encoded = registry.encode(&built(&data)).unwrap();
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

#[test]
fn garbled_messages_do_no_harm() {
    let registry = Registry::default();
    let parts: Vec<Bytes> = vectors()
        .into_iter()
        .map(|vector| vector.message.parts()[0].clone())
        .filter(|part| part.len() < 6000)
        .collect();
    let mut random = Random(0x5eed);
    for _ in 0..30_000 {
        let mut bytes = parts[random.below(parts.len())].to_vec();
        for _ in 0..=random.below(4) {
            let from = random.below(bytes.len());
            let to = (from + random.below(9)).min(bytes.len());
            match random.below(5) {
                0 => bytes[from] = HEADS[random.below(HEADS.len())],
                1 => bytes[from] ^= 1 << random.below(8),
                2 => drop(bytes.drain(from..to)),
                3 => bytes.extend_from_within(from..to),
                _ => drop(bytes.splice(from..from, [HEADS[random.below(HEADS.len())]])),
            }
            if bytes.is_empty() {
                break;
            }
        }
        exercise(&registry, bytes.into());
    }
}

/// Bytes with which values of every kind begin.
const HEADS: [u8; 28] = [
    0x00, 0x18, 0x1b, 0x1c, 0x20, 0x3b, 0x40, 0x5b, 0x5f, 0x60, 0x7b, 0x7f, 0x80, 0x9b, 0x9f, 0xa0,
    0xbb, 0xbf, 0xc0, 0xc1, 0xc2, 0xd8, 0xd9, 0xf6, 0xf8, 0xf9, 0xfb, 0xff,
];

/// A small generator of random numbers (xorshift), the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
