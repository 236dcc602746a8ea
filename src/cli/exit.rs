//! Exit codes, the same for all programs.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitCode, Termination};

use super::stderr::say;
use crate::counted::Counted;
use crate::endpoint::{Report, Unconfirmed};
use crate::error::{Error, ErrorKind, SystemError, WithCauses};
use crate::location::Location;
use crate::recording::{self, is_mcap};
use crate::stream;
use crate::tools::{self, Dropped, Ending, Findings, Missed, OutputFindings};

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
    /// Too few messages arrived in time, or no receiver was connected: 4.
    Missed,
    /// The configuration cannot be used: 78.
    Configuration,
}

impl Exit {
    /// Prints an error with its causes, and returns how to end.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        if is_closed(error) {
            // The reader of the output has seen enough.
            return Self::Done;
        }
        let exit = Self::failed(error);
        match error.kind() {
            ErrorKind::Configuration => Self::Configuration,
            ErrorKind::Usage => Self::Usage,
            _ if matches!(error.get(), Some(tools::Error::NoPeers { .. })) => Self::Missed,
            _ => exit,
        }
    }

    /// Prints what was wrong with a run and with its source, given by name, and returns how to end:
    /// the worst problem decides. `failure` is the error that broke off the run. A run without a
    /// source has an empty report.
    #[must_use]
    pub fn found(
        findings: &Findings,
        failure: Option<&Error>,
        name: &str,
        report: &Report,
    ) -> Self {
        let Findings { dropped, outputs, unconfirmed, missed, ending, .. } = findings;
        let exit = outputs.iter().fold(Self::Done, Self::after_output);
        let exit = failure.map_or(exit, |error| exit.or(Self::of(error)));
        let failures = report.failures.iter();
        let exit = failures.fold(exit, |exit, (_, error)| exit.or(Self::failed(error)));
        let mut exit = exit.after_damage(name, report);
        if findings.damaged > 0 {
            let damaged = Counted(findings.damaged, "message");
            exit = exit.or_damaged(format_args!("{damaged} could not be decoded in full"));
        }
        if findings.lost > 0 {
            let images = Counted(findings.lost, "image");
            exit = exit.or_damaged(format_args!("{images} announced by the series did not arrive"));
        }
        if findings.cuts_another {
            exit = exit.or_damaged(format_args!(
                "another series began before the run ended with the first: it is cut short"
            ));
        }
        exit = dropped.iter().fold(exit, |exit, Dropped { source, htype, messages }| {
            let htype = htype.as_deref().unwrap_or("raw");
            let messages = Counted(*messages, "message");
            exit.or_damaged(format_args!(
                "'{source}': {messages} of {htype} dropped: the disk was too slow"
            ))
        });
        if findings.unwritten > 0 {
            let messages = Counted(findings.unwritten, "message").were();
            exit = exit.or_failed(format_args!("{messages} not written: the disk hangs"));
        }
        if let (Self::Done, Some(missed)) = (exit, missed) {
            exit = Self::missed(missed, *ending, name);
        }
        let unconfirmed = unconfirmed.iter();
        unconfirmed.fold(exit, |exit, (endpoint, left)| exit.after_unconfirmed(*left, endpoint))
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

    /// Reports how many damaged messages a source skipped, and at how many places it is damaged.
    fn after_damage(mut self, name: &str, report: &Report) -> Self {
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

    /// Reports whether an output of a split has failed, or messages for it were not handed over at
    /// the end or were dropped, unless dropping was requested.
    fn after_output(self, output: &OutputFindings) -> Self {
        let OutputFindings { name, sent, dropped, may_drop, unconfirmed, failure } = output;
        let exit = match failure {
            Some(error) => self.or(Self::failed(error)),
            None => self.after_unconfirmed(*unconfirmed, name),
        };
        let may_drop = *may_drop && failure.is_none();
        if may_drop || *dropped == 0 {
            return exit;
        }
        let dropped = Counted(*dropped, "message").were();
        if *sent > 0 || failure.is_some() {
            return exit.or_damaged(format_args!("{dropped} dropped: '{name}' accepted no more"));
        }
        say(format_args!("error: {dropped} dropped: no receiver was connected to '{name}'"));
        exit.or(Self::Missed)
    }

    /// Reports how many messages were not handed to a peer of `endpoint`, or not written if that is
    /// a path.
    fn after_unconfirmed(self, unconfirmed: Unconfirmed, endpoint: &str) -> Self {
        let messages = match unconfirmed {
            Unconfirmed::Count(0) | Unconfirmed::Unknown => return self,
            Unconfirmed::Count(messages) => Counted(messages, "message").were(),
        };
        if Location::has_scheme(OsStr::new(endpoint)) {
            self.or_failed(format_args!("{messages} not handed to a peer of '{endpoint}'"))
        } else {
            self.or_failed(format_args!("{messages} not written to '{endpoint}': it hangs"))
        }
    }

    /// Reports what was requested and not done; `name` is the source or the destination of the
    /// messages.
    fn missed(missed: &Missed, ending: Ending, name: &str) -> Self {
        match missed {
            Missed::Messages { done, wanted: Some(count) } if *done > 0 => {
                say(format_args!("error: '{name}': only {done} of {count} messages {ending}"));
            }
            Missed::Messages { .. } => say(format_args!("error: '{name}': no messages {ending}")),
            Missed::SeriesEnd => {
                say(format_args!("error: the series did not end {ending}"));
            }
            Missed::Receiver { endpoint, sent } => {
                let sent = Counted(*sent, "message");
                let accepted = format_args!("no receiver accepted more than {sent}");
                say(format_args!("error: '{endpoint}': {accepted} before the timeout"));
            }
            Missed::Subscriber => {
                say(format_args!("error: no receiver has subscribed to '{name}'"));
            }
        }
        Self::Missed
    }

    /// Reports what is lost, dropped or damaged.
    fn or_damaged(self, what: fmt::Arguments<'_>) -> Self {
        say(format_args!("error: {what}"));
        self.or(Self::Damaged)
    }

    /// Reports what was not done because of a failure.
    fn or_failed(self, what: fmt::Arguments<'_>) -> Self {
        say(format_args!("error: {what}"));
        self.or(Self::Failed)
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
    error.kind() == ErrorKind::Closed
}

/// Returns what a person can do about an error, if the error does not say so.
fn hint(error: &Error) -> Option<&'static str> {
    const EXISTS: &str = "nothing is overwritten: give another name, or move the file away";
    if let Some(error) = error.get() {
        return match error {
            recording::Error::RecordingExists { path } if path.is_dir() => {
                Some("give another name; m_dump can continue in a folder with --force")
            }
            recording::Error::RecordingExists { .. } => {
                Some("nothing is overwritten: give another name, or move these files away")
            }
            recording::Error::File { verb: "create", source, .. }
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                Some(EXISTS)
            }
            recording::Error::File { verb: "write", path, .. }
                if is_mcap(path) && path.exists() =>
            {
                Some(
                    "earlier messages are whole: m_dump --info prints what is in the file, and what \
                     was dropped",
                )
            }
            recording::Error::Unwritten { source, .. } => hint(source),
            recording::Error::NoTimes { .. } => {
                Some("use numbers of messages instead: --rate 100Hz or max, --from, --to")
            }
            _ => None,
        };
    }
    if let Some(error) = error.get() {
        return match error {
            stream::Error::BindPath { .. } => Some(EXISTS),
            stream::Error::Bind { source: zmq::Error::ENODEV, .. } => Some(
                "bind an address of this machine, such as 127.0.0.1, a network interface, or *",
            ),
            _ => None,
        };
    }
    matches!(error.get(), Some(SystemError::Memory { .. }))
        .then_some("a size may have a unit, as in 100B or 64KiB; without one it is in MiB")
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_was_found_decides_and_what_was_missed_only_if_nothing_else_is_wrong() {
        let exit = |findings: Findings, report: &Report| Exit::found(&findings, None, "x", report);
        let findings = || Findings::new(Ending::Timeout);
        let missed = || Findings { missed: Some(Missed::SeriesEnd), ..findings() };
        let sound = Report::default();
        let damaged = Report { damaged: 1, ..Report::default() };
        assert_eq!(exit(findings(), &sound), Exit::Done);
        assert_eq!(exit(missed(), &sound), Exit::Missed);
        assert_eq!(exit(missed(), &damaged), Exit::Damaged);
        assert_eq!(exit(Findings { lost: 2, ..missed() }, &sound), Exit::Damaged);
        let unconfirmed = vec![("tcp://host:1".to_owned(), Unconfirmed::Count(3))];
        assert_eq!(exit(Findings { unconfirmed, ..missed() }, &damaged), Exit::Failed);
        let output = |dropped, may_drop| OutputFindings {
            name: "tcp://host:2".to_owned(),
            sent: 0,
            dropped,
            may_drop,
            unconfirmed: Unconfirmed::Unknown,
            failure: None,
        };
        let outputs = |output| Findings { outputs: vec![output], ..findings() };
        assert_eq!(exit(outputs(output(1, true)), &sound), Exit::Done);
        assert_eq!(exit(outputs(output(1, false)), &sound), Exit::Missed);
        let sent = OutputFindings { sent: 1, ..output(1, false) };
        assert_eq!(exit(outputs(sent), &sound), Exit::Damaged);
    }
}
