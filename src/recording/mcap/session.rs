//! The metadata of a file: how it came about, and at its end what is in it.

use std::collections::HashMap;

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
/// `received` counts what came, `lost` what of it is not in the file, `gaps` frame numbers that
/// did not come within their series.
pub(super) fn summary(channels: &Channels, ended: Timestamp) -> Entries {
    let (mut total, mut gaps) = (ChannelTally::default(), 0);
    let mut of_channels = Entries::new();
    let keys = keys(channels.all().iter().map(|channel| channel.topic.as_str()));
    for (channel, of) in channels.all().iter().zip(keys) {
        let tally = &channel.tally;
        total.messages += tally.messages;
        total.bytes += tally.bytes;
        total.lost += tally.lost;
        gaps = u64::saturating_add(gaps, tally.gaps());
        let of_it = |(key, value)| (format!("{key} {of}"), value);
        of_channels.extend(counts(tally, tally.gaps()).into_iter().map(of_it));
    }
    let mut entries = vec![("ended".to_owned(), ended.as_nanos().to_string())];
    entries.extend(counts(&total, gaps).map(|(key, value)| (key.to_owned(), value)));
    entries.extend(of_channels);
    entries
}

fn counts(tally: &ChannelTally, gaps: u64) -> [(&'static str, String); 4] {
    [
        ("received", (tally.messages + tally.lost).to_string()),
        ("bytes", tally.bytes.to_string()),
        ("lost", tally.lost.to_string()),
        ("gaps", gaps.to_string()),
    ]
}
