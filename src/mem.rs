//! `mem://NAME`: messages from one part of a process to another, for tests and examples.
//!
//! Messages to a name wait until they are read, at most 1000 messages or 64 MiB (a [`Capacity`] in
//! the [`Opening`] changes that). When the queue is full, the sender waits. Nothing is lost while
//! either end is open.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::endpoint::{
    self, Capacity, Event, Offer, Opener, Opening, Queue, Received, Report, Sink, Source, Taken,
    Unconfirmed, WaitSet, WhenFull,
};
use crate::error::{Error, Result, SystemError};

/// Opens `mem://` locations.
#[derive(Debug)]
pub(crate) struct MemOpener;

/// A name with an open end, or with messages in its queue.
#[derive(Debug)]
struct Place {
    queue: Arc<Queue>,
    has_sink: bool,
    has_source: bool,
}

static PLACES: LazyLock<Mutex<HashMap<String, Place>>> = LazyLock::new(Mutex::default);

/// No code panics while it holds the lock.
fn places() -> MutexGuard<'static, HashMap<String, Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opener for MemOpener {
    fn check(&self, location: &OsStr) -> Result<()> {
        match location.to_str().and_then(|text| text.split_once("://")) {
            Some((_, name)) if !name.is_empty() => Ok(()),
            _ => Err(refused(&location.to_string_lossy(), "expected a name, as in mem://name")),
        }
    }

    fn open_source(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Source>> {
        let name = location.to_string_lossy().into_owned();
        let queue = open(&name, opening, |place| &mut place.has_source, "it is read already")?;
        Ok(Box::new(MemSource { name, queue, taken: Taken::default() }))
    }

    fn open_sink(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Sink>> {
        let name = location.to_string_lossy().into_owned();
        let queue = open(&name, opening, |place| &mut place.has_sink, "it is written already")?;
        Ok(Box::new(MemSink { name, queue }))
    }
}

fn refused(name: &str, reason: &'static str) -> Error {
    endpoint::Error::Address { address: name.to_owned(), reason: reason.into() }.into()
}

/// Opens one end of a place. Each end can be open only once.
fn open(
    name: &str,
    opening: &Opening,
    end: impl FnOnce(&mut Place) -> &mut bool,
    taken: &'static str,
) -> Result<Arc<Queue>> {
    let mut places = places();
    if !places.contains_key(name) {
        let usual = Capacity::messages(1000).and_bytes(64 << 20);
        let capacity = opening.given::<Capacity>().unwrap_or(usual);
        let queue = Queue::new(capacity, WhenFull::Block)
            .map_err(|source| SystemError::SetUp { what: "a place in memory", source })?;
        let place = Place { queue: Arc::new(queue), has_sink: false, has_source: false };
        places.insert(name.to_owned(), place);
    }
    let place = places.get_mut(name).expect("it was added if it was missing");
    let queue = Arc::clone(&place.queue);
    if std::mem::replace(end(place), true) {
        return Err(refused(name, taken));
    }
    Ok(queue)
}

struct MemSink {
    name: String,
    queue: Arc<Queue>,
}

impl Sink for MemSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&mut self, message: &Received) -> Result<Offer> {
        Ok(self.queue.offer(message))
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        self.queue.readiness(set);
    }

    // Nothing fails in memory.
    fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    fn report(&self) -> Report {
        Report::default()
    }

    fn finish(self: Box<Self>, patience: Duration) -> Result<Unconfirmed> {
        self.queue.close();
        self.queue.wait_for_end(patience);
        Ok(Unconfirmed::Count(self.queue.level().depth as u64))
    }
}

/// The source returns the remaining messages, and then the end.
impl Drop for MemSink {
    fn drop(&mut self) {
        self.queue.close();
    }
}

struct MemSource {
    name: String,
    queue: Arc<Queue>,
    taken: Taken,
}

impl Source for MemSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self) -> Result<Event> {
        if self.taken.messages.is_empty() && !self.taken.is_closed {
            self.queue.try_take(&mut self.taken);
        }
        Ok(match self.taken.messages.pop_front() {
            Some(queued) => {
                self.queue.release(1, queued.cost());
                Event::Message(queued.message)
            }
            None if self.taken.is_closed => {
                self.queue.end();
                Event::End
            }
            None => Event::Idle,
        })
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.readable(self.queue.filled());
    }

    fn report(&self) -> Report {
        Report::default()
    }
}

/// The name is free again. Messages that were not read are lost with their reader.
impl Drop for MemSource {
    fn drop(&mut self) {
        self.queue.close();
        places().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Origin, Stop, Timestamp};
    use crate::frame::Frames;
    use crate::location::{open_sink, open_source};
    use crate::stream::Options;

    fn message(text: &str) -> Received {
        let frames = Frames::from([text.as_bytes()]);
        Received { frames, time: Timestamp::now(), origin: Origin::new("test") }
    }

    fn read(source: &mut dyn Source) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            match source.poll().unwrap() {
                Event::Message(received) => messages.push(received.frames[0].as_ref().to_vec()),
                Event::End => return messages,
                Event::Idle => {
                    let mut set = WaitSet::new();
                    source.readiness(&mut set);
                    set.wait(&Stop::never(), None).unwrap();
                }
            }
        }
    }

    #[test]
    fn what_is_sent_to_a_name_is_read_from_it_until_the_end() {
        let mut sink = open_sink("mem://in-order", Opening::new()).unwrap();
        let mut source = open_source("mem://in-order", Opening::new()).unwrap();
        let reader = std::thread::spawn(move || read(source.as_mut()));
        for text in ["first", "second"] {
            assert_eq!(sink.offer(&message(text)).unwrap(), Offer::Taken);
        }
        assert_eq!(sink.finish(Duration::from_secs(60)).unwrap(), Unconfirmed::Count(0));
        assert_eq!(reader.join().unwrap(), [&b"first"[..], b"second"]);
    }

    #[test]
    fn a_full_place_refuses_until_it_is_read() {
        let opening = || Opening::new().with(Capacity::messages(1));
        let mut sink = open_sink("mem://full", opening()).unwrap();
        assert_eq!(sink.offer(&message("first")).unwrap(), Offer::Taken);
        assert_eq!(sink.offer(&message("second")).unwrap(), Offer::Full);
        let mut source = open_source("mem://full", Options::pull()).unwrap();
        assert!(matches!(source.poll().unwrap(), Event::Message(_)));
        assert_eq!(sink.offer(&message("second")).unwrap(), Offer::Taken);
        drop(source);
        assert_eq!(sink.finish(Duration::ZERO).unwrap(), Unconfirmed::Count(1));
    }

    #[test]
    fn each_end_of_a_name_is_opened_once_and_free_after_it_was_read() {
        let source = open_source("mem://once", Opening::new()).unwrap();
        let again = open_source("mem://once", Opening::new()).err().unwrap();
        assert_eq!(again.to_string(), "'mem://once' is not an address: it is read already");
        drop(source);
        open_source("mem://once", Opening::new()).unwrap();
        assert!(open_source("mem://", Opening::new()).is_err());
    }
}
