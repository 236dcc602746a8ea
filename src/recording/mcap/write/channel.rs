//! Which channel a message goes to: one for each source and htype.

use std::collections::HashMap;
use std::sync::Arc;

use crate::endpoint::Origin;
use crate::recording::mcap::format::parts::ENCODING;
use crate::recording::mcap::format::tally::ChannelTally;
use crate::recording::mcap::format::topic::{self, OTHER, RAW};
use crate::recording::mcap::format::wire;

/// How many channels there are at most for htypes by name.
pub const MAX_HTYPES: usize = 256;

/// The number of the only schema; 0 means none.
pub(super) const SCHEMA: u16 = 1;
/// How many sources have channels of their own; the rest share one.
const MAX_SOURCES: usize = 256;
/// An htype that is longer is not a name.
const LONGEST_HTYPE: usize = 128;

/// The channels of a file, numbered from 1 in the order of their first messages.
///
/// At most [`MAX_HTYPES`] by name, one more for each source, and one for the sources that are too
/// many: what senders write into their headers cannot fill the memory.
#[derive(Debug, Default)]
pub(super) struct Channels {
    channels: Vec<Channel>,
    sources: Vec<Source>,
    /// How many are there by the name of an htype.
    named: usize,
    /// The source of the last message, which is that of the next one mostly.
    last: usize,
}

/// A channel, and what has gone to it.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) number: u16,
    pub(super) topic: String,
    metadata: wire::Entries,
    pub(super) tally: ChannelTally,
}

#[derive(Debug)]
struct Source {
    origin: Arc<Origin>,
    name: String,
    htypes: HashMap<Box<str>, usize>,
    other: Option<usize>,
}

impl Channels {
    /// Returns the index of the channel for a message, and whether it is new.
    pub(super) fn find(&mut self, origin: &Arc<Origin>, htype: Option<&str>) -> (usize, bool) {
        let source = self.source(origin);
        let htype = htype.unwrap_or(RAW);
        if let Some(index) = self.sources[source].htypes.get(htype) {
            return (*index, false);
        }
        let is_name = (1..=LONGEST_HTYPE).contains(&htype.len())
            && !htype.chars().any(|letter| letter.is_control() || letter == '/');
        let has_room = self.named < MAX_HTYPES && source + 1 < MAX_SOURCES;
        let is_named = is_name && has_room;
        if !is_named && let Some(index) = self.sources[source].other {
            return (index, false);
        }
        let index = self.add(source, if is_named { htype } else { OTHER });
        if is_named {
            self.named += 1;
            self.sources[source].htypes.insert(htype.into(), index);
        } else {
            self.sources[source].other = Some(index);
        }
        (index, true)
    }

    fn source(&mut self, origin: &Arc<Origin>) -> usize {
        let is = |source: &Source| Arc::ptr_eq(&source.origin, origin);
        if self.sources.get(self.last).is_some_and(is) {
            return self.last;
        }
        let known = self.sources.iter().position(is);
        let known = known.or_else(|| self.sources.iter().position(|it| it.origin == *origin));
        self.last = match known {
            Some(index) => index,
            None if self.sources.len() < MAX_SOURCES => {
                let number = self.sources.len();
                let name = self.new_name(origin);
                let origin = Arc::clone(origin);
                self.sources.push(Source { origin, name, htypes: HashMap::new(), other: None });
                number
            }
            None => self.sources.len() - 1,
        };
        self.last
    }

    /// Returns the name of the next source: its label, or the next free of `s0`, `s1`, … if it
    /// has none, or another source was given such a name that is the label.
    fn new_name(&self, origin: &Origin) -> String {
        let number = self.sources.len();
        if number + 1 == MAX_SOURCES {
            return OTHER.to_owned();
        }
        let is_given = |label: &String| {
            let mut named = self.sources.iter().filter(|it| it.name == *label);
            named.any(|it| it.origin.label.as_ref() != Some(label))
        };
        match &origin.label {
            Some(label) if !is_given(label) => label.clone(),
            _ => {
                let is_free = |name: &String| self.sources.iter().all(|it| it.name != *name);
                let mut names = (number..).map(|number| format!("s{number}"));
                names.find(is_free).expect("there are more numbers than sources")
            }
        }
    }

