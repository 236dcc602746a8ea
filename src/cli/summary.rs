//! What the programs print about a run after its end, beside its errors.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::Terminal;
use crate::counted::Counted;
use crate::endpoint::{Source, Unconfirmed};
use crate::error::Result;
use crate::measure::{LATE, Throughput};
use crate::recording::Recording;
use crate::tools::{self, Ending, Findings, Observer, OutputFindings, dump, replay, split};

impl Terminal {
    /// Prints how much was dumped, if it was to a file, and what was left out and why.
    pub fn dumped(&mut self, summary: &dump::Summary, source: &dyn Source, is_file: bool) {
        let dump::Summary { findings, bytes, left_out, elapsed, strays } = summary;
        if is_file {
            self.total(findings.received, *bytes, *elapsed);
        }
        if findings.ending == Ending::Stopped && !source.report().is_live {
            self.notice(format_args!("stopped before the end of '{}'", source.name()));
        }
        if findings.received == 0 && *left_out > 0 {
            let left_out = Counted(*left_out, "message");
            self.notice(format_args!("none of {left_out} passed the filters"));
        }
        if !strays.is_empty() {
            self.notice(format_args!("messages of other series: {strays}"));
        }
    }

    /// Prints how much was replayed, and how late.
    pub fn replayed(&mut self, summary: &replay::Summary) {
        self.total(summary.findings.sent, summary.bytes, summary.elapsed);
        let (first, again) = (summary.headers_first, summary.headers_again);
        if first + again > 0 {
            self.summary(format_args!("starts of series: {first} sent ahead, {again} again"));
        }
        let lateness = summary.lateness.as_ref().filter(|lateness| lateness.messages() > 0);
        lateness.into_iter().for_each(|lateness| self.summary(lateness));
    }

    /// Prints why nothing was replayed, unless that is obvious.
    pub fn nothing_replayed(
        &mut self,
        summary: &replay::Summary,
        options: &replay::Options,
        recording: &dyn Recording,
    ) {
        if summary.findings.sent > 0 {
            return;
        }
        match (summary.findings.ending, recording.messages(), &summary.waiting_for) {
            (Ending::SourceEnded, Some(1..), _) if options.leaves_out() => {
                self.notice(format_args!(
                    "no message of '{}' is in the requested part",
                    recording.name()
                ));
            }
            (Ending::Timeout | Ending::Duration, _, Some(endpoint)) => self.notice(format_args!(
                "no receiver accepted a message at '{endpoint}': is a receiver connected?"
            )),
            _ => {}
        }
    }

    /// Prints how much was sent to each output.
    pub fn split(&mut self, summary: &split::Summary) {
        self.summary(Outputs(&summary.findings.outputs));
    }
}

/// A table of the outputs of a split.
struct Outputs<'a>(&'a [OutputFindings]);

impl fmt::Display for Outputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|output| output.name.len());
        let width = names.chain(["output".len()]).max().unwrap_or(0);
        write!(
            f,
            "{:<width$}  {:>12}  {:>12}  {:>12}",
            "output", "sent", "dropped", "not handed over"
        )?;
        for output in self.0 {
            let OutputFindings { name, sent, dropped, unconfirmed, .. } = output;
            write!(f, "\n{name:<width$}  {sent:>12}  {dropped:>12}  {unconfirmed:>15}")?;
        }
        Ok(())
    }
}

/// Prints the summary of a replay as an object of JSON, times in microseconds.
///
/// `lateness` is null if no message was due at a time. The `messages` of an endpoint in
/// `unconfirmed` are null if their number is unknown, as with PUB. `waiting_for` is null if no
/// message waited at the end.
///
/// # Errors
/// If the output fails.
pub fn write_replayed(summary: &replay::Summary, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}", replayed(summary)).map_err(tools::Error::output)
}

fn replayed(summary: &replay::Summary) -> Value {
    let Findings { sent, ending, unconfirmed, .. } = &summary.findings;
    let rate = Throughput::between(summary.elapsed, *sent, summary.bytes);
    let known = |value: f64| rate.has_rate().then_some(value);
    let microseconds = |time: Duration| time.as_nanos() as f64 / 1e3;
    let lateness = summary.lateness.as_ref().map(|lateness| {
        json!({
            "messages": lateness.messages(),
            "late": lateness.late(),
            "late_is_more_than_us": microseconds(LATE),
            "p50_us": microseconds(lateness.quantile(0.5)),
            "p99_us": microseconds(lateness.quantile(0.99)),
            "max_us": microseconds(lateness.max()),
            "last_us": microseconds(lateness.last()),
        })
    });
    let unconfirmed = unconfirmed.iter().map(|(endpoint, unconfirmed)| {
        let messages = match unconfirmed {
            Unconfirmed::Count(messages) => Some(messages),
            Unconfirmed::Unknown => None,
        };
        json!({ "endpoint": endpoint, "messages": messages })
    });
    json!({
        "messages": sent,
        "bytes": summary.bytes,
        "seconds": summary.elapsed.as_secs_f64(),
        "messages_per_second": known(rate.message_rate()),
        "bytes_per_second": known(rate.data_rate()),
        "lateness": lateness,
        "headers_again": summary.headers_again,
        "headers_first": summary.headers_first,
        "damaged": summary.damaged,
        "unconfirmed": unconfirmed.collect::<Vec<_>>(),
        "waiting_for": summary.waiting_for,
        "ending": match ending {
            Ending::Count => "count",
            Ending::Duration => "duration",
            Ending::Timeout => "timeout",
            Ending::Stopped => "stopped",
            Ending::SourceEnded => "source_ended",
            Ending::SeriesEnded => "series_ended",
            Ending::Failed => "failed",
        },
    })
}
