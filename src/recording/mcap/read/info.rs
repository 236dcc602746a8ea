//! What is in a recording, per channel.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::block::Store;
use super::definition::Definitions;
use super::index;
use super::piece::{Piece, load};
use super::reader::McapReader;
use crate::endpoint::{Report, Source};
use crate::error::Result;
use crate::measure::Throughput;
use crate::recording::Error;
use crate::recording::mcap::format::metadata::{self, ChannelSummary, SUMMARY};
use crate::recording::mcap::format::record::{self, Fields, Records};
use crate::recording::mcap::format::tally::ChannelTally;
use crate::recording::mcap::format::wire::{MESSAGE_HEAD, opcode};

/// How closely a recording is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// From indexes and metadata: of the data, only chunks without an index are read.
    #[default]
    Index,
    /// Every message is read: bytes are exact, and lost numbers are known.
    Messages,
}

/// What is in a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Info {
    /// The bytes of the file.
    pub size: u64,
    /// Whether its writer has closed it; it died or is still at it otherwise.
    pub is_closed: bool,
    /// Messages that are ours.
    pub messages: u64,
    /// Messages of other schemas.
    pub foreign: u64,
    /// Messages that could not be read, as far as messages were looked at.
    pub damaged: u64,
    /// At how many places it is damaged, if it was searched for what is left of it.
    pub damaged_places: u64,
    /// When the first message was received, in nanoseconds since the Unix epoch.
    pub first: Option<u64>,
    /// When the last message was received.
    pub last: Option<u64>,
    /// The channels, in the order of their topics.
    pub channels: Vec<ChannelInfo>,
    /// The files within the file.
    pub attachments: Vec<AttachmentInfo>,
    /// Metadata: of each name its keys and values.
    pub metadata: Vec<MetadataInfo>,
    /// What a person should know.
    pub notices: Vec<String>,
}

/// What is in a recording of one source and htype.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// The topic: `/<source>/<htype>`.
    pub topic: String,
    /// The name of the source.
    pub source: Option<String>,
    /// The type of the messages; `raw` if they had none.
    pub htype: String,
    /// The address that was recorded from.
    pub address: String,
    /// How it was received, such as `PULL`.
    pub mode: Option<String>,
    /// Messages.
    pub messages: u64,
    /// The bytes of their parts; if the writer did not record them and messages were not read, with
    /// the few bytes that frame them.
    pub bytes: u64,
    /// When the first message was received, in nanoseconds since the Unix epoch.
    pub first: Option<u64>,
    /// When the last message was received.
    pub last: Option<u64>,
    /// Messages per second between the first and the last.
    pub rate: Option<f64>,
    /// Missing numbers of frames or pulses within their series, if messages have such numbers.
    pub lost: Option<u64>,
    /// Messages that were received and could not be written, if the writer has counted them.
    pub dropped: Option<u64>,
}

/// A file within a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AttachmentInfo {
    /// Its name, such as `series-7-header`.
    pub name: String,
    /// The bytes of its data.
    pub bytes: u64,
}

/// Metadata of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MetadataInfo {
    /// Its name, such as `mflow.session`.
    pub name: String,
    /// Keys and values.
    pub entries: BTreeMap<String, String>,
}

/// How many notices there are at most.
const MAX_NOTICES: usize = 20;

/// What was counted of a channel.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    messages: u64,
    bytes: u64,
    span: Option<(u64, u64)>,
    lost: Option<u64>,
}

impl Count {
    fn add(&mut self, messages: u64, bytes: u64, first: u64, last: u64) {
        self.messages = self.messages.saturating_add(messages);
        self.bytes = self.bytes.saturating_add(bytes);
        // The times in the head of a chunk may be reversed.
        let (first, last) = (first.min(last), first.max(last));
        let (low, high) = self.span.unwrap_or((first, last));
        self.span = Some((low.min(first), high.max(last)));
    }
}

type Counts = BTreeMap<u16, Count>;

