//! The parts of a message in the data of an MCAP message, which is protobuf.
//!
//! ```text
//! message Message {              0a | length | part             for each part, empty ones too
//!   repeated bytes parts = 1;    7a | length | zeros            directly before the largest part,
//!   bytes padding = 15;                                         where that shall be page-aligned
//! }
//! ```
//!
//! Lengths are varints. So the parts lie in the data as they are: written without a copy, and
//! found again as ranges of it.

use std::ops::Range;

use smallvec::SmallVec;

/// The name of the schema.
pub(crate) const SCHEMA_NAME: &str = "mflow.Message";
/// The encoding of the schema and of the data.
pub(crate) const ENCODING: &str = "protobuf";

/// The schema: a `FileDescriptorSet` with the message drawn above.
pub(crate) const DESCRIPTOR: &[u8] = b"\x0a\x57\x0a\x0bmflow.proto\x12\x05mflow\
\x22\x39\x0a\x07Message\
\x12\x14\x0a\x05parts\x18\x01\x20\x03\x28\x0c\x52\x05parts\
\x12\x18\x0a\x07padding\x18\x0f\x20\x01\x28\x0c\x52\x07padding\
\x62\x06proto3";

/// Field 1, length-delimited.
const PART: u8 = 1 << 3 | 2;
/// Field 15, length-delimited.
const PADDING: u8 = 15 << 3 | 2;
/// Padding is behind its key and a length of two bytes, so any number of zeros takes the same.
const PADDING_HEAD: usize = 3;
/// Where the largest part begins, if it is aligned.
pub(crate) const PAGE: usize = 4096;

/// The bytes ahead of a part: its key and its length.
pub(crate) type PartHead = SmallVec<[u8; 11]>;

/// Returns the bytes ahead of a part.
pub(crate) fn part_head(length: usize) -> PartHead {
    let mut head = PartHead::new();
    head.push(PART);
    let mut left = length as u64;
    loop {
        let low = left.to_le_bytes()[0] & 0x7f;
        left >>= 7;
        if left == 0 {
            head.push(low);
            return head;
        }
        head.push(low | 0x80);
    }
}

/// Returns the bytes of the data of a message with parts of these lengths, without padding.
pub(crate) fn framed_length(parts: impl IntoIterator<Item = usize>) -> u64 {
    parts.into_iter().map(|length| (part_head(length).len() + length) as u64).sum()
}

/// Appends the data of a message, without padding.
#[cfg(test)]
pub(crate) fn write_parts<P: AsRef<[u8]>>(into: &mut Vec<u8>, parts: &[P]) {
    for part in parts.iter().map(AsRef::as_ref) {
        into.extend(part_head(part.len()));
        into.extend(part);
    }
}

/// Returns the padding to write at an offset of the file so that the part behind it, with its head
/// of `head` bytes, begins at a multiple of [`PAGE`]; empty if it does anyway.
pub(crate) fn padding(offset: u64, head: usize) -> Vec<u8> {
    let begin = offset.wrapping_add(head as u64) % PAGE as u64;
    let mut missing = (PAGE - usize::try_from(begin).expect("less than a page")) % PAGE;
    if missing == 0 {
        return Vec::new();
    }
    if missing < PADDING_HEAD {
        missing += PAGE;
    }
    let zeros = missing - PADDING_HEAD;
    let mut padding = vec![0; missing];
    // A length of two bytes also if one would do, which protobuf allows.
    let low = zeros.to_le_bytes()[0] & 0x7f;
    let high = (zeros >> 7).to_le_bytes()[0];
    padding[..PADDING_HEAD].copy_from_slice(&[PADDING, low | 0x80, high]);
    padding
}

/// What is wrong with the data of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PartsError {
    /// A field extends beyond the end.
    #[error("field at byte {at} is cut off")]
    Truncated { at: usize },
    /// A varint has more than 64 bits.
    #[error("field at byte {at} has a key or length of more than 64 bits")]
    Varint { at: usize },
    /// A field has a type that protobuf does not have, or has given up.
    #[error("field at byte {at} has the unknown wire type {wire_type}")]
    WireType { at: usize, wire_type: u8 },
}

/// The parts in the data of a message: where each lies, in order.
///
/// Fields that are no parts are skipped. After an error there is nothing more. Nothing is allocated.
#[derive(Clone, Debug)]
pub(crate) struct PartRanges<'a> {
    data: &'a [u8],
    /// The first of these bytes, looked at if they are enough.
    near: &'a [u8],
    at: usize,
}

impl<'a> PartRanges<'a> {
    /// Reads the data of a message.
    pub(crate) fn of(data: &'a [u8]) -> Self {
        Self::beginning(data, data)
    }

    /// Reads the data of a message, whose first bytes are somewhere else too, and nearer.
    pub(crate) fn beginning(data: &'a [u8], near: &'a [u8]) -> Self {
        Self { data, near, at: 0 }
    }

