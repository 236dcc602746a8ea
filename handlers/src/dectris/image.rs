//! [`Image`]: dimage-1.0, one image.
//!
//! ```text
//! part 1   {"htype": "dimage-1.0", "series": 4, "frame": 0, "hash": "<MD5 of part 3>"}
//! part 2   {"htype": "dimage_d-1.0", "shape": [width, height], "type": "uint16",
//!           "encoding": "bs16-lz4<", "size": <length of part 3>}
//! part 3   the pixels, compressed as `encoding` says
//! part 4   {"htype": "dconfig-1.0", "start_time": 0, "stop_time": 10000000, "real_time": 10000000}
//! part 5   the appendix, if the user set one: any text
//! ```
//!
//! Times are in nanoseconds of the detector's clock. Source: public readers of the stream, and
//! recorded frames. Simulators send times that are not JSON: the image is read all the same.

use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::encoding::{Encoding, UnknownEncoding};
use super::free_text::FreeText;
use super::part::{in_order, no_array, tail, text_or_bytes, unexpected_htype};
use crate::array::{Array, ArrayError, Dtype};
use crate::compression::{Codec, CompressionError, Element, Options, decode_lz4_block};
use crate::header::{Axes, Json, Outline};
use crate::message::{DecodeError, EncodeError, Message, Parts, Warning, chain, warning};
use crate::walk::{Read, ReadError, Shown, Unread, Visitor};

/// The htype of this format, for errors.
const HTYPE: &str = "dimage-1.0";

/// A message dimage-1.0: one image with its times.
///
/// ```
/// use mflow_handlers::Array;
/// use mflow_handlers::dectris::Image;
///
/// let pixels = Array::from_elements(&[1_u16, 2, 3, 4, 5, 6], &[2, 3])?;
/// let image = Image::new(4, 17, &pixels);
/// assert_eq!((image.series(), image.frame()), (Some(4), Some(17)));
/// assert_eq!(image.pixels()?, pixels);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Part 1: series, frame and hash.
    pub header: Json,
    /// Part 2: shape (fastest dimension first), type, encoding and size of the blob.
    pub description: Json,
    /// Part 3: the pixels as they were sent.
    pub blob: Bytes,
    /// Part 4: start, stop and exposure time in nanoseconds, if the part is there.
    pub config: Option<FreeText>,
    /// Part 5: what the user wanted to be sent with each image.
    pub appendix: Option<FreeText>,
    /// Parts that the format does not know.
    pub extra: Vec<Bytes>,
}

