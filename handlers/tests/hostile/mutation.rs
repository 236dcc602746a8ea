//! Damage to messages: bits, bytes, length words, words of headers, and whole parts.

use bytes::Bytes;

use crate::random::Random;

/// What stands in headers, and what should not.
const WORDS: [&str; 24] = [
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
    "bs32-lz4<",
    "bitshuffle_lz4",
    "complex128",
    "[65536,65536]",
    "9999999999",
];

/// Bytes with which values of CBOR of every kind begin.
const HEADS: [u8; 28] = [
    0x00, 0x18, 0x1b, 0x1c, 0x20, 0x3b, 0x40, 0x5b, 0x5f, 0x60, 0x7b, 0x7f, 0x80, 0x9b, 0x9f, 0xa0,
    0xbb, 0xbf, 0xc0, 0xc1, 0xc2, 0xd8, 0xd9, 0xf6, 0xf8, 0xf9, 0xfb, 0xff,
];

/// Lengths at which something may break.
const LENGTHS: [u64; 16] = [
    0,
    1,
    7,
    8,
    0x1fff,
    0x2000,
    0xffff,
    0x10_0000,
    0x3fff_ffff,
    0x4000_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Damages one to four places of a message.
pub(crate) fn mutate(parts: &mut Vec<Bytes>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if parts.is_empty() {
            return;
        }
        if random.below(12) == 0 {
            rearrange(parts, random);
        } else {
            // Headers are damaged more often than data.
            let index = random.below(parts.len()).min(random.below(parts.len()));
            parts[index] = damage(&parts[index], random);
        }
    }
}

/// Drops, doubles, swaps or adds parts.
fn rearrange(parts: &mut Vec<Bytes>, random: &mut Random) {
    let (from, to) = (random.below(parts.len()), random.below(parts.len()));
    match random.below(4) {
        0 => drop(parts.remove(from)),
        1 => parts.insert(to, parts[from].clone()),
        2 => parts.swap(from, to),
        _ => parts.insert(to, Bytes::new()),
    }
}

/// Returns a place, more often one of the first, where headers and lengths are.
fn place(length: usize, random: &mut Random) -> usize {
    match random.below(3) {
        0 => random.below(length.min(24)),
        1 => random.below(length.min(400)),
        _ => random.below(length),
    }
}

fn damage(part: &Bytes, random: &mut Random) -> Bytes {
    let mut bytes = part.to_vec();
    if bytes.is_empty() {
        bytes.push(random.byte());
        return bytes.into();
    }
    let from = place(bytes.len(), random);
    let to = (from + random.below(9)).min(bytes.len());
    match random.below(10) {
        0 => bytes[from] ^= 1 << random.below(8),
        1 => bytes[from] = random.byte(),
        2 => bytes[from] = HEADS[random.below(HEADS.len())],
        3 => drop(bytes.drain(from..to)),
        4 => drop(bytes.splice(from..from, [HEADS[random.below(HEADS.len())]])),
        5 => drop(bytes.splice(from..to, WORDS[random.below(WORDS.len())].bytes())),
        6 => bytes.extend_from_within(from..to),
        7 => bytes.truncate(from),
        _ => edit_length(&mut bytes, from, random),
    }
    bytes.into()
}

/// Writes a length over two, four or eight bytes, in either order.
fn edit_length(bytes: &mut [u8], from: usize, random: &mut Random) {
    let width = [2, 4, 4, 8][random.below(4)];
    let from = if random.below(2) == 0 { from / 4 * 4 } else { from };
    let Some(target) = bytes.get_mut(from..).and_then(|rest| rest.get_mut(..width)) else { return };
    let little = random.below(2) == 0;
    let mut word = [0; 8];
    for (index, byte) in target.iter().enumerate() {
        word[if little { index } else { width - 1 - index }] = *byte;
    }
    let old = u64::from_le_bytes(word);
    let new = match random.below(5) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old.wrapping_mul(2),
        _ => LENGTHS[random.below(LENGTHS.len())],
    };
    let new = new.to_le_bytes();
    for (index, byte) in target.iter_mut().enumerate() {
        *byte = new[if little { index } else { width - 1 - index }];
    }
}
