//! A part of a recording: from one place to another.

use std::time::Duration;

use super::{Recording, Seek};
use crate::endpoint::Timestamp;
use crate::error::Result;
use crate::recording::Error;

/// A place in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The message of this number, counted from 0.
    Message(u64),
    /// So long after the first message was received.
    Offset(Duration),
    /// A time.
    Time(Timestamp),
}

/// A part of a recording; all of it by default.
///
/// Messages are counted with the last one, times end before the end: `--from 10 --to 19` and
/// `--start 10s --end 20s` are ten messages and ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The place at which it begins.
    pub begin: Option<Place>,
    /// The place at which it ends.
    pub end: Option<Place>,
}

/// How much there is in a recording, asked once: it takes a while to find out for a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// How many messages, if that is known.
    pub(crate) messages: Option<u64>,
    /// The times of the first and the last message, if there are times.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

impl Extent {
    /// Asks a recording.
    pub(crate) fn of(recording: &dyn Recording) -> Self {
        Self { messages: recording.messages(), span: recording.span() }
    }
}

/// A range as numbers and times of one recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The first message.
    pub(crate) begin: Seek,
    end: Option<Seek>,
}

impl Range {
    /// Looks the range up in a recording.
    ///
    /// # Errors
    /// [`Error::NoTimes`] if it is one of times and the recording has none.
    pub(crate) fn bounds(&self, recording: &dyn Recording) -> Result<Bounds> {
        let look_up = |place| -> Result<Seek> {
            let first = || match recording.span() {
                Some((first, _)) => Ok(first),
                // There is nothing in it, or nothing yet.
                None if recording.is_timed() => Ok(Timestamp::from_nanos(0)),
                None => Err(Error::NoTimes { path: recording.name().into() }),
            };
            Ok(match place {
                Place::Message(number) => Seek::Message(number),
                Place::Offset(offset) => {
                    let offset = u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX);
                    let first = first()?.as_nanos();
                    Seek::Time(Timestamp::from_nanos(first.saturating_add(offset)))
                }
                Place::Time(time) => first().map(|_| Seek::Time(time))?,
            })
        };
        let begin = self.begin.map(look_up).transpose()?.unwrap_or(Seek::Message(0));
        Ok(Bounds { begin, end: self.end.map(look_up).transpose()? })
    }
}

impl Bounds {
    /// Returns whether a message is behind the end.
    pub(crate) fn ends_before(&self, number: u64, time: Timestamp) -> bool {
        match self.end {
            None => false,
            Some(Seek::Message(last)) => number > last,
            Some(Seek::Time(end)) => time >= end,
        }
    }

    /// Returns how many messages are within the bounds, if that is known; a few less if
    /// some are missing.
    pub(crate) fn expected(&self, extent: Extent) -> Option<u64> {
        let messages = extent.messages?;
        match (self.begin, self.end) {
            (Seek::Message(0), None) => Some(messages),
            (Seek::Message(first), end @ (None | Some(Seek::Message(_)))) => {
                let Some(Seek::Message(last)) = end else {
                    return Some(messages.saturating_sub(first));
                };
                Some(last.saturating_add(1).min(messages).saturating_sub(first))
            }
            _ => None,
        }
    }

    /// Returns the time at which they end, if the recording has times and they do not end with a
    /// number.
    pub(crate) fn end_time(&self, extent: Extent) -> Option<Timestamp> {
        let (_, last) = extent.span?;
        match self.end {
            None => Some(last),
            Some(Seek::Time(end)) => Some(end.min(last)),
            Some(Seek::Message(_)) => None,
        }
    }

    /// Returns how far a message is from the beginning to the end, from 0 to 1, if that is known:
    /// by its time if there are times, else by its number.
    pub(crate) fn share(&self, extent: Extent, number: u64, time: Timestamp) -> Option<f64> {
        let (first, last, now) = match (self.begin, self.end, extent.span) {
            (Seek::Message(first), Some(Seek::Message(last)), _) => (first, last, number),
            (Seek::Message(first), None, None) => {
                (first, extent.messages?.saturating_sub(1), number)
            }
            (Seek::Message(0), None, Some((first, last))) => {
                (first.as_nanos(), last.as_nanos(), time.as_nanos())
            }
            (Seek::Message(0), Some(Seek::Time(end)), Some((first, last))) => {
                (first.as_nanos(), end.min(last).as_nanos(), time.as_nanos())
            }
            (Seek::Time(begin), None, Some((_, last))) => {
                (begin.as_nanos(), last.as_nanos(), time.as_nanos())
            }
            (Seek::Time(begin), Some(Seek::Time(end)), Some((_, last))) => {
                (begin.as_nanos(), end.min(last).as_nanos(), time.as_nanos())
            }
            _ => return None,
        };
        #[expect(clippy::cast_precision_loss, reason = "for a bar")]
        let since = |value: u64| value.saturating_sub(first) as f64;
        Some(if last > first { (since(now) / since(last)).min(1.0) } else { 1.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * SECOND)
    }

    const EXTENT: Extent = Extent { messages: Some(11), span: Some((at(100), at(200))) };

    #[test]
    fn bounds_tell_how_many_messages_they_have_where_they_are_numbers() {
        let expected = |begin, end| Bounds { begin, end }.expected(EXTENT);
        let number = Seek::Message;
        assert_eq!(expected(number(0), None), Some(11));
        assert_eq!(expected(number(4), None), Some(7));
        assert_eq!(expected(number(4), Some(number(5))), Some(2));
        assert_eq!(expected(number(4), Some(number(u64::MAX))), Some(7));
        assert_eq!(expected(number(40), Some(number(2))), Some(0));
        assert_eq!(expected(Seek::Time(at(100)), None), None);
    }

    #[test]
    fn a_share_is_one_of_time_or_of_numbers() {
        let share = |begin, end, extent| Bounds { begin, end }.share(extent, 5, at(150));
        let untimed = Extent { span: None, ..EXTENT };
        let (number, time) = (Seek::Message, |seconds| Seek::Time(at(seconds)));
        assert_eq!(share(number(0), None, EXTENT), Some(0.5));
        assert_eq!(share(number(0), None, untimed), Some(0.5));
        assert_eq!(share(number(5), Some(number(15)), EXTENT), Some(0.0));
        assert_eq!(share(time(100), Some(time(300)), EXTENT), Some(0.5));
        assert_eq!(share(time(140), Some(time(160)), EXTENT), Some(0.5));
        assert_eq!(share(number(5), Some(number(5)), EXTENT), Some(1.0));
        assert_eq!(share(number(3), Some(time(160)), EXTENT), None);
    }

    #[test]
    fn numbers_end_with_the_last_and_times_before_the_end() {
        let ends = |end| Bounds { begin: Seek::Message(0), end }.ends_before(5, at(150));
        assert!(!ends(None));
        assert!(!ends(Some(Seek::Message(5))));
        assert!(ends(Some(Seek::Message(4))));
        assert!(ends(Some(Seek::Time(at(150)))));
        assert!(!ends(Some(Seek::Time(at(151)))));
    }
}
