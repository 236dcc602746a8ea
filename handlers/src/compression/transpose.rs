//! The bit-transpose of bitshuffle: portable code, and the choice of what is faster here.
//!
//! A block of `n` elements (a multiple of 8) of `size` bytes each is stored as `8 * size` rows of
//! `n / 8` bytes. Row `8 * byte + bit` holds that bit of all elements: bit `b` of its byte `k` is
//! that of element `8 * k + b`. Source: the format of github.com/kiyo-masui/bitshuffle, verified
//! against its library.
//!
//! ```text
//! rows of one byte plane      row 8p+0 ┐
//! (n / 8 bytes each)          …        ├ transpose ─> byte p of every element ┐
//!                             row 8p+7 ┘                                      ├ interleave ─> elements
//!                             … of the other bytes of the elements            ┘
//! ```
//!
//! Reading goes through both steps for a few columns at a time: nothing between them leaves the
//! registers and the first-level cache.

#[cfg(target_arch = "x86_64")]
use super::avx2;

/// Which code to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Words of 64 bits, everywhere.
    Portable,
    /// AVX2, if the processor has it.
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Detected),
}

impl Path {
    /// Returns the fastest code that this processor runs.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(detected) = avx2::detect() {
            return Self::Avx2(detected);
        }
        Self::Portable
    }

    /// Makes elements of rows, both of one length, a multiple of `8 * size`, which is at most 64.
    pub(crate) fn untranspose(self, size: usize, rows: &[u8], elements: &mut [u8]) {
        debug_assert!(rows.len() == elements.len() && rows.len().is_multiple_of(8 * size));
        let done = match self {
            Self::Portable => 0,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(detected) => avx2::untranspose(detected, size, rows, elements),
        };
        portable_untranspose(size, rows, elements, done);
    }

    /// Makes rows of elements; the reverse of [`untranspose`](Self::untranspose).
    pub(crate) fn transpose(
        self,
        size: usize,
        elements: &[u8],
        rows: &mut [u8],
        planes: &mut [u8],
    ) {
        debug_assert!(rows.len() == elements.len() && rows.len() == planes.len());
        if size == 1 {
            return self.plane_to_rows(elements, rows);
        }
        let count = elements.len() / size;
        if count == 0 {
            return;
        }
        match size {
            2 => deinterleave::<2>(elements, planes),
            4 => deinterleave::<4>(elements, planes),
            8 => deinterleave::<8>(elements, planes),
            _ => {
                for (byte, plane) in planes.chunks_exact_mut(count).enumerate() {
                    for (element, target) in elements.chunks_exact(size).zip(plane) {
                        *target = element[byte];
                    }
                }
            }
        }
        for (plane, rows) in planes.chunks_exact(count).zip(rows.chunks_exact_mut(count)) {
            self.plane_to_rows(plane, rows);
        }
    }

    /// Makes eight rows of one byte plane, both of the same length.
    fn plane_to_rows(self, plane: &[u8], rows: &mut [u8]) {
        let done = match self {
            Self::Portable => 0,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(detected) => avx2::plane_to_rows(detected, plane, rows),
        };
        portable_plane_to_rows(plane, rows, done);
    }
}

/// Makes byte planes of elements of `N` bytes. That the size is a constant lets the compiler use
/// whole registers.
fn deinterleave<const N: usize>(elements: &[u8], planes: &mut [u8]) {
    let (elements, _) = elements.as_chunks::<N>();
    for (byte, plane) in planes.chunks_exact_mut(elements.len()).enumerate() {
        for (element, target) in elements.iter().zip(plane) {
            *target = element[byte];
        }
    }
}

/// Eight words, each of eight bytes of a row.
type Square = [u64; 8];

/// Swaps of bits, or bytes, between words: how far apart those are, how far the bits, and which.
type Swaps = [(usize, u32, u64); 3];

