//! The metadata of a recording: their names, and the keys of channels in the summary of a writer.

use std::collections::{BTreeMap, HashMap};

/// Metadata of the writer: addresses, modes, host, versions, clock.
pub const SESSION: &str = "mflow.session";
/// Metadata from the user.
pub const USER: &str = "mflow.user";
/// Metadata written when a recording is closed; there is none if its writer died.
pub const SUMMARY: &str = "mflow.summary";

/// Returns the keys of channels in the order of their numbers: their topics, with a number if
/// several channels have the same topic.
pub(crate) fn keys<'a>(topics: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashMap::<&str, u32>::new();
    let key = |topic| {
        let count = seen.entry(topic).or_default();
        *count += 1;
        if *count == 1 { topic.to_owned() } else { format!("{topic} ({count})") }
    };
    topics.map(key).collect()
}

/// What the summary of a file says of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelSummary {
    pub(crate) bytes: Option<u64>,
    pub(crate) lost: Option<u64>,
    pub(crate) dropped: Option<u64>,
}

impl ChannelSummary {
    /// Reads the summary of a channel by its key.
    ///
    /// Up to version 0.1, `lost` counted dropped messages, and `gaps` counted lost frames. `gaps`
    /// was also 0 if messages had no frame numbers, as in bsread.
    pub(crate) fn read(entries: &BTreeMap<String, String>, of: &str) -> Self {
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
