//! [`Tail`]: the later parts of a message, shared with it as a whole.

use std::ops::Deref;

use bytes::Bytes;

use super::Message;

/// The parts of a message from one of them on.
///
/// It shares the message and not each part: where there are hundreds, counting the references to
/// each would take longer than all the rest of decoding.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    message: Message,
    first: usize,
}

impl Tail {
    /// Makes it from the parts of a message, starting at an index; empty if there are fewer parts.
    pub(crate) fn of(message: &Message, first: usize) -> Self {
        Self { message: message.clone(), first }
    }
}

impl Deref for Tail {
    type Target = [Bytes];

    #[inline]
    fn deref(&self) -> &[Bytes] {
        self.message.parts().get(self.first..).unwrap_or_default()
    }
}

impl From<Vec<Bytes>> for Tail {
    fn from(parts: Vec<Bytes>) -> Self {
        Self { message: parts.into(), first: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_has_the_parts_from_the_first_on() {
        let message = Message::from(vec!["a".into(), "b".into(), "c".into()]);
        assert_eq!(Tail::of(&message, 1)[..], ["b", "c"]);
        assert_eq!(Tail::of(&message, 3)[..], Vec::<Bytes>::new());
        assert_eq!(Tail::of(&message, 4)[..], Vec::<Bytes>::new());
        assert_eq!(Tail::from(message.into_parts())[..], ["a", "b", "c"]);
    }
}
