//! [`ArrayMessage`]: array-1.0 of PSI, arrays of one type and shape.
//!
//! ```text
//! part 1   {"htype": "array-1.0", "type": "uint16", "shape": [2, 3], "endianness": "little",
//!           "frame": 0, "source": "", "encoding": "", "tags": []}
//! part 2   an array of that type and shape, in C order; an empty part if there is none
//! …        as many more of them as there are parts, or none at all
//! ```
//!
//! `shape` lists the slowest dimension first and defaults to `[]`, a single element; `endianness`
//! defaults to little. Source: the htype descriptions of PSI. Beyond them these are read, as senders
//! write them: the type names and codes of numpy, a byte order in `type` (`>u2`) going before
//! `endianness`; `endianess`; whole floats in `shape`; the htype in a list; and `float`, of which
//! senders disagree whether it has 32 or 64 bits, by the length of the part.
//!
//! Its predecessor chunk-1.0 lists the fastest dimension first. It may be compressed, as `cmpr`
//! says by names such as `s-lz4` and `n8-lz4`, of which no description is known: such a message is
//! [`Broken`](crate::Broken), with its parts.

use serde_json::{Value, json};

use crate::array::{Array, ArrayError};
use crate::header::{Axes, Json, Outline};
use crate::message::{DecodeError, EncodeError, Message, Parts, Place, Warning};
use crate::walk::{Read, ReadError, Shown, Unread, Visitor};

/// The htype of this format, for errors.
const HTYPE: &str = "array-1.0";

/// The htype of its predecessor, which lists the fastest dimension first.
const CHUNK: &str = "chunk-1.0";

/// A message array-1.0: a header and the arrays that it describes.
///
/// ```
/// use mflow_handlers::{Array, ArrayMessage};
///
/// let message = ArrayMessage::new(Array::from_elements(&[1_u16, 2, 3], &[3])?);
/// assert_eq!(message.header.get("type").unwrap(), "uint16");
/// assert_eq!(message.encode()?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayMessage {
    /// The header, with every key the sender put there.
    pub header: Json,
    /// One array for each part after the header; `None` if that part is empty.
    pub data: Vec<Option<Array>>,
}

impl ArrayMessage {
    /// Makes a message of one array, its header saying what the array is.
    pub fn new(array: Array) -> Self {
        let mut message =
            Self { header: json!({ "htype": HTYPE }).into(), data: vec![Some(array)] };
        message.describe();
        message
    }

    /// Writes type, shape and byte order of the first array into the header, and leaves the other
    /// keys as they are. To be called after `data` was replaced by other arrays than the header says.
    pub fn describe(&mut self) {
        let (Some(array), Some(header)) =
            (self.data.iter().flatten().next(), self.header.value_mut().as_object_mut())
        else {
            return;
        };
        header.insert("type".into(), array.dtype().name().into());
        let mut shape: Vec<_> = array.shape().iter().copied().map(Value::from).collect();
        if axes(header.get("htype").and_then(Value::as_str)) == Axes::FastFirst {
            shape.reverse();
        }
        header.insert("shape".into(), shape.into());
        header.shift_remove("endianess");
        header.insert("endianness".into(), array.order().name().into());
    }

    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NotTheArray`] if a part is not what the header says; others if the header
    /// is not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        let (header, outline) = parts.next_outline()?;
        let mut data = Vec::with_capacity(parts.remaining());
        while let Some(bytes) = parts.next() {
            let array =
                if bytes.is_empty() { Ok(None) } else { described(&outline, bytes).map(Some) };
            data.push(
                array
                    .map_err(|source| DecodeError::NotTheArray { place: parts.place(), source })?,
            );
        }
        Ok(Self { header, data })
    }

    /// Visits the values of the message.
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        visitor.part("header", &self.header);
        visitor.key("data");
        visitor.list();
        for (array, part) in self.data.iter().zip(1..) {
            match array {
                Some(array) => visitor.unread(Box::new(Part { array, part })),
                None => visitor.json(&|| Value::Null),
            }
        }
        visitor.end();
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NotTheArray`] if an array is not what the header says (see
    /// [`describe`](Self::describe)) or has no elements.
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let outline = self.header.outline();
        let mut message = Message::new([self.header.encode(HTYPE, 1)?]);
        for (array, part) in self.data.iter().zip(2..) {
            if let Some(array) = array {
                check(&outline, array).map_err(|source| EncodeError::NotTheArray {
                    place: Place::new(Some(HTYPE), part),
                    source,
                })?;
            }
            message.extend([array.as_ref().map(|array| array.bytes().clone()).unwrap_or_default()]);
        }
        Ok(message)
    }

    /// Returns what was tolerated in the message.
    pub fn warnings(&self) -> Vec<Warning> {
        let outline = self.header.outline();
        let mut warnings = Vec::new();
        if outline.has_misspelled_order() {
            warnings.push(Warning::Misspelled { expected: "endianness", found: "endianess" });
        }
        if outline.has_ambiguous_type() {
            for (array, part) in self.data.iter().zip(2..) {
                warnings.extend(
                    array
                        .as_ref()
                        .map(|array| Warning::TypeByLength { part, dtype: array.dtype() }),
                );
            }
        }
        warnings
    }
}

