//! Frames of blocks: HDF5's LZ4 filter, and bitshuffle with LZ4 or Zstandard.
//!
//! ```text
//! 8 bytes   length of the decompressed data, big endian
//! 4 bytes   length of a decompressed block, big endian
//! blocks    4 bytes of length, big endian, and the block
//! rest      bitshuffle only: elements that make no eight, as they are
//! ```
//!
//! Sources: HDF5 filters 32004 and 32008; github.com/dectris/compression; bsread.

use super::{Codec, CompressionError, lz4};

/// Bytes of the header.
const HEADER: usize = 12;

/// A frame whose block lengths were walked: what each block is made of, and what it makes.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// The blocks, compressed. All make `block` bytes but the last, which makes what remains.
    pub(super) blocks: Vec<Block<'a>>,
    /// Bytes that a block makes.
    pub(super) block: usize,
    /// Bytes that are stored as they are, behind the blocks.
    pub(super) rest: &'a [u8],
}

/// One block of a frame, compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) input: &'a [u8],
    /// Where it starts in the frame.
    pub(super) offset: usize,
}

/// Reads the length of the decompressed data off the header.
pub(super) fn length(input: &[u8]) -> Result<u64, CompressionError> {
    match input.first_chunk() {
        Some(bytes) if input.len() >= HEADER => Ok(u64::from_be_bytes(*bytes)),
        _ => Err(CompressionError::Truncated { offset: 0, expected: HEADER, found: input.len() }),
    }
}

impl<'a> Frame<'a> {
    /// Walks the blocks of a frame that makes `length` bytes.
    pub(super) fn walk(
        codec: Codec,
        input: &'a [u8],
        length: usize,
    ) -> Result<Self, CompressionError> {
        let field = word(input, 8)?;
        let Some(element) = codec.element() else {
            return Self::blocks(input, length, field, 0);
        };
        element.check(length)?;
        let eight = 8 * element.bytes();
        let rest = length % eight;
        let walk = |block: usize| {
            if !block.is_multiple_of(eight) {
                return Err(CompressionError::BlockSize { size: block });
            }
            Self::blocks(input, length - rest, block, rest)
        };
        if field == 0 {
            // So did bsread before 2018.
            return walk(element.block());
        }
        walk(field).or_else(|error| {
            // Or it gave the elements of a block, not its bytes.
            field.checked_mul(element.bytes()).and_then(|block| walk(block).ok()).ok_or(error)
        })
    }

    /// Walks blocks that make `length` bytes together, and `rest` bytes behind them.
    fn blocks(
        input: &'a [u8],
        length: usize,
        block: usize,
        rest: usize,
    ) -> Result<Self, CompressionError> {
        if block == 0 && length > 0 {
            return Err(CompressionError::BlockSize { size: 0 });
        }
        let count = length.checked_div(block).map_or(0, |_| length.div_ceil(block));
        // Each block has a length word at least: what is reserved is bounded by the input.
        if count > input.len() / 4 {
            let found = input.len();
            return Err(CompressionError::Truncated { offset: HEADER, expected: 4 * count, found });
        }
        let mut blocks = Vec::with_capacity(count);
        let mut offset = HEADER;
        for _ in 0..count {
            let start = offset + 4;
            let stored = word(input, offset)?;
            blocks.push(Block { input: slice(input, start, stored)?, offset: start });
            offset = start + stored;
        }
        let rest = slice(input, offset, rest)?;
        match input.len() - offset - rest.len() {
            0 => Ok(Self { blocks, block, rest }),
            bytes => Err(CompressionError::Trailing { bytes }),
        }
    }
}

/// Starts a frame.
pub(super) fn begin(
    length: usize,
    block: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let field = u32::try_from(block).map_err(|_| CompressionError::BlockSize { size: block })?;
    out.extend((length as u64).to_be_bytes());
    out.extend(field.to_be_bytes());
    Ok(())
}

/// Adds a block of LZ4, or as it is if that is allowed and no larger.
pub(super) fn add_block(
    block: &[u8],
    stored: Stored,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let start = out.len();
    out.extend([0; 4]);
    if !lz4::encode(block, out) {
        return Err(CompressionError::BlockSize { size: block.len() });
    }
    if stored == Stored::Allowed && out.len() - start - 4 >= block.len() {
        out.truncate(start + 4);
        out.extend_from_slice(block);
    }
    let length = u32::try_from(out.len() - start - 4)
        .map_err(|_| CompressionError::BlockSize { size: block.len() })?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Whether a block may be stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It may: a block of its own decompressed length is not compressed.
    Allowed,
    /// It may not.
    Never,
}

/// Reads four bytes, big endian, as a length.
fn word(input: &[u8], offset: usize) -> Result<usize, CompressionError> {
    let bytes = slice(input, offset, 4)?;
    Ok(bytes.iter().fold(0, |word, byte| (word << 8) | usize::from(*byte)))
}

fn slice(input: &[u8], offset: usize, length: usize) -> Result<&[u8], CompressionError> {
    let found = input.len().saturating_sub(offset);
    input.get(offset..).and_then(|rest| rest.get(..length)).ok_or(CompressionError::Truncated {
        offset,
        expected: length,
        found,
    })
}
