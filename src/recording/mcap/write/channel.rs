//! Which channel a message goes to: one for each source and htype.

use std::collections::HashMap;
use std::sync::Arc;

use mflow_handlers::{Data, Message, Peek, Registry};

use super::parts::ENCODING;
use super::{MAX_HTYPES, OTHER, RAW, topic, wire};
use crate::endpoint::Origin;
use crate::frame::Frames;

/// The number of the only schema; 0 means none.
pub(super) const SCHEMA: u16 = 1;
/// How many sources have channels of their own; the rest share one.
const MAX_SOURCES: usize = 256;
/// An htype that is longer is not a name.
const LONGEST_HTYPE: usize = 128;

/// The channels of a file, numbered from 1 in the order they came.
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

/// What has become of the messages of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChannelTally {
    /// Messages that are in the file.
    pub(super) messages: u64,
    /// The bytes of their parts.
    pub(super) bytes: u64,
    /// Messages that were received and are not in the file.
    pub(super) dropped: u64,
    /// Numbers that did not come, in the series before the one that comes.
    lost: u64,
    coming: Option<Coming>,
}

/// How many messages one may be behind the others.
const LATE: u64 = 64;

/// The numbers of the series that comes, in whichever order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Coming {
    series: Option<u64>,
    first: u64,
    last: u64,
    messages: u64,
    /// How far apart numbers are that follow each other.
    step: u64,
}

impl Coming {
    /// Returns how many numbers there are between the first and the last that no message has had.
    fn lost(&self) -> u64 {
        ((self.last - self.first) / self.step.max(1)).saturating_sub(self.messages - 1)
    }

    /// Adds a number.
    fn add(&mut self, number: u64) {
        self.step = divisor(self.step, number.abs_diff(self.last));
        self.first = self.first.min(number);
        self.last = self.last.max(number);
        self.messages += 1;
    }
}

impl ChannelTally {
    /// Looks at the next message: at the number of its frame, or of its pulse.
    pub(super) fn follow(&mut self, peek: &Peek<'_>, frames: &Frames) {
        let Some(number) = peek.frame.or(peek.pulse) else { return };
        let series = peek.series;
        let late = self.coming.map_or(0, |coming| LATE.saturating_mul(coming.step));
        match &mut self.coming {
            // Messages that went other ways come a little late; numbers far below begin anew.
            Some(coming)
                if coming.series == series && coming.last <= number.saturating_add(late) =>
            {
                coming.add(number);
            }
            coming => {
                let lost = coming.map_or(0, |coming| coming.lost());
                self.lost = self.lost.saturating_add(lost);
                // A stream keeps its step.
                let step = match coming {
                    Some(coming) => coming.step,
                    None if peek.frame.is_some() => 1,
                    None => pulse_step(frames),
                };
                *coming = Some(Coming { series, first: number, last: number, messages: 1, step });
            }
        }
    }

    /// Returns how many numbers of frames or pulses did not come between the first and the last of
    /// their series; none if no message has such a number.
    pub(super) fn lost(&self) -> Option<u64> {
        self.coming.map(|coming| self.lost.saturating_add(coming.lost()))
    }
}

/// Returns how far apart the pulses of a stream of bsread are, from the message of one: what divides
/// the `modulo` of all its channels.
fn pulse_step(frames: &Frames) -> u64 {
    match Registry::default().decode(Message::from(frames.clone())) {
        Data::Bsread(pulse) => {
            let channels = pulse.data_header().definitions().iter();
            channels.map(|channel| channel.modulo().get()).fold(0, divisor).max(1)
        }
        _ => 1,
    }
}

/// Returns the greatest number that divides both; the other one if one is 0.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
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

    /// Returns the name of the next source: its label, or the next free of `s0`, `s1`, … where it
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
        metadata.extend(origin.mode.map(|mode| ("mode".to_owned(), mode.to_string())));
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

    /// Follows the number of a frame.
    fn follow(tally: &mut ChannelTally, series: u64, frame: Option<u64>) {
        let peek = Peek { series: Some(series), frame, ..Peek::default() };
        tally.follow(&peek, &Frames::new());
    }

    #[test]
    fn lost_frames_that_cannot_be_counted_are_as_many_as_can_be() {
        let mut tally = ChannelTally::default();
        for series in 1..4 {
            for frame in [0, u64::MAX] {
                follow(&mut tally, series, Some(frame));
            }
        }
        assert_eq!(tally.lost(), Some(u64::MAX));
    }

    #[test]
    fn pulses_that_did_not_come_are_lost_by_the_step_of_their_stream() {
        let lost = |modulos: &[&str], pulses: &[u64]| {
            let channels: Vec<_> =
                modulos.iter().map(|it| format!(r#"{{"name":"X"{it}}}"#)).collect();
            let data_header = format!(r#"{{"channels":[{}]}}"#, channels.join(","));
            let mut tally = ChannelTally::default();
            for pulse in pulses {
                let main = format!(r#"{{"htype":"bsr_m-1.1","pulse_id":{pulse}}}"#);
                let frames = Frames::from([main.as_bytes(), data_header.as_bytes()]);
                tally.follow(&Peek::of(main.as_bytes()), &frames);
            }
            tally.lost()
        };
        // Every other one was taken away.
        assert_eq!(lost(&[""], &[500, 502, 504, 508]), Some(5));
        let ten = r#","modulo":10"#;
        assert_eq!(lost(&[ten, r#","modulo":20"#], &[500, 510, 540, 530, 550]), Some(1));
        assert_eq!(lost(&[ten, ""], &[500, 510]), Some(9));
        // A stream that does not keep its word.
        assert_eq!(lost(&[ten], &[500, 505, 520]), Some(2));
        assert_eq!(lost(&[ten], &[500]), Some(0));
        assert_eq!(lost(&[], &[7, 7, 7]), Some(0));
        assert_eq!(lost(&[], &[]), None);
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
    fn a_slash_in_the_name_of_a_source_is_none_in_its_topic() {
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
        // Labels that come too late are names of others.
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

    #[test]
    fn frames_that_did_not_come_are_lost_within_a_series() {
        let mut tally = ChannelTally::default();
        for (series, frame) in [(1, None), (1, None)] {
            follow(&mut tally, series, frame);
        }
        assert_eq!(tally.lost(), None);
        for (series, frame) in [(1, Some(0)), (1, Some(1)), (1, None), (1, Some(5)), (2, Some(9))] {
            follow(&mut tally, series, frame);
        }
        assert_eq!(tally.lost(), Some(3));
        // In another order, all are there; and what begins anew lacks nothing.
        let (mixed, again) = ([2, 0, 1, 4, 3, 6, 5, 900, 901], [0, 1, 3]);
        mixed.into_iter().chain(again).for_each(|frame| follow(&mut tally, 3, Some(frame)));
        assert_eq!(tally.lost(), Some(3 + 893 + 1));
    }
}
