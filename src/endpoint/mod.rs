//! The contract of everything that carries messages: a [`Source`] returns them, a [`Sink`] accepts
//! them.
//!
//! Both are opened by their address: `tcp://…`, `ipc://…` and `inproc://…` are streams, everything
//! else is the path of a recording. Neither ever waits: each adds what to wait for to a
//! [`WaitSet`], which waits for all of them. [`handlers`](crate::handlers) decode, and so do the
//! sinks of [`tools::dump`](crate::tools::dump), for people.
//!
//! ```no_run
//! use mflow::{Event, Options, Stop, WaitSet, open_source};
//! let mut source = open_source("tcp://sf-lc:9999", Options::pull())?;
//! loop {
//!     match source.poll()? {
//!         Event::Message(received) => println!("{} parts", received.frames.len()),
//!         Event::Idle => {
//!             let mut set = WaitSet::new();
//!             source.readiness(&mut set);
//!             set.wait(&Stop::never(), None)?;
//!         }
//!         Event::End => break,
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod merge;
mod offer;
mod offer_until;
mod opener;
mod queue;
mod received;
mod report;
mod stop;
mod wait;

use std::time::Duration;

use crate::error::Result;

pub use error::Error;
pub use merge::Merge;
pub use offer::{Offer, Tally, Unconfirmed};
pub use offer_until::{Deadline, Offered, offer_until, offer_waiting};
pub use opener::{Opener, Opening};
pub(crate) use queue::htype;
pub use queue::{Capacity, Dropped, Level, Queue, Queued, Taken, WhenFull};
pub use received::{Origin, Received, Timestamp};
pub use report::Report;
pub use stop::Stop;
pub use wait::WaitSet;

/// The result of a poll.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each message")]
pub enum Event {
    /// The next message.
    Message(Received),
    /// No message at present.
    Idle,
    /// No more messages: the source has ended.
    End,
}

/// Anything messages come from.
pub trait Source: Send {
    /// Returns the name for people: an address or a path.
    fn name(&self) -> &str;

    /// Returns the next message if there is one; never waits.
    ///
    /// # Errors
    /// If the source has failed; it may be polled again, and ends if it has no more messages.
    fn poll(&mut self) -> Result<Event>;

    /// Adds what to wait for when [`poll`](Self::poll) was idle.
    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Returns the current state of the source, beside its messages.
    fn report(&self) -> Report;

    /// Counts messages that have arrived without keeping any: at most `most`, and few enough not to
    /// take long; never waits.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    fn tally(&mut self, most: u64) -> Result<Tally> {
        let mut tally = Tally::default();
        while tally.has_room(most) {
            match self.poll()? {
                Event::Message(received) => {
                    tally.messages += 1;
                    tally.bytes += received.frames.bytes() as u64;
                }
                Event::Idle => break,
                Event::End => {
                    tally.ended = true;
                    break;
                }
            }
        }
        Ok(tally)
    }
}

/// Anything messages go to.
pub trait Sink: Send {
    /// Returns the name for people: an address or a path.
    fn name(&self) -> &str;

    /// Accepts a share of a message, whole or not at all; never waits for a peer.
    ///
    /// # Errors
    /// If the sink has failed.
    fn offer(&mut self, message: &Received) -> Result<Offer>;

    /// Adds what to wait for when [`offer`](Self::offer) found the sink full.
    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Adds the signal that the sink may have failed since the last message; then call
    /// [`check`](Self::check). Adds nothing for a sink that fails only in an offer.
    fn watch<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Returns whether the sink has failed since the last message.
    ///
    /// # Errors
    /// If it has.
    fn check(&mut self) -> Result<()>;

    /// Returns the current state of the sink.
    fn report(&self) -> Report;

    /// Closes the sink after it has handed over all messages. Gives up if there is no progress for
    /// `patience`. Returns how many messages it could not hand over.
    ///
    /// # Errors
    /// If closing fails.
    fn finish(self: Box<Self>, patience: Duration) -> Result<Unconfirmed>;
}
