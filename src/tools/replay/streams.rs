//! The streams that a recording is replayed into, from its options to the first message.

use std::fs::Metadata;
use std::path::PathBuf;
use std::time::Instant;

use super::outlets::{Outlets, Routes};
use crate::endpoint::Stop;
use crate::error::Result;
use crate::recording::Recording;
use crate::stream::Stream;
use crate::tools::{Controls, Limits, Observer, wait_for_peers};

/// The open streams, and which of them gets the messages of which source.
pub struct Streams {
    streams: Vec<Stream>,
    routes: Routes,
}

impl Streams {
    /// Opens a stream for each address of the map, from labels of sources, and one for the rest, if that
    /// has an address. Labels with the same address share a stream.
    ///
    /// # Errors
    /// If `open` fails.
    pub fn open(
        map: &[(String, String)],
        rest: Option<&str>,
        open: impl Fn(&str) -> Result<Stream>,
    ) -> Result<Self> {
        let (mut streams, mut routes) = (Vec::<Stream>::new(), Routes::default());
        for (label, address) in map {
            // Each `*` is a port of its own.
            let is_shared =
                |stream: &Stream| stream.address() == address && !address.ends_with(":*");
            let place = streams.iter().position(is_shared);
            if place.is_none() {
                streams.push(open(address)?);
            }
            routes.map(label, place.unwrap_or(streams.len() - 1));
        }
        if let Some(address) = rest {
            streams.push(open(address)?);
            routes.map_rest(streams.len() - 1);
        }
        Ok(Self { streams, routes })
    }

    /// Checks that every source of a recording has a stream, and reports the endpoints that peers
    /// connect to.
    ///
    /// # Errors
    /// As [`Routes::check`].
    pub fn check(&self, recording: &dyn Recording, observer: &mut dyn Observer) -> Result<()> {
        self.routes.check(recording)?;
        let listening = self.streams.iter().filter_map(Stream::listening);
        listening.for_each(|endpoint| observer.listening(endpoint));
        Ok(())
    }

    /// Waits until each stream has this many peers, at most for as long as a replay with these
    /// limits may be silent, and subtracts that time from its duration. Returns none if a stop is
    /// requested or a person quits before.
    ///
    /// # Errors
    /// [`Error::NoPeers`](crate::tools::Error::NoPeers) if there are too few in that time.
    pub fn wait_for(
        mut self,
        peers: usize,
        limits: &mut Limits,
        controls: &mut dyn Controls,
        stop: &Stop,
    ) -> Result<Option<Outlets>> {
        let patience = limits.timeout.into_iter().chain(limits.duration).min();
        let waiting = Instant::now();
        if !wait_for_peers(&mut self.streams, peers, patience, controls, stop)? {
            return Ok(None);
        }
        let left = limits.duration.map(|duration| duration.saturating_sub(waiting.elapsed()));
        limits.duration = left;
        let sinks = self.streams.into_iter().map(|stream| Box::new(stream) as _).collect();
        Ok(Some(Outlets::new(sinks, self.routes)))
    }
}

/// Returns the size of a message of these files in bytes; 0 if unknown.
#[must_use]
pub fn usual_size(paths: &[PathBuf], recording: &dyn Recording) -> usize {
    let files = paths.iter().filter_map(|path| path.metadata().ok()).filter(Metadata::is_file);
    let bytes = files.map(|file| file.len()).sum::<u64>();
    let size = recording.messages().and_then(|messages| bytes.checked_div(messages));
    size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX))
}
