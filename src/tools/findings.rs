//! [`Findings`]: what a run has done, and what was wrong with it.

use super::{Ending, Limits};
use crate::endpoint::Unconfirmed;
use crate::error::Error;

/// What a run has done, and what was wrong with it. Each tool returns it within its summary, also
/// with the error that broke off the run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Findings {
    /// How many messages were received, without those that the filter left out.
    pub received: u64,
    /// How many messages were sent; with several outputs, the sum over all of them.
    pub sent: u64,
    /// How many of the images that their series announced never arrived.
    pub lost: u64,
    /// The messages that a recorder dropped because the disk was too slow.
    pub dropped: Vec<Dropped>,
    /// How many messages could not be decoded in full. The [`Report`](crate::endpoint::Report) of the
    /// source has those that it skipped.
    pub damaged: u64,
    /// How many messages were received and not written because the disk hangs.
    pub unwritten: u64,
    /// How many messages were not handed to a peer of each endpoint.
    pub unconfirmed: Vec<(String, Unconfirmed)>,
    /// The outputs of a split, in the order in which they were given.
    pub outputs: Vec<OutputFindings>,
    /// Whether the run ended with one series while another one was not complete.
    pub cuts_another: bool,
    /// What was requested and not done.
    pub missed: Option<Missed>,
    /// What ended the run.
    pub ending: Ending,
}

impl Findings {
    /// Makes the findings of a run that has done nothing.
    #[must_use]
    pub fn new(ending: Ending) -> Self {
        Self {
            received: 0,
            sent: 0,
            lost: 0,
            dropped: Vec::new(),
            damaged: 0,
            unwritten: 0,
            unconfirmed: Vec::new(),
            outputs: Vec::new(),
            cuts_another: false,
            missed: None,
            ending,
        }
    }
}

/// Messages of one kind that were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The name of their source.
    pub source: String,
    /// Their htype; none if they have none.
    pub htype: Option<String>,
    /// How many.
    pub messages: u64,
}

/// What was sent to one output of a split.
#[derive(Debug)]
pub struct OutputFindings {
    /// Its address, to which peers connect.
    pub name: String,
    /// How many messages it accepted.
    pub sent: u64,
    /// How many were dropped because it accepted nothing.
    pub dropped: u64,
    /// Whether dropping was requested: then the output is not waited for.
    pub may_drop: bool,
    /// How many it could not hand to a peer at the end, or write.
    pub unconfirmed: Unconfirmed,
    /// Why it failed, or could not be closed, if so.
    pub failure: Option<Error>,
}

/// What was requested and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// Fewer messages than were requested, or none at all.
    Messages {
        /// How many there were.
        done: u64,
        /// How many were requested; none if any number was enough.
        wanted: Option<u64>,
    },
    /// The end of the series that was waited for.
    SeriesEnd,
    /// A receiver that accepts the next message.
    Receiver {
        /// The endpoint at which it was expected.
        endpoint: String,
        /// How many messages were sent before.
        sent: u64,
    },
    /// A subscriber, at any time.
    Subscriber,
}

impl Missed {
    /// Returns what a run with this many messages has missed, if its limits request more.
    #[must_use]
    pub fn messages(limits: &Limits, done: u64, ending: Ending) -> Option<Self> {
        let is_missed = limits.missed_by(done, ending);
        is_missed.then_some(Self::Messages { done, wanted: limits.count })
    }
}