/// The array of a part. Its name is the number of the part; the header is 000.
struct Part<'d> {
    array: &'d Array,
    part: usize,
}

impl Unread for Part<'_> {
    fn name(&self) -> Option<String> {
        Some(format!("{:03}", self.part))
    }

    fn read(&self) -> Result<Read, ReadError> {
        Ok(Read::Array(self.array.clone()))
    }

    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        read.unwrap_or(Read::Absent).into()
    }
}

fn described(outline: &Outline<'_>, bytes: bytes::Bytes) -> Result<Array, ArrayError> {
    let axes = axes(outline.htype.as_deref());
    // By its length alone what is compressed may pass for what is not.
    match outline.compression.as_deref().filter(|_| axes == Axes::FastFirst) {
        None | Some("" | "none") => outline.array(axes, outline.order()?, bytes),
        Some(name) => Err(ArrayError::Unspecified(name.into())),
    }
}

/// Returns in which order a message of this htype lists the dimensions.
fn axes(htype: Option<&str>) -> Axes {
    if htype == Some(CHUNK) { Axes::FastFirst } else { Axes::SlowFirst }
}

/// Checks that an array would be read back as it is.
fn check(outline: &Outline<'_>, array: &Array) -> Result<(), ArrayError> {
    if array.is_empty() {
        return Err(ArrayError::Empty);
    }
    let read = described(outline, array.bytes().clone())?;
    if read.is_like(array) {
        Ok(())
    } else {
        Err(ArrayError::Unlike { expected: Box::new(read), found: Box::new(array.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::array::{ByteOrder, Dtype};

    fn decode(header: &str, data: &[&[u8]]) -> Result<ArrayMessage, DecodeError> {
        let mut message = Message::new([Bytes::copy_from_slice(header.as_bytes())]);
        message.extend(data.iter().map(|part| Bytes::copy_from_slice(part)));
        ArrayMessage::decode(&mut Parts::new(&message))
    }

    /// Decodes one part and returns its type, byte order and shape.
    fn read(fields: &str, bytes: usize) -> Result<(Dtype, ByteOrder, Vec<usize>), String> {
        let message = decode(&format!(r#"{{"htype":"array-1.0",{fields}}}"#), &[&vec![0; bytes]]);
        message
            .map(|message| {
                let array = message.data[0].clone().unwrap();
                (array.dtype(), array.order(), array.shape().to_vec())
            })
            .map_err(|error| {
                std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string)
            })
    }

    #[test]
    fn every_spelling_of_a_type_is_read() {
        use ByteOrder::{Big, Little};
        let cases = [
            (r#""type":"uint16","shape":[3]"#, 6, (Dtype::Uint16, Little, vec![3])),
            (r#""type":"uint16","shape":[3],"endianness":"big""#, 6, (Dtype::Uint16, Big, vec![3])),
            (r#""type":"uint16","shape":[3],"endianess":"big""#, 6, (Dtype::Uint16, Big, vec![3])),
            (r#""type":">u2","shape":[3]"#, 6, (Dtype::Uint16, Big, vec![3])),
            (r#""type":"<u2","shape":[3],"endianness":"big""#, 6, (Dtype::Uint16, Little, vec![3])),
            (r#""type":"=i4","shape":[3],"endianness":"big""#, 12, (Dtype::Int32, Big, vec![3])),
            (r#""type":"|u1","shape":[3]"#, 3, (Dtype::Uint8, Little, vec![3])),
            (r#""type":"c8","shape":[3.0]"#, 24, (Dtype::Complex64, Little, vec![3])),
            (r#""type":"float","shape":[3]"#, 12, (Dtype::Float32, Little, vec![3])),
            (r#""type":"float","shape":[3]"#, 24, (Dtype::Float64, Little, vec![3])),
            (r#""type":"double","shape":[3]"#, 24, (Dtype::Float64, Little, vec![3])),
            (r#""type":"f8""#, 8, (Dtype::Float64, Little, vec![])),
            (r#""type":"u1","shape":[9],"shape":[2,2]"#, 4, (Dtype::Uint8, Little, vec![2, 2])),
        ];
        for (fields, bytes, expected) in cases {
            assert_eq!(read(fields, bytes), Ok(expected), "{fields}");
        }
    }

    #[test]
    fn what_no_array_can_be_made_of_is_an_error() {
        let no_shape = "expected a list of whole numbers from 0 up as 'shape'";
        let cases = [
            (r#""shape":[3]"#, 3, "the header has no 'type'"),
            (r#""type":7,"shape":[3]"#, 3, "the header has no 'type'"),
            (
                r#""type":"uint7","shape":[3]"#,
                3,
                "expected the name of an element type, found 'uint7'",
            ),
            (r#""type":"u2","shape":[3]"#, 7, "expected 6 bytes of uint16 in shape [3], found 7"),
            (
                r#""type":"float","shape":[3]"#,
                7,
                "expected 24 bytes of float64 in shape [3], found 7",
            ),
            (r#""type":"u1","shape":[-3]"#, 3, no_shape),
            (r#""type":"u1","shape":[1.5]"#, 3, no_shape),
            (r#""type":"u1","shape":"3""#, 3, no_shape),
            (r#""type":"u1","shape":null"#, 3, no_shape),
            (r#""type":"u1","shape":[1e30]"#, 3, no_shape),
            (
                r#""type":"u1","shape":[3],"endianness":"odd""#,
                3,
                "expected the byte order 'little' or 'big', found 'odd'",
            ),
            (
                r#""type":"u4","shape":[4294967296,4294967296]"#,
                3,
                "uint32 of shape [4294967296, 4294967296] is larger than any memory",
            ),
        ];
        for (fields, bytes, expected) in cases {
            assert_eq!(read(fields, bytes), Err(expected.to_owned()), "{fields}");
        }
    }

    #[test]
    fn a_chunk_lists_its_fastest_dimension_first() {
        let header = r#"{"htype":"chunk-1.0","type":"u1","shape":[3,2]}"#;
        let mut message = decode(header, &[b"abcdef"]).unwrap();
        assert_eq!(message.data[0].as_ref().unwrap().shape(), [2, 3]);
        message.describe();
        assert_eq!(message.header.get("shape"), Some(&json!([3, 2])));
        let encoded = message.encode().unwrap();
        assert_eq!(ArrayMessage::decode(&mut Parts::new(&encoded)).unwrap(), message);
    }

    #[test]
    fn a_compressed_chunk_is_an_error_whatever_its_length() {
        let read = |cmpr: &str| {
            let header = r#"{"htype":"chunk-1.0","type":"u1","shape":[3,2],"cmpr":"#;
            decode(&format!("{header}{cmpr}}}"), &[b"abcdef"])
                .map_err(|error| std::error::Error::source(&error).map(ToString::to_string))
        };
        for cmpr in ["s-lz4", "n8-lz4"] {
            let expected = format!("nothing is known of the compression '{cmpr}'");
            assert_eq!(read(&format!("\"{cmpr}\"")), Err(Some(expected)));
        }
        for cmpr in ["\"\"", "\"none\"", "null"] {
            assert_eq!(read(cmpr).unwrap().data[0].as_ref().unwrap().shape(), [2, 3]);
        }
    }

    #[test]
    fn the_error_names_the_part() {
        let header = r#"{"htype":"array-1.0","type":"u1","shape":[2]}"#;
        let error = decode(header, &[b"ab", b"", b"abc"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "part 4 of 'array-1.0' is not the array its header describes"
        );
    }

    #[test]
    fn an_empty_part_is_no_array_and_a_header_alone_has_no_data() {
        let header = r#"{"htype":"array-1.0","type":"u1","shape":[2]}"#;
        let array = Array::from_elements(b"ab", &[2]).unwrap();
        assert_eq!(decode(header, &[b"ab", b""]).unwrap().data, [Some(array), None]);
        assert_eq!(decode(header, &[]).unwrap().data, []);
    }

    #[test]
    fn what_was_tolerated_is_told() {
        let header = r#"{"htype":["array-1.0"],"type":"float","shape":[1],"endianess":"little"}"#;
        let message = decode(header, &[b"", b"abcd"]).unwrap();
        assert_eq!(
            message.warnings(),
            [
                Warning::Misspelled { expected: "endianness", found: "endianess" },
                Warning::TypeByLength { part: 3, dtype: Dtype::Float32 },
            ]
        );
    }

    #[test]
    fn a_message_that_was_built_reads_back_equal() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for &dtype in Dtype::ALL {
                let bytes = Bytes::from(vec![7; 6 * dtype.size()]);
                let message = ArrayMessage::new(Array::new(dtype, order, &[2, 3], bytes).unwrap());
                let encoded = message.encode().unwrap();
                assert_eq!(ArrayMessage::decode(&mut Parts::new(&encoded)).unwrap(), message);
            }
        }
    }

    #[test]
    fn an_array_that_the_header_does_not_describe_is_not_sent() {
        let mut message = ArrayMessage::new(Array::from_elements(&[1_u16, 2], &[2]).unwrap());
        message.data.push(Some(Array::from_elements(&[1_i16, 2], &[2]).unwrap()));
        let error = message.encode().unwrap_err();
        assert_eq!(
            error.to_string(),
            "part 3 of 'array-1.0' would not be the array its header describes"
        );

        message.data.remove(0);
        message.describe();
        let encoded = message.encode().unwrap();
        assert_eq!(ArrayMessage::decode(&mut Parts::new(&encoded)).unwrap(), message);

        message.data = vec![Some(Array::from_elements::<u8>(&[], &[0]).unwrap())];
        message.describe();
        assert!(matches!(
            message.encode(),
            Err(EncodeError::NotTheArray { source: ArrayError::Empty, .. })
        ));
    }
}
