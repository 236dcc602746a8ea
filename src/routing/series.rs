//! Following a series of a DECTRIS detector to its end.
//!
//! The message that ends a series may overtake its images on another connection, and it may be
//! lost. So a series is over only when its end and all announced images have arrived, or when no
//! more of its messages arrive for a while.

use std::fmt;
use std::ops::Add;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::counted::Counted;
use crate::frame::Frames;
use mflow_handlers::dectris::stream2::Stream2;
use mflow_handlers::{Data, Message, Registry, Stage};

/// Follows one series at a time: the first one of which a start or an image arrives. An end alone
/// begins nothing: it belongs to a series that is over.
///
/// If its start was missed, the next one that starts is followed instead. A series that has started
/// counts as ended when another one starts. Messages of other series are counted as [`Strays`].
/// Times are arguments; no clock is read. Memory: a few numbers.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mflow::Frames;
/// use mflow::routing::SeriesWatch;
/// let mut series = SeriesWatch::new(Duration::from_secs(2));
/// let now = Instant::now();
/// for header in [r#"{"htype":"dimage-1.0","series":4}"#, r#"{"htype":"dseries_end-1.0","series":4}"#] {
///     series.observe(&Frames::from([header.as_bytes()]), now);
/// }
/// assert_eq!(series.over_at(), Some(now + Duration::from_secs(2))); // no number of images was announced
/// ```
#[derive(Clone, Debug)]
pub struct SeriesWatch {
    grace: Duration,
    followed: Option<Followed>,
    strays: Strays,
    cuts_another: bool,
}

/// Messages of other series than the followed one, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strays {
    /// Messages that start a series.
    pub starts: u64,
    /// Images.
    pub images: u64,
    /// Messages that end a series.
    pub ends: u64,
}

impl Strays {
    /// Counts a message.
    fn count(&mut self, stage: Stage) {
        match stage {
            Stage::Start => self.starts += 1,
            Stage::Image => self.images += 1,
            Stage::End => self.ends += 1,
        }
    }

    /// Returns whether there are no such messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Add for Strays {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            starts: self.starts + other.starts,
            images: self.images + other.images,
            ends: self.ends + other.ends,
        }
    }
}

/// Lists the kinds there are, as in `1 start, 3 images and 1 end`.
impl fmt::Display for Strays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [(self.starts, "start"), (self.images, "image"), (self.ends, "end")];
        let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
        let kinds: Vec<_> = kinds.map(|(count, kind)| Counted(count, kind).to_string()).collect();
        match kinds.as_slice() {
            [] => f.write_str("none"),
            [one] => f.write_str(one),
            [first @ .., last] => write!(f, "{} and {last}", first.join(", ")),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    number: Option<u64>,
    has_start: bool,
    announced: Option<u64>,
    images: u64,
    has_ended: bool,
    /// When its last message arrived.
    latest: Instant,
}

impl Followed {
    fn new(number: Option<u64>, now: Instant) -> Self {
        let (has_start, announced, images, has_ended) = (false, None, 0, false);
        Self { number, has_start, announced, images, has_ended, latest: now }
    }

    /// Adds a message of the series.
    fn add(&mut self, stage: Stage, frames: &Frames, now: Instant) {
        self.latest = now;
        match stage {
            // The number of a series that is over may be used again, for another series.
            Stage::Start if !self.has_start && self.has_ended => {
                *self = Self {
                    has_start: true,
                    announced: announced(frames),
                    ..Self::new(self.number, now)
                };
            }
            // A start is sent again for late receivers.
            Stage::Start => {
                self.has_start = true;
                self.announced = self.announced.or_else(|| announced(frames));
            }
            Stage::Image => self.images += 1,
            Stage::End => self.has_ended = true,
        }
    }

    /// Returns the counts of a series whose start was missed.
    fn as_strays(self) -> Strays {
        Strays { starts: 0, images: self.images, ends: self.has_ended.into() }
    }
}

