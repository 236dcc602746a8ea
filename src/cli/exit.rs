//! Exit codes, the same for all programs.

use std::error::Error as _;
use std::io;
use std::process::{ExitCode, Termination};

use super::stderr::say;
use crate::recording::Gauge;
use crate::tools::{Ending, Limits, Observer};
use crate::{Error, Source, Unconfirmed};

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done: 0.
    Done,
    /// Something has failed: 1.
    Failed,
    /// The command line makes no sense: 2.
    Usage,
    /// Finished, but data was lost or damaged: 3.
    Damaged,
    /// Too few messages came in time, or nobody was there to take them: 4.
    Missed,
    /// The configuration cannot be used: 78.
    Configuration,
}

impl Exit {
    /// Prints an error with its causes, and says how to end.
    pub(super) fn of(error: &Error) -> Self {
        let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        match error {
            // Whoever read the output has seen enough.
            Error::Output(cause) if closed(cause) => Self::Done,
            Error::Config { .. } => {
                Self::failed(error);
                Self::Configuration
            }
            Error::Address { .. } => {
                Self::failed(error);
                Self::Usage
            }
            Error::NoPeers { .. } => {
                Self::failed(error);
                Self::Missed
            }
            _ => Self::failed(error),
        }
    }

    /// Prints an error with its causes.
    pub(super) fn failed(error: &Error) -> Self {
        let mut text = format!("error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        if let Some(hint) = hint(error) {
            text += &format!("\nhint: {hint}");
        }
        say(format_args!("{text}"));
        Self::Failed
    }

    /// Ends with [`Damaged`](Self::Damaged) where a source has skipped damaged messages, and tells
    /// how many.
    #[must_use]
    pub fn unless_damaged(self, source: &dyn Source, observer: &mut dyn Observer) -> Self {
        let (name, damaged) = (source.name(), source.damaged());
        if damaged == 0 {
            return self;
        }
        observer.notice(format_args!("'{name}': skipped {damaged} messages that are damaged"));
        self.or_damaged()
    }

    /// Ends with [`Failed`](Self::Failed) where a source of several has failed, and prints why.
    #[must_use]
    pub fn unless_failed(self, source: &dyn Source) -> Self {
        source.failures().iter().fold(self, |_, (_, error)| Self::failed(error))
    }

    /// Ends with [`Damaged`](Self::Damaged) where everything else was done.
    fn or_damaged(self) -> Self {
        if self == Self::Done { Self::Damaged } else { self }
    }

    /// Ends with [`Damaged`](Self::Damaged) where messages could not be read in full, and tells how
    /// many.
    #[must_use]
    pub fn unless_unread(self, damaged: u64, observer: &mut dyn Observer) -> Self {
        if damaged == 0 {
            return self;
        }
        observer.notice(format_args!("{damaged} messages could not be decoded in full"));
        self.or_damaged()
    }

    /// Ends with [`Damaged`](Self::Damaged) where images of a series did not come, and tells how
    /// many.
    #[must_use]
    pub fn unless_missing(self, images: u64, observer: &mut dyn Observer) -> Self {
        if images == 0 {
            return self;
        }
        observer.notice(format_args!("{images} images that the series announced did not come"));
        self.or_damaged()
    }

    /// Ends with [`Damaged`](Self::Damaged) where a recorder had no room for messages, and tells
    /// how many of which.
    #[must_use]
    pub fn unless_dropped(self, gauge: &Gauge, observer: &mut dyn Observer) -> Self {
        let dropped = gauge.dropped();
        for (source, htype, messages) in &dropped {
            let htype = htype.as_deref().unwrap_or("raw");
            observer.notice(format_args!(
                "'{source}': {messages} messages of {htype} were dropped as the disk was too slow"
            ));
        }
        if dropped.is_empty() { self } else { self.or_damaged() }
    }

    /// Ends with [`Failed`](Self::Failed) where messages were received and not written, and says how
    /// many.
    #[must_use]
    pub fn unless_unwritten(self, messages: u64) -> Self {
        if messages == 0 {
            return self;
        }
        say(format_args!("error: {messages} messages were not written: the disk hangs"));
        Self::Failed
    }

    /// Ends with a code for messages that were not handed to a peer of `endpoint`, if there are
    /// any, and says how many.
    #[must_use]
    pub fn unless_unconfirmed(self, unconfirmed: Unconfirmed, endpoint: &str) -> Self {
        match unconfirmed {
            Unconfirmed::Count(0) | Unconfirmed::Unknown => self,
            Unconfirmed::Count(messages) => {
                say(format_args!(
                    "error: {messages} messages were not handed to a peer of '{endpoint}'"
                ));
                Self::Failed
            }
        }
    }

    /// Ends with [`Missed`](Self::Missed) where a run has done less than its limits asked for, and
    /// says so.
    #[must_use]
    pub fn unless_missed(self, limits: &Limits, messages: u64, ending: Ending) -> Self {
        if self != Self::Done || !limits.missed_by(messages, ending) {
            return self;
        }
        match limits.count {
            Some(count) if messages > 0 => {
                say(format_args!("error: only {messages} of {count} messages {ending}"));
            }
            _ => say(format_args!("error: no messages {ending}")),
        }
        Self::Missed
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Damaged => 3,
            Self::Missed => 4,
            Self::Configuration => 78,
        }
    }
}

/// Returns what a person at a terminal can do about an error, where the error does not say so.
fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::RecordingExists { path } if path.is_dir() => {
            Some("give another name, or go on in this folder with --force")
        }
        Error::RecordingExists { .. } => {
            Some("nothing is overwritten: give another name, or move these files away")
        }
        Error::File { verb: "create", source, .. }
            if source.kind() == io::ErrorKind::AlreadyExists =>
        {
            Some("nothing is overwritten: give another name, or move the file away")
        }
        Error::Memory { .. } => {
            Some("a size takes a unit, as 100B or 64KiB; without one it is MiB")
        }
        Error::NoTimes { .. } => Some("go by messages instead: --rate 100Hz or max, --from, --to"),
        _ => None,
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.code().into()
    }
}
