//! [`Frames`]: the frames of one message. [`Frame`] is one of them.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use mflow_handlers::{Message, Peek};
use smallvec::SmallVec;

use super::glance::Glance;
use super::{COPY_INTO_BYTES, Frame};

/// A message of more parts than this has its small ones copied together.
const FEW: usize = 3;

/// One multipart message as it travels: its frames in order, not decoded.
///
/// Reads as a slice of [`Frame`]s; becomes a [`Message`] to be decoded.
///
/// ```
/// use mflow::{Frame, Frames, handlers::Message};
/// let frames: Frames = [&b"{}"[..], b"data"].into_iter().map(Frame::from).collect();
/// assert_eq!((frames.len(), frames.bytes()), (2, 6));
/// assert_eq!(Message::from(frames).parts()[1], b"data"[..]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Frames {
    frames: SmallVec<[Frame; 2]>,
    glance: Glance,
}

impl Frames {
    /// Makes a message without parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part at the end.
    pub fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.forget_glance();
    }

    /// Removes the last part.
    pub fn pop(&mut self) -> Option<Frame> {
        let last = self.frames.pop();
        self.forget_glance();
        last
    }

    /// Returns the bytes of all parts together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(Frame::len).sum()
    }

    /// Returns what the first part says about the message, without decoding it; empty for a message
    /// without parts. The part is read only once, and the result is kept.
    ///
    /// ```
    /// let frames = mflow::Frames::from([&br#"{"htype":"dimage-1.0","series":4,"frame":17}"#[..]]);
    /// assert_eq!(frames.peek().htype.as_deref(), Some("dimage-1.0"));
    /// assert_eq!((frames.peek().series, frames.peek().frame), (Some(4), Some(17)));
    /// ```
    #[must_use]
    pub fn peek(&self) -> Peek<'_> {
        self.frames.first().map(|part| self.glance.peek(part.as_ref())).unwrap_or_default()
    }

    /// Returns a share of the first parts of the message, at most so many.
    #[must_use]
    pub fn first_parts(&self, parts: usize) -> Self {
        let glance = if parts == 0 { Glance::default() } else { self.glance.clone() };
        Self { frames: self.frames.iter().take(parts).cloned().collect(), glance }
    }

    /// The kept result may belong to another first part.
    fn forget_glance(&mut self) {
        if self.frames.len() <= 1 {
            self.glance = Glance::default();
        }
    }

    /// Returns the same message with each part [detached](Frame::detach) from receive buffers.
    #[must_use]
    pub fn detach(&self) -> Self {
        let frames = self.frames.iter().map(Frame::detach).collect();
        Self { frames, glance: self.glance.clone() }
    }
}

/// Messages are equal if their parts are.
impl PartialEq for Frames {
    fn eq(&self, other: &Self) -> bool {
        self.frames == other.frames
    }
}

impl Eq for Frames {}

impl Deref for Frames {
    type Target = [Frame];
    fn deref(&self) -> &[Frame] {
        &self.frames
    }
}

impl DerefMut for Frames {
    fn deref_mut(&mut self) -> &mut [Frame] {
        self.glance = Glance::default();
        &mut self.frames
    }
}

impl FromIterator<Frame> for Frames {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Self { frames: frames.into_iter().collect(), glance: Glance::default() }
    }
}

impl IntoIterator for Frames {
    type Item = Frame;
    type IntoIter = smallvec::IntoIter<[Frame; 2]>;
    fn into_iter(self) -> Self::IntoIter {
        self.frames.into_iter()
    }
}

/// Makes a message of any number of parts.
impl<P: Into<Frame>, const N: usize> From<[P; N]> for Frames {
    fn from(parts: [P; N]) -> Self {
        parts.into_iter().map(Into::into).collect()
    }
}

/// Makes a message of any number of parts.
impl<P: Into<Frame>> From<Vec<P>> for Frames {
    fn from(parts: Vec<P>) -> Self {
        parts.into_iter().map(Into::into).collect()
    }
}

impl From<Message> for Frames {
    fn from(message: Message) -> Self {
        message.into_iter().map(Frame::from).collect()
    }
}

/// Shares large parts, and copies small ones: those of a message that has many into one buffer, as a
/// bsread message of 200 would cost 200 allocations.
impl From<Frames> for Message {
    fn from(frames: Frames) -> Self {
        if frames.len() <= FEW {
            return frames.into_iter().map(Bytes::from).collect();
        }
        let is_small = |frame: &Frame| frame.len() <= COPY_INTO_BYTES;
        let small = || frames.iter().filter(|frame| is_small(frame));
        let mut buffer = Vec::with_capacity(small().map(Frame::len).sum());
        small().for_each(|frame| buffer.extend_from_slice(frame.as_ref()));
        let mut copied = Bytes::from(buffer);
        let part = |frame: Frame| match is_small(&frame) {
            true => copied.split_to(frame.len()),
            false => Bytes::from_owner(frame),
        };
        frames.into_iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..=250).cycle().take(len).collect()
    }

    #[test]
    fn the_first_part_is_read_again_after_it_has_changed() {
        let htype = |frames: &Frames| frames.peek().htype.map(std::borrow::Cow::into_owned);
        let header = |htype: &str| Frame::from(format!(r#"{{"htype":"{htype}"}}"#).as_bytes());
        let mut frames = Frames::from([header("a-1.0"), header("b-1.0")]);
        assert_eq!(htype(&frames), Some("a-1.0".into()));
        assert_eq!(htype(&frames), Some("a-1.0".into()), "as it was kept");
        let (detached, first) = (frames.detach(), frames.first_parts(1));
        assert_eq!((htype(&detached), htype(&first)), (htype(&frames), htype(&frames)));
        assert_eq!(htype(&frames.first_parts(0)), None);
        frames[0] = header("c-1.0");
        assert_eq!(htype(&frames), Some("c-1.0".into()));
        frames.pop();
        assert_eq!(htype(&frames), Some("c-1.0".into()));
        frames.pop();
        assert_eq!(htype(&frames), None);
        frames.push(header("d-1.0"));
        assert_eq!(htype(&frames), Some("d-1.0".into()));
    }

    #[test]
    fn an_htype_that_is_not_in_the_part_as_it_is_is_kept_too() {
        let escaped = Frames::from([&br#"{"htype":"a\u002d1.0"}"#[..]]);
        let cbor = Frames::from([&b"\xd9\xd9\xf7\xa2\x69series_id\x04\x68image_id\x11"[..]]);
        for (frames, expected) in [(escaped, "a-1.0"), (cbor, "stream2")] {
            let first = frames.peek();
            assert_eq!(first.htype.as_deref(), Some(expected));
            assert_eq!(frames.peek(), first);
        }
    }

    #[test]
    fn the_small_parts_of_a_message_of_many_are_copied_together_and_large_ones_shared() {
        let lengths = [10, 0, 5000, 1024, 1025, 7];
        let frames: Frames = lengths.map(pattern).into_iter().map(Frame::from).collect();
        let message = Message::from(frames.clone());
        let addresses: Vec<_> = message.parts().iter().map(|part| part.as_ptr()).collect();
        assert!(
            message.parts().iter().zip(frames.iter()).all(|(part, frame)| part == frame.as_ref())
        );
        assert_eq!(addresses[3], addresses[0].wrapping_add(10));
        assert_eq!(addresses[5], addresses[3].wrapping_add(1024));
        assert_eq!(addresses[2], frames[2].as_ref().as_ptr());
    }
}
