//! [`Report`]: the state of a source or a sink, beside its messages.

use std::sync::Arc;

use crate::error::Error;

/// The current state of a source or a sink, beside its messages.
///
/// It is one struct, so that a wrapper passes it on whole, or [joins](Self::join) the reports of
/// several sources. Counts only rise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The endpoints that peers connect to, if it is bound to any.
    pub listening: Vec<String>,
    /// Whether messages arrive by themselves, so that some may be in flight at a stop; the messages
    /// of a recording are never in flight.
    pub is_live: bool,
    /// How many sources it consists of.
    pub sources: usize,
    /// What a person should know before it is used, such as gaps in a recording.
    pub notices: Vec<String>,
    /// How many messages were damaged: skipped by a source, or not read in full by a sink that
    /// decodes.
    pub damaged: u64,
    /// At how many places a source is damaged if it is not known whether messages are lost there,
    /// as in a file that had to be searched for its remaining records.
    pub damaged_places: u64,
    /// The sources within this one that have failed, by name.
    pub failures: Vec<(String, Arc<Error>)>,
    /// How many peers have disconnected: messages queued for them are lost.
    pub departures: usize,
    /// Whether messages were sent while no peer was ever connected: a PUB accepts them
    /// nevertheless.
    pub is_unheard: bool,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            listening: Vec::new(),
            is_live: true,
            sources: 1,
            notices: Vec::new(),
            damaged: 0,
            damaged_places: 0,
            failures: Vec::new(),
            departures: 0,
            is_unheard: false,
        }
    }
}

impl Report {
    /// Makes the report of something that may be bound to an endpoint.
    #[must_use]
    pub fn of_endpoint(listening: Option<&str>) -> Self {
        let listening = listening.into_iter().map(str::to_owned).collect();
        Self { listening, ..Self::default() }
    }

    /// Joins the reports of several sources, each given with its name.
    #[must_use]
    pub fn join<'a>(reports: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let none = Self { is_live: false, sources: 0, ..Self::default() };
        reports.into_iter().fold(none, |mut whole, (name, part)| {
            whole.listening.extend(part.listening);
            whole.is_live |= part.is_live;
            whole.sources += part.sources;
            whole.notices.extend(part.notices.into_iter().map(|it| format!("'{name}': {it}")));
            whole.damaged += part.damaged;
            whole.damaged_places += part.damaged_places;
            whole.failures.extend(part.failures);
            whole.departures += part.departures;
            whole.is_unheard |= part.is_unheard;
            whole
        })
    }
}
