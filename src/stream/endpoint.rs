//! A stream as a source and as a sink.

use std::sync::Arc;
use std::time::Duration;

use super::Stream;
use crate::endpoint::{
    Event, Offer, Origin, Received, Sink, Source, Tally, Timestamp, Unconfirmed, WaitSet,
};
use crate::error::Result;

/// A stream that messages come from.
pub(crate) struct StreamSource {
    stream: Stream,
    origin: Arc<Origin>,
}

impl StreamSource {
    pub(crate) fn new(stream: Stream, label: Option<String>) -> Self {
        let (name, mode) = (stream.address().to_owned(), Some(stream.mode()));
        Self { stream, origin: Arc::new(Origin { name, label, mode }) }
    }
}

impl Source for StreamSource {
    fn name(&self) -> &str {
        &self.origin.name
    }

    fn listening(&self) -> Option<&str> {
        self.stream.listening()
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

    fn listening(&self) -> Option<&str> {
        Self::listening(self)
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        Self::offer(self, &message.frames)
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        Self::readiness(self, set);
    }

    fn departures(&self) -> usize {
        Self::departures(self)
    }

    fn is_unheard(&self) -> bool {
        Self::is_unheard(self)
    }

    fn finish(self: Box<Self>, patience: Duration) -> Result<Unconfirmed> {
        Ok(Self::finish(*self, patience))
    }
}
