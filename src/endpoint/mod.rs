//! The contract of everything that carries messages: a [`Source`] gives them, a [`Sink`] accepts them.
//!
//! Both are opened by their address: `tcp://…`, `ipc://…` and `inproc://…` are streams, everything else
//! is the path of a recording. Neither ever waits: each says what to wait for, and one [`WaitSet`]
//! waits for all of them. Decoding is left to [`handlers`](crate::handlers), and to the sinks of
//! [`tools::dump`](crate::tools::dump), which decode for people.
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

/// What a source has at present.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each message")]
pub enum Event {
    /// The next message.
    Message(Received),
    /// None at present.
    Idle,
    /// None any more.
    End,
}

/// Anything messages come from.
pub trait Source: Send {
    /// Returns the name for people: an address or a path.
    fn name(&self) -> &str;

    /// Takes the next message where there is one; never waits.
    ///
    /// # Errors
    /// Where the source has failed; it may be polled again, and ends where there is no more.
    fn poll(&mut self) -> Result<Event>;

    /// Adds what to wait for when [`poll`](Self::poll) was idle.
    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Returns what else there is to say of the source, as of now.
    fn report(&self) -> Report;

    /// Counts messages that are there without keeping any: at most `most`, and few enough not to
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

    /// Takes a share of a message, whole or not at all; never waits for a peer.
    ///
    /// # Errors
    /// Where the sink has failed.
    fn offer(&mut self, message: &Received) -> Result<Offer>;

    /// Adds what to wait for when [`offer`](Self::offer) was refused.
    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Adds what tells that the sink may have failed since the last message, so that
    /// [`check`](Self::check) is worth a call; nothing for a sink that fails only when it is offered
    /// something.
    fn watch<'a>(&'a self, set: &mut WaitSet<'a>);

    /// Tells whether the sink has failed since the last message.
    ///
    /// # Errors
    /// Where it has.
    fn check(&mut self) -> Result<()>;

    /// Returns what else there is to say of the sink, as of now.
    fn report(&self) -> Report;

    /// Closes the sink after everything has left it, as long as there is some progress in each
    /// `patience`, and says how many messages it could not hand over.
    ///
    /// # Errors
    /// Where closing fails.
    fn finish(self: Box<Self>, patience: Duration) -> Result<Unconfirmed>;
}
