//! Decoding and encoding frames, block by block, on one thread or several.

use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;

use super::frame::{self, Block, Frame, Stored};
use super::transpose::Path;
use super::{Codec, CompressionError, Element, Options, Threads, lz4};

/// Bytes of output below which another thread costs more than it saves.
const PER_THREAD: usize = 1 << 20;

/// Into how many shares the work of a thread is split.
const SHARES: usize = 8;

/// Bytes of a block of LZ4 if we choose: enough of them to share the work.
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
    /// Takes memory for one block on each thread, and for the list of the blocks; no block is
    /// larger than `out`. Where it fails, what `out` holds means nothing.
    ///
    /// # Errors
    /// [`CompressionError::Length`] if the data says it has another length; others if it is
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
        self.fill(&Frame::walk(self, input, out.len())?, out, threads)
    }

    /// Decodes the blocks of a frame that makes as many bytes as `out` has.
    fn fill(
        self,
        frame: &Frame<'_>,
        out: &mut [u8],
        threads: Threads,
    ) -> Result<(), CompressionError> {
        let (out, rest) = out.split_at_mut(out.len() - frame.rest.len());
        rest.copy_from_slice(frame.rest);
        if frame.blocks.is_empty() {
            return Ok(());
        }
        let threads = threads.count(out.len());
        let share = match threads {
            1 => frame.blocks.len(),
            // Some blocks take longer than others: a thread that is done takes the next one.
            _ => frame.blocks.len().div_ceil(threads * SHARES),
        };
        let block = frame.block.min(out.len());
        let shares = frame.blocks.chunks(share).zip(out.chunks_mut(share.saturating_mul(block)));
        let shares = Mutex::new(shares.enumerate());
        let work = || {
            let mut worker = Worker::new(self, block);
            loop {
                let next = shares.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((index, (blocks, out))) = next else { return Ok(()) };
                worker.run(index * share, blocks, out)?;
            }
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut result = work();
            for other in others {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(other);
            }
            result
        })
    }

    /// Decodes data to the length that it says it has.
    ///
    /// # Errors
    /// [`CompressionError::TooLarge`] if that is over the limit or more than the data can make,
    /// before any memory is taken; others as [`decode_into`](Self::decode_into).
    pub fn decode(self, input: &[u8], options: &Options) -> Result<Bytes, CompressionError> {
        let length = self.decoded_length(input)?;
        let length = options.check(length, self.most(input.len()))?;
        // Most damage shows here, before any memory is taken for the output.
        let frame = Frame::walk(self, input, length)?;
        let mut out = vec![0; length];
        self.fill(&frame, &mut out, options.threads)?;
        Ok(out.into())
    }

    /// Decodes data to the length that is known from elsewhere.
    ///
    /// # Errors
    /// [`CompressionError::Length`] if the data says it has another length; others as
    /// [`decode`](Self::decode).
    pub fn decode_exactly(
        self,
        input: &[u8],
        length: usize,
        options: &Options,
    ) -> Result<Bytes, CompressionError> {
        let found = self.decoded_length(input)?;
        if usize::try_from(found) != Ok(length) {
            return Err(CompressionError::Length { expected: length, found });
        }
        self.decode(input, options)
    }

    /// Returns how many bytes can be made of so many at the most: one of LZ4 makes 255, and
    /// a block of Zstandard makes 128 KiB of four bytes.
    fn most(self, input: usize) -> usize {
        match self {
            Self::Lz4 | Self::BitshuffleLz4(_) => 255_usize.saturating_mul(input),
            Self::BitshuffleZstd(_) => (1_usize << 15).saturating_mul(input),
        }
    }

    /// Encodes data into a frame, with the sizes of blocks that everybody uses.
    ///
    /// # Errors
    /// [`CompressionError::Element`] if the data is no whole number of elements, and
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

impl Options {
    /// Checks a length against the limit, and against the most that the data can make.
    pub(super) fn check(&self, length: u64, most: usize) -> Result<usize, CompressionError> {
        let limit = self.limit.min(most);
        let checked = usize::try_from(length).ok().filter(|length| *length <= limit);
        checked.ok_or(CompressionError::TooLarge { length, limit })
    }
}

