//! Blocks of LZ4, by its C library.
#![allow(unsafe_code, reason = "the C library of LZ4 has no safe binding for raw blocks")]

use bytes::Bytes;

use super::{CompressionError, Options};

/// The most that one block can hold.
pub(super) const MAX_INPUT: usize = 0x7e00_0000;

/// Decodes a block that fills `out` exactly; returns whether it does.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> bool {
    let (Ok(input_length), Ok(length)) = (i32::try_from(input.len()), i32::try_from(out.len()))
    else {
        return false;
    };
    // SAFETY: reads at most `input_length` bytes of `input` and writes at most `length` bytes of
    // `out`, whatever the input holds.
    let written = unsafe {
        lz4_sys::LZ4_decompress_safe(
            input.as_ptr().cast(),
            out.as_mut_ptr().cast(),
            input_length,
            length,
        )
    };
    written == length
}

/// Encodes a block at the end of `out`; false if the input is larger than a block can be.
pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(length) = i32::try_from(input.len()).ok().filter(|_| input.len() <= MAX_INPUT) else {
        return false;
    };
    let start = out.len();
    // What LZ4 itself guarantees to be enough.
    let bound = input.len() + input.len() / 255 + 16;
    out.resize(start + bound, 0);
    let room = i32::try_from(bound).unwrap_or(i32::MAX);
    // SAFETY: reads `length` bytes of `input`, and writes at most `room` bytes from `start` on,
    // where `bound` bytes are.
    let written = unsafe {
        lz4_sys::LZ4_compress_default(
            input.as_ptr().cast(),
            out[start..].as_mut_ptr().cast(),
            length,
            room,
        )
    };
    let written = usize::try_from(written).unwrap_or(0);
    out.truncate(start + written);
    written > 0
}

/// Decodes one block of LZ4 without a frame, as in `lz4<` of DECTRIS V1, to the length that is known
/// from elsewhere.
///
/// # Errors
/// [`CompressionError::TooLarge`] if the length is over the limit or more than the block can
/// make, before any memory is taken; [`CompressionError::Block`] if the block does not make it.
pub fn decode_block(
    input: &[u8],
    length: usize,
    options: &Options,
) -> Result<Bytes, CompressionError> {
    options.check(length as u64, 255_usize.saturating_mul(input.len() + 1))?;
    let mut out = vec![0; length];
    if decode(input, &mut out) {
        Ok(out.into())
    } else {
        Err(CompressionError::Block { index: 0, offset: 0 })
    }
}

/// Encodes one block of LZ4 without a frame.
///
/// # Errors
/// [`CompressionError::BlockSize`] if the data is larger than a block can be, 2 GB.
pub fn encode_block(data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    if encode(data, &mut out) {
        Ok(out)
    } else {
        Err(CompressionError::BlockSize { size: data.len() })
    }
}
