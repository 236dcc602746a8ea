//! [`Compression`]: how values and data headers are compressed.
//!
//! ```text
//! bitshuffle_lz4   the frame of HDF5's filter 32008, elements in the byte order of the channel
//! lz4              4 bytes of decompressed length, and one block of LZ4
//! ```
//!
//! The byte order of that length is the writer's: that of the channel or always big for values, big
//! or little for data headers. Both are tried, and the one that is right decodes.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::array::ByteOrder;
use crate::compression::{
    Codec, CompressionError, Element, Options, UnknownCompression, decode_lz4_block,
    encode_lz4_block,
};

/// How values or a data header are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4.
    Lz4,
    /// LZ4 of elements whose bits were transposed.
    BitshuffleLz4,
}

impl Compression {
    /// Returns the name that headers use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::BitshuffleLz4 => "bitshuffle_lz4",
        }
    }

    /// Decompresses a part whose elements have so many bytes. An `expected` length is preferred, but
    /// no condition.
    pub(super) fn decode(
        self,
        part: &Bytes,
        element: usize,
        order: ByteOrder,
        expected: Option<usize>,
        options: &Options,
    ) -> Result<Bytes, CompressionError> {
        match self {
            Self::None => Ok(part.clone()),
            Self::Lz4 => decode_lz4(part, order, expected, options),
            Self::BitshuffleLz4 => {
                let codec = Codec::BitshuffleLz4(Element::of_bytes(element)?);
                if codec.decoded_length(part)? == 0 {
                    return Ok(Bytes::new());
                }
                codec.decode(part, options)
            }
        }
    }

    /// Compresses a part whose elements have so many bytes.
    pub(super) fn encode(
        self,
        data: Bytes,
        element: usize,
        order: ByteOrder,
    ) -> Result<Bytes, CompressionError> {
        match self {
            Self::None => Ok(data),
            Self::Lz4 => {
                let block = encode_lz4_block(&data)?;
                let length = u32::try_from(data.len())
                    .map_err(|_| CompressionError::BlockSize { size: data.len() })?;
                let length = match order {
                    ByteOrder::Little => length.to_le_bytes(),
                    ByteOrder::Big => length.to_be_bytes(),
                };
                Ok([&length[..], &block].concat().into())
            }
            Self::BitshuffleLz4 => {
                Ok(Codec::BitshuffleLz4(Element::of_bytes(element)?).encode(&data)?.into())
            }
        }
    }
}

/// Decodes a block behind its length, which is in either byte order.
fn decode_lz4(
    part: &[u8],
    order: ByteOrder,
    expected: Option<usize>,
    options: &Options,
) -> Result<Bytes, CompressionError> {
    let Some((word, block)) = part.split_first_chunk::<4>() else {
        return Err(CompressionError::Truncated { offset: 0, expected: 4, found: part.len() });
    };
    let (little, big) = (u32::from_le_bytes(*word), u32::from_be_bytes(*word));
    let mut lengths = match order {
        ByteOrder::Little => [little, big],
        ByteOrder::Big => [big, little],
    };
    if expected.is_some() && usize::try_from(lengths[1]).ok() == expected {
        lengths.reverse();
    }
    if lengths == [0, 0] {
        return Ok(Bytes::new());
    }
    let decode = |length: u32| {
        let limit = options.limit;
        let length = usize::try_from(length)
            .map_err(|_| CompressionError::TooLarge { length: length.into(), limit })?;
        decode_lz4_block(block, length, options)
    };
    decode(lengths[0]).or_else(|error| decode(lengths[1]).map_err(|_| error))
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the name in any case.
impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        [Self::None, Self::Lz4, Self::BitshuffleLz4]
            .into_iter()
            .find(|compression| name.eq_ignore_ascii_case(compression.name()))
            .ok_or_else(|| UnknownCompression(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(part: &[u8], expected: Option<usize>) -> Result<Bytes, CompressionError> {
        let part = Bytes::copy_from_slice(part);
        Compression::Lz4.decode(&part, 1, ByteOrder::Big, expected, &Options::default())
    }

    #[test]
    fn the_length_of_lz4_is_read_in_either_byte_order() {
        for length in [1, 7, 256, 257, 65_536, 65_537] {
            let data = Bytes::from(vec![7; length]);
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let part = Compression::Lz4.encode(data.clone(), 1, order).unwrap();
                assert_eq!(decode(&part, Some(length)).unwrap(), data);
                assert_eq!(decode(&part, None).unwrap(), data);
                assert_eq!(decode(&part, Some(3)).unwrap(), data);
            }
        }
    }

    #[test]
    fn no_memory_is_taken_for_a_length_that_cannot_be() {
        let error = decode(&[0xff, 0xff, 0xff, 0xfe, 0x10, 7, 0], None).unwrap_err();
        assert!(matches!(error, CompressionError::TooLarge { length: 0xffff_fffe, .. }), "{error}");
        assert!(matches!(decode(&[0; 3], None), Err(CompressionError::Truncated { .. })));
        assert_eq!(decode(&[0; 5], None).unwrap(), "");
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!("Bitshuffle_LZ4".parse(), Ok(Compression::BitshuffleLz4));
        assert_eq!("NONE".parse(), Ok(Compression::None));
        assert_eq!(
            "zip".parse::<Compression>().unwrap_err().to_string(),
            "expected the compression 'none', 'lz4' or 'bitshuffle_lz4', found 'zip'"
        );
    }
}
