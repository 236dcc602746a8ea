//! The metadata of a file: how it was made, and at its end what is in it.

use rustix::system::uname;

use super::channel::Channels;
use crate::endpoint::Timestamp;
use crate::recording::mcap::format::metadata::keys;
use crate::recording::mcap::format::tally::ChannelTally;
use crate::recording::mcap::format::wire::Entries;

/// Returns the metadata at the start of a file; `more` is from the recorder's options.
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

/// Returns what is known when a file is closed: totals, and the same of each channel behind its
/// key, such as `received /s0/array-1.0`.
///
/// `received` counts messages that arrived, `dropped` those of them that are not in the file,
/// `lost` the numbers of frames or pulses that are missing in their series. `lost` is absent if
/// messages have no such numbers.
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
