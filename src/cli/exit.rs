//! Exit codes, the same for all programs.

use std::error::Error as _;
use std::io;
use std::process::{ExitCode, Termination};

use crate::tools::{Ending, Limits};
use crate::{Error, Unconfirmed};

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
            _ => Self::failed(error),
        }
    }

    /// Prints an error with its causes.
    #[expect(clippy::print_stderr, reason = "the one place where errors are printed")]
    pub(super) fn failed(error: &Error) -> Self {
        eprint!("error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            eprint!(": {error}");
            cause = error.source();
        }
        eprintln!();
        Self::Failed
    }

    /// Ends with a code for messages that were not handed to a peer, if there are any, and says
    /// how many.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "the program's last word")]
    pub fn unless_unconfirmed(self, unconfirmed: Unconfirmed) -> Self {
        match unconfirmed {
            Unconfirmed::Count(0) | Unconfirmed::Unknown => self,
            Unconfirmed::Count(messages) => {
                eprintln!("error: {messages} messages were not handed to a peer");
                Self::Failed
            }
        }
    }

    /// Ends with [`Missed`](Self::Missed) where a run has done less than its limits asked for, and
    /// says so.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "the program's last word")]
    pub fn unless_missed(self, limits: &Limits, messages: u64, ending: Ending) -> Self {
        if self != Self::Done || !limits.missed_by(messages, ending) {
            return self;
        }
        match limits.count {
            Some(count) if messages > 0 => {
                eprintln!("error: only {messages} of {count} messages {ending}");
            }
            _ => eprintln!("error: no messages {ending}"),
        }
        Self::Missed
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Damaged => 3,
            Self::Missed => 4,
            Self::Configuration => 78,
        })
    }
}