impl SeriesWatch {
    /// Waits this long for missing images after the end, counted from the last message of the
    /// series.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { grace, followed: None, strays: Strays::default(), cuts_another: false }
    }

    /// Follows a message that arrived at `now`.
    pub fn observe(&mut self, frames: &Frames, now: Instant) {
        let peek = frames.peek();
        let Some(stage) = peek.stage else { return };
        let number = peek.series;
        match (&mut self.followed, stage) {
            (Some(followed), stage) if followed.number == number => {
                followed.add(stage, frames, now);
            }
            (Some(followed), Stage::Start) if followed.has_start => {
                // Its end may be lost. Messages in flight still arrive within the grace.
                followed.has_ended = true;
                self.cuts_another = true;
                self.strays.count(stage);
            }
            (None, Stage::End) => self.strays.count(stage),
            (None, Stage::Image) | (_, Stage::Start) => {
                if let Some(rest) = self.followed.take() {
                    self.strays = self.strays + rest.as_strays();
                }
                let mut followed = Followed::new(number, now);
                followed.add(stage, frames, now);
                self.followed = Some(followed);
            }
            (Some(followed), _) => {
                self.cuts_another |= stage == Stage::Image && followed.has_ended;
                self.strays.count(stage);
            }
        }
    }

    /// Returns how long to wait for missing images.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Returns whether all of the series has arrived: its end and all announced images.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let followed = self.followed.filter(|followed| followed.has_ended);
        followed.is_some_and(|it| it.announced.is_some_and(|announced| it.images >= announced))
    }

    /// Returns whether a message of a series has arrived.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.followed.is_some()
    }

    /// Returns when the series is over if nothing more arrives: a past time if all of it has
    /// arrived, none as long as its end was not seen.
    #[must_use]
    pub fn over_at(&self) -> Option<Instant> {
        let followed = self.followed.filter(|followed| followed.has_ended)?;
        if self.is_complete() {
            return Some(followed.latest);
        }
        followed.latest.checked_add(self.grace)
    }

    /// Returns whether the series is over at `now`.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.over_at().is_some_and(|at| at <= now)
    }

    /// Returns how many of the announced images have not arrived; none if no number was announced.
    #[must_use]
    pub fn missing(&self) -> Option<u64> {
        let followed = self.followed?;
        Some(followed.announced?.saturating_sub(followed.images))
    }

    /// Returns how many messages belonged to other series than the followed one.
    #[must_use]
    pub fn strays(&self) -> Strays {
        self.strays
    }

    /// Returns whether another series is cut short if the run ends with the followed one: its start
    /// arrived, or its images arrived after the end of the followed one.
    #[must_use]
    pub fn cuts_another(&self) -> bool {
        self.cuts_another
    }
}