/// Returns what is in the recording at a path.
///
/// # Errors
/// If it cannot be opened or read.
pub fn info(path: &Path, detail: Detail) -> Result<Info> {
    let failed = || Error::file("read", path);
    let mut reader = McapReader::open(path)?;
    let counts = match detail {
        Detail::Index => count_indexed(&mut reader),
        Detail::Messages => count_messages(&mut reader),
    };
    let counts = counts.map_err(failed())?;
    let Report { damaged, damaged_places, notices, .. } = reader.report();
    let mut info =
        Info { is_closed: reader.is_closed(), damaged, damaged_places, notices, ..Info::default() };
    let (store, contents) = reader.contents();
    info.size = store.length().map_err(failed())?;
    info.foreign =
        contents.pieces.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.foreign));
    let reversed = contents.pieces.iter().filter(|piece| piece.is_reversed());
    for piece in reversed {
        info.damaged_places = info.damaged_places.saturating_add(1);
        if info.notices.len() < MAX_NOTICES {
            let at = piece.start;
            info.notices.push(format!("at byte {at}: damaged: a chunk ends before it starts"));
        }
    }
    for place in &contents.metadata {
        if let Some((name, entries)) = index::metadata(store, *place).map_err(failed())? {
            info.metadata.push(MetadataInfo { name, entries: entries.into_iter().collect() });
        }
    }
    for place in &contents.attachments {
        let length = usize::try_from(place.length).unwrap_or(usize::MAX).min(4096);
        let mut fields = Fields(store.look(place.fields().start, length).map_err(failed())?);
        let name = fields.u64().zip(fields.u64()).and_then(|_| fields.text()).map(str::to_owned);
        let bytes = name.as_ref().and_then(|_| fields.text()).and_then(|_| fields.u64());
        info.attachments
            .extend(name.zip(bytes).map(|(name, bytes)| AttachmentInfo { name, bytes }));
    }
    let summary = info.metadata.iter().find(|it| it.name == SUMMARY);
    let exact = detail == Detail::Messages;
    let channels = contents.definitions.channels();
    let keys = metadata::keys(channels.map(|(_, channel)| channel.topic.as_str()));
    let channels = contents.definitions.channels().zip(keys).map(|((id, channel), of)| {
        let count = counts.get(&id).copied().unwrap_or_default();
        let written = summary.map(|it| ChannelSummary::read(&it.entries, &of)).unwrap_or_default();
        ChannelInfo {
            topic: channel.topic.clone(),
            source: channel.origin.label.clone(),
            htype: channel.htype().to_owned(),
            address: channel.origin.name.clone(),
            mode: channel.origin.mode.clone(),
            messages: count.messages,
            bytes: written.bytes.filter(|_| !exact).unwrap_or(count.bytes),
            first: count.span.map(|(first, _)| first),
            last: count.span.map(|(_, last)| last),
            rate: rate(&count),
            lost: count.lost.or(written.lost),
            dropped: written.dropped,
        }
    });
    info.channels = channels.collect();
    info.channels.sort_by(|a, b| a.topic.cmp(&b.topic));
    let messages = info.channels.iter().map(|channel| channel.messages);
    info.messages = messages.fold(0, u64::saturating_add);
    info.first = info.channels.iter().filter_map(|channel| channel.first).min();
    info.last = info.channels.iter().filter_map(|channel| channel.last).max();
    Ok(info)
}

/// Returns messages per second; none if they arrived at the same instant.
fn rate(count: &Count) -> Option<f64> {
    let (first, last) = count.span?;
    let elapsed = Duration::from_nanos(last.saturating_sub(first));
    let throughput = Throughput::between(elapsed, count.messages, count.bytes);
    throughput.has_rate().then(|| throughput.message_rate())
}

/// Counts by what the indexes say.
fn count_indexed(reader: &mut McapReader) -> std::io::Result<Counts> {
    let (store, contents) = reader.contents();
    let mut counts = Counts::new();
    for piece in &mut contents.pieces {
        match (piece.channel, piece.messages) {
            (Some(channel), Some(messages)) if piece.foreign == 0 && messages > 0 => {
                let heads = messages.saturating_mul(MESSAGE_HEAD as u64);
                let bytes = piece.unpacked.saturating_sub(heads);
                counts.entry(channel).or_default().add(messages, bytes, piece.first, piece.last);
            }
            (_, Some(0)) => {}
            (_, Some(_)) if piece.index > 0 => {
                count_by_index(store, piece, &contents.definitions, &mut counts)?;
            }
            _ => {
                let loaded = load(store, piece, &mut contents.definitions)?;
                piece.messages = Some(loaded.entries.len() as u64);
                piece.foreign = loaded.foreign;
                for entry in loaded.entries {
                    let count = counts.entry(entry.channel).or_default();
                    count.add(1, entry.length as u64, entry.time, entry.time);
                }
            }
        }
    }
    Ok(counts)
}

/// Counts the messages of a chunk of several channels by its message indexes.
fn count_by_index(
    store: &Store,
    piece: &Piece,
    definitions: &Definitions,
    counts: &mut Counts,
) -> std::io::Result<()> {
    let start = piece.range().end;
    let block = store.block(start..start.saturating_add(piece.index))?;
    let mut entries = Vec::new();
    for record in Records::of(block.bytes()) {
        let Ok(record) = record else { break };
        if record.opcode == opcode::MESSAGE_INDEX
            && let Some((channel, of_channel)) = record::message_index(record.fields)
        {
            entries.extend(of_channel.into_iter().map(|(time, at)| (at, time, channel)));
        }
    }
    entries.sort_unstable();
    // Each message ends where the next one begins.
    let ends = entries.iter().skip(1).map(|(at, ..)| *at).chain([piece.unpacked]);
    for ((at, time, channel), end) in entries.iter().zip(ends) {
        if definitions.ours(*channel).is_some() {
            let bytes = end.saturating_sub(*at).saturating_sub(MESSAGE_HEAD as u64);
            counts.entry(*channel).or_default().add(1, bytes, *time, *time);
        }
    }
    Ok(())
}

/// Counts by looking at every message.
fn count_messages(reader: &mut McapReader) -> std::io::Result<Counts> {
    let mut counts = Counts::new();
    let mut tallies: BTreeMap<u16, ChannelTally> = BTreeMap::new();
    while let Some((received, channel, _)) = reader.read_next()? {
        let peek = received.frames.peek();
        tallies.entry(channel).or_default().follow(&peek, &received.frames);
        let time = received.time.as_nanos();
        let bytes = received.frames.bytes() as u64;
        counts.entry(channel).or_default().add(1, bytes, time, time);
    }
    for (channel, count) in &mut counts {
        count.lost = tallies.get(channel).and_then(ChannelTally::lost);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_intervals_between_messages_and_none_if_they_arrived_at_the_same_instant() {
        let rate = |nanoseconds: u64| {
            let span = Some((7, 7 + nanoseconds));
            rate(&Count { messages: 5, bytes: 50, span, lost: None })
        };
        assert_eq!(rate(2_000_000_000), Some(2.0));
        // Equal times are recorded a nanosecond apart.
        assert_eq!(rate(4), None);
    }
}
