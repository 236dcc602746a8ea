//! The topic of a channel: `/<source>/<htype>`.
//!
//! A `/` in the name of a source is written as `%2F` in the topic, and a `%` as `%25`.

/// The channel for further htypes after [`MAX_HTYPES`](crate::recording::mcap::MAX_HTYPES) others.
pub const OTHER: &str = "other";
/// The htype of a channel whose messages have no htype.
pub const RAW: &str = "raw";

/// Returns the topic for a source and an htype.
pub(crate) fn of(source: &str, htype: &str) -> String {
    format!("/{}/{htype}", source.replace('%', "%25").replace('/', "%2F"))
}

/// Returns the source and the htype of a topic, the source as it is written there.
pub(crate) fn split(topic: &str) -> Option<(&str, &str)> {
    topic.strip_prefix('/')?.split_once('/')
}

/// Returns the name of a source from its form in the topic.
pub(crate) fn source(escaped: &str) -> String {
    escaped.replace("%2F", "/").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_source_is_the_same_after_its_topic() {
        for (name, topic) in [
            ("a", "/a/x-1.0"),
            ("a/b", "/a%2Fb/x-1.0"),
            ("100%", "/100%25/x-1.0"),
            ("%2F/", "/%252F%2F/x-1.0"),
            ("SAR-BPM:EvtSet", "/SAR-BPM:EvtSet/x-1.0"),
        ] {
            assert_eq!(of(name, "x-1.0"), topic);
            let (escaped, htype) = split(topic).unwrap();
            assert_eq!((source(escaped).as_str(), htype), (name, "x-1.0"));
        }
    }
}
