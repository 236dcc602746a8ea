//! Exit codes, the same for all programs.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitCode, Termination};

use super::stderr::say;
use crate::counted::Counted;
use crate::endpoint::{Source, Unconfirmed};
use crate::error::{Error, WithCauses};
use crate::recording::{Gauge, is_mcap};
use crate::stream::Address;
use crate::tools::split::OutputSummary;
use crate::tools::{Ending, Limits, replay};

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
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            // Whoever read the output has seen enough.
            _ if is_closed(error) => Self::Done,
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

    /// Ends as an error says that broke off a run, if there is one, and prints it.
    #[must_use]
    pub fn unless_broken_off(self, failure: Option<&Error>) -> Self {
        failure.map_or(self, |error| self.or(Self::of(error)))
    }

    /// Prints an error with its causes.
    pub(super) fn failed(error: &Error) -> Self {
        say(format_args!("error: {}", WithCauses(error)));
        if let Some(hint) = hint(error) {
            say(format_args!("hint: {hint}"));
        }
        Self::Failed
    }

    /// Returns the worse of two ends: what has failed, what is damaged, what was missed.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let badness = |exit| match exit {
            Self::Done => 0,
            Self::Missed => 1,
            Self::Damaged => 2,
            Self::Failed => 3,
            Self::Usage | Self::Configuration => 4,
        };
        if badness(other) > badness(self) { other } else { self }
    }

    /// Ends with [`Damaged`](Self::Damaged) where a source has skipped damaged messages or is damaged
    /// at places, and says how many.
    #[must_use]
    pub fn unless_damaged(mut self, source: &dyn Source) -> Self {
        let (name, report) = (source.name(), source.report());
        let places = report.damaged_places;
        if places > 0 {
            let places = Counted(places, "place");
            self = self.or_damaged(format_args!("'{name}': damaged at {places}"));
        }
        let damaged = report.damaged;
        if damaged > 0 {
            let skipped = Counted(damaged, "damaged message");
            self = self.or_damaged(format_args!("'{name}': skipped {skipped}"));
        }
        if places + damaged > 0 && is_mcap(Path::new(name)) {
            say(format_args!("hint: m_dump '{name}' --recover OUT.mcap saves what can be saved"));
        }
        self
    }

    /// Ends with [`Failed`](Self::Failed) where a source of several has failed, and prints why.
    #[must_use]
    pub fn unless_failed(self, source: &dyn Source) -> Self {
        source.report().failures.iter().fold(self, |exit, (_, error)| exit.or(Self::failed(error)))
    }

    /// Says what is lost, dropped or damaged, and ends with [`Damaged`](Self::Damaged) where nothing has
    /// failed.
    fn or_damaged(self, what: fmt::Arguments<'_>) -> Self {
        say(format_args!("error: {what}"));
        self.or(Self::Damaged)
    }

    /// Ends with [`Damaged`](Self::Damaged) where messages could not be read in full, and says how
    /// many.
    #[must_use]
    pub fn unless_unread(self, damaged: u64) -> Self {
        match damaged {
            0 => self,
            _ => {
                let damaged = Counted(damaged, "message");
                self.or_damaged(format_args!("{damaged} could not be decoded in full"))
            }
        }
    }

    /// Ends with [`Damaged`](Self::Damaged) where images of a series did not come, and says how
    /// many.
    #[must_use]
    pub fn unless_missing(self, images: u64) -> Self {
        match images {
            0 => self,
            _ => {
                let images = Counted(images, "image");
                self.or_damaged(format_args!("{images} that the series announced did not come"))
            }
        }
    }

    /// Ends with [`Damaged`](Self::Damaged) if a run that ended with one series cut another one short,
    /// and says so.
    #[must_use]
    pub fn unless_cut(self, cuts_another: bool) -> Self {
        if !cuts_another {
            return self;
        }
        self.or_damaged(format_args!(
            "another series came before the run ended with the first: it is cut short"
        ))
    }

    /// Ends with [`Missed`](Self::Missed) where a series was waited for that has not come to its end,
    /// and says so.
    #[must_use]
    pub fn unless_unfinished(self, is_unfinished: bool, ending: Ending) -> Self {
        let is_early = matches!(ending, Ending::Timeout | Ending::SourceEnded);
        if self != Self::Done || !is_unfinished || !is_early {
            return self;
        }
        say(format_args!("error: the series has not come to its end {ending}"));
        Self::Missed
    }

    /// Ends with [`Damaged`](Self::Damaged) where a recorder had no room for messages, and says how
    /// many of which.
    #[must_use]
    pub fn unless_dropped(self, gauge: &Gauge) -> Self {
        gauge.dropped().iter().fold(self, |exit, (source, htype, messages)| {
            let (messages, htype) =
                (Counted(*messages, "message"), htype.as_deref().unwrap_or("raw"));
            exit.or_damaged(format_args!(
                "'{source}': {messages} of {htype} dropped, as the disk was too slow"
            ))
        })
    }

    /// Ends with [`Failed`](Self::Failed) where an output of a split has failed or messages for it were
    /// not handed over at the end, with [`Missed`](Self::Missed) where it has taken nothing of what was
    /// for it, and with [`Damaged`](Self::Damaged) where some of it was dropped; unless that is what was
    /// asked for.
    #[must_use]
    pub fn unless_passed_over(self, output: &OutputSummary) -> Self {
        let OutputSummary { name, sent, dropped, may_drop, unconfirmed, failure } = output;
        let exit = match failure {
            Some(error) => self.or(Self::failed(error)),
            None => self.unless_unconfirmed(*unconfirmed, name),
        };
        let may_drop = *may_drop && failure.is_none();
        if may_drop || *dropped == 0 {
            return exit;
        }
        let dropped = Counted(*dropped, "message").were();
        if *sent > 0 || failure.is_some() {
            return exit.or_damaged(format_args!("{dropped} dropped, as '{name}' took no more"));
        }
        say(format_args!("error: {dropped} dropped, as nobody was at '{name}' to take any"));
        exit.or(Self::Missed)
    }

    /// Ends with [`Failed`](Self::Failed) where messages were received and not written, and says how
    /// many.
    #[must_use]
    pub fn unless_unwritten(self, messages: u64) -> Self {
        if messages == 0 {
            return self;
        }
        let messages = Counted(messages, "message").were();
        say(format_args!("error: {messages} not written: the disk hangs"));
        Self::Failed
    }

    /// Ends with a code for messages that were not handed to a peer of `endpoint`, or not written where
    /// that is a path, if there are any, and says how many.
    #[must_use]
    pub fn unless_unconfirmed(self, unconfirmed: Unconfirmed, endpoint: &str) -> Self {
        match unconfirmed {
            Unconfirmed::Count(0) | Unconfirmed::Unknown => self,
            Unconfirmed::Count(messages) => {
                let messages = Counted(messages, "message").were();
                if Address::is_meant_by(endpoint) {
                    say(format_args!("error: {messages} not handed to a peer of '{endpoint}'"));
                } else {
                    say(format_args!("error: {messages} not written to '{endpoint}': it hangs"));
                }
                Self::Failed
            }
        }
    }

    /// Ends with [`Missed`](Self::Missed) where a run has done less than its limits asked for, and
    /// says so; `name` is who the messages came from or went to.
    #[must_use]
    pub fn unless_missed(self, limits: &Limits, messages: u64, ending: Ending, name: &str) -> Self {
        if self != Self::Done || !limits.missed_by(messages, ending) {
            return self;
        }
        match limits.count {
            Some(count) if messages > 0 => {
                say(format_args!("error: '{name}': only {messages} of {count} messages {ending}"));
            }
            _ => say(format_args!("error: '{name}': no messages {ending}")),
        }
        Self::Missed
    }

    /// Ends with [`Missed`](Self::Missed) where a replay has given up before its end, as nobody took the
    /// next message, and says so.
    #[must_use]
    pub fn unless_given_up(self, summary: &replay::Summary) -> Self {
        let endpoint = summary.waiting_for.as_ref().filter(|_| summary.ending == Ending::Timeout);
        let Some(endpoint) = endpoint.filter(|_| self == Self::Done) else { return self };
        let sent = Counted(summary.messages, "message");
        say(format_args!("error: '{endpoint}': nobody took more than {sent} before the timeout"));
        Self::Missed
    }

    /// Ends with [`Missed`](Self::Missed) where nobody was there to take what was sent, and says so.
    #[must_use]
    pub fn unless_unheard(self, is_unheard: bool, endpoint: &str) -> Self {
        if self != Self::Done || !is_unheard {
            return self;
        }
        say(format_args!("error: nobody has subscribed to '{endpoint}'"));
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

/// Returns whether an output has failed because its reader has closed it.
fn is_closed(error: &Error) -> bool {
    match error {
        Error::Output(source) | Error::File { verb: "write", source, .. } => {
            source.kind() == io::ErrorKind::BrokenPipe
        }
        Error::Unwritten { source, .. } => is_closed(source),
        _ => false,
    }
}

/// Returns what a person at a terminal can do about an error, where the error does not say so.
fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::RecordingExists { path } if path.is_dir() => {
            Some("give another name; m_dump can go on in a folder with --force")
        }
        Error::RecordingExists { .. } => {
            Some("nothing is overwritten: give another name, or move these files away")
        }
        Error::File { verb: "create" | "bind", source, .. }
            if source.kind() == io::ErrorKind::AlreadyExists =>
        {
            Some("nothing is overwritten: give another name, or move the file away")
        }
        Error::File { verb: "write", path, .. } if is_mcap(path) && path.exists() => {
            Some("what was written before is whole: m_dump --info tells what, and what was dropped")
        }
        Error::Unwritten { source, .. } => hint(source),
        Error::Memory { .. } => {
            Some("a size takes a unit, as 100B or 64KiB; without one it is MiB")
        }
        Error::Bind { source: zmq::Error::ENODEV, .. } => {
            Some("bind an address of this machine, such as 127.0.0.1, a network interface, or *")
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
