//! The sinks to which the messages of each source in a recording are sent.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::endpoint::{Origin, Sink, Unconfirmed};
use crate::error::{self, Result};
use crate::recording::Recording;
use crate::tools::{Error, Observer, endpoint, show_departures};

/// Which sink gets the messages of which source: sinks are identified by their numbers.
///
/// ```
/// use mflow::tools::replay::Routes;
/// let mut routes = Routes::default();
/// routes.map("camera", 0);
/// routes.map_rest(1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Routes {
    labels: Vec<(String, usize)>,
    rest: Option<usize>,
}

impl Routes {
    /// Has the messages of one source go to a sink.
    pub fn map(&mut self, label: impl Into<String>, sink: usize) {
        self.labels.push((label.into(), sink));
    }

    /// Has the messages of all other sources go to a sink.
    pub fn map_rest(&mut self, sink: usize) {
        self.rest = Some(sink);
    }

    /// Checks that every source of a recording has a sink, and that every mapped source exists.
    ///
    /// # Errors
    /// [`Error::Unmapped`], with the labels.
    pub fn check(&self, recording: &dyn Recording) -> Result<()> {
        let origins = recording.origins();
        if origins.is_empty() {
            return Ok(());
        }
        let known: Vec<&str> = origins.iter().map(|origin| origin.label()).collect();
        let is_mapped = |label: &str| self.labels.iter().any(|(mapped, _)| mapped == label);
        let homeless = known.iter().find(|label| self.rest.is_none() && !is_mapped(label));
        let missing = self.labels.iter().find(|(label, _)| !known.contains(&label.as_str()));
        let (label, problem) = match (homeless, missing) {
            (_, Some((label, _))) => (label.as_str(), "is not in"),
            (Some(label), None) => (*label, HOMELESS),
            (None, None) => return Ok(()),
        };
        Err(unmapped(label, problem, recording))
    }

    /// Returns the number of the sink for the messages of an origin.
    fn place(&self, origin: &Origin) -> Option<usize> {
        if self.labels.is_empty() {
            return self.rest;
        }
        let label = origin.label();
        let mapped = self.labels.iter().find(|(mapped, _)| mapped == label);
        mapped.map(|(_, sink)| *sink).or(self.rest)
    }
}

/// The sinks that a recording is replayed into: one for everything, or some for single sources.
pub struct Outlets {
    sinks: Vec<Box<dyn Sink>>,
    routes: Routes,
}

/// Everything goes to one sink.
impl From<Box<dyn Sink>> for Outlets {
    fn from(sink: Box<dyn Sink>) -> Self {
        Self::new(vec![sink], Routes { labels: Vec::new(), rest: Some(0) })
    }
}

impl Outlets {
    /// Sends to these sinks as the routes say.
    ///
    /// # Panics
    /// If the routes lead to a sink that does not exist.
    #[must_use]
    pub fn new(sinks: Vec<Box<dyn Sink>>, routes: Routes) -> Self {
        let mut places = routes.labels.iter().map(|(_, place)| *place).chain(routes.rest);
        assert!(places.all(|place| place < sinks.len()), "every route leads to a sink");
        Self { sinks, routes }
    }

    /// Checks that the routes fit a recording.
    pub(super) fn check(&self, recording: &dyn Recording) -> Result<()> {
        self.routes.check(recording)
    }

    /// Returns the number of the sink for the messages of an origin.
    pub(super) fn place(&self, origin: &Origin, recording: &dyn Recording) -> Result<usize> {
        let place = self.routes.place(origin);
        place.ok_or_else(|| unmapped(origin.label(), HOMELESS, recording))
    }

    pub(super) fn sink(&mut self, place: usize) -> &mut dyn Sink {
        self.sinks[place].as_mut()
    }

    pub(super) fn endpoint(&self, place: usize) -> String {
        endpoint(self.sinks[place].as_ref())
    }

