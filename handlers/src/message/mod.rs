//! [`Message`]: the parts of one multipart message. The decoders know what they mean.

pub mod error;
mod json_part;
pub mod parts;
mod tail;
pub mod warning;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::header::Peek;

pub use error::{DecodeError, EncodeError, Place};
pub use parts::Parts;
pub use warning::Warning;

pub(crate) use error::chain;
pub(crate) use tail::Tail;

/// The parts of one multipart message, each a [`Bytes`].
///
/// A clone shares the parts, whatever their size and number: it costs the same for two hundred as for
/// three. One or two parts, as most messages have, are held without an allocation.
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
#[derive(Clone)]
pub struct Message(Held);

/// The most parts that are held without an allocation.
const INLINE: usize = 2;

type Few = SmallVec<[Bytes; INLINE]>;

/// How parts are held.
#[derive(Clone)]
enum Held {
    /// Few of them, each of which a clone shares.
    Few(Few),
    /// Many of them, which a clone shares as a whole.
    Many(Arc<Vec<Bytes>>),
}

impl Message {
    /// Makes a message of its parts, in order.
    pub fn new(parts: impl IntoIterator<Item = Bytes>) -> Self {
        parts.into_iter().collect()
    }

    /// Returns the parts, in order.
    #[inline]
    pub fn parts(&self) -> &[Bytes] {
        match &self.0 {
            Held::Few(parts) => parts,
            Held::Many(parts) => parts,
        }
    }

    /// Returns the number of parts.
    pub fn len(&self) -> usize {
        self.parts().len()
    }

    /// Returns whether the message has no parts at all.
    pub fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    /// Returns the size of all parts together, in bytes.
    pub fn bytes(&self) -> usize {
        self.parts().iter().map(Bytes::len).sum()
    }

    /// Reads from the first part what it says about the message, without decoding it.
    pub fn peek(&self) -> Peek<'_> {
        self.parts().first().map(|part| Peek::of(part)).unwrap_or_default()
    }

    /// Returns the htype in the first part, if it is a JSON object that has one.
    pub fn htype(&self) -> Option<Cow<'_, str>> {
        self.peek().htype
    }

    /// Gives the parts away, in order.
    pub fn into_parts(self) -> Vec<Bytes> {
        match self.0 {
            Held::Few(parts) => parts.into_vec(),
            Held::Many(parts) => Arc::unwrap_or_clone(parts),
        }
    }
}

impl From<Vec<Bytes>> for Message {
    fn from(parts: Vec<Bytes>) -> Self {
        Self(match parts.len() {
            0..=INLINE => Held::Few(Few::from_vec(parts)),
            _ => Held::Many(Arc::new(parts)),
        })
    }
}

impl FromIterator<Bytes> for Message {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        let parts = parts.into_iter();
        if parts.size_hint().0 > INLINE {
            return parts.collect::<Vec<_>>().into();
        }
        let mut message = Self::default();
        message.extend(parts);
        message
    }
}

impl Extend<Bytes> for Message {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, parts: I) {
        match &mut self.0 {
            Held::Few(few) => {
                few.extend(parts);
                if few.len() > INLINE {
                    *self = std::mem::take(few).into_vec().into();
                }
            }
            Held::Many(many) => Arc::make_mut(many).extend(parts),
        }
    }
}

impl Default for Message {
    fn default() -> Self {
        Self(Held::Few(Few::new()))
    }
}

/// Equal parts in the same order are equal messages.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Held::Many(left), Held::Many(right)) if Arc::ptr_eq(left, right) => true,
            _ => self.parts() == other.parts(),
        }
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("parts", &self.parts()).finish()
    }
}

/// The parts of a message that is given away.
#[derive(Debug)]
pub struct IntoParts(smallvec::IntoIter<[Bytes; INLINE]>);

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
        let parts = match self.0 {
            Held::Few(parts) => parts,
            Held::Many(parts) => Arc::unwrap_or_clone(parts).into(),
        };
        IntoParts(parts.into_iter())
    }
}

impl<'m> IntoIterator for &'m Message {
    type Item = &'m Bytes;
    type IntoIter = std::slice::Iter<'m, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts().iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_whatever_made_the_message() {
        let all: Vec<Bytes> = ["a", "", "bc", "d"].map(Bytes::from).to_vec();
        for count in 0..=all.len() {
            let parts = all[..count].to_vec();
            let message = Message::from(parts.clone());
            assert_eq!(message, Message::new(parts.clone()));
            // An iterator of unknown length.
            assert_eq!(message, parts.iter().filter(|_| true).cloned().collect());
            let mut extended = Message::default();
            parts.iter().for_each(|part| extended.extend([part.clone()]));
            assert_eq!(extended, message);
            let bytes = parts.iter().map(Bytes::len).sum();
            assert_eq!((message.len(), message.bytes()), (count, bytes));
            assert_eq!(message.is_empty(), count == 0);
            assert_eq!(message.clone().into_iter().collect::<Vec<_>>(), parts);
            assert_eq!(message.clone().into_parts(), parts);
            assert_eq!(message.into_parts(), parts);
        }
    }

    #[test]
    fn a_clone_shares_the_parts() {
        for count in [1, 100] {
            let message = Message::from(vec![Bytes::from(vec![7; 100]); count]);
            assert_eq!(message.clone().parts()[0].as_ptr(), message.parts()[0].as_ptr());
        }
    }

    #[test]
    fn a_clone_that_is_extended_is_one_of_its_own() {
        let message = Message::from(vec![Bytes::from_static(b"a"); 3]);
        let mut longer = message.clone();
        longer.extend(["b".into()]);
        assert_eq!((message.len(), longer.len()), (3, 4));
        assert_ne!(message, longer);
    }

    #[test]
    fn a_message_without_parts_has_no_htype() {
        assert_eq!(Message::default().peek(), Peek::default());
        assert_eq!(Message::default().htype(), None);
    }
}
