//! Blocks of LZ4, by its C library.

/// The most that one block can hold.
pub(super) const MAX_INPUT: usize = 0x7e00_0000;

/// Decodes a block that fills `out` exactly; tells whether it does.
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

/// Encodes a block at the end of `out`; false where the input is larger than a block can be.
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
