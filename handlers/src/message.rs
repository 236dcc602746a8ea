//! [`Message`]: the parts of one multipart message. What they mean is left to the decoders.

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::peek::Peek;

/// The parts of one multipart message, each a [`Bytes`].
///
/// A clone shares the parts, whatever their size. One or two parts, as most messages have, are held
/// without an allocation.
///
/// ```
/// use bytes::Bytes;
/// use mflow_handlers::Message;
///
/// let header = Bytes::from_static(br#"{"htype":"raw-1.0"}"#);
/// let message = Message::from(vec![header, Bytes::from_static(b"abc")]);
/// assert_eq!(message.len(), 2);
/// assert_eq!(message.bytes(), 22);
/// assert_eq!(message.htype().as_deref(), Some("raw-1.0"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    parts: SmallVec<[Bytes; 2]>,
}

impl Message {
    /// Makes a message of its parts, in order.
    pub fn new(parts: impl IntoIterator<Item = Bytes>) -> Self {
        parts.into_iter().collect()
    }

    /// Returns the parts, in order.
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// Returns the number of parts.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Tells whether the message has no parts at all.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns the size of all parts together, in bytes.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Reads from the first part what it tells of the message, without decoding it.
    pub fn peek(&self) -> Peek<'_> {
        self.parts.first().map(|part| Peek::of(part)).unwrap_or_default()
    }

    /// Returns the htype in the first part, if it is a JSON object that has one.
    pub fn htype(&self) -> Option<Cow<'_, str>> {
        self.peek().htype
    }

    /// Gives the parts away, in order.
    pub fn into_parts(self) -> Vec<Bytes> {
        self.parts.into_vec()
    }
}

impl From<Vec<Bytes>> for Message {
    fn from(parts: Vec<Bytes>) -> Self {
        Self { parts: SmallVec::from_vec(parts) }
    }
}

impl FromIterator<Bytes> for Message {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        Self { parts: parts.into_iter().collect() }
    }
}

impl Extend<Bytes> for Message {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, parts: I) {
        self.parts.extend(parts);
    }
}

/// The parts of a message that is given away.
#[derive(Debug)]
pub struct IntoParts(smallvec::IntoIter<[Bytes; 2]>);

impl Iterator for IntoParts {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoParts {}

impl IntoIterator for Message {
    type Item = Bytes;
    type IntoIter = IntoParts;

    fn into_iter(self) -> IntoParts {
        IntoParts(self.parts.into_iter())
    }
}

impl<'m> IntoIterator for &'m Message {
    type Item = &'m Bytes;
    type IntoIter = std::slice::Iter<'m, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_whatever_made_the_message() {
        let parts: Vec<Bytes> = ["a", "", "bc"].map(Bytes::from).to_vec();
        let message = Message::from(parts.clone());
        assert_eq!(message, Message::new(parts.clone()));
        assert_eq!(message, parts.iter().cloned().collect());
        assert_eq!((message.len(), message.bytes(), message.is_empty()), (3, 3, false));
        assert_eq!(message.clone().into_iter().collect::<Vec<_>>(), parts);
        assert_eq!(message.into_parts(), parts);
    }

    #[test]
    fn a_clone_shares_the_parts() {
        let message = Message::from(vec![Bytes::from(vec![7; 100])]);
        assert_eq!(message.clone().parts()[0].as_ptr(), message.parts()[0].as_ptr());
    }

    #[test]
    fn a_message_without_parts_has_no_htype() {
        assert_eq!(Message::default().peek(), Peek::default());
        assert_eq!(Message::default().htype(), None);
    }
}
