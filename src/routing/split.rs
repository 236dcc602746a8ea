//! Handing each message to the outputs that want it, whatever the others do.

use std::num::NonZeroU64;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::OutputConfig;
use crate::endpoint::{Offer, Received, Sink, Stop, Unconfirmed, WaitSet, WhenFull};
use crate::error::{Error, Result, SystemError};

/// How many messages in a row an output that was set aside has to take at once before it is waited
/// for again: one that takes a message now and then would hold up the others time after time.
const RECOVERY: u32 = 10;

/// An output that is slow has so long after the end, or a stop, to take what was under way for it.
const AFTER_END: Duration = Duration::from_secs(1);

/// One output of a split, and what became of the messages meant for it.
pub struct Output {
    sink: Box<dyn Sink>,
    /// Where peers connect to, or the name of the sink.
    endpoint: String,
    modulo: NonZeroU64,
    when_full: WhenFull,
    /// Where its patience is used up, how many messages it has to take until it is waited for.
    set_aside: Option<u32>,
    sent: u64,
    dropped: u64,
    failure: Option<Error>,
}

impl Output {
    /// Makes an output of a sink, with what its configuration says about modulo and full queues.
    #[must_use]
    pub fn new(sink: Box<dyn Sink>, config: &OutputConfig) -> Self {
        Self {
            endpoint: sink.report().listening.pop().unwrap_or_else(|| sink.name().to_owned()),
            sink,
            modulo: config.modulo,
            when_full: config.when_full,
            set_aside: None,
            sent: 0,
            dropped: 0,
            failure: None,
        }
    }

    /// Returns the name of the sink.
    #[must_use]
    pub fn name(&self) -> &str {
        self.sink.name()
    }

    /// Returns the address that peers connect to, or the name where there is none.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns how many messages the sink has taken.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns how many messages were dropped because the sink took nothing, or had failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Tells whether messages are dropped rather than waited for at present.
    #[must_use]
    pub fn is_set_aside(&self) -> bool {
        self.set_aside.is_some()
    }

    /// Tells whether its messages are to be dropped rather than waited for.
    #[must_use]
    pub fn may_drop(&self) -> bool {
        !matches!(self.when_full, WhenFull::Block | WhenFull::Wait(_))
    }

    /// Returns how many of its peers have gone so far.
    #[must_use]
    pub fn departures(&self) -> usize {
        self.sink.report().departures
    }

    /// Returns why it takes nothing any more, where it has failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Adds what tells that the sink may have failed, so that [`Split::check`] is worth a call.
    pub fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        if self.failure.is_none() {
            self.sink.watch(set);
        }
    }

    /// Returns how long to wait for the sink from now on, for ever where it is `None`.
    fn patience(&self) -> Option<Duration> {
        match self.when_full {
            WhenFull::Block => None,
            WhenFull::Wait(patience) if !self.is_set_aside() => Some(patience),
            // An output has no queue of its own yet that an older message could be dropped from.
            _ => Some(Duration::ZERO),
        }
    }

    /// Offers a message without waiting; tells whether it is done with, as it is for an output that
    /// has failed.
    fn offer(&mut self, message: &Received) -> bool {
        if self.failure.is_none() {
            match self.sink.offer(message) {
                Ok(Offer::Full) => return false,
                Ok(Offer::Taken) => {
                    self.sent += 1;
                    let left = self.set_aside.and_then(|left| left.checked_sub(1));
                    self.set_aside = left.filter(|left| *left > 0);
                    return true;
                }
                Err(error) => self.failure = Some(error),
            }
        }
        self.dropped += 1;
        true
    }

    /// Looks whether the sink has failed since the last message.
    fn check(&mut self) {
        if self.failure.is_none() {
            self.failure = self.sink.check().err();
        }
    }

    fn drop_one(&mut self) {
        self.dropped += 1;
        self.set_aside = Some(RECOVERY);
    }
}

/// The outputs of one source. One that fails is left out from then on, and the others go on.
pub struct Split {
    outputs: Vec<Output>,
    seen: u64,
    /// The outputs that have not taken the message at hand yet; kept to save its memory.
    pending: Vec<usize>,
}

impl Split {
    /// Splits to these outputs.
    #[must_use]
    pub fn new(outputs: Vec<Output>) -> Self {
        let pending = Vec::with_capacity(outputs.len());
        Self { outputs, seen: 0, pending }
    }

    /// Returns the outputs, in the order in which they were given.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Looks whether outputs have failed since the last message.
    pub fn check(&mut self) {
        self.outputs.iter_mut().for_each(Output::check);
    }

