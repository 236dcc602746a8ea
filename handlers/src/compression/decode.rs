//! Decoding and encoding frames, block by block, on one thread or several.

use std::thread;

use bytes::Bytes;

use super::frame::{self, Block, Frame, Stored};
use super::transpose::Path;
use super::{Codec, CompressionError, Element, Threads, lz4};

/// Bytes of output below which another thread costs more than it saves.
const PER_THREAD: usize = 1 << 20;

/// Bytes of a block of LZ4 where we choose: enough of them to share the work.
const LZ4_BLOCK: usize = 1 << 18;

impl Codec {
    /// Returns the element whose bits are transposed, if they are.
    pub(super) fn element(self) -> Option<Element> {
        match self {
            Self::Lz4 => None,
            Self::BitshuffleLz4(element) | Self::BitshuffleZstd(element) => Some(element),
        }
    }

    /// Returns how many bytes the data says it decodes to. Nothing is checked but that it has a
    /// header.
    ///
    /// # Errors
    /// [`CompressionError::Truncated`].
    pub fn decoded_length(self, input: &[u8]) -> Result<u64, CompressionError> {
        frame::length(input)
    }

    /// Decodes data of a length that is known: that of `out`, which is filled.
    ///
    /// Takes memory for two blocks on each thread, and for the list of the blocks; no block is
    /// larger than `out`. Where it fails, what `out` holds means nothing.
    ///
    /// # Errors
    /// [`CompressionError::Length`] where the data says it has another length; others where it is
    /// damaged.
    pub fn decode_into(
        self,
        input: &[u8],
        out: &mut [u8],
        threads: Threads,
    ) -> Result<(), CompressionError> {
        let found = self.decoded_length(input)?;
        if usize::try_from(found) != Ok(out.len()) {
            return Err(CompressionError::Length { expected: out.len(), found });
        }
        let frame = Frame::walk(self, input, out.len())?;
        let (out, rest) = out.split_at_mut(out.len() - frame.rest.len());
        rest.copy_from_slice(frame.rest);
        if frame.blocks.is_empty() {
            return Ok(());
        }
        let shares = threads.shares(out.len());
        let share = frame.blocks.len().div_ceil(shares);
        let block = frame.block.min(out.len());
        let work = frame.blocks.chunks(share).zip(out.chunks_mut(share.saturating_mul(block)));
        let mut work = work.enumerate();
        let own = work.next();
        thread::scope(|scope| {
            let run =
                |(index, (blocks, out))| Worker::new(self, block).run(index * share, blocks, out);
            let others: Vec<_> = work.map(|work| scope.spawn(move || run(work))).collect();
            let mut result = own.map_or(Ok(()), run);
            for other in others {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(other);
            }
            result
        })
    }

    /// Decodes data of up to `limit` bytes.
    ///
    /// # Errors
    /// [`CompressionError::TooLarge`] where it says it is larger, before any memory is taken;
    /// others as [`decode_into`](Self::decode_into).
    pub fn decode(
        self,
        input: &[u8],
        limit: usize,
        threads: Threads,
    ) -> Result<Bytes, CompressionError> {
        let length = self.decoded_length(input)?;
        let checked = usize::try_from(length).ok().filter(|length| *length <= limit);
        let mut out = vec![0; checked.ok_or(CompressionError::TooLarge { length, limit })?];
        self.decode_into(input, &mut out, threads)?;
        Ok(out.into())
    }

    /// Encodes data into a frame, with the sizes of blocks that everybody uses.
    ///
    /// # Errors
    /// [`CompressionError::Element`] where the data is no whole number of elements, and
    /// [`CompressionError::Unsupported`] for Zstandard.
    pub fn encode(self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut out = Vec::new();
        match self {
            Self::Lz4 => {
                let block = LZ4_BLOCK.min(data.len()).max(1);
                frame::begin(data.len(), block, &mut out)?;
                for block in data.chunks(block) {
                    frame::add_block(block, Stored::Allowed, &mut out)?;
                }
            }
            Self::BitshuffleLz4(element) => {
                element.check(data.len())?;
                let rest = data.len() % (8 * element.bytes());
                let (data, rest) = data.split_at(data.len() - rest);
                let block = element.block();
                frame::begin(data.len() + rest.len(), block, &mut out)?;
                let mut rows = vec![0; block.min(data.len())];
                let mut planes = rows.clone();
                let path = Path::detect();
                for block in data.chunks(block) {
                    let (rows, planes) = (&mut rows[..block.len()], &mut planes[..block.len()]);
                    path.transpose(element.bytes(), block, rows, planes);
                    frame::add_block(rows, Stored::Never, &mut out)?;
                }
                out.extend_from_slice(rest);
            }
            Self::BitshuffleZstd(_) => return Err(CompressionError::Unsupported),
        }
        Ok(out)
    }
}

impl Threads {
    /// Returns into how many shares the work for so many bytes is split.
    fn shares(self, bytes: usize) -> usize {
        match self {
            Self::One => 1,
            Self::UpTo(threads) => threads.get().min(bytes / PER_THREAD).max(1),
        }
    }
}

/// Decodes blocks, with the memory it needs for one of them.
struct Worker {
    codec: Codec,
    path: Path,
    block: usize,
    rows: Vec<u8>,
    planes: Vec<u8>,
}