    fn add(&mut self, source: usize, htype: &str) -> usize {
        let Source { origin, name, .. } = &self.sources[source];
        let mut metadata = vec![("address".to_owned(), origin.name.clone())];
        metadata.extend(origin.mode.clone().map(|mode| ("mode".to_owned(), mode)));
        let index = self.channels.len();
        let number = u16::try_from(index + 1).expect("there are at most some hundred channels");
        let topic = topic::of(name, htype);
        self.channels.push(Channel { number, topic, metadata, tally: ChannelTally::default() });
        index
    }

    /// Returns a channel that was found.
    pub(super) fn get_mut(&mut self, index: usize) -> &mut Channel {
        &mut self.channels[index]
    }

    /// Returns all channels.
    pub(super) fn all(&self) -> &[Channel] {
        &self.channels
    }
}

impl Channel {
    /// Appends the record of the channel.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        wire::channel(into, self.number, SCHEMA, &self.topic, ENCODING, &self.metadata);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(channels: &Channels) -> Vec<&str> {
        channels.all().iter().map(|channel| channel.topic.as_str()).collect()
    }

    #[test]
    fn each_source_and_htype_has_one_channel() {
        let a = Arc::new(Origin { label: Some("a".into()), ..Origin::default() });
        let b = Origin::new("tcp://b:1");
        let mut channels = Channels::default();
        assert_eq!(channels.find(&a, Some("x-1.0")), (0, true));
        assert_eq!(channels.find(&b, Some("x-1.0")), (1, true));
        assert_eq!(channels.find(&b, None), (2, true));
        assert_eq!(channels.find(&Origin::new("tcp://b:1"), Some("x-1.0")), (1, false));
        assert_eq!(channels.find(&a, Some("x-1.0")), (0, false));
        assert_eq!(topics(&channels), ["/a/x-1.0", "/s1/x-1.0", "/s1/raw"]);
    }

    #[test]
    fn a_slash_in_the_name_of_a_source_is_escaped_in_its_topic() {
        let origin = Origin { label: Some("a/b".into()), ..Origin::default() };
        let mut channels = Channels::default();
        channels.find(&Arc::new(origin), Some("x-1.0"));
        assert_eq!(topics(&channels), ["/a%2Fb/x-1.0"]);
    }

    #[test]
    fn a_source_without_a_label_has_a_name_that_no_other_has() {
        let labelled = |label: &str| {
            Arc::new(Origin { label: Some(label.into()), ..Origin::new("x").as_ref().clone() })
        };
        let mut channels = Channels::default();
        let origins = [labelled("s1"), Origin::new("a"), labelled("s2"), Origin::new("b")];
        for origin in &origins {
            channels.find(origin, Some("x"));
        }
        // Labels that appear too late are names of other sources.
        channels.find(&labelled("s3"), Some("x"));
        assert_eq!(topics(&channels), ["/s1/x", "/s2/x", "/s3/x", "/s4/x", "/s5/x"]);
    }

    #[test]
    fn what_is_too_much_or_no_name_goes_to_one_channel_of_its_source() {
        let a = Origin::new("a");
        let mut channels = Channels::default();
        for htype in ["", "a/b", "a\n", &"x".repeat(1000)] {
            assert_eq!(channels.find(&a, Some(htype)).0, 0);
        }
        for number in 0..300 {
            let expected = if number < 256 { number + 1 } else { 0 };
            assert_eq!(channels.find(&a, Some(&format!("h-{number}"))).0, expected);
        }
        assert_eq!(channels.find(&Origin::new("b"), Some("h-1")), (257, true));
        assert_eq!((topics(&channels)[0], topics(&channels)[257]), ("/s0/other", "/s1/other"));
    }

    #[test]
    fn sources_are_bounded_too() {
        let mut channels = Channels::default();
        for number in 0..1000 {
            channels.find(&Origin::new(number.to_string()), Some("x"));
        }
        assert_eq!(channels.all().len(), MAX_SOURCES);
        assert_eq!(topics(&channels)[MAX_SOURCES - 1], "/other/other");
    }
}