    /// Tells whether there are outputs, and all have failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let outputs = &self.outputs;
        !outputs.is_empty() && outputs.iter().all(|output| output.failure.is_some())
    }

    /// Hands a message to every output whose turn it is. Each gets a share of it, not a copy.
    ///
    /// Outputs that take nothing are waited for together, each as long as it may hold up the rest.
    /// A second after the moment `until`, or a stop, the waiting ends and the message is dropped for
    /// those outputs.
    ///
    /// # Errors
    /// Where the outputs cannot be waited for.
    pub fn route(&mut self, message: &Received, stop: &Stop, until: Option<Instant>) -> Result<()> {
        self.seen += 1;
        self.pending.clear();
        for (index, output) in self.outputs.iter_mut().enumerate() {
            if self.seen.is_multiple_of(output.modulo.get()) && !output.offer(message) {
                self.pending.push(index);
            }
        }
        if !self.pending.is_empty() {
            self.wait_for_pending(message, stop, until)?;
        }
        Ok(())
    }

    fn wait_for_pending(
        &mut self,
        message: &Received,
        stop: &Stop,
        until: Option<Instant>,
    ) -> Result<()> {
        let start = Instant::now();
        let mut most = until.map(|until| until.saturating_duration_since(start) + AFTER_END);
        let (never, mut stop) = (Stop::never(), stop);
        while !self.pending.is_empty() {
            let waited = start.elapsed();
            if stop.is_requested() {
                let end = waited + AFTER_END;
                (most, stop) = (Some(most.map_or(end, |most| most.min(end))), &never);
            }
            let over = most.is_some_and(|most| most <= waited);
            self.give_up(if over { Duration::MAX } else { waited });
            if !self.pending.is_empty() {
                self.wait_once(waited, most, stop)?;
            }
            let outputs = &mut self.outputs;
            self.pending.retain(|index| !outputs[*index].offer(message));
        }
        Ok(())
    }

    /// Drops the message for outputs that were waited for long enough.
    fn give_up(&mut self, waited: Duration) {
        let outputs = &mut self.outputs;
        self.pending.retain(|index| {
            let output = &mut outputs[*index];
            let enough = waited == Duration::MAX
                || output.patience().is_some_and(|patience| patience <= waited);
            if enough {
                output.drop_one();
            }
            !enough
        });
    }

    /// Waits until an output may take something or has been waited for long enough.
    fn wait_once(&self, waited: Duration, most: Option<Duration>, stop: &Stop) -> Result<()> {
        let outputs = || self.pending.iter().map(|index| &self.outputs[*index]);
        let mut set = WaitSet::new();
        outputs().for_each(|output| output.sink.readiness(&mut set));
        let patience = outputs().filter_map(Output::patience).chain(most).min();
        set.wait(stop, patience.map(|patience| patience.saturating_sub(waited))).map_err(
            |source| {
                let names: Vec<_> = outputs().map(Output::name).collect();
                SystemError::Wait { name: names.join(", "), source }
            },
        )?;
        Ok(())
    }

    /// Closes all outputs at the same time, after everything has left them, as [`Sink::finish`];
    /// returns how that went with each, in their order: why it failed, where it has.
    pub fn finish(self, patience: Duration) -> Vec<Result<Unconfirmed>> {
        thread::scope(|scope| {
            let finish = |Output { sink, failure, .. }: Output| {
                scope.spawn(move || {
                    let finished = sink.finish(patience)?;
                    failure.map_or(Ok(finished), Err)
                })
            };
            let ends: Vec<_> = self.outputs.into_iter().map(finish).collect();
            let result =
                |end: ScopedJoinHandle<'_, _>| end.join().unwrap_or_else(|p| resume_unwind(p));
            ends.into_iter().map(result).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::endpoint::Report;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Ends when the other one does.
    struct Twin {
        number: u64,
        tell: Sender<()>,
        hear: Receiver<()>,
    }

    impl Sink for Twin {
        fn name(&self) -> &'static str {
            "twin"
        }
        fn offer(&mut self, _message: &Received) -> Result<Offer> {
            Ok(Offer::Taken)
        }
        fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
            set.ready();
        }

        fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

        fn check(&mut self) -> Result<()> {
            Ok(())
        }

        fn report(&self) -> Report {
            Report::default()
        }

        fn finish(self: Box<Self>, patience: Duration) -> Result<Unconfirmed> {
            self.tell.send(()).unwrap();
            self.hear.recv_timeout(patience).unwrap();
            Ok(Unconfirmed::Count(self.number))
        }
    }

    #[test]
    fn outputs_are_finished_at_the_same_time() {
        let ((to_one, one), (to_other, other)) = (channel(), channel());
        let one = Twin { number: 1, tell: to_other, hear: one };
        let other = Twin { number: 2, tell: to_one, hear: other };
        let config = OutputConfig::new("tcp://*:1".parse().unwrap());
        let outputs = [one, other].map(|twin| Output::new(Box::new(twin), &config));
        let left = Split::new(outputs.into()).finish(PATIENCE).into_iter();
        let left: Vec<_> = left.map(Result::unwrap).collect();
        assert_eq!(left, [Unconfirmed::Count(1), Unconfirmed::Count(2)]);
    }
}
