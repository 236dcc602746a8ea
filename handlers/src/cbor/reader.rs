//! [`Reader`]: a cursor over CBOR (RFC 8949) that says where it stopped and why, and bounds how deep
//! it goes. What the values mean is left to the fields and arrays.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;

/// The most levels of arrays, maps and tags in a value.
pub const MAX_DEPTH: usize = 128;

/// The levels that a message has around the values of its fields.
pub(crate) const MESSAGE_DEPTH: usize = MAX_DEPTH + 4;

/// Why bytes are not a CBOR value. Positions are in bytes from the first one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// The data ends within a value.
    #[error("the data ends within the value at byte {position}")]
    Ended {
        /// Where the value begins.
        position: usize,
    },
    /// No value begins so, or none may stand here.
    #[error("there is no value at byte {position}")]
    Malformed {
        /// Where one should begin.
        position: usize,
    },
    /// Arrays, maps and tags are nested too deeply.
    #[error("expected at most {MAX_DEPTH} levels, found more at byte {position}")]
    TooDeep {
        /// Where the next level begins.
        position: usize,
    },
    /// A text is not UTF-8.
    #[error("the text at byte {position} is not UTF-8")]
    NotUtf8 {
        /// Where the text begins.
        position: usize,
    },
    /// More follows behind the value.
    #[error("{bytes} bytes follow after the value")]
    Trailing {
        /// How many bytes.
        bytes: usize,
    },
}

/// What a value begins with; all of it, unless others are in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Head<'a> {
    Null,
    Undefined,
    Bool(bool),
    Simple(u8),
    Integer(i128),
    Float(f64),
    Bytes(Cow<'a, [u8]>),
    /// `None` if it is not UTF-8.
    Text(Option<Cow<'a, str>>),
    Array(Items),
    Map(Items),
    Tag(u64),
}

/// How many items, or pairs, of an array or a map are left; `None` if a break ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Items(Option<u64>);

/// A cursor over CBOR.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a>(Decoder<'a>);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    pub(crate) fn position(&self) -> usize {
        self.0.position()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.0.input().len().saturating_sub(self.position())
    }

    /// Takes the head of the next value.
    pub(crate) fn next(&mut self) -> Result<Head<'a>, CborError> {
        let position = self.position();
        self.head().map_err(|error| fault(&error, position))
    }

    fn head(&mut self) -> Result<Head<'a>, Error> {
        let decoder = &mut self.0;
        let r#type = decoder.datatype()?;
        Ok(match r#type {
            Type::Null => decoder.null().map(|()| Head::Null)?,
            Type::Undefined => decoder.undefined().map(|()| Head::Undefined)?,
            Type::Bool => Head::Bool(decoder.bool()?),
            Type::Simple => match decoder.simple()? {
                // What has a head of one byte must have it.
                20..=31 => return Err(Error::type_mismatch(r#type)),
                value => Head::Simple(value),
            },
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => Head::Integer(decoder.u64()?.into()),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                Head::Integer(decoder.int()?.into())
            }
            Type::F16 | Type::F32 | Type::F64 => Head::Float(decoder.f64()?),
            Type::Bytes => Head::Bytes(decoder.bytes()?.into()),
            Type::BytesIndef => {
                let mut bytes = Vec::new();
                for chunk in decoder.bytes_iter()? {
                    bytes.extend_from_slice(chunk?);
                }
                Head::Bytes(bytes.into())
            }
            Type::String => Head::Text(text(decoder.str())?.map(Cow::from)),
            Type::StringIndef => {
                let mut whole = Some(String::new());
                for chunk in decoder.str_iter()? {
                    match (&mut whole, text(chunk)?) {
                        (Some(whole), Some(chunk)) => whole.push_str(chunk),
                        _ => whole = None,
                    }
                }
                Head::Text(whole.map(Cow::from))
            }
            Type::Array | Type::ArrayIndef => Head::Array(Items(decoder.array()?)),
            Type::Map | Type::MapIndef => Head::Map(Items(decoder.map()?)),
            Type::Tag => Head::Tag(decoder.tag()?.as_u64()),
            Type::Break | Type::Unknown(_) => return Err(Error::type_mismatch(r#type)),
        })
    }

    /// Takes the head of the next value behind any tags.
    pub(crate) fn next_untagged(&mut self) -> Result<Head<'a>, CborError> {
        loop {
            match self.next()? {
                Head::Tag(_) => {}
                head => return Ok(head),
            }
        }
    }

    /// Returns whether there is one more item, and takes the break if there is none.
    pub(crate) fn has_more(&mut self, items: &mut Items) -> Result<bool, CborError> {
        match &mut items.0 {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => {
                let position = self.position();
                let is_break = matches!(self.0.datatype(), Ok(Type::Break));
                if is_break {
                    self.0.set_position(position + 1);
                }
                Ok(!is_break)
            }
        }
    }

    /// Steps over the next value, which may have `depth` levels.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), CborError> {
        let end = skip(self.0.input(), self.position(), depth)?;
        self.0.set_position(end);
        Ok(())
    }

    /// Returns the bytes from here to where another cursor over the same bytes is.
    pub(crate) fn bytes_to(&self, other: &Self) -> &'a [u8] {
        &self.0.input()[self.position()..other.position()]
    }

    /// Takes the bytes of the next value, which may have `depth` levels.
    pub(crate) fn next_bytes(&mut self, depth: usize) -> Result<&'a [u8], CborError> {
        let start = self.position();
        self.skip(depth)?;
        Ok(&self.0.input()[start..self.position()])
    }
}

