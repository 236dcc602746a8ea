//! Looks at a recording as text.

use std::io::Write;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{DecimalBytes, HumanCount};

use crate::Result;
use crate::recording::mcap::{ChannelInfo, Damage, Info, Recovery, SUMMARY, Verification};

/// How many damaged places are told one by one.
const TOLD: usize = 20;

/// Tells what is in a recording.
pub(super) fn info(path: &Path, info: &Info, out: &mut dyn Write) -> Result<()> {
    let (size, messages) = (DecimalBytes(info.size), HumanCount(info.messages));
    let state = if info.is_closed { "closed" } else { "not closed" };
    writeln!(out, "{}: {messages} messages, {size}, {state}", path.display())?;
    if let (Some(first), Some(last)) = (info.first, info.last) {
        let seconds = seconds(last.saturating_sub(first));
        writeln!(out, "{} to {}, {seconds:.3} s", time(first), time(last))?;
    }
    writeln!(out, "\n{}", channels(info))?;
    if !info.attachments.is_empty() {
        let rows = info.attachments.iter().map(|attachment| {
            vec![attachment.name.clone(), DecimalBytes(attachment.bytes).to_string()]
        });
        writeln!(out, "\n{}", table(&["attachment", "bytes"], rows, 1))?;
    }
    // The table of the channels tells what the summary does.
    let metadata = info.metadata.iter().filter(|metadata| metadata.name != SUMMARY);
    let metadata = metadata.flat_map(|metadata| {
        let entries = metadata.entries.iter();
        entries.map(|(key, value)| vec![metadata.name.clone(), key.clone(), printable(value)])
    });
    let metadata: Vec<_> = metadata.collect();
    if !metadata.is_empty() {
        writeln!(out, "\n{}", table(&["metadata", "key", "value"], metadata, 3))?;
    }
    for notice in &info.notices {
        writeln!(out, "\nwarning: {notice}")?;
    }
    Ok(())
}

fn channels(info: &Info) -> Table {
    let start = info.first.unwrap_or(0);
    let rows = info.channels.iter().map(|channel| {
        let ChannelInfo { messages, bytes, .. } = *channel;
        let count =
            |count: Option<u64>| count.map_or("-".into(), |count| HumanCount(count).to_string());
        // Times of day are told once: within a recording, what matters is how far apart they are.
        let after = |time: Option<u64>| {
            time.map_or("-".into(), |time| format!("{:.3} s", seconds(time.saturating_sub(start))))
        };
        vec![
            printable(&channel.topic),
            printable(&channel.address),
            HumanCount(messages).to_string(),
            DecimalBytes(bytes).to_string(),
            after(channel.first),
            after(channel.last),
            channel.rate.map_or("-".into(), |rate| format!("{rate:.3} Hz")),
            count(channel.gaps),
            count(channel.lost),
        ]
    });
    let heads = ["channel", "from", "messages", "bytes", "first", "last", "rate", "gaps", "lost"];
    table(&heads, rows, 2)
}

/// Tells whether a recording is whole.
pub(super) fn verification(
    path: &Path,
    verification: &Verification,
    out: &mut dyn Write,
) -> Result<()> {
    let Verification { messages, chunks, checksums, out_of_order, .. } = *verification;
    let state = if verification.is_sound() { "sound" } else { "damaged" };
    writeln!(out, "{}: {state}", path.display())?;
    writeln!(
        out,
        "{} messages in {} chunks, {}; {} checksums",
        HumanCount(messages),
        HumanCount(chunks),
        DecimalBytes(verification.size),
        HumanCount(checksums)
    )?;
    if !verification.is_closed {
        writeln!(out, "not closed: its writer has died, or is still at it")?;
    } else if !verification.has_summary {
        writeln!(out, "no summary: readers have to read it through")?;
    }
    if verification.foreign > 0 {
        writeln!(out, "{} messages are not mflow's", HumanCount(verification.foreign))?;
    }
    if out_of_order > 0 {
        writeln!(out, "{} messages are not later than the one before", HumanCount(out_of_order))?;
    }
    damages(&verification.damages, verification.damaged_places, out)
}

/// Tells what was saved of a recording.
pub(super) fn recovery(
    path: &Path,
    to: &Path,
    recovery: &Recovery,
    out: &mut dyn Write,
) -> Result<()> {
    let (messages, bytes) = (HumanCount(recovery.messages), DecimalBytes(recovery.bytes));
    writeln!(out, "{}: {messages} messages, {bytes} saved from {}", to.display(), path.display())?;
    if recovery.damaged > 0 {
        writeln!(out, "{} messages are damaged and left out", HumanCount(recovery.damaged))?;
    }
    if recovery.foreign > 0 {
        writeln!(out, "{} messages are not mflow's and left out", HumanCount(recovery.foreign))?;
    }
    damages(&recovery.damages, recovery.damaged_places, out)
}

fn damages(damages: &[Damage], count: u64, out: &mut dyn Write) -> Result<()> {
    if damages.is_empty() {
        return Ok(());
    }
    let rows = damages.iter().take(TOLD).map(|damage| {
        vec![damage.at.to_string(), damage.bytes.to_string(), printable(&damage.what)]
    });
    let mut table = table(&["at byte", "bytes", "damage"], rows, 0);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    writeln!(out, "\n{table}")?;
    let more = count.saturating_sub(TOLD as u64);
    if more > 0 {
        writeln!(out, "and {} more places", HumanCount(more))?;
    }
    Ok(())
}

/// Makes a table whose first `texts` columns are texts, the others numbers.
fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>, texts: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(heads).add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index >= texts {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Returns a time of day, UTC.
fn time(nanoseconds: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(nanoseconds.into());
    time.map_or_else(|_| format!("{nanoseconds} ns"), |time| format!("{time:.3}"))
}

#[expect(clippy::cast_precision_loss, reason = "it is shown to the millisecond")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Returns a text from a file without what could upset a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char })
        .collect()
}
