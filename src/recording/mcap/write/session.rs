//! The metadata of a file: how it came about, and at its end what is in it.

use std::collections::{BTreeMap, HashMap};

use rustix::system::uname;

use super::channel::{ChannelTally, Channels};
use super::wire::Entries;
use crate::endpoint::Timestamp;

/// Returns what is known when a file is begun; `more` comes from whoever records.
pub(super) fn session(started: Timestamp, more: &[(String, String)]) -> Entries {
    let (major, minor, patch) = zmq::version();
    let mut entries = vec![
        ("host".to_owned(), uname().nodename().to_string_lossy().into_owned()),
        ("mflow".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("libzmq".to_owned(), format!("{major}.{minor}.{patch}")),
        ("started".to_owned(), started.as_nanos().to_string()),
        ("clock".to_owned(), "CLOCK_REALTIME read once, and monotonic time since".to_owned()),
    ];
    entries.extend_from_slice(more);
    entries
}

/// Returns the keys of channels in the order of their numbers: their topics, and which of a topic it is
/// where several have the same.
pub(super) fn keys<'a>(topics: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashMap::<&str, u32>::new();
    let key = |topic| {
        let count = seen.entry(topic).or_default();
        *count += 1;
        if *count == 1 { topic.to_owned() } else { format!("{topic} ({count})") }
    };
    topics.map(key).collect()
}

/// Returns what is known when a file is closed: totals, and the same of each channel behind its
/// key, such as `received /s0/array-1.0`.
///
/// `received` counts what came, `dropped` what of it is not in the file, `lost` the numbers of frames
/// or pulses that did not come within their series; it is absent if messages have no such numbers.
pub(super) fn summary(channels: &Channels, ended: Timestamp) -> Entries {
    let (mut total, mut lost) = (ChannelTally::default(), None);
    let mut of_channels = Entries::new();
    let keys = keys(channels.all().iter().map(|channel| channel.topic.as_str()));
    for (channel, of) in channels.all().iter().zip(keys) {
        let tally = &channel.tally;
        total.messages += tally.messages;
        total.bytes += tally.bytes;
        total.dropped += tally.dropped;
        if let Some(of_it) = tally.lost() {
            lost = Some(of_it.saturating_add(lost.unwrap_or(0)));
        }
        let of_it = |(key, value)| (format!("{key} {of}"), value);
        of_channels.extend(counts(tally, tally.lost()).map(of_it));
    }
    let mut entries = vec![("ended".to_owned(), ended.as_nanos().to_string())];
    entries.extend(counts(&total, lost).map(|(key, value)| (key.to_owned(), value)));
    entries.extend(of_channels);
    entries
}

fn counts(tally: &ChannelTally, lost: Option<u64>) -> impl Iterator<Item = (&'static str, String)> {
    let received = tally.messages + tally.dropped;
    let counts = [
        ("received", Some(received)),
        ("bytes", Some(tally.bytes)),
        ("dropped", Some(tally.dropped)),
        ("lost", lost),
    ];
    counts.into_iter().filter_map(|(key, count)| Some((key, count?.to_string())))
}

/// What the summary of a file says of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChannelSummary {
    pub(super) bytes: Option<u64>,
    pub(super) lost: Option<u64>,
    pub(super) dropped: Option<u64>,
}

impl ChannelSummary {
    /// Reads that of a channel behind its key.
    ///
    /// Up to version 0.1, `lost` counted what was dropped, and `gaps` the frames that were lost: 0 as
    /// well if messages had no frame numbers, as those of bsread.
    pub(super) fn read(entries: &BTreeMap<String, String>, of: &str) -> Self {
        let count = |key: &str| entries.get(&format!("{key} {of}"))?.parse::<u64>().ok();
        let bytes = count("bytes");
        if entries.contains_key("dropped") {
            return Self { bytes, lost: count("lost"), dropped: count("dropped") };
        }
        let has_frames = !of.contains("/bsr_m-");
        Self { bytes, lost: count("gaps").filter(|_| has_frames), dropped: count("lost") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_an_older_recording_is_read_by_the_words_of_its_time() {
        let read = |entries: &[(&str, &str)], of| {
            let entries = entries.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            let ChannelSummary { bytes, lost, dropped } =
                ChannelSummary::read(&entries.collect(), of);
            (bytes, lost, dropped)
        };
        let old = [
            ("gaps", "3"),
            ("lost", "9"),
            ("bytes /a/x-1.0", "5"),
            ("gaps /a/x-1.0", "3"),
            ("lost /a/x-1.0", "2"),
            ("gaps /a/bsr_m-1.1", "0"),
            ("lost /a/bsr_m-1.1", "7"),
        ];
        assert_eq!(read(&old, "/a/x-1.0"), (Some(5), Some(3), Some(2)));
        assert_eq!(read(&old, "/a/bsr_m-1.1"), (None, None, Some(7)));
        let new = [("dropped", "2"), ("lost /a/x-1.0", "3"), ("dropped /a/x-1.0", "2")];
        assert_eq!(read(&new, "/a/x-1.0"), (None, Some(3), Some(2)));
        assert_eq!(read(&[], "/a/x-1.0"), (None, None, None));
    }
}
