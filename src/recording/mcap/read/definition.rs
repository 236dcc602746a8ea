//! The schemas and channels of a file that is read, and the sources behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::endpoint::Origin;
use crate::recording::mcap::format::parts::{ENCODING, SCHEMA_NAME};
use crate::recording::mcap::format::record::Fields;
use crate::recording::mcap::format::topic;

/// The longest schema or channel that is read: longer ones are as good as damaged.
pub(crate) const MAX_DEFINITION: u64 = 16 << 20;
/// The most bytes of topics and sources that are kept of a file: channels beyond are not read.
const MAX_KEPT: usize = 64 << 20;
/// How many characters are kept of the name of a schema, which is only printed.
const MAX_NAME: usize = 64;

/// A channel whose messages are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) topic: String,
    pub(crate) origin: Arc<Origin>,
}

impl Channel {
    /// Returns the htype in the topic.
    pub(crate) fn htype(&self) -> &str {
        topic::split(&self.topic).map_or(self.topic.as_str(), |(_, htype)| htype)
    }
}

/// A schema, of which nothing matters to a reader but whether it is ours.
#[derive(Debug, PartialEq, Eq)]
struct Schema {
    /// The beginning of its name, to be printed, without characters that upset a terminal.
    name: String,
    is_ours: bool,
    /// The checksum of its record, to compare it with another.
    crc: u32,
}

/// An origin that is looked for by what is in it.
#[derive(Debug, PartialEq, Eq)]
struct Known(Arc<Origin>);

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Origin { name, label, mode } = &*self.0;
        (name, label, mode).hash(state);
    }
}

/// The schemas and channels that were read from a file so far.
///
/// There are at most 65 536 of each, [`MAX_DEFINITION`] bytes long at most. Memory: [`MAX_KEPT`]
/// bytes and some MiB, whatever a file says.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    schemas: HashMap<u16, Schema>,
    ours: BTreeMap<u16, Channel>,
    /// The channels of other people, with their schemas.
    foreign: HashMap<u16, u16>,
    origins: Vec<Arc<Origin>>,
    known: HashSet<Known>,
    /// The bytes of topics and sources.
    kept: usize,
    /// Those that the next record of the same number replaces.
    unsure_schemas: HashSet<u16>,
    unsure_channels: HashSet<u16>,
}

impl Definitions {
    /// Reads a schema; the first one of a number counts. None if it is damaged or too long.
    pub(crate) fn schema(&mut self, fields: &[u8]) -> Option<()> {
        let mut fields = bounded(fields)?;
        let crc = crc32fast::hash(fields.0);
        let (id, name, encoding) = (fields.u16()?, fields.text()?, fields.text()?);
        let is_ours = name == SCHEMA_NAME && encoding == ENCODING;
        if self.unsure_schemas.remove(&id) {
            self.schemas.remove(&id);
        }
        self.schemas.entry(id).or_insert_with(|| Schema { name: short(name), is_ours, crc });
        Some(())
    }

    /// Reads a channel, whose schema must have been read; the first one of a number counts. None
    /// if it is damaged, or too much.
    pub(crate) fn channel(&mut self, fields: &[u8]) -> Option<()> {
        let mut fields = bounded(fields)?;
        let (id, schema, topic, encoding) =
            (fields.u16()?, fields.u16()?, fields.text()?, fields.text()?);
        if self.unsure_channels.remove(&id) {
            self.ours.remove(&id);
            self.foreign.remove(&id);
        }
        if self.knows(id) {
            return Some(());
        }
        let is_ours = self.schemas.get(&schema).is_some_and(|schema| schema.is_ours);
        if is_ours && encoding == ENCODING {
            let origin = origin(topic, &fields.map()?);
            let label = origin.label.as_ref().map_or(0, String::len);
            let kept = self.kept + topic.len() + origin.name.len() + label;
            if kept > MAX_KEPT {
                return None;
            }
            self.kept = kept;
            let origin = self.shared(origin);
            self.ours.insert(id, Channel { topic: topic.to_owned(), origin });
        } else {
            self.foreign.insert(id, schema);
        }
        Some(())
    }

    /// Makes all schemas and channels so far count only if no other record defines them.
    pub(crate) fn unsure(mut self) -> Self {
        self.unsure_schemas = self.schemas.keys().copied().collect();
        self.unsure_channels = self.ours.keys().chain(self.foreign.keys()).copied().collect();
        self
    }

    /// Returns whether all that another reading of the file has found is here too, and is the same.
    pub(crate) fn include(&self, other: &Self) -> bool {
        let mut schemas = other.schemas.iter();
        let mut ours = other.ours.iter();
        let mut foreign = other.foreign.iter();
        schemas.all(|(id, schema)| self.schemas.get(id) == Some(schema))
            && ours.all(|(id, channel)| self.ours.get(id) == Some(channel))
            && foreign.all(|(id, schema)| self.foreign.get(id) == Some(schema))
    }

    /// Returns the one origin of all channels of a source.
    fn shared(&mut self, origin: Origin) -> Arc<Origin> {
        let origin = Known(Arc::new(origin));
        if let Some(Known(known)) = self.known.get(&origin) {
            return Arc::clone(known);
        }
        let shared = Arc::clone(&origin.0);
        self.origins.push(Arc::clone(&shared));
        self.known.insert(origin);
        shared
    }

    pub(crate) fn knows(&self, channel: u16) -> bool {
        self.ours.contains_key(&channel) || self.foreign.contains_key(&channel)
    }

    /// Returns a channel whose messages are ours.
    pub(crate) fn ours(&self, channel: u16) -> Option<&Channel> {
        self.ours.get(&channel)
    }

