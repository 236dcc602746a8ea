//! A run that broke off, with what was done until then.

use std::fmt;

use super::Ending;
use crate::error::{self, Result};
use crate::tools::Error;

/// Why a run broke off, and what was done until then.
///
/// It converts into the [`Error`] alone.
///
/// ```
/// use mflow::tools::{Limits, Silent, dump};
/// use mflow::{Location, Result, Stop};
/// fn record(from: &Location, to: &Location) -> Result<u64> {
///     let mut source = from.open_source(mflow::Options::pull())?;
///     let sink = to.open_sink(mflow::Options::push())?;
///     let (options, stop) = (dump::Options::default(), Stop::never());
///     match dump::run(source.as_mut(), sink, &options, &stop, &mut Silent) {
///         Ok(summary) => Ok(summary.findings.received),
///         Err(failure) => {
///             let messages = failure.done.as_ref().map_or(0, |summary| summary.findings.received);
///             eprintln!("after {messages} messages: {failure}");
///             Err(failure.into())
///         }
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<S> {
    /// Why.
    pub error: error::Error,
    /// The summary up to then, its ending [`Ending::Failed`]; none if nothing had begun, or if the
    /// output for the summary has failed.
    pub done: Option<Box<S>>,
}

impl<S> Failure<S> {
    /// Returns the summary of a run, and the error if it broke off.
    ///
    /// # Errors
    /// If there is no summary.
    pub fn parts(result: Result<S, Self>) -> Result<(S, Option<error::Error>)> {
        match result {
            Ok(summary) => Ok((summary, None)),
            Err(Self { error, done: Some(summary) }) => Ok((*summary, Some(error))),
            Err(Self { error, done: None }) => Err(error),
        }
    }
}

/// Sums up a run that has ended, or broke off.
pub(super) fn sum_up<S>(
    ended: Result<Ending>,
    summary: impl FnOnce(Ending) -> S,
) -> Result<S, Failure<S>> {
    match ended {
        Ok(ending) => Ok(summary(ending)),
        Err(error) if matches!(error.get(), Some(Error::Output(_))) => Err(error.into()),
        Err(error) => Err(Failure { error, done: Some(Box::new(summary(Ending::Failed))) }),
    }
}

impl<S> From<error::Error> for Failure<S> {
    fn from(error: error::Error) -> Self {
        Self { error, done: None }
    }
}

impl<S> From<Failure<S>> for error::Error {
    fn from(failure: Failure<S>) -> Self {
        failure.error
    }
}

impl<S> fmt::Display for Failure<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S: fmt::Debug> std::error::Error for Failure<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}
