//! [`Layout`]: which parts belong to which channel.
//!
//! A channel has two parts, value and timestamp, both of them empty if it has no value at a pulse.
//! The EPICS driver of 2015 sent one empty part for such a channel; then there are fewer parts, and
//! they must be walked.

use bytes::Bytes;

/// Which parts, counted from 0 behind the data header, belong to which channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    /// Two for each channel.
    Pairs,
    /// A value for each channel at this index; a timestamp follows unless the next value does.
    Walked(Box<[usize]>),
}

/// What a channel without value is taken to be in a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Skipped {
    /// An empty part, and another one if it follows.
    UpToTwoParts,
    /// One empty part.
    OnePart,
}

impl Layout {
    /// Finds out how the parts belong to so many channels. Where nothing fits they are taken in
    /// pairs, as far as they reach.
    pub(super) fn of(parts: &[Bytes], channels: usize) -> Self {
        // Skipped channels only ever make fewer parts than pairs, and one for each channel at least.
        let is_walkable = parts.len() >= channels && parts.len() / 2 < channels;
        if !is_walkable || parts.len() == 2 * channels {
            return Self::Pairs;
        }
        [Skipped::UpToTwoParts, Skipped::OnePart]
            .into_iter()
            .find_map(|skipped| walk(parts, channels, skipped))
            .map_or(Self::Pairs, Self::Walked)
    }

    /// Returns the indices of the value and the timestamp of a channel, which may be behind the
    /// last part.
    #[inline]
    pub(super) fn slot(&self, channel: usize) -> (usize, Option<usize>) {
        match self {
            Self::Pairs => (2 * channel, Some(2 * channel + 1)),
            Self::Walked(values) => {
                let value = values.get(channel).copied().unwrap_or(usize::MAX);
                let next = values.get(channel + 1).copied();
                (value, value.checked_add(1).filter(|&part| Some(part) != next))
            }
        }
    }
}

/// Walks the parts; fails unless they end with the last channel.
fn walk(parts: &[Bytes], channels: usize, skipped: Skipped) -> Option<Box<[usize]>> {
    let mut values = Vec::with_capacity(channels);
    let mut part = 0;
    for _ in 0..channels {
        values.push(part);
        let is_skipped = parts.get(part)?.is_empty();
        let is_next_empty = parts.get(part + 1).is_some_and(Bytes::is_empty);
        part += match is_skipped {
            false => 2,
            true if skipped == Skipped::UpToTwoParts && is_next_empty => 2,
            true => 1,
        };
    }
    (part == parts.len()).then(|| values.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns for each channel its parts; `v` stands for a value, `t` for a timestamp and `-` for
    /// an empty part.
    fn slots(parts: &str, channels: usize) -> Vec<String> {
        let bytes =
            |part: char| if part == '-' { Bytes::new() } else { Bytes::from(part.to_string()) };
        let list: Vec<Bytes> = parts.chars().map(bytes).collect();
        let layout = Layout::of(&list, channels);
        let part = |index| parts.chars().nth(index);
        (0..channels)
            .map(|channel| {
                let (value, timestamp) = layout.slot(channel);
                part(value).into_iter().chain(timestamp.and_then(part)).collect()
            })
            .collect()
    }

    #[test]
    fn parts_come_in_pairs() {
        assert_eq!(slots("vt--vtv-", 4), ["vt", "--", "vt", "v-"]);
        assert_eq!(slots("-tvt", 2), ["-t", "vt"]);
        assert_eq!(slots("", 0), [""; 0]);
    }

    #[test]
    fn a_skipped_channel_may_be_one_empty_part() {
        assert_eq!(slots("vt-vt", 3), ["vt", "-", "vt"]);
        assert_eq!(slots("-vt--vt-", 5), ["-", "vt", "--", "vt", "-"]);
        assert_eq!(slots("-vt--vt-", 6), ["-", "vt", "-", "-", "vt", "-"]);
        assert_eq!(slots("vt-", 2), ["vt", "-"]);
        assert_eq!(slots("---", 3), ["-", "-", "-"]);
    }

    #[test]
    fn parts_that_fit_no_rule_are_taken_in_pairs_as_far_as_they_reach() {
        assert_eq!(slots("vtv", 2), ["vt", "v"]);
        assert_eq!(slots("vt", 3), ["vt", "", ""]);
        assert_eq!(slots("vtvtvt", 2), ["vt", "vt"]);
        assert_eq!(slots("", 2), ["", ""]);
    }
}
