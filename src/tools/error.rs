//! [`Error`]: failures of tools.

use std::io;

use crate::error::{self, ErrorKind};

/// What failed with a tool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A source that the recording does not have, or that has no address to replay it at.
    #[error("source '{label}' {problem} '{recording}', which has {labels}")]
    Unmapped {
        /// The source.
        label: String,
        /// What is wrong with it.
        problem: &'static str,
        /// The recording.
        recording: String,
        /// The sources that it has.
        labels: String,
    },
    /// Peers that did not connect in time.
    #[error("{found} of {wanted} peers have connected to '{endpoint}' in time")]
    NoPeers {
        /// The endpoint at which they were expected.
        endpoint: String,
        /// How many were expected.
        wanted: usize,
        /// How many connected.
        found: usize,
    },
    /// The output for the results of a program has failed.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

impl Error {
    /// Makes the error of results that could not be written; shaped for `map_err`.
    pub(crate) fn output(source: io::Error) -> error::Error {
        Self::Output(source).into()
    }
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let (kind, place) = match &error {
            Error::Unmapped { recording, .. } => (ErrorKind::NotFound, recording.clone()),
            Error::NoPeers { endpoint, .. } => (ErrorKind::TimedOut, endpoint.clone()),
            Error::Output(source) => (ErrorKind::of(source), String::new()),
        };
        Self::new(kind, place, error)
    }
}
