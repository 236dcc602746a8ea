//! Many sources as one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::endpoint::{Event, Received, Report, Source, Stop, WaitSet};
use crate::error::{Error, Result, SystemError};

/// Decides which source to poll first: from the number of sources and the index of the source of
/// the latest message, it returns an index. The others are polled in turn.
type Strategy = Box<dyn FnMut(usize, Option<usize>) -> usize + Send>;

/// Sources whose messages are taken in turn, skipping those that have none at present.
///
/// A source that fails ends; its name and its error are kept, and the others continue. The merge
/// ends with its last source.
///
/// ```
/// use std::time::Duration;
/// use mflow::{Merge, Options, Stop, connect};
/// let mut sender = connect("tcp://127.0.0.1:*", Options::push().bind())?;
/// let one = connect(sender.endpoint(), Options::pull())?;
/// let other = connect("tcp://127.0.0.1:*", Options::pull().bind())?;
/// let mut merge = Merge::new([one.into(), other.into()]);
/// sender.send([&b"hello"[..]])?;
/// let received = merge.receive(&Stop::never(), Duration::from_secs(10))?.expect("one has come");
/// assert_eq!(received.origin.name, sender.endpoint());
/// # Ok::<(), mflow::Error>(())
/// ```
pub struct Merge {
    name: String,
    sources: Vec<Box<dyn Source>>,
    strategy: Strategy,
    latest: Option<usize>,
    /// The reports of sources that have ended.
    ended: Vec<(String, Report)>,
}

impl Merge {
    /// Merges sources, round robin.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Box<dyn Source>>) -> Self {
        let sources: Vec<_> = sources.into_iter().collect();
        let names: Vec<_> = sources.iter().map(|source| source.name()).collect();
        Self {
            name: names.join(", "),
            sources,
            strategy: Box::new(|_, latest| latest.map_or(0, |latest| latest + 1)),
            latest: None,
            ended: Vec::new(),
        }
    }

    /// Replaces round robin: `strategy` gets the number of sources and the index of the source of
    /// the latest message, and returns which one to poll first. The others follow in turn.
    ///
    /// ```
    /// # use mflow::Merge;
    /// let always_the_first_if_it_can = Merge::new([]).with_strategy(|_, _| 0);
    /// ```
    #[must_use]
    pub fn with_strategy(
        mut self,
        strategy: impl FnMut(usize, Option<usize>) -> usize + Send + 'static,
    ) -> Self {
        self.strategy = Box::new(strategy);
        self
    }

    /// Waits for the next message of any source: `None` if all have ended, no message arrived
    /// before the timeout, or a stop was requested.
    ///
    /// # Errors
    /// If the wait fails. The error of a source is in
    /// [`failures`](crate::endpoint::Report::failures).
    pub fn receive(
        &mut self,
        stop: &Stop,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<Received>> {
        let end = timeout.into().and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            match self.poll()? {
                Event::Message(received) => return Ok(Some(received)),
                Event::End => return Ok(None),
                Event::Idle => {}
            }
            let mut set = WaitSet::new();
            self.readiness(&mut set);
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let woken = set
                .wait(stop, left)
                .map_err(|source| SystemError::Wait { name: self.name.clone(), source })?;
            if !woken {
                return Ok(None);
            }
        }
    }

    /// Removes a source that has ended, or failed.
    fn end(&mut self, index: usize, failure: Option<Error>) {
        self.latest = match self.latest {
            Some(latest) if latest >= index => latest.checked_sub(1),
            latest => latest,
        };
        let source = self.sources.remove(index);
        let (name, mut report) = (source.name().to_owned(), source.report());
        report.is_live = false;
        if let Some(error) = failure {
            tracing::warn!(source = name, %error, "a source has failed");
            report.failures.push((name.clone(), Arc::new(error)));
        }
        self.ended.push((name, report));
    }
}