impl Threads {
    /// Returns how many threads are worth it for so many bytes.
    fn count(self, bytes: usize) -> usize {
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
}

impl Worker {
    fn new(codec: Codec, block: usize) -> Self {
        let rows = match codec.element() {
            None => Vec::new(),
            Some(_) => vec![0; block],
        };
        Self { codec, path: Path::detect(), block, rows }
    }

    /// Decodes blocks, the first of them with the number `first`.
    fn run(
        &mut self,
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

    /// Decodes one block that fills `out`; returns whether it does.
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
            self.path.untranspose(element.bytes(), rows, out);
        }
        decoded
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
        let one = Options::default();
        let many = Options { threads: Threads::UpTo(NonZeroUsize::new(3).unwrap()), ..one };
        for codec in codecs() {
            for elements in [0, 1, 7, 8, 9, 4096, 4104, 5001, 300_000] {
                let data = data(elements * codec.element().map_or(1, Element::bytes));
                let encoded = codec.encode(&data).unwrap();
                for options in [one, many] {
                    assert_eq!(codec.decode(&encoded, &options).unwrap(), data);
                }
                assert_eq!(codec.decode_exactly(&encoded, data.len(), &one).unwrap(), data);
                let expected = data.len() + 1;
                let found = data.len() as u64;
                let error = Err(CompressionError::Length { expected, found });
                assert_eq!(codec.decode_exactly(&encoded, expected, &one), error);
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
        assert_eq!(Codec::Lz4.decode(&encoded, &Options::default()).unwrap(), noise);
    }

    #[test]
    fn the_limit_is_checked_before_memory_is_taken() {
        let mut encoded = Codec::Lz4.encode(&data(100)).unwrap();
        let options = Options { limit: 99, ..Options::default() };
        let error = Err(CompressionError::TooLarge { length: 100, limit: 99 });
        assert_eq!(Codec::Lz4.decode(&encoded, &options), error);
        // Nor is there more than the data can make.
        encoded[..8].copy_from_slice(&(1_u64 << 29).to_be_bytes());
        let limit = 255 * encoded.len();
        let error = Err(CompressionError::TooLarge { length: 1 << 29, limit });
        assert_eq!(Codec::Lz4.decode(&encoded, &Options::default()), error);
    }

    #[test]
    fn zstandard_makes_no_more_than_its_blocks_can() {
        let codec = Codec::BitshuffleZstd(Element::of_bytes(2).unwrap());
        let mut blob = [0; 20];
        blob[..8].copy_from_slice(&(1_u64 << 29).to_be_bytes());
        let error = Err(CompressionError::TooLarge { length: 1 << 29, limit: 20 << 15 });
        assert_eq!(codec.decode(&blob, &Options::default()), error);
    }

    #[test]
    fn no_truncation_decodes() {
        for codec in codecs() {
            let data = data(codec.element().map_or(1, Element::bytes) * 1003);
            let encoded = codec.encode(&data).unwrap();
            for end in 0..encoded.len() {
                assert!(codec.decode(&encoded[..end], &Options::default()).is_err());
            }
        }
    }

    #[test]
    fn a_block_of_lz4_makes_its_length_or_fails() {
        let data = data(5000);
        let options = Options::default();
        let encoded = lz4::encode_block(&data).unwrap();
        assert_eq!(lz4::decode_block(&encoded, data.len(), &options).unwrap(), data);
        let damaged = Err(CompressionError::Block { index: 0, offset: 0 });
        assert_eq!(lz4::decode_block(&encoded, data.len() + 1, &options), damaged);
        assert_eq!(lz4::decode_block(&encoded, data.len() - 1, &options), damaged);
        let limit = 255 * (encoded.len() + 1);
        let error = Err(CompressionError::TooLarge { length: 1 << 29, limit });
        assert_eq!(lz4::decode_block(&encoded, 1 << 29, &options), error);
    }
}