/// Returns where the value ends that begins at `position` and may have `depth` levels.
///
/// This is all that is checked of most values, and is done for each: it looks at heads only.
fn skip(input: &[u8], position: usize, depth: usize) -> Result<usize, CborError> {
    let ended = CborError::Ended { position };
    let malformed = CborError::Malformed { position };
    let Some(&head) = input.get(position) else {
        return Err(ended);
    };
    let (major, info) = (head >> 5, head & 0x1f);
    let mut end = position + 1;
    let argument = match info {
        0..=23 => Some(u64::from(info)),
        24..=27 => {
            let bytes = input.get(end..end + (1 << (info - 24))).ok_or(ended.clone())?;
            end += bytes.len();
            Some(bytes.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
        }
        31 if matches!(major, 2..=5) => None,
        _ => return Err(malformed),
    };
    let inner = || depth.checked_sub(1).ok_or(CborError::TooDeep { position });
    match (major, argument) {
        // What has a head of one byte must have it.
        (7, Some(0..=31)) if info == 24 => Err(malformed),
        (0 | 1 | 7, _) => Ok(end),
        (2 | 3, Some(length)) => {
            let length = usize::try_from(length).map_err(|_| ended.clone())?;
            end.checked_add(length).filter(|&end| end <= input.len()).ok_or(ended)
        }
        (2 | 3, None) => loop {
            match input.get(end) {
                None => return Err(ended),
                Some(0xff) => return Ok(end + 1),
                // Pieces are whole, and of the same kind.
                Some(piece) if piece >> 5 == major && piece & 0x1f != 31 => {
                    end = skip(input, end, depth)?;
                }
                Some(_) => return Err(malformed),
            }
        },
        (6, _) => skip(input, end, inner()?),
        (_, count) => {
            let depth = inner()?;
            let mut left = count;
            while left != Some(0) {
                if left.is_none() && input.get(end) == Some(&0xff) {
                    return Ok(end + 1);
                }
                end = skip(input, end, depth)?;
                if major == 5 {
                    end = skip(input, end, depth)?;
                }
                left = left.map(|left| left - 1);
            }
            Ok(end)
        }
    }
}

/// Returns a text; none if it is not UTF-8, over which the decoder has stepped as well.
fn text(read: Result<&str, Error>) -> Result<Option<&str>, Error> {
    match read {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_end_of_input() || error.is_type_mismatch() => Err(error),
        Err(_) => Ok(None),
    }
}

fn fault(error: &Error, position: usize) -> CborError {
    if error.is_end_of_input() {
        CborError::Ended { position }
    } else {
        CborError::Malformed { position }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(bytes: &[u8]) -> Result<usize, CborError> {
        let mut reader = Reader::new(bytes);
        reader.skip(MAX_DEPTH).map(|()| reader.position())
    }

    #[test]
    fn values_of_every_kind_are_stepped_over() {
        let values: [&[u8]; 20] = [
            b"\x00",
            b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x38\xff",
            b"\x43abc",
            b"\x5f\x41a\x42bc\xff",
            b"\x63abc",
            b"\x62\xff\xfe",
            b"\x7f\x61a\x61\xff\x61b\xff",
            b"\x82\x01\x02",
            b"\x9f\x01\x9f\xff\xff",
            b"\xa1\x01\x02",
            b"\xbf\x61a\xbf\xff\xff",
            b"\xd9\xd9\xf7\xc0\x60",
            b"\xf4",
            b"\xf7",
            b"\xf8\xff",
            b"\xf9\x3c\x00",
            b"\xfa\x00\x00\x00\x00",
            b"\xfb\x00\x00\x00\x00\x00\x00\x00\x00",
        ];
        for value in values {
            assert_eq!(skip(value), Ok(value.len()), "{value:x?}");
            for end in 0..value.len() {
                assert!(matches!(skip(&value[..end]), Err(CborError::Ended { .. })), "{value:x?}");
            }
        }
    }

    #[test]
    fn what_is_no_value_is_told_with_its_place() {
        for (bytes, position) in [
            (&b"\xff"[..], 0),
            (b"\x82\x01\xff", 2),
            (b"\xbf\x01\xff", 2),
            (b"\x1c", 0),
            (b"\xc1\xfc", 1),
            (b"\x5f\x61a\xff", 0),
            (b"\x7f\x41a\xff", 0),
        ] {
            assert_eq!(skip(bytes), Err(CborError::Malformed { position }), "{bytes:x?}");
        }
        assert_eq!(
            skip(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
            Err(CborError::Ended { position: 9 })
        );
        assert_eq!(
            skip(b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"),
            Err(CborError::Ended { position: 0 })
        );
    }

    #[test]
    fn depth_is_bounded_whatever_nests() {
        for level in [&b"\x81"[..], b"\x9f", b"\xc1", b"\xa1\x00", b"\xbf\x00"] {
            let deep = level.repeat(1_000_000);
            let position = level.len() * MAX_DEPTH;
            assert_eq!(skip(&deep), Err(CborError::TooDeep { position }));
        }
    }
}
