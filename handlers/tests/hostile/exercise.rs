//! What is done with every message: all there is to do, with its memory counted.

use std::error::Error;

use mflow_handlers::bsread::Value;
use mflow_handlers::compression::{Codec, Options};
use mflow_handlers::dectris::stream2::Stream2;
use mflow_handlers::{Canonical, Data, DecodeError, Message, Registry};

use crate::{LARGE, allocation, vector};

/// How much of a message is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The parts, and nothing of what they hold compressed.
    Parts,
    /// All but the canonical JSON, which hashes every array.
    Arrays,
    /// All, and encoded anew as if it had been edited.
    All,
}

impl Depth {
    /// Returns how much is read of a message of some size.
    pub(crate) fn of(message: &Message) -> Self {
        if message.bytes() > LARGE { Self::Arrays } else { Self::All }
    }
}

/// The most bytes that decoding takes: parts are shared, and headers become values, of which the
/// smallest, `1,` in JSON, take the most for each byte.
fn decoded(bytes: usize) -> usize {
    (1 << 14) + 100 * bytes
}

/// The most bytes that so many compressed ones take: output, and a block that is no larger.
pub(crate) fn decompressed(codec: Codec, bytes: usize) -> usize {
    let most = match codec {
        Codec::BitshuffleZstd(_) => bytes.saturating_mul(1 << 15),
        _ => 255 * (bytes + 1),
    };
    // The list of the blocks, of which each has four bytes at least, is on top.
    4096 + 8 * bytes + 2 * most.min(Options::default().limit)
}

/// The most bytes that reading takes: what a part of them decompresses to, once more in another
/// byte order, and as values of JSON if it is written out.
fn read(message: &Message) -> usize {
    let largest = message.parts().iter().map(bytes::Bytes::len).max().unwrap_or(0);
    let zstd = message.parts().iter().any(|part| part.windows(6).any(|word| word == b"bszstd"));
    let most = if zstd { largest.saturating_mul(1 << 15) } else { 255 * (largest + 1) };
    (1 << 16) + 200 * message.bytes() + 3 * most.min(Options::default().limit)
}

/// Does with a message all that can be done, and checks that nothing of it was lost.
pub(crate) fn exercise(registry: &Registry, message: &Message, depth: Depth) {
    let (data, peak) = allocation::peak(|| registry.decode(message.clone()));
    let bound = decoded(message.bytes());
    assert!(peak <= bound, "decoding took {peak} > {bound} bytes: {message:?}");
    if let Data::Broken(broken) = &data {
        names_part_and_reason(&broken.error, message);
    }

    let ((), peak) = allocation::peak(|| read_all(&data, depth));
    let bound = read(message);
    assert!(peak <= bound, "reading took {peak} > {bound} bytes: {message:?}");

    // Looking at a value edits nothing.
    assert_eq!(&registry.encode(&data).unwrap(), message);
    if depth == Depth::All {
        encode_anew(registry, data, message);
    }
}

/// Reads everything that is read only on request.
fn read_all(data: &Data, depth: Depth) {
    for warning in data.warnings() {
        assert!(!warning.to_string().is_empty());
    }
    if depth == Depth::Parts {
        return;
    }
    match data {
        Data::Array(message) => drop(message.data.clone()),
        Data::Header(header) => {
            if let Some(tables) = &header.tables {
                for table in [&tables.flatfield, &tables.pixel_mask, &tables.countrate_table] {
                    says_why(table.array());
                }
            }
        }
        Data::Image(image) => {
            says_why(image.pixels());
            image.masked_value();
            image.matches_hash();
        }
        Data::Stream2(message) => {
            if let Stream2::Image(image) = &**message {
                image.channels().for_each(|(_, pixels)| says_why(pixels.array()));
            }
        }
        Data::Bsread(message) => {
            for channel in message.channels() {
                channel.timestamp();
                says_why(channel.read(&Options::default()));
                if let Some(Value::Array(array)) = channel.value() {
                    let most = 255 * (channel.raw().unwrap().len() + 1);
                    assert!(array.bytes().len() <= most);
                }
            }
        }
        _ => {}
    }
    if depth == Depth::All {
        // JSON and arrays agree on what is damaged.
        let are_read = data.arrays().all(|named| named.array.is_ok());
        let is_whole = are_read && !matches!(data, Data::Broken(_));
        assert_eq!(Canonical::of(data).is_whole, is_whole, "{data:?}");
    }
}

fn says_why<T, E: Error>(result: Result<T, E>) {
    if let Err(error) = result {
        assert!(error.to_string().len() > 10, "{error}");
    }
}

/// Checks that an error names the part, and says what is wrong with it.
fn names_part_and_reason(error: &DecodeError, message: &Message) {
    let text = error.to_string();
    if message.is_empty() {
        return assert_eq!(text, "the message has no parts");
    }
    let number = text.strip_prefix("part ").and_then(|text| text.split(' ').next());
    let part: usize = number.and_then(|number| number.parse().ok()).expect(&text);
    // The one after the last is missing.
    assert!((1..=message.len() + 1).contains(&part), "{text}");
    assert!(error.source().is_none_or(|source| !source.to_string().is_empty()), "{text}");
}

/// Encodes a message as if it had been edited: it must read back equal then.
fn encode_anew(registry: &Registry, mut data: Data, message: &Message) {
    if let Some(header) = data.header_mut() {
        header.value_mut();
        let encoded = registry.encode(&data).unwrap();
        assert_eq!(registry.decode(encoded), data, "{message:?}");
    } else if matches!(data, Data::Stream2(_)) {
        let encoded = registry.encode(&vector::built(&data)).unwrap();
        let again = registry.encode(&vector::built(&registry.decode(encoded.clone()))).unwrap();
        assert_eq!(again, encoded, "{message:?}");
    }
}
