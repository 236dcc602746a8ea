//! Receiving: whole messages off a socket.

use std::time::Instant;

use mflow_handlers::{Data, DecodeError, Message, Parts};

use super::statistics::Statistics;
use super::{Direction, Stream};
use crate::endpoint::Tally;
use crate::error::{self, Result};
use crate::frame::{Frame, Frames};
use crate::stream::Error;

/// A decoded message and where its stream stood when it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decoded<T = Data> {
    /// What the message says.
    pub data: T,
    /// The statistics of the stream, this message included.
    pub statistics: Statistics,
}

impl Stream {
    /// Receives and decodes the next message: `None` where none came before the timeout or a stop
    /// was requested. A message that cannot be decoded is one too:
    /// [`Data::Broken`].
    ///
    /// What is there already is received after a stop too, so that it can still be dealt with; who
    /// wants to end under a sender that goes on looks at the stop, as
    /// [`messages`](Self::messages) does.
    ///
    /// # Errors
    /// Where the transport fails, or the stream is one that sends.
    pub fn receive(&mut self) -> Result<Option<Decoded>> {
        let Some(message) = self.receive_raw()? else {
            return Ok(None);
        };
        let data = self.handlers.decode(message);
        Ok(Some(Decoded { data, statistics: self.statistics }))
    }

    /// Receives the next message and decodes it with `decode` rather than with a handler for its
    /// htype.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); what `decode` says is inside the message.
    pub fn receive_with<T>(
        &mut self,
        decode: impl FnOnce(&mut Parts<'_>) -> Result<T, DecodeError>,
    ) -> Result<Option<Decoded<Result<T, DecodeError>>>> {
        let Some(message) = self.receive_raw()? else {
            return Ok(None);
        };
        let data = decode(&mut Parts::new(&message));
        Ok(Some(Decoded { data, statistics: self.statistics }))
    }

    /// Receives the next message and leaves it undecoded.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_raw(&mut self) -> Result<Option<Message>> {
        Ok(self.receive_frames()?.map(Message::from))
    }

    /// Receives the next message as the frames it came in, shared and not copied.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_frames(&mut self) -> Result<Option<Frames>> {
        let end = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(frames) = self.try_receive()? {
                return Ok(Some(frames));
            }
            if !self.wait(end)? {
                return Ok(None);
            }
        }
    }

    /// Iterates over the messages to come, decoded; ends at the timeout, when a stop is requested,
    /// whether or not there are more, and after an error of the transport. A message that cannot be
    /// decoded does not end it.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages { stream: self, has_failed: false }
    }

    /// Receives a message that is there already, whatever the timeout, as
    /// [`receive_frames`](Self::receive_frames) does; `None` where there is none.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn try_receive(&mut self) -> Result<Option<Frames>> {
        self.check_direction(Direction::Receive)?;
        let mut frames = Frames::new();
        loop {
            let mut frame = Frame::new();
            match frame.recv(&mut self.socket, zmq::DONTWAIT) {
                Ok(()) => {
                    let more = frame.more();
                    frames.push(frame);
                    if !more {
                        self.statistics.count(frames.bytes());
                        return Ok(Some(frames));
                    }
                }
                Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::EAGAIN) if frames.is_empty() => {
                    if !self.reopen()? {
                        return Ok(None);
                    }
                }
                Err(source) => return Err(self.receive_error(source)),
            }
        }
    }

    /// Counts messages that are there already without keeping any, in one frame used again and
    /// again.
    pub(crate) fn tally(&mut self, most: u64) -> Result<Tally> {
        self.check_direction(Direction::Receive)?;
        let mut tally = Tally::default();
        let mut frame = Frame::new();
        let mut message = None;
        while tally.has_room(most) || message.is_some() {
            match frame.recv(&mut self.socket, zmq::DONTWAIT) {
                Ok(()) => {
                    let bytes = message.take().unwrap_or(0) + frame.len();
                    if frame.more() {
                        message = Some(bytes);
                    } else {
                        self.statistics.count(bytes);
                        tally.messages += 1;
                        tally.bytes += bytes as u64;
                    }
                }
                Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::EAGAIN) if message.is_none() => {
                    if !self.reopen()? {
                        break;
                    }
                }
                Err(source) => return Err(self.receive_error(source)),
            }
        }
        Ok(tally)
    }

    fn receive_error(&self, source: zmq::Error) -> error::Error {
        Error::Receive { address: self.address.to_string(), source }.into()
    }
}

/// The messages of a stream to come; see [`Stream::messages`].
pub struct Messages<'a> {
    stream: &'a mut Stream,
    has_failed: bool,
}

impl Iterator for Messages<'_> {
    type Item = Result<Decoded>;

    fn next(&mut self) -> Option<Self::Item> {
        // Nothing waits while messages keep coming, so nothing else would see the stop.
        if self.has_failed || self.stream.stop.is_requested() {
            return None;
        }
        let received = self.stream.receive();
        self.has_failed = received.is_err();
        received.transpose()
    }
}