/// Reads from the start of a series how many images it will have.
fn announced(frames: &Frames) -> Option<u64> {
    match Registry::default().decode(Message::from(frames.clone())) {
        Data::Header(header) => {
            let number = |key| header.config.as_ref()?.get(key)?.as_u64();
            number("nimages")?.checked_mul(number("ntrigger").unwrap_or(1))
        }
        Data::Stream2(message) => match *message {
            Stream2::Start(start) => start.number_of_images,
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(2);

    /// A message of the stream V1; a start announces three images, a third by each trigger.
    fn message(htype: &str, series: u64) -> Frames {
        let header =
            format!(r#"{{"htype":"{htype}-1.0","header_detail":"basic","series":{series}}}"#);
        match htype {
            "dheader" => Frames::from([header.as_bytes(), br#"{"nimages":1,"ntrigger":3}"#]),
            _ => Frames::from([header.as_bytes()]),
        }
    }

    /// Observes one message each second, and returns after how many seconds the series is over.
    fn over_after(messages: &[(&str, u64)]) -> (Option<u64>, SeriesWatch) {
        let start = Instant::now();
        let mut series = SeriesWatch::new(GRACE);
        for (second, (htype, number)) in (0..).zip(messages) {
            let now = start + Duration::from_secs(second);
            assert!(!series.is_over(now), "before message {second}");
            series.observe(&message(htype, *number), now);
        }
        (series.over_at().map(|at| (at - start).as_secs()), series)
    }

    #[test]
    fn a_series_is_over_when_its_end_was_seen_and_all_its_images() {
        let whole =
            [("dheader", 4), ("dimage", 4), ("dimage", 4), ("dimage", 4), ("dseries_end", 4)];
        assert_eq!(over_after(&whole).0, Some(4));
        assert_eq!(over_after(&whole[..4]).0, None);
        let overtaken =
            [("dheader", 4), ("dimage", 4), ("dimage", 4), ("dseries_end", 4), ("dimage", 4)];
        assert_eq!(over_after(&overtaken).0, Some(4));
    }

    #[test]
    fn a_series_that_lacks_images_is_over_after_a_grace() {
        let (over, series) = over_after(&[("dheader", 4), ("dimage", 4), ("dseries_end", 4)]);
        assert_eq!((over, series.missing()), (Some(4), Some(2)));
        let (over, series) = over_after(&[("dimage", 4), ("dseries_end", 4), ("dimage", 4)]);
        assert_eq!((over, series.missing()), (Some(4), None));
    }

    #[test]
    fn strays_of_another_series_end_nothing() {
        let (over, series) = over_after(&[
            ("dheader", 4),
            ("dimage", 3),
            ("dseries_end", 3),
            ("dimage", 4),
            ("other", 4),
        ]);
        let strays = Strays { starts: 0, images: 1, ends: 1 };
        assert_eq!((over, series.strays(), series.missing()), (None, strays, Some(2)));
        assert!(!series.cuts_another());
    }

    #[test]
    fn a_start_makes_good_for_one_that_was_missed() {
        let joined = [("dimage", 3), ("dheader", 4), ("dimage", 3), ("dimage", 4)];
        let (over, series) = over_after(&joined);
        let strays = Strays { images: 2, ..Strays::default() };
        assert_eq!((over, series.missing(), series.strays()), (None, Some(2), strays));
    }

    #[test]
    fn another_start_ends_a_series_whose_end_is_lost_and_a_repeated_one_does_not() {
        let repeated = [("dheader", 4), ("dimage", 4), ("dheader", 4), ("dimage", 4)];
        let (over, series) = over_after(&repeated);
        assert_eq!((over, series.missing()), (None, Some(1)));
        let (over, series) = over_after(&[("dheader", 4), ("dimage", 4), ("dheader", 5)]);
        assert_eq!((over, series.cuts_another()), (Some(1 + GRACE.as_secs()), true));
    }

    #[test]
    fn an_end_without_a_start_or_an_image_begins_nothing() {
        let stale = [("dseries_end", 3), ("dheader", 4), ("dimage", 4)];
        let (over, series) = over_after(&stale);
        let strays = Strays { ends: 1, ..Strays::default() };
        assert_eq!((over, series.missing(), series.strays()), (None, Some(2), strays));
        assert!(!over_after(&stale[..1]).1.has_begun());
        // Nor is the rest of a series whose start was missed, once another one starts.
        let (over, series) = over_after(&[&[("dimage", 3)], &stale[..]].concat());
        let strays = Strays { images: 1, ends: 1, ..Strays::default() };
        assert_eq!((over, series.missing(), series.strays()), (None, Some(2), strays));
        assert!(!series.cuts_another());
        // Nor is the previous one, if all have the same number.
        let same = [("dimage", 4), ("dseries_end", 4), ("dheader", 4), ("dimage", 4)];
        let (over, series) = over_after(&same);
        assert_eq!((over, series.missing()), (None, Some(2)));
    }

    #[test]
    fn a_series_that_begins_after_the_end_of_another_is_cut_short() {
        let ended = [("dheader", 4), ("dimage", 4), ("dseries_end", 4)];
        for of_another in [("dheader", 5), ("dimage", 5)] {
            let (_, series) = over_after(&[&ended[..], &[of_another]].concat());
            assert!(series.cuts_another(), "{of_another:?}");
        }
        let (_, series) = over_after(&[&ended[..], &[("dseries_end", 3)]].concat());
        assert!(!series.cuts_another());
        assert_eq!(series.strays().to_string(), "1 end");
        let strays = Strays { starts: 1, images: 1000, ends: 2 };
        assert_eq!(strays.to_string(), "1 start, 1,000 images and 2 ends");
    }

    #[test]
    fn a_start_of_the_stream_v2_announces_its_images() {
        use mflow_handlers::dectris::stream2::Start;
        let start = Start { number_of_images: Some(1), ..Start::new(7, "id") };
        let start = Stream2::Start(Box::new(start)).encode().unwrap();
        let now = Instant::now();
        let mut series = SeriesWatch::new(GRACE);
        series.observe(&Frames::from(start), now);
        assert_eq!(series.missing(), Some(1));
        let image = &b"\xa3\x64type\x65image\x69series_id\x07\x68image_id\x00"[..];
        let end = &b"\xa2\x64type\x63end\x69series_id\x07"[..];
        for part in [end, image] {
            assert!(!series.is_over(now));
            series.observe(&Frames::from([part]), now);
        }
        assert!(series.is_over(now));
    }
}