impl Worker {
    fn new(codec: Codec, block: usize) -> Self {
        let scratch = || match codec.element() {
            None => Vec::new(),
            Some(_) => vec![0; block],
        };
        Self { codec, path: Path::detect(), block, rows: scratch(), planes: scratch() }
    }

    /// Decodes blocks, the first of them with the number `first`.
    fn run(
        mut self,
        first: usize,
        blocks: &[Block<'_>],
        out: &mut [u8],
    ) -> Result<(), CompressionError> {
        for (index, (block, out)) in (first..).zip(blocks.iter().zip(out.chunks_mut(self.block))) {
            if !self.decode(block.input, out) {
                return Err(CompressionError::Block { index, offset: block.offset });
            }
        }
        Ok(())
    }

    /// Decodes one block that fills `out`; tells whether it does.
    fn decode(&mut self, input: &[u8], out: &mut [u8]) -> bool {
        let element = match self.codec {
            Codec::Lz4 if input.len() == out.len() => {
                out.copy_from_slice(input);
                return true;
            }
            Codec::Lz4 => return lz4::decode(input, out),
            Codec::BitshuffleLz4(element) | Codec::BitshuffleZstd(element) => element,
        };
        let rows = &mut self.rows[..out.len()];
        let decoded = match self.codec {
            Codec::BitshuffleZstd(_) => zstd_safe::decompress(rows, input) == Ok(out.len()),
            _ => lz4::decode(input, rows),
        };
        if decoded {
            self.path.untranspose(element.bytes(), rows, out, &mut self.planes[..out.len()]);
        }
        decoded
    }
}

/// Decodes one block of LZ4 without a frame, as in `lz4<` of DECTRIS V1, which fills `out`.
///
/// # Errors
/// [`CompressionError::Block`] where it does not.
pub fn decode_lz4_block(input: &[u8], out: &mut [u8]) -> Result<(), CompressionError> {
    if lz4::decode(input, out) {
        Ok(())
    } else {
        Err(CompressionError::Block { index: 0, offset: 0 })
    }
}

/// Encodes one block of LZ4 without a frame.
///
/// # Errors
/// [`CompressionError::BlockSize`] where the data is larger than a block can be, 2 GB.
pub fn encode_lz4_block(data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    if lz4::encode(data, &mut out) {
        Ok(out)
    } else {
        Err(CompressionError::BlockSize { size: data.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    /// Data that compresses a little.
    fn data(length: usize) -> Vec<u8> {
        (0..length).map(|index| u8::try_from(index * index / 7 % 23).unwrap()).collect()
    }

    fn codecs() -> Vec<Codec> {
        let shuffled = [1, 2, 3, 4, 8, 16]
            .map(|bytes| Codec::BitshuffleLz4(Element::of_bytes(bytes).unwrap()));
        shuffled.into_iter().chain([Codec::Lz4]).collect()
    }

    #[test]
    fn what_was_encoded_decodes_on_any_number_of_threads() {
        let many = Threads::UpTo(NonZeroUsize::new(3).unwrap());
        for codec in codecs() {
            for elements in [0, 1, 7, 8, 9, 4096, 4104, 5001, 300_000] {
                let data = data(elements * codec.element().map_or(1, Element::bytes));
                let encoded = codec.encode(&data).unwrap();
                for threads in [Threads::One, many] {
                    assert_eq!(codec.decode(&encoded, data.len(), threads).unwrap(), data);
                }
            }
        }
    }

    #[test]
    fn noise_is_stored_as_it_is_where_that_is_allowed() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(100_000)
        .collect();
        let encoded = Codec::Lz4.encode(&noise).unwrap();
        assert_eq!(encoded.len(), 12 + 4 + noise.len());
        assert_eq!(Codec::Lz4.decode(&encoded, noise.len(), Threads::One).unwrap(), noise);
    }

    #[test]
    fn the_limit_is_checked_before_memory_is_taken() {
        let mut encoded = Codec::Lz4.encode(&data(100)).unwrap();
        encoded[..8].copy_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(
            Codec::Lz4.decode(&encoded, 1 << 30, Threads::One),
            Err(CompressionError::TooLarge { length: u64::MAX, limit: 1 << 30 })
        );
    }

    #[test]
    fn no_truncation_decodes() {
        for codec in codecs() {
            let data = data(codec.element().map_or(1, Element::bytes) * 1003);
            let encoded = codec.encode(&data).unwrap();
            for end in 0..encoded.len() {
                assert!(codec.decode(&encoded[..end], 1 << 20, Threads::One).is_err());
            }
        }
    }

    #[test]
    fn a_block_of_lz4_fills_its_buffer_or_fails() {
        let data = data(5000);
        let encoded = encode_lz4_block(&data).unwrap();
        let mut out = vec![0; data.len()];
        decode_lz4_block(&encoded, &mut out).unwrap();
        assert_eq!(out, data);
        let damaged = Err(CompressionError::Block { index: 0, offset: 0 });
        assert_eq!(decode_lz4_block(&encoded, &mut vec![0; data.len() + 1]), damaged);
        assert_eq!(decode_lz4_block(&encoded, &mut vec![0; data.len() - 1]), damaged);
    }
}