    /// Closes all sinks, and returns for each endpoint how many messages it could not hand over, or
    /// why it could not be closed.
    pub(super) fn finish(
        self,
        linger: Duration,
        observer: &mut dyn Observer,
    ) -> Vec<(String, Result<Unconfirmed>)> {
        for sink in &self.sinks {
            show_departures(sink.name(), sink.report().departures, observer);
        }
        // Each is closed, even if another one fails, and all at the same time.
        let finish = |sink: Box<dyn Sink>| {
            let endpoint = endpoint(sink.as_ref());
            (endpoint, sink.finish(linger))
        };
        thread::scope(|scope| {
            let ends = self.sinks.into_iter().map(|sink| scope.spawn(move || finish(sink)));
            let ends: Vec<_> = ends.collect();
            let result =
                |end: ScopedJoinHandle<'_, _>| end.join().unwrap_or_else(|p| resume_unwind(p));
            ends.into_iter().map(result).collect()
        })
    }
}

/// What is wrong with a source that has no sink.
const HOMELESS: &str = "has no address in the replay of";

fn unmapped(label: &str, problem: &'static str, recording: &dyn Recording) -> error::Error {
    let labels: Vec<&str> = recording.origins().iter().map(|origin| origin.label()).collect();
    Error::Unmapped {
        label: label.to_owned(),
        problem,
        recording: recording.name().to_owned(),
        labels: labels.join(", "),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Offer, Received, Report, Stop, Timestamp, WaitSet};
    use crate::frame::Frames;
    use crate::recording::{self, open_recording};
    use crate::recording::{McapOptions, McapWriter};
    use crate::routing;
    use crate::tools::Silent;
    use crate::tools::Unattended;
    use crate::tools::replay::{Options, run};

    /// A sink that accepts everything, and returns a given result at the end.
    struct Theirs(&'static str, Option<Unconfirmed>);

    impl Sink for Theirs {
        fn name(&self) -> &str {
            self.0
        }

        fn offer(&mut self, _: &Received) -> Result<Offer> {
            Ok(Offer::Taken)
        }

        fn readiness<'a>(&'a self, _: &mut WaitSet<'a>) {}

        fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

        fn check(&mut self) -> Result<()> {
            Ok(())
        }

        fn report(&self) -> Report {
            Report::default()
        }

        fn finish(self: Box<Self>, _: Duration) -> Result<Unconfirmed> {
            let source = Box::new(routing::Error::NoOutput.into());
            self.1.ok_or(recording::Error::Unwritten { messages: 3, source }.into())
        }
    }

    #[test]
    fn the_failure_of_one_sink_is_reported_beside_the_results_of_the_others() {
        let path = std::env::temp_dir().join(format!("mflow-sinks-{}.mcap", std::process::id()));
        let mut writer = McapWriter::create(&path, McapOptions::default()).unwrap();
        let message = Received {
            frames: Frames::from([&b"{}"[..]]),
            time: Timestamp::from_nanos(1),
            origin: Origin::new("tcp://a:1"),
        };
        writer.write(&message).unwrap();
        writer.finish().unwrap();
        let mut routes = Routes::default();
        routes.map_rest(0);
        let left = Some(Unconfirmed::Count(2));
        let sinks = [Theirs("fails", None), Theirs("lingers", left)].map(|it| Box::new(it) as _);
        let failure = run(
            open_recording(&path).unwrap().as_mut(),
            Outlets::new(sinks.into(), routes),
            &Options::default(),
            &mut Unattended,
            &Stop::never(),
            &mut Vec::new(),
            &mut Silent,
        )
        .unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            failure.error.get(),
            Some(recording::Error::Unwritten { messages: 3, .. })
        ));
        let unconfirmed = failure.done.unwrap().findings.unconfirmed;
        let expected = [("fails", 3), ("lingers", 2)];
        let expected = expected.map(|(name, left)| (name.to_owned(), Unconfirmed::Count(left)));
        assert_eq!(unconfirmed, expected);
    }
}
