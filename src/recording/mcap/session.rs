//! The metadata of a file: how it came about, and at its end what is in it.

use std::env;
use std::fs;

use super::channel::{ChannelTally, Channels};
use super::wire::Entries;
use crate::Timestamp;

/// Returns what is known when a file is begun; `more` comes from whoever records.
pub(super) fn session(started: Timestamp, more: &[(String, String)]) -> Entries {
    let (major, minor, patch) = zmq::version();
    let mut entries = vec![
        ("host".to_owned(), host()),
        ("mflow".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("libzmq".to_owned(), format!("{major}.{minor}.{patch}")),
        ("started".to_owned(), started.as_nanos().to_string()),
        ("clock".to_owned(), "CLOCK_REALTIME read once, and monotonic time since".to_owned()),
    ];
    entries.extend_from_slice(more);
    entries
}

fn host() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = files.iter().find_map(|file| fs::read_to_string(file).ok());
    let name = name.or_else(|| env::var("HOSTNAME").ok()).unwrap_or_default();
    name.trim().to_owned()
}

/// Returns what is known when a file is closed: totals, and the same of each channel behind its
/// topic, such as `received /s0/array-1.0`.
///
/// `received` counts what came, `lost` what of it is not in the file, `gaps` frame numbers that
/// did not come within their series.
pub(super) fn summary(channels: &Channels, ended: Timestamp) -> Entries {
    let (mut total, mut gaps) = (ChannelTally::default(), 0);
    let mut of_channels = Entries::new();
    for channel in channels.all() {
        let tally = &channel.tally;
        total.messages += tally.messages;
        total.bytes += tally.bytes;
        total.lost += tally.lost;
        gaps += tally.gaps();
        let with_topic = |(key, value)| (format!("{key} {}", channel.topic), value);
        of_channels.extend(counts(tally, tally.gaps()).into_iter().map(with_topic));
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