    /// Returns all channels whose messages are ours.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (u16, &Channel)> {
        self.ours.iter().map(|(id, channel)| (*id, channel))
    }

    pub(crate) fn origins(&self) -> &[Arc<Origin>] {
        &self.origins
    }

    /// Returns whether there are no channels.
    pub(crate) fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.foreign.is_empty()
    }

    /// Returns whether there are channels, and none of them is ours.
    pub(crate) fn all_foreign(&self) -> bool {
        self.ours.is_empty() && !self.is_empty()
    }

    /// Returns a few names of schemas of other channels, to be printed.
    pub(crate) fn foreign_schemas(&self) -> String {
        let schemas: BTreeSet<u16> = self.foreign.values().copied().collect();
        let names = schemas.iter().map(|id| self.schemas.get(id));
        let names: BTreeSet<&str> =
            names.map(|schema| schema.map_or("none", |schema| &schema.name)).collect();
        let more = if names.len() > 3 { ", …" } else { "" };
        let few: Vec<&str> = names.into_iter().take(3).collect();
        format!("'{}'{more}", few.join("', '"))
    }
}

/// Returns the fields of a schema or channel that is not too long.
fn bounded(fields: &[u8]) -> Option<Fields<'_>> {
    (fields.len() as u64 <= MAX_DEFINITION).then_some(Fields(fields))
}

/// Returns the beginning of a name, without what upsets a terminal.
fn short(name: &str) -> String {
    let mut rest = name.chars();
    let short: String = rest.by_ref().take(MAX_NAME).flat_map(char::escape_debug).collect();
    if rest.next().is_some() { short + "…" } else { short }
}

/// Returns whether a text can be the mode of a stream: a short word, as ZeroMQ calls its sockets.
fn is_mode(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|letter| letter.is_ascii_alphabetic())
}

/// Returns the source of a channel.
fn origin(topic: &str, metadata: &[(String, String)]) -> Origin {
    let value = |key| metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let label = topic::split(topic).map(|(source, _)| topic::source(source));
    let name = value("address").cloned().or_else(|| label.clone());
    let mode = value("mode").filter(|mode| is_mode(mode)).map(|mode| mode.to_ascii_uppercase());
    Origin { name: name.unwrap_or_else(|| topic.to_owned()), label, mode }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::mcap::format::wire::{self, RECORD_HEAD};

    fn schema(id: u16, name: &str) -> Vec<u8> {
        let mut record = Vec::new();
        wire::schema(&mut record, id, name, ENCODING, b"");
        record.split_off(RECORD_HEAD)
    }

    fn channel(id: u16, schema: u16, topic: &str, address: &str) -> Vec<u8> {
        let mut record = Vec::new();
        let metadata = [("address".to_owned(), address.to_owned())];
        wire::channel(&mut record, id, schema, topic, ENCODING, &metadata);
        record.split_off(RECORD_HEAD)
    }

    #[test]
    fn a_long_name_of_a_schema_is_neither_kept_for_each_channel_nor_printed() {
        let mut definitions = Definitions::default();
        let name = format!("\x1b[2J{}", "n".repeat(1 << 20));
        definitions.schema(&schema(1, &name)).unwrap();
        for id in 0..1000 {
            definitions.channel(&channel(id, 1, "/x", "")).unwrap();
        }
        assert!(definitions.all_foreign());
        let shown = format!("'\\u{{1b}}[2J{}…'", "n".repeat(60));
        assert_eq!(definitions.foreign_schemas(), shown);
        definitions.channel(&channel(1000, 77, "/x", "")).unwrap();
        assert_eq!(definitions.foreign_schemas(), format!("{shown}, 'none'"));
    }

    #[test]
    fn a_mode_is_a_short_word_or_none() {
        let mode = |text: &str| origin("/a/x", &[("mode".to_owned(), text.to_owned())]).mode;
        assert_eq!([mode("PULL"), mode("sub")], [Some("PULL".into()), Some("SUB".into())]);
        let long = "n".repeat(1 << 20);
        assert_eq!(["", "\x1b[2J", "PULL PUSH", &long].map(mode), [const { None }; 4]);
    }

    #[test]
    fn definitions_that_are_too_long_or_too_many_are_not_read() {
        let mut definitions = Definitions::default();
        let long = "n".repeat(16 << 20);
        assert_eq!(definitions.schema(&schema(1, &long)), None);
        definitions.schema(&schema(1, SCHEMA_NAME)).unwrap();
        assert_eq!(definitions.channel(&channel(1, 1, &long, "")), None);
        let topic = "n".repeat(15 << 20);
        let read = (1..9).filter(|id| definitions.channel(&channel(*id, 1, &topic, "")).is_some());
        assert_eq!(read.collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(definitions.channels().count(), 4);
        // There is room for what is short.
        definitions.channel(&channel(9, 1, "/a/x", "tcp://a:1")).unwrap();
        assert!(definitions.ours(9).is_some());
    }

    #[test]
    fn channels_of_a_source_share_its_origin_however_many_there_are() {
        let mut definitions = Definitions::default();
        definitions.schema(&schema(1, SCHEMA_NAME)).unwrap();
        for id in 0..u16::MAX {
            let source = id / 2;
            let record = channel(id, 1, &format!("/{source}/{id}"), &format!("tcp://{source}"));
            definitions.channel(&record).unwrap();
        }
        let origins = definitions.origins();
        assert_eq!(origins.len(), usize::from(u16::MAX / 2 + 1));
        assert_eq!((&origins[7].name[..], origins[7].label.as_deref()), ("tcp://7", Some("7")));
        for id in [14, 15] {
            assert!(Arc::ptr_eq(&definitions.ours(id).unwrap().origin, &origins[7]));
        }
    }
}
