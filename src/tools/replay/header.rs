//! The start of a series, sent again and again for late receivers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::endpoint::{Origin, Received, WaitSet};
use mflow_handlers::Stage;

/// More often, a replay would have no time for anything else.
const LEAST: Duration = Duration::from_millis(1);

/// Keeps the start of the current series on each outlet, and decides when to send it again.
/// Reads no clock.
#[derive(Debug)]
pub(super) struct Headers {
    every: Option<Duration>,
    /// By outlet.
    kept: Vec<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    message: Received,
    series: Option<u64>,
    due: Option<Instant>,
}

impl Headers {
    /// Keeps starts to send them again after `every`, [`LEAST`] at least; none if that is not
    /// wanted.
    pub(super) fn new(every: Option<Duration>) -> Self {
        Self { every: every.map(|every| every.max(LEAST)), kept: Vec::new() }
    }

    /// Observes a message that was sent at `now`.
    pub(super) fn observe(&mut self, outlet: usize, message: &Received, now: Instant) {
        let Some(every) = self.every else { return };
        let peek = message.frames.peek();
        if self.kept.len() <= outlet {
            self.kept.resize_with(outlet + 1, || None);
        }
        let kept = &mut self.kept[outlet];
        match peek.stage {
            Some(Stage::Start) => {
                let due = now.checked_add(every);
                *kept = Some(Kept { message: message.clone(), series: peek.series, due });
            }
            Some(Stage::End) if kept.as_ref().is_some_and(|kept| kept.series == peek.series) => {
                *kept = None;
            }
            _ => {}
        }
    }

    /// Takes a start that is to be sent again by `now`, and its outlet.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(usize, Received)> {
        let every = self.every?;
        let (outlet, kept) = self.kept.iter_mut().enumerate().find_map(|(outlet, kept)| {
            let kept = kept.as_mut()?;
            (kept.due? <= now).then_some((outlet, kept))
        })?;
        kept.due = now.checked_add(every);
        Some((outlet, kept.message.clone()))
    }

    /// Adds the time of the next check.
    pub(super) fn readiness(&self, set: &mut WaitSet<'_>) {
        let due = self.kept.iter().flatten().filter_map(|kept| kept.due).min();
        due.into_iter().for_each(|due| set.deadline(due));
    }
}

/// Decides for which series the start is sent ahead, because a pass begins in the middle of the
/// series. Reads no clock.
#[derive(Debug)]
pub(super) struct Openings {
    is_wanted: bool,
    /// The sources of messages so far.
    begun: Vec<Arc<Origin>>,
}

impl Openings {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, begun: Vec::new() }
    }

    /// Returns the series that a message is in the middle of, if it is the first of its source with
    /// a series.
    pub(super) fn series(&mut self, message: &Received) -> Option<u64> {
        if !self.is_wanted || self.begun.contains(&message.origin) {
            return None;
        }
        let peek = message.frames.peek();
        let series = peek.series?;
        self.begun.push(Arc::clone(&message.origin));
        (peek.stage != Some(Stage::Start)).then_some(series)
    }

    /// Begins another pass.
    pub(super) fn clear(&mut self) {
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Timestamp;
    use crate::frame::Frames;

    fn message(htype: &str, series: u64) -> Received {
        let header = format!(r#"{{"htype":"{htype}-1.0","series":{series}}}"#);
        let frames = Frames::from([header.as_bytes()]);
        Received { frames, time: Timestamp::from_nanos(0), origin: Origin::new("") }
    }

    #[test]
    fn a_start_is_due_again_and_again_until_its_series_ends() {
        let start = Instant::now();
        let second = |seconds| start + Duration::from_secs(seconds);
        let mut headers = Headers::new(Some(Duration::from_secs(2)));
        headers.observe(1, &message("dheader", 4), second(0));
        headers.observe(1, &message("dimage", 4), second(1));
        headers.observe(1, &message("dseries_end", 3), second(1));
        assert!(headers.take_due(second(1)).is_none());
        for due in [2, 4] {
            let (outlet, again) = headers.take_due(second(due)).unwrap();
            assert_eq!((outlet, again.frames), (1, message("dheader", 4).frames));
            assert!(headers.take_due(second(due)).is_none());
        }
        headers.observe(1, &message("dseries_end", 4), second(5));
        assert!(headers.take_due(second(9)).is_none());
    }

    #[test]
    fn a_start_that_is_always_due_is_taken_once_at_a_time() {
        let now = Instant::now();
        let mut headers = Headers::new(Some(Duration::ZERO));
        headers.observe(0, &message("dheader", 4), now);
        assert!(headers.take_due(now + LEAST).is_some());
        assert!(headers.take_due(now + LEAST).is_none());
    }

    #[test]
    fn the_series_of_the_first_message_of_each_source_is_opened_unless_that_does() {
        let of = |origin: &str, htype, series| Received {
            origin: Origin::new(origin),
            ..message(htype, series)
        };
        let mut openings = Openings::new(true);
        assert_eq!(openings.series(&of("a", "dimage", 4)), Some(4));
        assert_eq!(openings.series(&of("a", "dimage", 5)), None);
        assert_eq!(openings.series(&of("b", "dheader", 6)), None);
        assert_eq!(openings.series(&of("b", "dimage", 6)), None);
        openings.clear();
        assert_eq!(openings.series(&of("b", "dimage", 6)), Some(6));
        assert_eq!(Openings::new(false).series(&of("b", "dimage", 6)), None);
    }

    #[test]
    fn none_is_kept_where_none_is_wanted() {
        let now = Instant::now();
        let mut headers = Headers::new(None);
        headers.observe(0, &message("dheader", 4), now);
        assert!(headers.kept.is_empty() && headers.take_due(now).is_none());
    }
}
