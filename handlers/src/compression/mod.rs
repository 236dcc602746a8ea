//! Compressed data: LZ4 and bitshuffle as detectors and bsread frame them.
//!
//! How much memory is taken is decided by [`Options::limit`] and by what the compressed data can
//! make at the most, never by what a message says alone.
//!
//! ```
//! use mflow_handlers::compression::{Codec, Element, Options};
//!
//! let pixels: Vec<u8> = (0..2000_u16).flat_map(|pixel| (pixel % 7).to_le_bytes()).collect();
//! let codec = Codec::BitshuffleLz4(Element::of_bytes(2)?);
//! let compressed = codec.encode(&pixels)?;
//! assert_eq!(codec.decode(&compressed, &Options::default())?, pixels);
//! # Ok::<(), mflow_handlers::compression::CompressionError>(())
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
mod decode;
mod error;
mod frame;
mod lz4;
mod transpose;

use std::num::NonZeroUsize;

use transpose::Path;

pub use error::{CompressionError, UnknownCompression};
pub use lz4::{decode_block as decode_lz4_block, encode_block as encode_lz4_block};

/// How data was compressed and framed. `lz4<` of DECTRIS V1 has no frame: [`decode_lz4_block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Framed blocks of LZ4, as HDF5's filter 32004 writes them: `lz4` of DECTRIS V2.
    Lz4,
    /// Framed blocks of LZ4 whose bits were transposed, as HDF5's filter 32008 writes them.
    BitshuffleLz4(Element),
    /// The same with Zstandard; decoded only.
    BitshuffleZstd(Element),
}

/// The size of the elements whose bits were transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element(NonZeroUsize);

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes that decompressed data may have; 1 GiB by default.
    pub limit: usize,
    /// How many threads share the work; the caller's alone by default.
    pub threads: Threads,
}

impl Default for Options {
    fn default() -> Self {
        Self { limit: 1 << 30, threads: Threads::One }
    }
}

/// How many threads decode the blocks of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The caller's own.
    One,
    /// The caller's own and others for as long as it takes; fewer if the data is small.
    UpTo(NonZeroUsize),
}

impl Element {
    /// Makes the size of an element of that many bytes.
    ///
    /// # Errors
    /// [`CompressionError::ElementSize`] unless it is 1 to 64.
    pub fn of_bytes(bytes: usize) -> Result<Self, CompressionError> {
        NonZeroUsize::new(bytes)
            .filter(|bytes| bytes.get() <= 64)
            .map(Self)
            .ok_or(CompressionError::ElementSize { bytes })
    }

    /// Makes the size of an element of that many bits.
    ///
    /// # Errors
    /// [`CompressionError::ElementSize`] unless it is whole bytes, 1 to 64 of them.
    pub fn of_bits(bits: u32) -> Result<Self, CompressionError> {
        let bytes = if bits.is_multiple_of(8) { bits / 8 } else { 0 };
        Self::of_bytes(bytes as usize)
    }

    /// Returns the size in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0.get()
    }

    /// Transposes the bits of one block of elements.
    ///
    /// # Errors
    /// [`CompressionError::Element`] unless it is a multiple of eight elements.
    pub fn transpose(self, elements: &[u8]) -> Result<Vec<u8>, CompressionError> {
        self.check_eights(elements.len())?;
        let (mut rows, mut planes) = (vec![0; elements.len()], vec![0; elements.len()]);
        Path::detect().transpose(self.bytes(), elements, &mut rows, &mut planes);
        Ok(rows)
    }

    /// Takes the transposition of one block back.
    ///
    /// # Errors
    /// [`CompressionError::Element`] unless it is a multiple of eight elements.
    pub fn untranspose(self, rows: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut elements = vec![0; rows.len()];
        self.untranspose_into(rows, &mut elements)?;
        Ok(elements)
    }

    /// Takes the transposition of one block back into memory of the same length.
    ///
    /// # Errors
    /// [`CompressionError::Element`] unless it is a multiple of eight elements, and
    /// [`CompressionError::Length`] if the lengths differ.
    pub fn untranspose_into(
        self,
        rows: &[u8],
        elements: &mut [u8],
    ) -> Result<(), CompressionError> {
        self.check_eights(rows.len())?;
        if rows.len() != elements.len() {
            let (expected, found) = (elements.len(), rows.len() as u64);
            return Err(CompressionError::Length { expected, found });
        }
        Path::detect().untranspose(self.bytes(), rows, elements);
        Ok(())
    }

    fn check_eights(self, length: usize) -> Result<(), CompressionError> {
        if length.is_multiple_of(8 * self.bytes()) {
            Ok(())
        } else {
            Err(CompressionError::Element { length, element: 8 * self.bytes() })
        }
    }

    /// Checks that a length is that of whole elements.
    fn check(self, length: usize) -> Result<(), CompressionError> {
        if length.is_multiple_of(self.bytes()) {
            Ok(())
        } else {
            Err(CompressionError::Element { length, element: self.bytes() })
        }
    }

    /// Returns the default number of bytes of a block: 8 KiB, and at least 128 elements.
    fn block(self) -> usize {
        (8192 / self.bytes() / 8 * 8).max(128) * self.bytes()
    }
}
