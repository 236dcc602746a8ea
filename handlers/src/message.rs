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
pub struct IntoIter(smallvec::IntoIter<[Bytes; 2]>);

impl Iterator for IntoIter {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoIter {}

impl IntoIterator for Message {
    type Item = Bytes;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self.parts.into_iter())
    }
}

impl<'m> IntoIterator for &'m Message {
    type Item = &'m Bytes;
    type IntoIter = std::slice::Iter<'m, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.iter()
    }
}
