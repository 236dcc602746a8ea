//! Offering a message until a sink accepts it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Offer, Received, Sink, Stop, WaitSet};
use crate::error::{Result, SystemError};

/// How long to wait for a sink that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// For ever.
    Never,
    /// Until then.
    At(Instant),
    /// As long as the sink reports room, or some progress, at least once in this time.
    Idle(Duration),
}

/// At this time, or never.
impl From<Option<Instant>> for Deadline {
    fn from(at: Option<Instant>) -> Self {
        at.map_or(Self::Never, Self::At)
    }
}

/// The result of offering a message until a sink accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It was accepted.
    Taken,
    /// The sink had no room by the deadline.
    TimedOut,
    /// A stop was requested before there was room.
    Stopped,
}

/// Offers a message to a sink until the sink accepts it, the deadline has passed, or a stop is
/// requested.
///
/// A message is offered at least once, also after a stop, and once more at the deadline: a sink may
/// signal room only when there is much of it.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mflow::endpoint::{Deadline, Offered, offer_until};
/// use mflow::{Frames, Options, Origin, Received, Stop, Timestamp, open_sink};
/// let mut sink = open_sink("tcp://127.0.0.1:*", Options::push().bind())?;
/// let message = Received {
///     frames: Frames::from([&b"{}"[..], b"data"]),
///     time: Timestamp::now(),
///     origin: Origin::new("here"),
/// };
/// let deadline = Deadline::At(Instant::now() + Duration::from_millis(10));
/// let offered = offer_until(sink.as_mut(), &message, deadline, &Stop::never())?;
/// assert_eq!(offered, Offered::TimedOut);                 // no receiver is there
/// # Ok::<(), mflow::Error>(())
/// ```
///
/// # Errors
/// If the sink has failed, or cannot be waited for.
pub fn offer_until(
    sink: &mut dyn Sink,
    message: &Received,
    deadline: Deadline,
    stop: &Stop,
) -> Result<Offered> {
    let mut is_over = false;
    let offered = offer_waiting(sink, message, |sink| {
        if is_over {
            return Ok(ControlFlow::Break(Offered::TimedOut));
        }
        let timeout = match deadline {
            Deadline::Never => None,
            Deadline::At(at) => Some(at.saturating_duration_since(Instant::now())),
            Deadline::Idle(patience) => Some(patience),
        };
        let mut set = WaitSet::new();
        sink.readiness(&mut set);
        let woken = set.wait(stop, timeout);
        let woken =
            woken.map_err(|source| SystemError::Wait { name: sink.name().to_owned(), source })?;
        is_over = !woken || matches!(deadline, Deadline::At(at) if at <= Instant::now());
        Ok(match !woken && stop.is_requested() {
            true => ControlFlow::Break(Offered::Stopped),
            false => ControlFlow::Continue(()),
        })
    })?;
    Ok(match offered {
        ControlFlow::Continue(()) => Offered::Taken,
        ControlFlow::Break(end) => end,
    })
}

/// Offers a message to a sink until the sink accepts it. `wait` waits whenever the sink is full; if
/// it returns a reason, the offer ends.
///
/// # Errors
/// If the sink has failed, or `wait` fails.
pub fn offer_waiting<B>(
    sink: &mut dyn Sink,
    message: &Received,
    mut wait: impl FnMut(&dyn Sink) -> Result<ControlFlow<B>>,
) -> Result<ControlFlow<B>> {
    while sink.offer(message)? == Offer::Full {
        if let ControlFlow::Break(reason) = wait(sink)? {
            return Ok(ControlFlow::Break(reason));
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Origin, Report, Timestamp, Unconfirmed};
    use crate::frame::Frames;

    /// Has room from the `room_at`-th offer on, and wakes its owner before each `wakes_by`-th one.
    struct Reticent {
        offers: u32,
        room_at: u32,
        wakes_by: u32,
    }

    impl Sink for Reticent {
        fn name(&self) -> &'static str {
            "reticent"
        }

        fn offer(&mut self, _message: &Received) -> Result<Offer> {
            self.offers += 1;
            Ok(if self.offers >= self.room_at { Offer::Taken } else { Offer::Full })
        }

        fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
            match self.offers < self.wakes_by {
                true => set.ready(),
                false => set.deadline(Instant::now() + Duration::from_secs(1000)),
            }
        }

        fn watch<'a>(&'a self, _set: &mut WaitSet<'a>) {}

        fn check(&mut self) -> Result<()> {
            Ok(())
        }

        fn report(&self) -> Report {
            Report::default()
        }

        fn finish(self: Box<Self>, _patience: Duration) -> Result<Unconfirmed> {
            Ok(Unconfirmed::Count(0))
        }
    }

    fn offer(room_at: u32, wakes_by: u32, deadline: Deadline, stop: &Stop) -> (Offered, u32) {
        let message = Received {
            frames: Frames::from([&b"x"[..]]),
            time: Timestamp::from_nanos(1),
            origin: Origin::new("x"),
        };
        let mut sink = Reticent { offers: 0, room_at, wakes_by };
        let offered = offer_until(&mut sink, &message, deadline, stop).unwrap();
        (offered, sink.offers)
    }

    const SOON: Deadline = Deadline::Idle(Duration::from_millis(1));

    #[test]
    fn a_sink_times_out_only_if_it_has_made_no_room() {
        assert_eq!(offer(2, 0, SOON, &Stop::never()), (Offered::Taken, 2));
        assert_eq!(offer(9, 0, SOON, &Stop::never()), (Offered::TimedOut, 2));
    }

    #[test]
    fn a_sink_that_makes_progress_is_waited_for_unless_there_is_a_deadline() {
        assert_eq!(offer(9, 9, SOON, &Stop::never()), (Offered::Taken, 9));
        assert_eq!(offer(9, 9, Deadline::Never, &Stop::never()), (Offered::Taken, 9));
        for wakes_by in [0, 8] {
            let now = Deadline::At(Instant::now());
            assert_eq!(offer(9, wakes_by, now, &Stop::never()), (Offered::TimedOut, 2));
        }
    }

    #[test]
    fn a_stop_ends_the_wait_and_a_message_that_has_room_is_still_accepted() {
        let stop = Stop::new().unwrap();
        stop.request();
        assert_eq!(offer(2, 0, Deadline::Never, &stop), (Offered::Stopped, 1));
        assert_eq!(offer(1, 0, Deadline::Never, &stop), (Offered::Taken, 1));
    }
}