impl Source for Merge {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self) -> Result<Event> {
        'sources: while !self.sources.is_empty() {
            let count = self.sources.len();
            let first = (self.strategy)(count, self.latest) % count;
            for index in (first..count).chain(0..first) {
                match self.sources[index].poll() {
                    Ok(Event::Message(received)) => {
                        self.latest = Some(index);
                        return Ok(Event::Message(received));
                    }
                    Ok(Event::Idle) => {}
                    Ok(Event::End) => {
                        self.end(index, None);
                        continue 'sources;
                    }
                    Err(error) => {
                        self.end(index, Some(error));
                        continue 'sources;
                    }
                }
            }
            return Ok(Event::Idle);
        }
        Ok(Event::End)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        for source in &self.sources {
            source.readiness(set);
        }
    }

    fn report(&self) -> Report {
        let ended = self.ended.iter().map(|(name, report)| (name.as_str(), report.clone()));
        Report::join(ended.chain(self.sources.iter().map(|it| (it.name(), it.report()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Origin, Timestamp};
    use crate::error::ErrorKind;
    use crate::frame::{Frame, Frames};
    use std::collections::VecDeque;
    use std::io;

    /// Returns the given results in order: `Err` fails, `None` is idle; then it ends.
    struct Script(&'static str, VecDeque<Result<Option<u8>, ()>>);

    impl Source for Script {
        fn name(&self) -> &str {
            self.0
        }
        fn poll(&mut self) -> Result<Event> {
            Ok(match self.1.pop_front() {
                None => Event::End,
                Some(Ok(None)) => Event::Idle,
                Some(Ok(Some(byte))) => Event::Message(Received {
                    frames: Frames::from([Frame::from(&[byte][..])]),
                    time: Timestamp::now(),
                    origin: Origin::new(self.0),
                }),
                Some(Err(())) => {
                    let error = io::Error::other("broken");
                    return Err(Error::new(ErrorKind::Io, self.0, error));
                }
            })
        }
        fn report(&self) -> Report {
            Report::default()
        }
        fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
            set.ready();
        }
    }

    fn script(
        name: &'static str,
        events: impl IntoIterator<Item = Result<Option<u8>, ()>>,
    ) -> Box<dyn Source> {
        Box::new(Script(name, events.into_iter().collect()))
    }

    fn received(merge: &mut Merge) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(received) = merge.receive(&Stop::never(), None).unwrap() {
            bytes.push(received.frames[0].as_ref()[0]);
        }
        bytes
    }

    #[test]
    fn sources_take_turns_and_silent_ones_are_skipped() {
        let mut merge = Merge::new([
            script("a", [Ok(Some(1)), Ok(Some(2)), Ok(Some(3))]),
            script("b", [Ok(None), Ok(Some(11)), Ok(Some(12))]),
            script("c", [Ok(Some(21))]),
        ]);
        assert_eq!(received(&mut merge), [1, 21, 2, 11, 3, 12]);
    }

    #[test]
    fn a_source_that_fails_ends_only_itself() {
        let mut merge = Merge::new([
            script("a", [Ok(Some(1)), Err(()), Ok(Some(2))]),
            script("b", [Ok(Some(11)), Ok(Some(12))]),
        ]);
        assert_eq!(received(&mut merge), [1, 11, 12]);
        let failures: Vec<_> = merge.report().failures.into_iter().map(|(name, _)| name).collect();
        assert_eq!(failures, ["a"]);
    }

    #[test]
    fn a_strategy_decides_who_is_looked_at_first() {
        let mut merge = Merge::new([
            script("a", [Ok(Some(1)), Ok(Some(2))]),
            script("b", [Ok(Some(11)), Ok(Some(12))]),
        ])
        .with_strategy(|_, _| 1);
        assert_eq!(received(&mut merge), [11, 12, 1, 2]);
    }

    #[test]
    fn waiting_for_silent_sources_ends_at_the_timeout() {
        let stream =
            crate::connect("tcp://127.0.0.1:*", crate::stream::Options::pull().bind()).unwrap();
        let mut merge = Merge::new([stream.into()]);
        assert!(merge.receive(&Stop::never(), Duration::from_millis(5)).unwrap().is_none());
    }

    #[test]
    fn what_a_source_has_skipped_counts_after_its_end_too() {
        let folder = std::env::temp_dir().join(format!("mflow-merge-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["000000_001.raw", "000001_000.raw", "000002_002.raw"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let open = || {
            crate::location::open_source(folder.to_str().unwrap(), crate::stream::Options::pull())
                .unwrap()
        };
        let mut merge = Merge::new([open(), open()]);
        while !matches!(merge.poll().unwrap(), Event::End) {}
        assert_eq!(merge.report().damaged, 4);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
