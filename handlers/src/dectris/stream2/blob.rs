//! [`Blob`]: bytes that may be compressed, as they stand in arrays or elsewhere.

use bytes::Bytes;

use super::error::TypedArrayError;
use crate::cbor::{Cbor, Head, Item, Reader, Writer, share};
use crate::compression::{Codec, CompressionError, Element, Options};

/// Compressed bytes, as DECTRIS defines them.
const COMPRESSED: u64 = 56500;

/// Bytes as they were sent.
pub(super) struct Blob {
    algorithm: Option<Algorithm>,
    pub(super) bytes: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
enum Algorithm {
    Known(Codec),
    /// The element's size is none.
    Damaged(&'static str, CompressionError),
    Unknown(Box<str>),
}

impl Cbor {
    /// Returns the bytes that this value is, decompressed if they are compressed.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`] if it is something else, or cannot be decompressed.
    pub fn byte_string(&self, options: &Options) -> Result<Bytes, TypedArrayError> {
        let item = self.item();
        Blob::read(&mut item.reader(), item)?.decompress(None, options)
    }
}

impl Blob {
    pub(super) fn read(reader: &mut Reader<'_>, item: Item<'_>) -> Result<Self, TypedArrayError> {
        match reader.next()? {
            Head::Bytes(bytes) => Ok(Self { algorithm: None, bytes: share(bytes, item.source) }),
            Head::Tag(COMPRESSED) => {
                let Head::Array(mut items) = reader.next()? else {
                    return Err(TypedArrayError::NotBytes);
                };
                let mut next = || match reader.has_more(&mut items)? {
                    true => Ok(reader.next()?),
                    false => Err(TypedArrayError::NotBytes),
                };
                match (next()?, next()?, next()?) {
                    (Head::Text(Some(name)), Head::Integer(modifier), Head::Bytes(bytes)) => {
                        let algorithm = Some(Algorithm::new(&name, modifier));
                        Ok(Self { algorithm, bytes: share(bytes, item.source) })
                    }
                    _ => Err(TypedArrayError::NotBytes),
                }
            }
            _ => Err(TypedArrayError::NotBytes),
        }
    }

    /// Returns whether the bytes are compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.algorithm.is_some()
    }

    pub(super) fn codec(&self) -> Result<Option<Codec>, TypedArrayError> {
        match self.algorithm.clone() {
            None => Ok(None),
            Some(Algorithm::Known(codec)) => Ok(Some(codec)),
            Some(Algorithm::Damaged(algorithm, source)) => {
                Err(TypedArrayError::Compression { algorithm, source })
            }
            Some(Algorithm::Unknown(name)) => Err(TypedArrayError::Algorithm(name)),
        }
    }

    /// Returns the length of the bytes once they are decompressed, as their header says.
    pub(super) fn length(&self) -> Result<usize, TypedArrayError> {
        let Some(codec) = self.codec()? else {
            return Ok(self.bytes.len());
        };
        let (algorithm, _) = name(codec);
        let error = |source| TypedArrayError::Compression { algorithm, source };
        let length = codec.decoded_length(&self.bytes).map_err(error)?;
        let too_large = |_| error(CompressionError::TooLarge { length, limit: usize::MAX });
        usize::try_from(length).map_err(too_large)
    }

    /// Returns the bytes, of which there should be so many.
    pub(super) fn decompress(
        self,
        expected: Option<usize>,
        options: &Options,
    ) -> Result<Bytes, TypedArrayError> {
        let Some(codec) = self.codec()? else {
            return Ok(self.bytes);
        };
        let bytes = match expected {
            Some(length) => codec.decode_exactly(&self.bytes, length, options),
            None => codec.decode(&self.bytes, options),
        };
        let (algorithm, _) = name(codec);
        bytes.map_err(|source| TypedArrayError::Compression { algorithm, source })
    }
}

impl Algorithm {
    fn new(name: &str, modifier: i128) -> Self {
        let element = Element::of_bytes(usize::try_from(modifier).unwrap_or(0));
        let shuffled = |name, codec: fn(Element) -> Codec| match element {
            Ok(element) => Self::Known(codec(element)),
            Err(error) => Self::Damaged(name, error),
        };
        match name {
            "lz4" => Self::Known(Codec::Lz4),
            "bslz4" => shuffled("bslz4", Codec::BitshuffleLz4),
            "bszstd" => shuffled("bszstd", Codec::BitshuffleZstd),
            _ => Self::Unknown(name.into()),
        }
    }
}

/// Returns the name of a codec, and the size of its elements, 0 for none.
fn name(codec: Codec) -> (&'static str, usize) {
    match codec {
        Codec::Lz4 => ("lz4", 0),
        Codec::BitshuffleLz4(element) => ("bslz4", element.bytes()),
        Codec::BitshuffleZstd(element) => ("bszstd", element.bytes()),
    }
}

/// Returns whether a tag is that of compressed bytes.
pub(super) fn is_compressed_tag(tag: u64) -> bool {
    tag == COMPRESSED
}

/// Writes bytes compressed.
pub(super) fn write(
    codec: Codec,
    bytes: &[u8],
    writer: &mut Writer,
) -> Result<(), TypedArrayError> {
    let (algorithm, modifier) = name(codec);
    let bytes =
        codec.encode(bytes).map_err(|source| TypedArrayError::Compression { algorithm, source })?;
    writer.tag(COMPRESSED);
    writer.array(3);
    writer.text(algorithm);
    writer.unsigned(modifier as u64);
    writer.bytes(&bytes);
    Ok(())
}
