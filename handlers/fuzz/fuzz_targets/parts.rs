//! The parts of a message out of one input.

use bytes::Bytes;

/// Splits an input into parts, each led by its length in two bytes, little endian.
pub(crate) fn split(mut input: &[u8]) -> Vec<Bytes> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (part, rest) = rest.split_at(length);
        parts.push(Bytes::copy_from_slice(part));
        input = rest;
    }
    parts
}
