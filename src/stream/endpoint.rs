//! A stream as a source and as a sink.

use std::sync::Arc;
use std::time::Duration;

use super::Stream;
use crate::endpoint::{
    Event, Offer, Origin, Received, Report, Sink, Source, Tally, Timestamp, Unconfirmed, WaitSet,
};
use crate::error::Result;

/// A stream that messages come from.
pub(crate) struct StreamSource {
    stream: Stream,
    origin: Arc<Origin>,
}

impl StreamSource {
    pub(crate) fn new(stream: Stream, label: Option<String>) -> Self {
        let (name, mode) = (stream.address().to_owned(), Some(stream.mode().to_string()));
        Self { stream, origin: Arc::new(Origin { name, label, mode }) }
    }
}

impl Source for StreamSource {
    fn name(&self) -> &str {
        &self.origin.name
    }

    fn poll(&mut self) -> Result<Event> {
        Ok(match self.stream.try_receive()? {
            Some(frames) => Event::Message(Received {
                frames,
                time: Timestamp::now(),
                origin: Arc::clone(&self.origin),
            }),
            None => Event::Idle,
        })
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        self.stream.readiness(set);
    }

    fn report(&self) -> Report {
        Report::of_endpoint(self.stream.listening())
    }

    fn tally(&mut self, most: u64) -> Result<Tally> {
        self.stream.tally(most)
    }
}

impl From<Stream> for Box<dyn Source> {
    fn from(stream: Stream) -> Self {
        Box::new(StreamSource::new(stream, None))
    }
}

impl Sink for Stream {
    fn name(&self) -> &str {
        self.address()
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        Self::offer(self, &message.frames)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        Self::readiness(self, set);
    }

    // libzmq reports a failure only when it gets a message.
    fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    fn report(&self) -> Report {
        Report {
            departures: self.departures(),
            is_unheard: self.is_unheard(),
            ..Report::of_endpoint(self.listening())
        }
    }

    fn finish(self: Box<Self>, patience: Duration) -> Result<Unconfirmed> {
        Ok(Self::finish(*self, patience))
    }
}
