//! A part of a recording: from one place to another.

use std::time::Duration;

use super::{Recording, Seek};
use crate::{Error, Result, Timestamp};

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
    /// Where it begins.
    pub begin: Option<Place>,
    /// Where it ends.
    pub end: Option<Place>,
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
    /// [`Error::NoTimes`] where it is one of times and the recording has none.
    pub(crate) fn bounds(&self, recording: &dyn Recording) -> Result<Bounds> {
        let look_up = |place| -> Result<Seek> {
            let first = || match recording.span() {
                Some((first, _)) => Ok(first),
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
    /// Tells whether a message is behind the end.
    pub(crate) fn ends_before(&self, number: u64, time: Timestamp) -> bool {
        match self.end {
            None => false,
            Some(Seek::Message(last)) => number > last,
            Some(Seek::Time(end)) => time >= end,
        }
    }

    /// Returns how many messages are within the bounds, where that can be told; a few less where
    /// some are missing.
    pub(crate) fn expected(&self, recording: &dyn Recording) -> Option<u64> {
        let messages = recording.messages()?;
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

    /// Returns the time at which they end, where the recording has times and they do not end with a
    /// number.
    pub(crate) fn end_time(&self, recording: &dyn Recording) -> Option<Timestamp> {
        let (_, last) = recording.span()?;
        match self.end {
            None => Some(last),
            Some(Seek::Time(end)) => Some(end.min(last)),
            Some(Seek::Message(_)) => None,
        }
    }

    /// Returns how far a message is from the beginning to the end, from 0 to 1, where that can be
    /// told: by its time where there are times, else by its number.
    pub(crate) fn share(
        &self,
        recording: &dyn Recording,
        number: u64,
        time: Timestamp,
    ) -> Option<f64> {
        let (first, last, now) = match (self.begin, self.end, recording.span()) {
            (Seek::Message(first), Some(Seek::Message(last)), _) => (first, last, number),
            (Seek::Message(first), None, None) => {
                (first, recording.messages()?.saturating_sub(1), number)
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
