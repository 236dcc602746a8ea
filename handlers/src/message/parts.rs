//! [`Parts`]: a cursor over the parts of a message, with which decoders read it.

use std::borrow::Cow;

use bytes::Bytes;

use super::Message;
use super::error::{DecodeError, Place};
use super::tail::Tail;
use crate::header::{Json, Outline};

/// A cursor over the parts of a message, first to last, with which decoders read it.
///
/// `next_part` and `next_json` take a part that must be there, and say in their error which one is
/// missing or wrong; as an iterator the cursor gives the parts that may be there. Parts are handed
/// out by reference count, never copied.
///
/// ```
/// use bytes::Bytes;
/// use mflow_handlers::{Message, Parts};
///
/// let message = Message::from(vec![Bytes::from_static(br#"{"htype":"x-1.0"}"#), Bytes::from_static(b"abc")]);
/// let mut parts = Parts::new(&message);
/// let header = parts.next_json()?;
/// let data = parts.next_part()?;
/// assert_eq!(data, "abc");
/// assert_eq!(parts.next_part().unwrap_err().to_string(), "part 3 of 'x-1.0' is missing");
/// # Ok::<(), mflow_handlers::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Parts<'m> {
    message: &'m Message,
    parts: &'m [Bytes],
    index: usize,
    htype: Option<Cow<'m, str>>,
    /// The first part, read once for the htype, for its check and for the decoder.
    first: Outline<'m>,
    /// Whether the first part is a JSON object without fault.
    is_first_object: bool,
}

impl<'m> Parts<'m> {
    /// Begins at the first part of a message.
    pub fn new(message: &'m Message) -> Self {
        let parts = message.parts();
        let (first, result) = Outline::of(parts.first().map_or(&[], |part| part));
        let htype = first.htype.clone();
        Self { message, parts, index: 0, htype, first, is_first_object: result.is_ok() }
    }

    /// Returns the htype of the message, if it has one.
    pub fn htype(&self) -> Option<&str> {
        self.htype.as_deref()
    }

    /// Returns the number of parts taken so far: the index, from 0, of the next one.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the number of parts not yet taken.
    pub fn remaining(&self) -> usize {
        self.parts.len() - self.index
    }

    /// Returns whether there are parts not yet taken.
    pub fn has_more(&self) -> bool {
        self.remaining() > 0
    }

    /// Names the part that was taken last, for an error about it.
    pub fn place(&self) -> Place {
        Place::new(self.htype(), self.index)
    }

    /// Takes the next part.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MissingPart`] if there is none.
    pub fn next_part(&mut self) -> Result<Bytes, DecodeError> {
        let missing =
            || DecodeError::MissingPart { place: Place::new(self.htype(), self.index + 1) };
        let part = self.parts.get(self.index).ok_or_else(missing)?;
        self.index += 1;
        Ok(part.clone())
    }

    /// Takes the next part, which must be JSON.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MissingPart`] if there is none, [`DecodeError::NotJson`] if it is not JSON.
    pub fn next_json(&mut self) -> Result<Json, DecodeError> {
        let is_checked = self.index == 0 && self.is_first_object;
        let part = self.next_part()?;
        if is_checked {
            return Ok(Json::checked(part, self.first.valid.take()));
        }
        Json::parse(part).map_err(|source| DecodeError::NotJson { place: self.place(), source })
    }

    /// Takes the next part, which must be a JSON object.
    ///
    /// # Errors
    ///
    /// As [`next_json`](Self::next_json), and [`DecodeError::NotAnObject`].
    pub fn next_object(&mut self) -> Result<Json, DecodeError> {
        let json = self.next_json()?;
        if json.is_object() {
            Ok(json)
        } else {
            Err(DecodeError::NotAnObject { place: self.place() })
        }
    }

    /// Takes the next part, which must be there and should be a JSON object, but may be anything.
    pub(crate) fn next_json_or_bytes(&mut self) -> Result<Json, DecodeError> {
        Ok(Json::parse_or_keep(self.next_part()?))
    }

    /// Takes the next part, which must be a JSON object, with its common fields.
    pub(crate) fn next_outline(&mut self) -> Result<(Json, Outline<'m>), DecodeError> {
        let (parts, index) = (self.parts, self.index);
        let object = self.next_object()?;
        let outline = match index {
            0 => std::mem::take(&mut self.first),
            _ => Outline::of(&parts[index]).0,
        };
        Ok((object, outline))
    }

    /// Returns the parts not yet taken, one after the other.
    ///
    /// This is the cursor itself, as an iterator.
    pub fn rest(&mut self) -> &mut Self {
        self
    }

    /// Takes all of the parts not yet taken, shared with the message as a whole.
    pub(crate) fn tail(&mut self) -> Tail {
        let tail = Tail::of(self.message, self.index);
        self.index = self.parts.len();
        tail
    }
}

/// The parts that may be there.
impl Iterator for Parts<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let part = self.parts.get(self.index)?;
        self.index += 1;
        Some(part.clone())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}

impl ExactSizeIterator for Parts<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[&'static str]) -> Message {
        parts.iter().map(|part| Bytes::from_static(part.as_bytes())).collect()
    }

    #[test]
    fn a_missing_part_is_named() {
        let message = message(&[r#"{"htype":"a-1.0"}"#]);
        let mut parts = Parts::new(&message);
        assert_eq!(parts.next_json().unwrap().get("htype").unwrap(), "a-1.0");
        assert_eq!(parts.next_part().unwrap_err().to_string(), "part 2 of 'a-1.0' is missing");
        assert_eq!(parts.next_json().unwrap_err().to_string(), "part 2 of 'a-1.0' is missing");
        assert_eq!(
            Parts::new(&Message::default()).next_part().unwrap_err().to_string(),
            "part 1 is missing"
        );
    }

    #[test]
    fn json_error_names_the_part() {
        let message = message(&[r#"{"htype":"a-1.0"}"#, "{", "[1]"]);
        let mut parts = Parts::new(&message);
        parts.next_object().unwrap();
        assert_eq!(
            parts.next_json().unwrap_err().to_string(),
            "part 2 of 'a-1.0' is not valid JSON"
        );
        assert_eq!(
            parts.next_object().unwrap_err().to_string(),
            "part 3 of 'a-1.0' is JSON, but not an object"
        );
    }

    #[test]
    fn the_rest_is_what_was_not_taken() {
        let message = message(&["{}", "a", "b"]);
        let mut parts = Parts::new(&message);
        parts.next_json().unwrap();
        assert_eq!((parts.index(), parts.remaining(), parts.has_more()), (1, 2, true));
        assert_eq!(parts.rest().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((parts.index(), parts.remaining(), parts.has_more()), (3, 0, false));
        assert_eq!(parts.next(), None);

        let mut parts = Parts::new(&message);
        parts.next_json().unwrap();
        assert_eq!(parts.tail()[..], ["a", "b"]);
        assert_eq!((parts.index(), parts.next()), (3, None));
    }
}
