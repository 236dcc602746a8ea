//! Looks at a recording as text.

use std::io::{self, Write};
use std::path::Path;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{DecimalBytes, HumanCount};

use crate::counted::Counted;
use crate::printable::printable;
use crate::recording::FolderInfo;
use crate::recording::mcap::{ChannelInfo, Damage, Info, Recovery, SESSION, SUMMARY, Verification};

/// How many damaged places are printed one by one.
const PRINTED: usize = 20;

/// Prints what is in a recording.
pub(super) fn info(
    path: &Path,
    info: &Info,
    columns: Option<u16>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (size, messages) = (DecimalBytes(info.size), Counted(info.messages, "message"));
    let state = if info.is_closed { "closed" } else { "not closed" };
    writeln!(out, "{}: {messages}, {size}, {state}", path_shown(path))?;
    if let (Some(first), Some(last)) = (info.first, info.last) {
        let seconds = seconds(last.saturating_sub(first));
        writeln!(out, "{} to {}, {seconds:.3} s", time(first), time(last))?;
    }
    let mut print = |heads: &[&str], rows: Vec<Vec<String>>, texts| match rows.is_empty() {
        true => Ok(()),
        false => writeln!(out, "\n{}", table(heads, rows, texts, columns)),
    };
    let heads = ["channel", "messages", "bytes", "first s", "last s", "Hz", "lost", "dropped"];
    print(&heads, channels(info), 1)?;
    print(&["source", "from", "mode"], sources(info), 3)?;
    let attachments = info.attachments.iter().map(|attachment| {
        vec![shown(&attachment.name), DecimalBytes(attachment.bytes).to_string()]
    });
    print(&["attachment", "bytes"], attachments.collect(), 1)?;
    // The table of the channels already has the content of the summary.
    let metadata = info.metadata.iter().filter(|metadata| metadata.name != SUMMARY);
    let metadata = metadata.flat_map(|metadata| {
        let entries = metadata.entries.iter();
        entries.map(|(key, value)| vec![shown(&metadata.name), shown(key), shown(value)])
    });
    print(&["metadata", "key", "value"], metadata.collect(), 3)?;
    let thinned = thinned(info);
    if !info.notices.is_empty() || !info.is_closed || thinned.is_some() {
        writeln!(out)?;
    }
    if let Some((key, value)) = thinned {
        let (key, value) = (shown(key), shown(value));
        writeln!(out, "note: what was left out counts as lost, too: {key} {value}")?;
    }
    for notice in &info.notices {
        writeln!(out, "warning: {}", shown(notice))?;
    }
    if !info.is_closed && info.messages > 0 {
        writeln!(out, "hint: --recover OUT.mcap writes what there is as a whole file")?;
    }
    Ok(())
}

/// Returns the notes on messages that were left out on purpose, if any are lost.
fn thinned(info: &Info) -> Option<(&String, &String)> {
    let has_lost = info.channels.iter().any(|channel| channel.lost.is_some_and(|lost| lost > 0));
    let session = info.metadata.iter().find(|metadata| metadata.name == SESSION);
    let mut entries = session.filter(|_| has_lost)?.entries.iter();
    entries.find(|(key, _)| key.ends_with("every") || key.ends_with("modulo"))
}

/// Returns a row for each channel.
fn channels(info: &Info) -> Vec<Vec<String>> {
    let start = info.first.unwrap_or(0);
    let rows = info.channels.iter().map(|channel| {
        let ChannelInfo { messages, bytes, .. } = *channel;
        let count =
            |count: Option<u64>| count.map_or("-".into(), |count| HumanCount(count).to_string());
        // Times of day are printed once: within a recording, only the differences matter.
        let after = |time: Option<u64>| {
            time.map_or("-".into(), |time| format!("{:.3}", seconds(time.saturating_sub(start))))
        };
        vec![
            shown(&channel.topic),
            HumanCount(messages).to_string(),
            DecimalBytes(bytes).to_string(),
            after(channel.first),
            after(channel.last),
            channel.rate.map_or("-".into(), |rate| format!("{rate:.3}")),
            count(channel.lost),
            count(channel.dropped),
        ]
    });
    rows.collect()
}

