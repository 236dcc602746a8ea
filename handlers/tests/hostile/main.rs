//! Messages cut short, damaged and nested: none makes the library panic or take more memory than is
//! stated here, none is lost, and what cannot be read says where and why.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod allocation;
mod exercise;
mod mutation;
mod random;
mod structure;
#[path = "../vector/mod.rs"]
mod vector;
mod warnings;

use bytes::Bytes;
use exercise::{Depth, exercise};
use mflow_handlers::compression::{Codec, Element, Options};
use mflow_handlers::{Message, Registry};
use random::Random;

/// Bytes of a part up to which it is cut at every byte.
const EVERY: usize = 4096;

/// How many places it is cut at beyond.
const BEYOND: usize = 1000;

/// Messages larger than this are read whole less often.
const LARGE: usize = 1 << 16;

fn messages() -> Vec<Message> {
    vector::all().into_iter().map(|vector| vector.message).collect()
}

/// The blobs of all cases of compressed data.
fn blobs() -> Vec<Bytes> {
    ["codec_dectris_ok", "codec_dectris_bad", "tolerance_bslz4_bsread_pre2018"]
        .into_iter()
        .flat_map(vector::data)
        .map(|vector| vector.message.parts()[0].clone())
        .collect()
}

fn codecs() -> [Codec; 6] {
    let element = |bytes| Element::of_bytes(bytes).unwrap();
    [
        Codec::Lz4,
        Codec::BitshuffleLz4(element(1)),
        Codec::BitshuffleLz4(element(2)),
        Codec::BitshuffleLz4(element(4)),
        Codec::BitshuffleZstd(element(2)),
        Codec::BitshuffleZstd(element(3)),
    ]
}

/// Where to cut a part.
fn cuts(length: usize, random: &mut Random) -> Vec<usize> {
    let mut cuts: Vec<_> = (0..length.min(EVERY)).collect();
    if length > EVERY {
        cuts.extend((0..BEYOND).map(|_| EVERY + random.below(length - EVERY)));
    }
    cuts
}

/// Cuts every part of every second message, from the first or from the second on.
fn truncate(first: usize) {
    let registry = Registry::default();
    let mut random = Random(0x5eed);
    for message in messages().into_iter().skip(first).step_by(2) {
        for (index, part) in message.parts().iter().enumerate() {
            for (count, length) in cuts(part.len(), &mut random).into_iter().enumerate() {
                let mut parts = message.clone().into_parts();
                parts[index].truncate(length);
                // What was not cut reads as before, and need not be read each time.
                let is_other_large = message.bytes() - part.len() > LARGE && count % 64 != 0;
                let depth = if is_other_large { Depth::Parts } else { Depth::of(&message) };
                exercise(&registry, &parts.into(), depth);
            }
        }
    }
}

#[test]
fn every_truncation_of_every_second_message_does_no_harm() {
    truncate(0);
}

#[test]
fn every_truncation_of_every_other_message_does_no_harm() {
    truncate(1);
}

/// Damages messages 30 000 times; large ones are taken less often.
fn mutate(seed: u64) {
    let registry = Registry::default();
    let (large, small): (Vec<_>, Vec<_>) =
        messages().into_iter().partition(|message| message.bytes() > LARGE);
    let mut random = Random(seed);
    for count in 0..30_000 {
        let messages = if count % 150 == 0 { &large } else { &small };
        let message = &messages[random.below(messages.len())];
        let mut parts = message.clone().into_parts();
        mutation::mutate(&mut parts, &mut random);
        exercise(&registry, &parts.into(), Depth::of(message));
    }
}

#[test]
fn no_mutation_of_the_first_thirty_thousand_does_harm() {
    mutate(0x5eed_0001);
}

#[test]
fn no_mutation_of_the_second_thirty_thousand_does_harm() {
    mutate(0x5eed_0002);
}

#[test]
fn no_mutation_of_the_third_thirty_thousand_does_harm() {
    mutate(0x5eed_0003);
}

#[test]
fn no_mutation_of_the_fourth_thirty_thousand_does_harm() {
    mutate(0x5eed_0004);
}

#[test]
fn no_damage_to_compressed_data_does_harm() {
    let mut random = Random(0x5eed);
    let options = Options::default();
    let decode = |blob: &[u8]| {
        for codec in codecs() {
            let (_, peak) = allocation::peak(|| codec.decode(blob, &options));
            let bound = exercise::decompressed(codec, blob.len());
            assert!(peak <= bound, "{peak} > {bound}: {codec:?} of {blob:?}");
        }
    };
    for blob in blobs() {
        cuts(blob.len(), &mut random).into_iter().for_each(|length| decode(&blob[..length]));
    }
    let blobs = blobs();
    for _ in 0..20_000 {
        let mut parts = vec![blobs[random.below(blobs.len())].clone()];
        mutation::mutate(&mut parts, &mut random);
        parts.iter().for_each(|blob| decode(blob));
    }
}

#[test]
fn decoding_a_frame_takes_its_output_and_a_block() {
    let name = "message 0 of dimage_real_eiger2_16m";
    let vector = vector::all().into_iter().find(|vector| vector.name == name).unwrap();
    let blob = &vector.message.parts()[2];
    let codec = Codec::BitshuffleLz4(Element::of_bytes(2).unwrap());
    let (pixels, peak) = allocation::peak(|| codec.decode(blob, &Options::default()).unwrap());
    assert_eq!(pixels.len(), 36_187_152);
    // Beside the block of 8 KiB there is the list of the blocks, and what shares the output.
    let list = 24 * pixels.len().div_ceil(8192);
    assert!(peak <= pixels.len() + 8192 + list + 128, "{peak}");
}
