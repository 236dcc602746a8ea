//! [`Frames`]: the frames of one message. What is in a frame is left to [`Frame`].

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use mflow_handlers::Message;
use smallvec::SmallVec;

use super::{COPY_INTO_BYTES, Frame};

/// A message of more parts than this has its small ones copied together.
const FEW: usize = 3;

/// One multipart message as it travels: its frames in order, not decoded.
///
/// Reads as a slice of [`Frame`]s; becomes a [`Message`] where somebody wants to decode it.
///
/// ```
/// use mflow::{Frame, Frames, handlers::Message};
/// let frames: Frames = [&b"{}"[..], b"data"].into_iter().map(Frame::from).collect();
/// assert_eq!((frames.len(), frames.bytes()), (2, 6));
/// assert_eq!(Message::from(frames).parts()[1], b"data"[..]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames(SmallVec<[Frame; 2]>);

impl Frames {
    /// Makes a message without parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part at the end.
    pub fn push(&mut self, frame: Frame) {
        self.0.push(frame);
    }

    /// Takes the last part off.
    pub fn pop(&mut self) -> Option<Frame> {
        self.0.pop()
    }

    /// Returns the bytes of all parts together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Frame::len).sum()
    }

    /// Returns the same message with each part [detached](Frame::detach) from receive buffers.
    #[must_use]
    pub fn detach(&self) -> Self {
        self.0.iter().map(Frame::detach).collect()
    }
}

impl Deref for Frames {
    type Target = [Frame];
    fn deref(&self) -> &[Frame] {
        &self.0
    }
}

impl DerefMut for Frames {
    fn deref_mut(&mut self) -> &mut [Frame] {
        &mut self.0
    }
}

impl FromIterator<Frame> for Frames {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Self(frames.into_iter().collect())
    }
}

impl IntoIterator for Frames {
    type Item = Frame;
    type IntoIter = smallvec::IntoIter<[Frame; 2]>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
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
