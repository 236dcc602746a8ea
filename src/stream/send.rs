//! Sending: whole messages to a socket.

use std::time::{Duration, Instant};

use mflow_handlers::Data;

use super::receipt;
use super::{Direction, Stream, uninterrupted};
use crate::endpoint::{
    self, Offer, Offered, Origin, Received, Timestamp, Unconfirmed, offer_until,
};
use crate::error::{Result, SystemError};
use crate::frame::{Frame, Frames};
use crate::stream::Error;

/// From how many peers on libzmq could mix up two messages.
const MANY_PEERS: usize = 3;

/// Whether more parts of a message follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// More parts follow.
    Follows,
    /// This part is its last.
    Last,
}

impl Stream {
    /// Sends a message, and waits for a peer that accepts it.
    ///
    /// # Errors
    /// [`Error::NotTaken`] if no peer accepted it before the send timeout or a stop;
    /// [`endpoint::Error::NoParts`] for a message without parts; otherwise if the transport fails,
    /// or the stream is one that receives.
    pub fn send(&mut self, message: impl Into<Frames>) -> Result<()> {
        self.send_frames(message.into())
    }

    /// Gathers the parts of a message and sends it with the last one.
    ///
    /// # Errors
    /// As [`send`](Self::send), with the last part; the whole message is dropped then. On a stream
    /// that receives, with the first.
    pub fn send_part(&mut self, part: impl Into<Frame>, more: More) -> Result<()> {
        self.check_direction(Direction::Send)?;
        self.gathered.push(part.into());
        match more {
            More::Follows => Ok(()),
            More::Last => {
                let message = std::mem::take(&mut self.gathered);
                self.send_frames(message)
            }
        }
    }

    /// Encodes data by its htype and sends it: what one stream received, another forwards.
    ///
    /// # Errors
    /// [`Error::Encode`] if no handler can encode it, otherwise as [`send`](Self::send).
    pub fn forward(&mut self, data: &Data) -> Result<()> {
        let message = self
            .handlers
            .encode(data)
            .map_err(|source| Error::Encode { address: self.address.to_string(), source })?;
        self.send(message)
    }

    fn send_frames(&mut self, frames: Frames) -> Result<()> {
        let end = self.send_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if self.offer(&frames)? == Offer::Taken {
            return Ok(());
        }
        let (time, origin) = (Timestamp::now(), Origin::new(""));
        let (message, stop) = (Received { frames, time, origin }, self.stop.clone());
        match offer_until(self, &message, end.into(), &stop)? {
            Offered::Taken => Ok(()),
            Offered::TimedOut | Offered::Stopped => {
                Err(Error::NotTaken { address: self.address.to_string() }.into())
            }
        }
    }

    /// Hands a share of a message to libzmq, whole or not at all.
    pub(crate) fn offer(&mut self, frames: &Frames) -> Result<Offer> {
        self.check_direction(Direction::Send)?;
        let Some(last) = frames.len().checked_sub(1) else {
            return Err(endpoint::Error::NoParts { address: self.address.to_string() }.into());
        };
        self.reopen()?;
        if last > 0 && self.hold.is_some() && self.has_many_peers() {
            return self.offer_undisturbed(frames);
        }
        match self.hand_over(frames)? {
            Offer::Taken => Ok(Offer::Taken),
            // libzmq looks for new peers, and for room, every millisecond only.
            Offer::Full => {
                self.look_at_peers()?;
                self.hand_over(frames)
            }
        }
    }

    /// Returns whether there may have been so many peers; peers within the process are not counted.
    fn has_many_peers(&self) -> bool {
        let most = match self.admits_old {
            true => self.monitor.most_connections(),
            false => self.monitor.most_peers(),
        };
        most >= MANY_PEERS || self.address.is_inproc()
    }

    /// Offers a message while libzmq cannot see that a peer disconnects.
    ///
    /// Otherwise it would remove the peer from its list at once, and might send the rest of a
    /// message to another peer.
    fn offer_undisturbed(&mut self, frames: &Frames) -> Result<Offer> {
        self.look_at_peers()?;
        let Some(mut hold) = self.hold.take() else { return self.hand_over(frames) };
        let offered = hold.during(|| self.hand_over(frames));
        self.hold = Some(hold);
        offered.map_err(|source| SystemError::SetUp { what: "sending to several peers", source })?
    }

    /// Hands the parts of a message to libzmq, from the first one again if its peer dies.
    fn hand_over(&mut self, frames: &Frames) -> Result<Offer> {
        let (counted, last) = (receipt::place(frames), frames.len() - 1);
        'message: loop {
            for (index, part) in frames.iter().enumerate() {
                match &mut self.receipts {
                    Some(receipts) if index == counted => {
                        receipts.count(part, &mut self.outgoing);
                    }
                    // What `receipt::place` leaves behind it may be the payload of many messages.
                    _ if index > counted => self.outgoing.share_from(part),
                    _ => self.outgoing.share_or_copy_from(part),
                }
                let flags = if index == last { 0 } else { zmq::SNDMORE };
                match self.send_outgoing(flags)? {
                    Offer::Taken => {}
                    Offer::Full if index == 0 => return Ok(Offer::Full),
                    Offer::Full => {
                        if index < last {
                            self.forget_unfinished()?;
                        }
                        continue 'message;
                    }
                }
            }
            return Ok(Offer::Taken);
        }
    }

    /// Lets libzmq process the reports of its own thread: asking for events does that.
    fn look_at_peers(&self) -> Result<()> {
        match uninterrupted(|| self.socket.get_events()) {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Send { address: self.address.to_string(), source }.into()),
        }
    }

    /// Hands the pending part to libzmq; nothing is pending afterwards.
    fn send_outgoing(&mut self, flags: i32) -> Result<Offer> {
        loop {
            let result = match self.outgoing.send(&mut self.socket, flags | zmq::DONTWAIT) {
                Ok(()) => return Ok(Offer::Taken),
                Err(zmq::Error::EAGAIN) => Ok(Offer::Full),
                Err(zmq::Error::EINTR) => continue,
                Err(source) => {
                    Err(Error::Send { address: self.address.to_string(), source }.into())
                }
            };
            self.outgoing.clear();
            return result;
        }
    }

    /// Ends a message whose peer died: libzmq discards everything up to the last part.
    fn forget_unfinished(&mut self) -> Result<()> {
        tracing::debug!(address = %self.address, "a peer died in mid-message: sending it again");
        self.outgoing.clear();
        self.send_outgoing(0).map(drop)
    }

    /// Closes the stream after everything was handed over, as long as there is some progress in
    /// each `patience` and no stop is requested. Returns how many messages were not handed over.
    pub(crate) fn finish(mut self, patience: Duration) -> Unconfirmed {
        let stop = &self.stop;
        let left = self.receipts.as_mut().map(|receipts| receipts.settle(patience, stop));
        let linger = match left {
            None | Some(0) => i32::try_from(patience.as_millis()).unwrap_or(i32::MAX),
            Some(_) => 0,
        };
        let _ = self.socket.set_linger(linger);
        left.map_or(Unconfirmed::Unknown, Unconfirmed::Count)
    }
}