/// Why the pixels of an image cannot be returned. The blob still can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PixelError {
    /// The image does not say how its pixels are encoded.
    #[error("the image has no 'encoding'")]
    NoEncoding,
    /// The image has an unknown encoding.
    #[error(transparent)]
    UnknownEncoding(#[from] UnknownEncoding),
    /// The image has an encoding that has no specification.
    #[error("nothing is known of how pixels are encoded as '{0}'")]
    Unspecified(Box<str>),
    /// The pixels cannot be decompressed.
    #[error("the pixels cannot be decompressed")]
    Compression(#[from] CompressionError),
    /// The pixels are not the array that the image describes.
    #[error("the pixels are not the array that the image describes")]
    NotTheArray(#[from] ArrayError),
}

impl Image {
    /// Makes an image of uncompressed pixels, without hash, times and appendix.
    pub fn new(series: u64, frame: u64, pixels: &Array) -> Self {
        let encoding = Encoding { bitshuffle: None, lz4: false, order: pixels.order() };
        Self::of_blob(series, frame, pixels, encoding, pixels.bytes().clone(), "")
    }

    /// Makes an image whose pixels are encoded, with the hash of the encoded bytes, without times and
    /// appendix.
    ///
    /// ```
    /// # use mflow_handlers::{Array, dectris::Image};
    /// let pixels = Array::from_elements(&[7_u16; 6], &[2, 3])?;
    /// let image = Image::encoded(4, 17, &pixels, "bs16-lz4<".parse()?)?;
    /// assert_eq!(image.pixels()?, pixels);
    /// assert_eq!(image.matches_hash(), Some(true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PixelError::Compression`] if the pixels are too large to be compressed, or the encoding is of
    /// elements of a size that does not divide them.
    pub fn encoded(
        series: u64,
        frame: u64,
        pixels: &Array,
        encoding: Encoding,
    ) -> Result<Self, PixelError> {
        let pixels = pixels.to_order(encoding.order);
        let blob = encoding.encode(pixels.bytes())?;
        let digest = Md5::digest(&blob);
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self::of_blob(series, frame, &pixels, encoding, blob, &hash))
    }

    fn of_blob(
        series: u64,
        frame: u64,
        pixels: &Array,
        encoding: Encoding,
        blob: Bytes,
        hash: &str,
    ) -> Self {
        let shape: Vec<Value> = pixels.shape().iter().rev().copied().map(Value::from).collect();
        Self {
            header: json!({ "htype": HTYPE, "series": series, "frame": frame, "hash": hash })
                .into(),
            description: json!({
                "htype": "dimage_d-1.0",
                "shape": shape,
                "type": pixels.dtype().name(),
                "encoding": encoding.to_string(),
                "size": blob.len(),
            })
            .into(),
            blob,
            config: Some(FreeText::from(
                r#"{"htype":"dconfig-1.0","start_time":0,"stop_time":0,"real_time":0}"#,
            )),
            appendix: None,
            extra: Vec::new(),
        }
    }

    /// Returns the number of the series.
    pub fn series(&self) -> Option<u64> {
        self.header.peek().series
    }

    /// Returns the number of the frame in its series, from 0.
    pub fn frame(&self) -> Option<u64> {
        self.header.peek().frame
    }

    /// Returns how the pixels are encoded.
    ///
    /// # Errors
    ///
    /// [`PixelError::NoEncoding`] or [`PixelError::UnknownEncoding`].
    pub fn encoding(&self) -> Result<Encoding, PixelError> {
        encoding(&self.description.outline())
    }

    /// Returns the pixels, in C order `[height, width]`, decompressed on the caller's thread.
    ///
    /// # Errors
    ///
    /// [`PixelError`] if the description is unknown or does not fit the blob, or the blob is
    /// damaged; for [`ArrayError::Absent`] if the sender says that there are no pixels.
    pub fn pixels(&self) -> Result<Array, PixelError> {
        self.pixels_with(&Options::default())
    }

    /// Returns the pixels as [`pixels`](Self::pixels) does, decompressed as the options say.
    ///
    /// # Errors
    ///
    /// As [`pixels`](Self::pixels).
    pub fn pixels_with(&self, options: &Options) -> Result<Array, PixelError> {
        let outline = self.description.outline();
        if self.blob.is_empty() && outline.is_empty() {
            return Err(ArrayError::Absent.into());
        }
        let encoding = encoding(&outline)?;
        let blob = if encoding.is_plain() {
            self.blob.clone()
        } else {
            let length = outline.byte_length()?;
            decompress(encoding, &self.blob, length, options)?
                .ok_or_else(|| PixelError::Unspecified(name(&outline).into()))?
        };
        Ok(outline.array(Axes::FastFirst, encoding.order, blob)?)
    }

    /// Checks all of the pixels that can be checked without decompressing them.
    fn check(&self) -> Result<(), PixelError> {
        let outline = self.description.outline();
        if self.blob.is_empty() && outline.is_empty() {
            Ok(())
        } else if encoding(&outline)?.is_plain() {
            self.pixels().map(drop)
        } else {
            Ok(outline.byte_length().map(drop)?)
        }
    }

    /// Returns the value of pixels that were masked or are in a gap: the greatest of their type.
    /// `None` for types that have no such value.
    ///
    /// ```
    /// # use mflow_handlers::{Array, dectris::Image};
    /// # let pixels = Array::from_elements(&[1_u16], &[1, 1])?;
    /// assert_eq!(Image::new(4, 17, &pixels).masked_value(), Some(65535));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn masked_value(&self) -> Option<u64> {
        match self.description.outline().dtype()? {
            Dtype::Uint8 => Some(u8::MAX.into()),
            Dtype::Uint16 => Some(u16::MAX.into()),
            Dtype::Uint32 => Some(u32::MAX.into()),
            Dtype::Uint64 => Some(u64::MAX),
            _ => None,
        }
    }

    /// Returns whether the blob has the MD5 that is in the header; `None` if the header has none.
    ///
    /// Detectors send the MD5. Simulators often send something else: a mismatch is no proof of
    /// damage.
    pub fn matches_hash(&self) -> Option<bool> {
        let sent = self.header.get("hash")?.as_str().filter(|hash| hash.len() == 32)?;
        let found = Md5::digest(&self.blob);
        Some(found.iter().zip(sent.as_bytes().chunks(2)).all(|(byte, digits)| {
            std::str::from_utf8(digits).is_ok_and(|text| u8::from_str_radix(text, 16) == Ok(*byte))
        }))
    }

    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// If one of the first three parts is missing, or one of the first two is not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            header: parts.next_object()?,
            description: parts.next_object()?,
            blob: parts.next_part()?,
            config: parts.next().map(FreeText::from),
            appendix: parts.next().map(FreeText::from),
            extra: parts.rest().collect(),
        })
    }

    /// Visits the values of the message.
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        visitor.part("header", &self.header);
        visitor.part("part_2", &self.description);
        match &self.config {
            Some(config) => text_or_bytes("part_4", config, visitor),
            None => visitor.entry("part_4", &|| Value::Null),
        }
        visitor.key("image");
        visitor.unread(Box::new(Pixels(self)));
        tail(self.appendix.as_ref(), &self.extra, visitor);
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Gap`] if a part is left out before one that is there, and
    /// [`EncodeError::NotAnObject`].
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let head = [
            Some(self.header.encode(HTYPE, 1)?),
            Some(self.description.encode(HTYPE, 2)?),
            Some(self.blob.clone()),
            self.config.as_ref().map(|config| config.bytes().clone()),
            self.appendix.as_ref().map(|appendix| appendix.bytes().clone()),
        ];
        in_order(HTYPE, head.into_iter().chain(self.extra.iter().cloned().map(Some)))
    }

    /// Returns what was tolerated in the message, and what keeps the pixels from being read without
    /// decompressing them.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        warnings.extend(self.description.warning(2));
        warnings.extend(unexpected_htype(&self.description, 2, "dimage_d-1.0"));
        let expected = self.description.get("size").and_then(size);
        if let Some(expected) = expected.filter(|&it| usize::try_from(it) != Ok(self.blob.len())) {
            warnings.push(Warning::Size { part: 3, expected, found: self.blob.len() });
        }
        if let Err(error) = self.check() {
            warnings.push(no_array(3, &error));
        }
        match &self.config {
            None => warnings.push(Warning::MissingPart { part: 4 }),
            Some(config) => match config.json() {
                None => warnings.push(Warning::NotJson { part: 4 }),
                Some(json) => warnings.extend(json.warning(4)),
            },
        }
        warnings.extend(self.appendix.as_ref().and_then(|appendix| appendix.warning(5)));
        warnings.extend(warning::extra_parts(5, self.extra.len()));
        warnings
    }
}

/// The pixels of an image.
struct Pixels<'d>(&'d Image);

impl Unread for Pixels<'_> {
    fn read(&self) -> Result<Read, ReadError> {
        match self.0.pixels() {
            Ok(pixels) => Ok(Read::Array(pixels)),
            Err(PixelError::NotTheArray(ArrayError::Absent)) => Ok(Read::Absent),
            Err(error) => Err(ReadError::new(error)),
        }
    }

    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        read.map_or_else(
            |error| Shown {
                // All other errors are warnings already, found without decompressing.
                warning: matches!(error.get_ref().downcast_ref(), Some(PixelError::Compression(_)))
                    .then(|| chain(&error)),
                ..Shown::beside(&self.0.blob)
            },
            Shown::from,
        )
    }
}

fn encoding(outline: &Outline<'_>) -> Result<Encoding, PixelError> {
    Ok(outline.encoding.as_deref().ok_or(PixelError::NoEncoding)?.parse()?)
}

fn name<'a>(outline: &'a Outline<'_>) -> &'a str {
    outline.encoding.as_deref().unwrap_or_default()
}

/// Decompresses pixels to a known length; `None` for an encoding that the grammar allows but that
/// has no specification.
fn decompress(
    encoding: Encoding,
    blob: &[u8],
    length: usize,
    options: &Options,
) -> Result<Option<Bytes>, CompressionError> {
    match encoding {
        Encoding { lz4: false, .. } => Ok(None),
        Encoding { bitshuffle: Some(bits), .. } => {
            let element = Element::of_bits(bits)?;
            Codec::BitshuffleLz4(element).decode_exactly(blob, length, options).map(Some)
        }
        // Some tools frame what the detector sends as one block.
        Encoding { bitshuffle: None, .. } => decode_lz4_block(blob, length, options)
            .or_else(|error| Codec::Lz4.decode_exactly(blob, length, options).map_err(|_| error))
            .map(Some),
    }
}

/// Reads a size, which some senders write as text.
fn size(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{ByteOrder, Dtype};
    use crate::compression::encode_lz4_block;
    use crate::message::chain;

    fn image(order: ByteOrder) -> Image {
        let bytes = Bytes::from_static(&[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]);
        Image::new(4, 17, &Array::new(Dtype::Uint16, order, &[2, 3], bytes).unwrap())
    }

    fn decode(message: &Message) -> Image {
        Image::decode(&mut Parts::new(message)).unwrap()
    }

    #[test]
    fn an_image_that_was_built_reads_back_equal() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let mut image = image(order);
            assert_eq!(decode(&image.encode().unwrap()), image);
            image.appendix = Some("run 7".into());
            image.extra = vec!["more".into()];
            assert_eq!(decode(&image.encode().unwrap()), image);
            image.header.value_mut()["series"] = json!(5);
            assert_eq!(decode(&image.encode().unwrap()), image);
            image.config = None;
            let error = image.encode().unwrap_err();
            assert_eq!(
                error.to_string(),
                "part 4 of 'dimage-1.0' cannot be left out before the parts that follow it"
            );
        }
    }

    #[test]
    fn an_image_without_readable_times_is_read() {
        let mut image = image(ByteOrder::Little);
        image.config = Some("{'start_time': 0}".into());
        assert_eq!(image.warnings(), [Warning::NotJson { part: 4 }]);
        image.config = None;
        assert_eq!(image.warnings(), [Warning::MissingPart { part: 4 }]);
        assert!(image.pixels().is_ok());
    }

    #[test]
    fn a_size_may_be_text_and_is_not_trusted() {
        let mut image = image(ByteOrder::Little);
        image.description.value_mut()["size"] = json!("12");
        assert_eq!(image.warnings(), []);
        image.description.value_mut()["size"] = json!("13");
        assert_eq!(image.warnings(), [Warning::Size { part: 3, expected: 13, found: 12 }]);
        assert!(image.pixels().is_ok());
    }

    /// An image whose blob was compressed.
    fn compressed(encoding: &str, blob: Vec<u8>) -> Image {
        let mut image = image(ByteOrder::Little);
        image.description.value_mut()["encoding"] = encoding.into();
        image.blob = blob.into();
        image
    }

    #[test]
    fn every_encoding_is_decompressed() {
        let plain = image(ByteOrder::Little);
        let shuffled = |bits| Codec::BitshuffleLz4(Element::of_bits(bits).unwrap());
        let blobs = [
            ("lz4<", encode_lz4_block(&plain.blob).unwrap()),
            ("lz4<", Codec::Lz4.encode(&plain.blob).unwrap()),
            ("bs16-lz4<", shuffled(16).encode(&plain.blob).unwrap()),
            ("bs16lz4<", shuffled(16).encode(&plain.blob).unwrap()),
            ("bs8-lz4<", shuffled(8).encode(&plain.blob).unwrap()),
        ];
        for (encoding, blob) in blobs {
            let image = compressed(encoding, blob);
            assert_eq!(image.pixels().unwrap(), plain.pixels().unwrap(), "{encoding}");
        }
    }

    #[test]
    fn what_cannot_be_decompressed_says_why() {
        let error = |encoding, blob: &[u8]| {
            chain(&compressed(encoding, blob.to_vec()).pixels().unwrap_err())
        };
        assert_eq!(
            error("lz4<", b"x"),
            "the pixels cannot be decompressed: block 0 at offset 0 is damaged"
        );
        assert_eq!(
            error("bs16-lz4<", &[0; 12]),
            "the pixels cannot be decompressed: expected 12 bytes of decompressed data, found 0"
        );
        assert_eq!(error("bs16<", b"x"), "nothing is known of how pixels are encoded as 'bs16<'");
        assert_eq!(
            error("adsc", b"x"),
            "expected an encoding such as '<' or 'bs16-lz4<', found 'adsc'"
        );
    }

    #[test]
    fn a_shape_that_the_blob_cannot_make_takes_no_memory() {
        let mut image = compressed("lz4<", vec![0; 100]);
        image.description.value_mut()["shape"] = json!([1_000_000, 1_000_000]);
        assert!(matches!(
            image.pixels(),
            Err(PixelError::Compression(CompressionError::TooLarge { limit: 25755, .. }))
        ));
    }

    #[test]
    fn an_image_without_described_pixels_has_none_and_one_that_describes_them_is_damaged() {
        let mut image = compressed("lz4<", Vec::new());
        let has_none = |image: &Image| {
            matches!(image.pixels(), Err(PixelError::NotTheArray(ArrayError::Absent)))
        };
        assert!(!has_none(&image));
        let kind = json!({"htype": "dimage_d-1.0", "type": "undefined", "shape": [], "size": 0});
        image.description = kind.into();
        assert!(has_none(&image));
        assert_eq!(image.warnings(), []);
        image.blob = Bytes::from_static(b"x");
        assert!(!has_none(&image));
    }

    #[test]
    fn the_hash_is_checked_on_request() {
        let mut image = image(ByteOrder::Little);
        assert_eq!(image.matches_hash(), None);
        image.header.value_mut()["hash"] = "900150983cd24fb0d6963f7d28e17f72".into();
        assert_eq!(image.matches_hash(), Some(false));
        image.blob = Bytes::from_static(b"abc");
        assert_eq!(image.matches_hash(), Some(true));
    }

    #[test]
    fn pixels_that_do_not_fit_their_description_are_an_error() {
        let mut image = image(ByteOrder::Little);
        for shape in [
            json!([3, 3]),
            json!([-3, 2]),
            json!([1_u64 << 40, 1_u64 << 40]),
            json!(null),
            json!([]),
        ] {
            image.description.value_mut()["shape"] = shape.clone();
            assert!(matches!(image.pixels(), Err(PixelError::NotTheArray(_))), "{shape}");
        }
        image.description.value_mut().as_object_mut().unwrap().remove("shape");
        assert!(matches!(image.pixels(), Err(PixelError::NotTheArray(ArrayError::NoShape))));
        image.description = json!({}).into();
        assert!(matches!(image.pixels(), Err(PixelError::NoEncoding)));
    }
}
