//! Messages cut short and garbled: none makes the library panic, and none is lost.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod vector;

use bytes::Bytes;
use mflow_handlers::{Data, Message, Registry, canonical};

/// Parts longer than this are cut down: what a decoder reads of them does not depend on their length.
const LONGEST: usize = 300;

fn messages() -> Vec<Message> {
    vector::all().into_iter().map(|vector| vector.message).collect()
}

fn shorten(part: &Bytes) -> Bytes {
    part.slice(..part.len().min(LONGEST))
}

/// Does with a message all that can be done, and checks that nothing of it was lost.
fn exercise(registry: &Registry, message: &Message) {
    let mut data = registry.decode(message.clone());
    canonical(&data);
    assert_eq!(&registry.encode(&data).unwrap(), message);

    // As if it had been edited: it must read back equal then.
    if let Some(header) = data.header_mut() {
        header.value_mut();
        let encoded = registry.encode(&data).unwrap();
        assert_eq!(registry.decode(encoded), data, "{message:?}");
    }
}

#[test]
fn every_truncation_of_every_part_keeps_the_message() {
    let registry = Registry::default();
    for message in messages() {
        for index in 0..message.len() {
            for length in 0..=message.parts()[index].len().min(LONGEST) {
                let mut parts = message.clone().into_parts();
                parts.iter_mut().for_each(|part| *part = shorten(part));
                parts[index].truncate(length);
                exercise(&registry, &parts.into());
            }
        }
    }
}

#[test]
fn missing_and_additional_parts_keep_the_message() {
    let registry = Registry::default();
    for message in messages() {
        for length in 0..message.len() {
            exercise(&registry, &message.parts()[..length].iter().cloned().collect());
        }
        let mut message = message;
        for _ in 0..10 {
            message.extend([Bytes::from_static(b"{}"), Bytes::new()]);
            exercise(&registry, &message);
        }
    }
}

#[test]
fn parts_out_of_order_keep_the_message() {
    let registry = Registry::default();
    for message in messages() {
        let mut parts = message.into_parts();
        for _ in 0..parts.len() {
            parts.rotate_left(1);
            exercise(&registry, &parts.clone().into());
        }
    }
}

#[test]
fn garbled_parts_keep_the_message() {
    let registry = Registry::default();
    let messages = messages();
    let mut random = Random(0x5eed);
    for _ in 0..40_000 {
        let mut parts = messages[random.below(messages.len())].clone().into_parts();
        parts.iter_mut().for_each(|part| *part = shorten(part));
        for _ in 0..=random.below(3) {
            // Headers are garbled more often than data.
            let index = random.below(parts.len()).min(random.below(parts.len()));
            parts[index] = garble(&parts[index], &mut random);
        }
        exercise(&registry, &parts.into());
    }
}

#[test]
fn a_header_of_any_nesting_does_no_harm() {
    let registry = Registry::default();
    for depth in [100, 126, 127, 128, 129, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for htype in ["raw-1.0", "array-1.0", "dseries_end-1.0", "x-1.0"] {
                let header =
                    format!(r#"{{"htype":"{htype}","type":"u1","shape":{nested},"x":{nested}}}"#);
                exercise(&registry, &Message::new([header.into(), "a".into()]));
            }
            exercise(&registry, &Message::new([nested.into()]));
        }
    }
}

#[test]
fn an_array_of_many_dimensions_does_no_harm() {
    for dimensions in [64, 65, 100_000] {
        let shape = vec!["1"; dimensions].join(",");
        let header = format!(r#"{{"htype":"array-1.0","type":"u1","shape":[{shape}]}}"#);
        let message = Message::new([header.into(), "a".into()]);
        let data = Registry::default().decode(message.clone());
        assert_eq!(matches!(data, Data::Array(_)), dimensions <= 64);
        exercise(&Registry::default(), &message);
    }
}

/// Replaces, inserts, removes or doubles some bytes.
fn garble(part: &Bytes, random: &mut Random) -> Bytes {
    const WORDS: [&str; 20] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "-1",
        "1e400",
        "262.0",
        "18446744073709551615",
        "\\ud800",
        "\u{e9}",
        "htype",
        "shape",
        "big",
        "float",
        "lz4<",
        "9999999999",
    ];
    let mut bytes = part.to_vec();
    let from = random.below(bytes.len() + 1);
    let to = (from + random.below(4)).min(bytes.len());
    match random.below(4) {
        0 => drop(bytes.splice(from..to, WORDS[random.below(WORDS.len())].bytes())),
        1 => drop(bytes.drain(from..to)),
        2 => bytes[from..to].iter_mut().for_each(|byte| *byte = random.next().to_le_bytes()[0]),
        _ => bytes.extend_from_within(from..to),
    }
    bytes.into()
}

/// A small generator of random numbers (xorshift), the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}
