//! Hands each message to the outputs that want it, independently of each other.

use std::num::NonZeroU64;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::OutputConfig;
use crate::endpoint::{Offer, Received, Sink, Stop, Unconfirmed, WaitSet, WhenFull};
use crate::error::{Error, Result, SystemError};

/// How many messages in a row an output whose messages are dropped must accept at once before it is
/// waited for again. Otherwise an output that accepts a message now and then would delay the others
/// again and again.
const RECOVERY: u32 = 10;

/// How long a slow output has after the end, or a stop, to accept its message.
const AFTER_END: Duration = Duration::from_secs(1);

/// One output of a split, and the counts of its messages.
pub struct Output {
    sink: Box<dyn Sink>,
    /// The endpoint that peers connect to, or the name of the sink.
    endpoint: String,
    modulo: NonZeroU64,
    when_full: WhenFull,
    /// While its messages are dropped: how many it must accept until it is waited for again.
    recovering: Option<u32>,
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
            recovering: None,
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

    /// Returns the address that peers connect to, or the name if there is none.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns how many messages the sink has accepted.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns how many messages were dropped because the sink accepted nothing, or had failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns whether its messages are dropped at present, because it accepted nothing for too
    /// long.
    #[must_use]
    pub fn is_dropping(&self) -> bool {
        self.recovering.is_some()
    }

    /// Returns whether it may drop messages, as configured, instead of being waited for.
    #[must_use]
    pub fn may_drop(&self) -> bool {
        !matches!(self.when_full, WhenFull::Block | WhenFull::Wait(_))
    }

    /// Returns how many of its peers have disconnected so far.
    #[must_use]
    pub fn departures(&self) -> usize {
        self.sink.report().departures
    }

    /// Returns why it has failed, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Adds the signal that the sink may have failed; then call [`Split::check`].
    pub fn watch<'a>(&'a self, set: &mut WaitSet<'a>) {
        if self.failure.is_none() {
            self.sink.watch(set);
        }
    }

    /// Returns how long to wait for the sink from now on, for ever if it is `None`.
    fn patience(&self) -> Option<Duration> {
        match self.when_full {
            WhenFull::Block => None,
            WhenFull::Wait(patience) if !self.is_dropping() => Some(patience),
            // An output has no queue of its own yet from which an older message could be dropped.
            _ => Some(Duration::ZERO),
        }
    }

    /// Offers a message without waiting; returns whether it is done. For an output that has failed,
    /// it is.
    fn offer(&mut self, message: &Received) -> bool {
        if self.failure.is_none() {
            match self.sink.offer(message) {
                Ok(Offer::Full) => return false,
                Ok(Offer::Taken) => {
                    self.sent += 1;
                    let left = self.recovering.and_then(|left| left.checked_sub(1));
                    self.recovering = left.filter(|left| *left > 0);
                    return true;
                }
                Err(error) => self.failure = Some(error),
            }
        }
        self.dropped += 1;
        true
    }

    /// Checks whether the sink has failed since the last message.
    fn check(&mut self) {
        if self.failure.is_none() {
            self.failure = self.sink.check().err();
        }
    }

    fn drop_one(&mut self) {
        self.dropped += 1;
        self.recovering = Some(RECOVERY);
    }
}

/// The outputs of one source. An output that fails gets no more messages, and the others continue.
pub struct Split {
    outputs: Vec<Output>,
    seen: u64,
    /// The outputs that have not accepted the current message yet; kept to reuse its memory.
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

    /// Checks whether outputs have failed since the last message.
    pub fn check(&mut self) {
        self.outputs.iter_mut().for_each(Output::check);
    }

    /// Returns whether there are outputs, and all have failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let outputs = &self.outputs;
        !outputs.is_empty() && outputs.iter().all(|output| output.failure.is_some())
    }

    /// Hands a message to every output whose turn it is. Each gets a share of it, not a copy.
    ///
    /// Outputs that accept nothing are waited for together, each as long as it may delay the
    /// others. A second after `until`, or after a stop, the waiting ends and the message is dropped
    /// for those outputs.
    ///
    /// # Errors
    /// If the outputs cannot be waited for.
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

    /// Drops the message for outputs whose waiting time is over.
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

    /// Waits until an output may accept something or its waiting time is over.
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

    /// Closes all outputs at the same time, after all their messages have left, as
    /// [`Sink::finish`]; returns the result of each, in their order: why it failed, if it has.
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

    /// Ends when the other one ends.
    struct Twin {
        number: u64,
        signal: Sender<()>,
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
            self.signal.send(()).unwrap();
            self.hear.recv_timeout(patience).unwrap();
            Ok(Unconfirmed::Count(self.number))
        }
    }

    #[test]
    fn outputs_are_finished_at_the_same_time() {
        let ((to_one, one), (to_other, other)) = (channel(), channel());
        let one = Twin { number: 1, signal: to_other, hear: one };
        let other = Twin { number: 2, signal: to_one, hear: other };
        let config = OutputConfig::new("tcp://*:1".parse().unwrap());
        let outputs = [one, other].map(|twin| Output::new(Box::new(twin), &config));
        let left = Split::new(outputs.into()).finish(PATIENCE).into_iter();
        let left: Vec<_> = left.map(Result::unwrap).collect();
        assert_eq!(left, [Unconfirmed::Count(1), Unconfirmed::Count(2)]);
    }
}
