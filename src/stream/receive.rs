//! Receiving: whole messages from a socket.

use std::time::Instant;

use mflow_handlers::{Data, DecodeError, Message, Parts};

use super::statistics::Statistics;
use super::{Direction, Stream};
use crate::endpoint::Tally;
use crate::error::{self, Result};
use crate::frame::{Frame, Frames};
use crate::stream::Error;

/// A decoded message, and the statistics of its stream when it was received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decoded<T = Data> {
    /// What the message says.
    pub data: T,
    /// The statistics of the stream, this message included.
    pub statistics: Statistics,
}

impl Stream {
    /// Receives and decodes the next message: `None` if none arrived before the timeout or a stop.
    /// A message that cannot be decoded is returned too, as [`Data::Broken`].
    ///
    /// Messages that have already arrived are received after a stop too, so that none is lost. To
    /// end while the sender continues, check the stop, as [`messages`](Self::messages) does.
    ///
    /// # Errors
    /// If the transport fails, or the stream is one that sends.
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

    /// Receives the next message as its frames, shared and not copied.
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

    /// Iterates over the following messages, decoded. Ends at the timeout, at a stop even if there
    /// are more messages, and after an error of the transport. A message that cannot be decoded
    /// does not end it.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages { stream: self, has_failed: false }
    }

    /// Receives a message that has already arrived, whatever the timeout, as
    /// [`receive_frames`](Self::receive_frames) does; `None` if there is none.
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

    /// Counts messages that have already arrived without keeping any, in one frame that is reused.
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

/// The following messages of a stream; see [`Stream::messages`].
pub struct Messages<'a> {
    stream: &'a mut Stream,
    has_failed: bool,
}

impl Iterator for Messages<'_> {
    type Item = Result<Decoded>;

    fn next(&mut self) -> Option<Self::Item> {
        // Nothing waits while messages keep arriving, so nothing else would see the stop.
        if self.has_failed || self.stream.stop.is_requested() {
            return None;
        }
        let received = self.stream.receive();
        self.has_failed = received.is_err();
        received.transpose()
    }
}