/// Bit `k` of word `b` becomes bit `b` of word `k`, for every byte.
const BITS: Swaps =
    [(4, 4, 0x0f0f_0f0f_0f0f_0f0f), (2, 2, 0x3333_3333_3333_3333), (1, 1, 0x5555_5555_5555_5555)];

/// Byte `c` of word `k` becomes byte `k` of word `c`.
const BYTES: Swaps =
    [(4, 32, 0x0000_0000_ffff_ffff), (2, 16, 0x0000_ffff_0000_ffff), (1, 8, 0x00ff_00ff_00ff_00ff)];

fn swap(square: &mut Square, swaps: Swaps) {
    for (stride, shift, mask) in swaps {
        for low in (0..8).filter(|index| index & stride == 0) {
            let high = low + stride;
            let swapped = ((square[low] >> shift) ^ square[high]) & mask;
            square[high] ^= swapped;
            square[low] ^= swapped << shift;
        }
    }
}

/// Reads up to eight bytes as a word, little endian, missing ones as zero.
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    }
}

/// Makes 64 elements at a time, from the byte `start` of each row on.
fn portable_untranspose(size: usize, rows: &[u8], elements: &mut [u8], start: usize) {
    let length = rows.len() / size / 8;
    let targets = elements[8 * size * start..].chunks_mut(64 * size);
    for (column, target) in (start..length).step_by(8).zip(targets) {
        for (byte, rows) in rows.chunks_exact(8 * length).enumerate() {
            let mut square: Square =
                std::array::from_fn(|row| word(&rows[row * length + column..(row + 1) * length]));
            swap(&mut square, BITS);
            swap(&mut square, BYTES);
            for (word, target) in square.iter().zip(target.chunks_exact_mut(8 * size)) {
                for (value, element) in word.to_le_bytes().iter().zip(target.chunks_exact_mut(size))
                {
                    element[byte] = *value;
                }
            }
        }
    }
}

/// Continues from the byte `start` of each row.
fn portable_plane_to_rows(plane: &[u8], rows: &mut [u8], start: usize) {
    let length = rows.len() / 8;
    for (column, source) in (start..length).step_by(8).zip(plane[8 * start..].chunks(64)) {
        let mut square = Square::default();
        for (word, source) in square.iter_mut().zip(source.chunks_exact(8)) {
            *word = self::word(source);
        }
        swap(&mut square, BYTES);
        swap(&mut square, BITS);
        for (row, word) in square.iter().enumerate() {
            let target = &mut rows[row * length + column..(row + 1) * length];
            let count = target.len().min(8);
            target[..count].copy_from_slice(&word.to_le_bytes()[..count]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, bit by bit.
    fn reference(size: usize, elements: &[u8]) -> Vec<u8> {
        let count = elements.len() / size;
        let mut rows = vec![0; elements.len()];
        for element in 0..count {
            for bit in 0..8 * size {
                let set = elements[element * size + bit / 8] >> (bit % 8) & 1;
                rows[bit * count / 8 + element / 8] |= set << (element % 8);
            }
        }
        rows
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(length)
        .collect()
    }

    #[test]
    fn every_path_does_what_the_definition_says_for_every_size_and_count() {
        for path in [Path::Portable, Path::detect()] {
            for size in [1, 2, 3, 4, 8, 16, 24, 64] {
                for count in (0..=160).step_by(8).chain([256, 264, 520, 1024, 4096]) {
                    let elements = noise(size * count);
                    let expected = reference(size, &elements);
                    let (mut rows, mut planes) = (expected.clone(), expected.clone());
                    rows.fill(0xaa);
                    path.transpose(size, &elements, &mut rows, &mut planes);
                    assert_eq!(rows, expected, "{path:?} {size} {count}");
                    let mut back = vec![0xaa; elements.len()];
                    path.untranspose(size, &rows, &mut back);
                    assert_eq!(back, elements, "{path:?} {size} {count}");
                }
            }
        }
    }
}
