//! Any compressed data, by the codec that the first byte chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mflow_handlers::compression::{Codec, Element, Options, decode_lz4_block};

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let Ok(element) = Element::of_bytes(usize::from(choice >> 2) + 1) else { return };
    let options = Options { limit: 1 << 24, ..Options::default() };
    let codec = match choice & 3 {
        0 => Codec::Lz4,
        1 => Codec::BitshuffleLz4(element),
        2 => Codec::BitshuffleZstd(element),
        _ => return drop(decode_lz4_block(input, 64 * input.len(), &options)),
    };
    if let Ok(bytes) = codec.decode(input, &options) {
        assert_eq!(codec.decoded_length(input), Ok(bytes.len() as u64));
    }
});