/// Returns a row for each source: addresses are long, and the same for many channels.
fn sources(info: &Info) -> Vec<Vec<String>> {
    let rows = info.channels.iter().filter(|channel| !channel.address.is_empty()).map(|channel| {
        let text = |text: &Option<String>| shown(text.as_deref().unwrap_or("-"));
        vec![text(&channel.source), shown(&channel.address), text(&channel.mode)]
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows.dedup();
    rows
}

/// Prints what is in a folder.
pub(super) fn folder_info(path: &Path, info: &FolderInfo, out: &mut dyn Write) -> io::Result<()> {
    let (messages, files) = (Counted(info.messages, "message"), Counted(info.files, "file"));
    let bytes = DecimalBytes(info.bytes);
    writeln!(out, "{}: {messages} in {files}, {bytes}", path_shown(path))?;
    if info.missing > 0 {
        let FolderInfo { first, last, missing, .. } = *info;
        let missing = Counted(missing, "message");
        writeln!(out, "{missing} missing between {first} and {last}")?;
    }
    if info.incomplete > 0 {
        writeln!(out, "{} not whole: skipped", Counted(info.incomplete, "message"))?;
    }
    if info.foreign_files > 0 {
        writeln!(out, "{} ignored", Counted(info.foreign_files, "other file"))?;
    }
    Ok(())
}

/// Returns whether a recording is whole.
pub(super) fn verification(
    path: &Path,
    verification: &Verification,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Verification { messages, chunks, checksums, out_of_order, .. } = *verification;
    let state = if verification.is_sound() { "sound" } else { "damaged" };
    writeln!(out, "{}: {state}", path_shown(path))?;
    writeln!(
        out,
        "{} in {}, {}",
        Counted(messages, "message"),
        Counted(chunks, "chunk"),
        DecimalBytes(verification.size),
    )?;
    match checksums {
        0 => writeln!(out, "no checksums: changed bytes cannot be detected (record with --crc)")?,
        _ => writeln!(out, "{}", Counted(checksums, "checksum"))?,
    }
    if !verification.is_closed && messages == 0 {
        writeln!(out, "not closed, and there is no message in it")?;
    } else if !verification.is_closed {
        writeln!(out, "not closed: --recover OUT.mcap writes what there is as a whole file")?;
    } else if !verification.has_summary {
        writeln!(out, "no summary: readers have to read it through")?;
    }
    if verification.foreign > 0 {
        writeln!(out, "{} of other schemas", Counted(verification.foreign, "message"))?;
    }
    if out_of_order > 0 {
        writeln!(out, "{} not later than the one before", Counted(out_of_order, "message"))?;
    }
    damages(&verification.damages, verification.damaged_places, out)
}

/// Prints what was saved of a recording.
pub(super) fn recovery(
    path: &Path,
    to: &Path,
    recovery: &Recovery,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (messages, bytes) = (Counted(recovery.messages, "message"), DecimalBytes(recovery.bytes));
    writeln!(out, "{}: {messages}, {bytes} saved from {}", path_shown(to), path_shown(path))?;
    if recovery.damaged > 0 {
        writeln!(out, "{} damaged: left out", Counted(recovery.damaged, "message"))?;
    }
    if recovery.foreign > 0 {
        writeln!(out, "{} of other schemas: left out", Counted(recovery.foreign, "message"))?;
    }
    damages(&recovery.damages, recovery.damaged_places, out)
}

fn damages(damages: &[Damage], count: u64, out: &mut dyn Write) -> io::Result<()> {
    if damages.is_empty() {
        return Ok(());
    }
    let rows = damages
        .iter()
        .take(PRINTED)
        .map(|damage| vec![shown(&damage.what), damage.at.to_string(), damage.bytes.to_string()]);
    let rows = rows.collect();
    writeln!(out, "\n{}", table(&["damage", "at byte", "bytes"], rows, 1, None))?;
    let more = count.saturating_sub(PRINTED as u64);
    if more > 0 {
        writeln!(out, "and {} more", Counted(more, "place"))?;
    }
    Ok(())
}

/// Makes a table whose first `texts` columns are texts, the others numbers. Long texts continue in
/// the next line, if a line is longer than `columns` characters.
fn table(heads: &[&str], rows: Vec<Vec<String>>, texts: usize, columns: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(heads).add_rows(rows);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    }
    let last = heads.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if index >= texts {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
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

/// Returns a path without characters that could upset a terminal.
fn path_shown(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// Returns a text from a file without characters that could upset a terminal.
fn shown(text: &str) -> String {
    printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::mcap::AttachmentInfo;

    fn text(columns: Option<u16>) -> String {
        let channel = ChannelInfo {
            topic: "/detector/dimage-1.0".into(),
            source: Some("detector".into()),
            address: "tcp://detector-control-unit.beamline.facility.example:9999".into(),
            mode: Some("PULL".into()),
            messages: 1_234_567,
            bytes: 512_340_000_000,
            first: Some(12_000_000),
            last: Some(9_282_436_000_000),
            rate: Some(133.0),
            lost: Some(0),
            ..ChannelInfo::default()
        };
        let mut summary = Info { messages: 1_234_567, channels: vec![channel], ..Info::default() };
        summary.is_closed = true;
        summary.attachments = vec![AttachmentInfo { name: "series-7-header".into(), bytes: 800 }];
        let mut out = Vec::new();
        info(Path::new("run.mcap"), &summary, columns, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn characters_that_upset_a_terminal_or_reorder_text_are_replaced() {
        let summary = Info {
            channels: vec![ChannelInfo {
                topic: "/a\u{202e}\x1b[2J/b".into(),
                ..Default::default()
            }],
            notices: vec!["a\u{200b}\u{9b}b".into()],
            ..Info::default()
        };
        let mut out = Vec::new();
        info(Path::new("run.mcap"), &summary, None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("/a\u{fffd}\u{fffd}[2J/b "), "{text:?}");
        assert!(text.contains("warning: a\u{fffd}\u{fffd}b\n"), "{text:?}");
    }

    #[test]
    fn a_recording_is_printed_in_lines_of_eighty_characters() {
        let expected = "\
run.mcap: 1,234,567 messages, 0 B, closed

channel                messages      bytes  first s    last s       Hz  lost  dropped
";
        assert_eq!(
            text(None).lines().take(3).collect::<Vec<_>>(),
            expected.lines().collect::<Vec<_>>()
        );
        for line in text(Some(80)).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
