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
    /// How many messages were sent; to several outputs, how many each of them took, together.
    pub sent: u64,
    /// How many images never arrived that their series had announced.
    pub lost: u64,
    /// What a recorder dropped, as the disk was too slow.
    pub dropped: Vec<Dropped>,
    /// How many messages could not be decoded in full. The [`Report`](crate::endpoint::Report) of the
    /// source has those that it skipped.
    pub damaged: u64,
    /// How many messages were received and not written, as the disk hangs.
    pub unwritten: u64,
    /// How many messages were not handed to a peer of each endpoint.
    pub unconfirmed: Vec<(String, Unconfirmed)>,
    /// The outputs of a split, in the order in which they were given.
    pub outputs: Vec<OutputFindings>,
    /// Whether the run ended with one series while another one was not complete.
    pub cuts_another: bool,
    /// What was asked for and not done.
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
    /// Its address, as peers know it.
    pub name: String,
    /// How many messages it took.
    pub sent: u64,
    /// How many were dropped because it took nothing.
    pub dropped: u64,
    /// Whether that is what was asked for: it is not waited for.
    pub may_drop: bool,
    /// How many it could not hand to a peer at the end, or write.
    pub unconfirmed: Unconfirmed,
    /// Why it took nothing any more, or could not be closed, if it has failed.
    pub failure: Option<Error>,
}

/// What was asked for and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// Fewer messages than were asked for, or none at all.
    Messages {
        /// How many there were.
        done: u64,
        /// How many were asked for; none if any number would do.
        wanted: Option<u64>,
    },
    /// The end of the series that was waited for.
    SeriesEnd,
    /// A receiver that accepts the next message.
    Receiver {
        /// Where it was waited for.
        endpoint: String,
        /// How many messages were sent before.
        sent: u64,
    },
    /// A subscriber, at any time.
    Subscriber,
}

impl Missed {
    /// Returns what a run missed that has done so many messages, if that is fewer than its limits ask
    /// for.
    #[must_use]
    pub fn messages(limits: &Limits, done: u64, ending: Ending) -> Option<Self> {
        let is_missed = limits.missed_by(done, ending);
        is_missed.then_some(Self::Messages { done, wanted: limits.count })
    }
}
