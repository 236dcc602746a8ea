//! The schemas and channels of a file that is read, and the sources behind them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::parts::{ENCODING, SCHEMA_NAME};
use super::record::Fields;
use crate::{Mode, Origin};

/// The longest schema or channel that is read: a file that has longer ones is not read.
pub(super) const MAX_DEFINITION: u64 = 16 << 20;

/// A channel whose messages are ours.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) topic: String,
    pub(super) origin: Arc<Origin>,
}

impl Channel {
    /// Returns the htype in the topic.
    pub(super) fn htype(&self) -> &str {
        split(&self.topic).map_or(self.topic.as_str(), |(_, htype)| htype)
    }
}

/// Returns the source and the htype of a topic.
fn split(topic: &str) -> Option<(&str, &str)> {
    topic.strip_prefix('/')?.split_once('/')
}

/// What the schema and channel records of a file told so far. There are at most 65 536 of each.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// The names of the schemas, and whether each is ours.
    schemas: HashMap<u16, (String, bool)>,
    ours: BTreeMap<u16, Channel>,
    /// The channels of other people, with the names of their schemas.
    foreign: HashMap<u16, String>,
    origins: Vec<Arc<Origin>>,
}

impl Definitions {
    /// Reads a schema; the first one of a number counts.
    pub(super) fn schema(&mut self, fields: &[u8]) -> Option<()> {
        let mut fields = Fields(fields);
        let (id, name, encoding) = (fields.u16()?, fields.text()?, fields.text()?);
        let ours = name == SCHEMA_NAME && encoding == ENCODING;
        self.schemas.entry(id).or_insert_with(|| (name.to_owned(), ours));
        Some(())
    }

    /// Reads a channel, whose schema must have been read; the first one of a number counts.
    pub(super) fn channel(&mut self, fields: &[u8]) -> Option<()> {
        let mut fields = Fields(fields);
        let (id, schema, topic, encoding) =
            (fields.u16()?, fields.u16()?, fields.text()?, fields.text()?);
        if self.knows(id) {
            return Some(());
        }
        match self.schemas.get(&schema) {
            Some((_, true)) if encoding == ENCODING => {
                let metadata = fields.map()?;
                let origin = self.origin(topic, &metadata);
                self.ours.insert(id, Channel { topic: topic.to_owned(), origin });
            }
            other => {
                let name = other.map_or_else(|| "none".to_owned(), |(name, _)| name.clone());
                self.foreign.insert(id, name);
            }
        }
        Some(())
    }

    /// Returns the one origin of all channels of a source.
    fn origin(&mut self, topic: &str, metadata: &[(String, String)]) -> Arc<Origin> {
        let value = |key| metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        let label = split(topic).map(|(source, _)| source.to_owned());
        let name = value("address").cloned().or_else(|| label.clone());
        let mode = value("mode").and_then(|mode| mode.parse::<Mode>().ok());
        let origin = Origin { name: name.unwrap_or_else(|| topic.to_owned()), label, mode };
        if let Some(known) = self.origins.iter().find(|known| ***known == origin) {
            return Arc::clone(known);
        }
        let origin = Arc::new(origin);
        self.origins.push(Arc::clone(&origin));
        origin
    }

    pub(super) fn knows(&self, channel: u16) -> bool {
        self.ours.contains_key(&channel) || self.foreign.contains_key(&channel)
    }

    /// Returns a channel whose messages are ours.
    pub(super) fn ours(&self, channel: u16) -> Option<&Channel> {
        self.ours.get(&channel)
    }

    /// Returns all channels whose messages are ours.
    pub(super) fn channels(&self) -> impl Iterator<Item = (u16, &Channel)> {
        self.ours.iter().map(|(id, channel)| (*id, channel))
    }

    pub(super) fn origins(&self) -> &[Arc<Origin>] {
        &self.origins
    }

    /// Tells whether there are channels, and none of them is ours.
    pub(super) fn all_foreign(&self) -> bool {
        self.ours.is_empty() && !self.foreign.is_empty()
    }

    /// Returns a few names of schemas of other people's channels, to tell somebody.
    pub(super) fn foreign_schemas(&self) -> String {
        let mut names: Vec<&str> = self.foreign.values().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let more = if names.len() > 3 { ", …" } else { "" };
        names.truncate(3);
        format!("'{}'{more}", names.join("', '"))
    }
}