    /// Reads a field: its range if it is a part, and none if it is something else.
    fn next_field(&mut self) -> Result<Option<Range<usize>>, PartsError> {
        let at = self.at;
        let key = self.varint(at)?;
        // Fits: three bits.
        let wire_type = key.to_le_bytes()[0] & 7;
        let length = match wire_type {
            0 => {
                self.varint(at)?;
                0
            }
            1 => 8,
            2 => self.varint(at)?,
            5 => 4,
            _ => return Err(PartsError::WireType { at, wire_type }),
        };
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let end = end.filter(|end| *end <= self.data.len()).ok_or(PartsError::Truncated { at })?;
        let range = self.at..end;
        self.at = end;
        Ok((key == u64::from(PART)).then_some(range))
    }

    fn varint(&mut self, field: usize) -> Result<u64, PartsError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.near.get(self.at).or_else(|| self.data.get(self.at));
            let byte = *byte.ok_or(PartsError::Truncated { at: field })?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PartsError::Varint { at: field })
    }
}

impl Iterator for PartRanges<'_> {
    type Item = Result<Range<usize>, PartsError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.data.len() {
            match self.next_field() {
                Ok(Some(part)) => return Some(Ok(part)),
                Ok(None) => {}
                Err(error) => {
                    self.at = self.data.len();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    };

    use super::*;

    /// The message as another implementation has it.
    #[derive(Clone, PartialEq, Message)]
    struct Foreign {
        #[prost(bytes = "vec", repeated, tag = "1")]
        parts: Vec<Vec<u8>>,
        #[prost(bytes = "vec", tag = "15")]
        padding: Vec<u8>,
    }

    fn ranges(data: &[u8]) -> Result<Vec<&[u8]>, PartsError> {
        PartRanges::of(data).map(|range| range.map(|range| &data[range])).collect()
    }

    #[test]
    fn the_schema_is_the_message_that_the_module_draws() {
        let field = |name: &str, number, label: Label| FieldDescriptorProto {
            name: Some(name.into()),
            number: Some(number),
            label: Some(label.into()),
            r#type: Some(Type::Bytes.into()),
            json_name: Some(name.into()),
            ..Default::default()
        };
        let expected = FileDescriptorSet {
            file: vec![FileDescriptorProto {
                name: Some("mflow.proto".into()),
                package: Some("mflow".into()),
                message_type: vec![DescriptorProto {
                    name: Some("Message".into()),
                    field: vec![
                        field("parts", 1, Label::Repeated),
                        field("padding", 15, Label::Optional),
                    ],
                    ..Default::default()
                }],
                syntax: Some("proto3".into()),
                ..Default::default()
            }],
        };
        assert_eq!(FileDescriptorSet::decode(DESCRIPTOR).unwrap(), expected);
        assert_eq!(DESCRIPTOR.len(), 89);
    }

    #[test]
    fn what_is_written_is_what_protobuf_writes_and_is_read_back() {
        let parts: Vec<Vec<u8>> =
            [0, 3, 127, 128, 0, 16_383, 16_384, 0].map(|length| vec![7; length]).into();
        let mut data = Vec::new();
        write_parts(&mut data, &parts);
        assert_eq!(data.len() as u64, framed_length(parts.iter().map(Vec::len)));
        let foreign = Foreign { parts: parts.clone(), padding: Vec::new() };
        assert_eq!(data, foreign.encode_to_vec());
        assert_eq!(ranges(&data).unwrap(), parts);
        assert_eq!(ranges(&[]).unwrap(), Vec::<&[u8]>::new());
    }

    #[test]
    fn padding_moves_the_part_behind_it_to_a_page_and_is_no_part() {
        for offset in 0..2 * PAGE as u64 {
            let part = vec![7; 300];
            let head = part_head(part.len());
            let mut data = padding(offset, head.len());
            assert!(data.len() < 2 * PAGE);
            data.extend(&head);
            assert_eq!((offset + data.len() as u64) % PAGE as u64, 0, "at {offset}");
            data.extend(&part);
            assert_eq!(ranges(&data).unwrap(), [&part[..]]);
            assert_eq!(Foreign::decode(&data[..]).unwrap().parts, [part]);
        }
    }

    #[test]
    fn unknown_fields_are_skipped() {
        // Fields 2 to 5: a varint, eight bytes, bytes, four bytes.
        let data = b"\x10\xff\x01\x0a\x01a\x1912345678\x22\x02xx\x2d1234\x0a\x01b";
        assert_eq!(ranges(data).unwrap(), [b"a", b"b"]);
    }

    #[test]
    fn data_that_is_cut_or_wrong_is_an_error_that_tells_where() {
        assert_eq!(ranges(b"\x0a\x01a\x0a\x02b"), Err(PartsError::Truncated { at: 3 }));
        assert_eq!(ranges(b"\x0a\x01a\x0a"), Err(PartsError::Truncated { at: 3 }));
        let huge = b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(ranges(huge), Err(PartsError::Truncated { at: 0 }));
        let wide = b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
        assert_eq!(ranges(wide), Err(PartsError::Varint { at: 0 }));
        assert_eq!(ranges(b"\x0b"), Err(PartsError::WireType { at: 0, wire_type: 3 }));
        let mut after = PartRanges::of(b"\x0b\x0a\x01a");
        assert_eq!((after.next().is_some(), after.next()), (true, None));
    }
}
