//! What m_stats and m_generate print: lines of rates and a summary, to the byte as the original does,
//! or as JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Ending;
use crate::error::{Error, Result};
use crate::measure::{Throughput, ThroughputStatistics};

/// In which form rates are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// The text of the original.
    #[default]
    Text,
    /// A line of JSON for each interval, and one for the summary.
    ///
    /// ```text
    /// {"event":"interval","seconds":0.5,"messages":50,"bytes":52428800,"messages_per_second":100.0,"bytes_per_second":104857600.0}
    /// {"event":"summary", …}
    /// ```
    Json,
}

/// The line that the blocks of the report stand between.
pub(super) const RULE: &str = "____________________________________________________________";

/// Counts messages and prints their rates.
pub(super) struct Report {
    notation: Notation,
    statistics: ThroughputStatistics,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line {
    event: &'static str,
    seconds: f64,
    messages: u64,
    bytes: u64,
    messages_per_second: f64,
    bytes_per_second: f64,
}

impl Report {
    pub(super) fn new(interval: Duration, notation: Notation) -> Self {
        Self { notation, statistics: ThroughputStatistics::new(interval, 1) }
    }

    /// Prints a line that is for people alone.
    pub(super) fn remark(&self, text: fmt::Arguments<'_>, out: &mut dyn Write) -> Result<()> {
        match self.notation {
            Notation::Text => writeln!(out, "{text}").map_err(Error::Output),
            Notation::Json => Ok(()),
        }
    }

    fn rates(&self, sample: &Throughput, out: &mut dyn Write) -> io::Result<()> {
        match self.notation {
            Notation::Text => writeln!(out, "{sample}"),
            Notation::Json => write_json("interval", sample, out),
        }
    }

    /// Counts messages, and prints a line of rates where one is due.
    pub(super) fn record(
        &mut self,
        messages: u64,
        bytes: u64,
        now: Instant,
        out: &mut dyn Write,
    ) -> Result<()> {
        match self.statistics.record(messages, bytes, now) {
            Some(sample) => self.rates(&sample, out).map_err(Error::Output),
            None => Ok(()),
        }
    }

    /// Prints the line of the last rates and the summary, however the run has ended; returns what the
    /// summary is of, and how it has ended, which is with an error too where that cannot be printed.
    pub(super) fn finish(
        &mut self,
        ended: Result<Ending>,
        now: Instant,
        out: &mut dyn Write,
    ) -> (Throughput, Result<Ending>) {
        let last = self.statistics.flush(now);
        let total = self.statistics.aggregate(now);
        let printed = self.end(last.as_ref(), &total, out).map_err(Error::Output);
        (total, ended.and_then(|ending| printed.map(|()| ending)))
    }

    fn end(
        &self,
        last: Option<&Throughput>,
        total: &Throughput,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        last.map_or(Ok(()), |sample| self.rates(sample, out))?;
        match self.notation {
            Notation::Text => write_text(total, out)?,
            Notation::Json => write_json("summary", total, out)?,
        }
        out.flush()
    }
}

fn write_json(event: &'static str, sample: &Throughput, out: &mut dyn Write) -> io::Result<()> {
    let line = Line {
        event,
        seconds: sample.elapsed.as_secs_f64(),
        messages: sample.messages,
        bytes: sample.bytes,
        messages_per_second: sample.message_rate(),
        bytes_per_second: sample.data_rate(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)?;
    // Who follows the lines wants them when they are true.
    out.flush()
}

fn write_text(total: &Throughput, out: &mut dyn Write) -> io::Result<()> {
    if total.messages == 0 {
        writeln!(out, "No messages received.")?;
    } else {
        writeln!(out, "{RULE}")?;
        write_summary(total, out)?;
    }
    writeln!(out, "{RULE}")
}

fn write_summary(total: &Throughput, out: &mut dyn Write) -> io::Result<()> {
    let seconds = total.elapsed.as_secs_f64();
    let [size, bytes, rate] =
        [total.message_size(), total.total_bytes(), total.data_rate()].map(|bytes| bytes / 1e6);
    writeln!(out, "Total elapsed time:   {seconds:>10.3} s")?;
    writeln!(out, "Average message size: {size:>10.3} MB")?;
    writeln!(out, "Total bytes received: {bytes:>10.3} MB")?;
    writeln!(out, "Average data rate:    {rate:>10.3} MB/s")?;
    writeln!(out, "Messages received:    {:>10} messages", total.messages)?;
    writeln!(out, "Average message rate: {:>10.3} Hz", total.message_rate())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records at given moments and returns what was printed.
    fn report(interval: u64, records: &[(u64, u64, u64)], end: u64) -> String {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut report = Report::new(Duration::from_millis(interval), Notation::Text);
        let mut out = Vec::new();
        for (messages, bytes, milliseconds) in records {
            report.record(*messages, *bytes, at(*milliseconds), &mut out).unwrap();
        }
        report.finish(Ok(Ending::Count), at(end), &mut out).1.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_report_is_that_of_the_original_to_the_byte() {
        let text = report(500, &[(1, 1_000_000, 0), (9, 9_000_000, 500), (5, 5_000_000, 600)], 750);
        let expected = "\
Data rate:     20.000 MB/s    Message rate:     20.000 Hz
Data rate:     20.000 MB/s    Message rate:     20.000 Hz
____________________________________________________________
Total elapsed time:        0.750 s
Average message size:      1.000 MB
Total bytes received:     15.000 MB
Average data rate:        20.000 MB/s
Messages received:            15 messages
Average message rate:     20.000 Hz
____________________________________________________________
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_report_in_json_is_a_line_for_each_interval_and_one_for_all() {
        let start = Instant::now();
        let mut report = Report::new(Duration::from_millis(500), Notation::Json);
        let mut out = Vec::new();
        report.remark(format_args!("for people"), &mut out).unwrap();
        report.record(1, 1000, start, &mut out).unwrap();
        report.record(9, 9000, start + Duration::from_millis(500), &mut out).unwrap();
        let end = start + Duration::from_secs(1);
        report.finish(Ok(Ending::Count), end, &mut out).1.unwrap();
        let expected = "\
{\"event\":\"interval\",\"seconds\":0.5,\"messages\":10,\"bytes\":10000,\
\"messages_per_second\":20.0,\"bytes_per_second\":20000.0}
{\"event\":\"summary\",\"seconds\":1.0,\"messages\":10,\"bytes\":10000,\
\"messages_per_second\":10.0,\"bytes_per_second\":10000.0}
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_report_of_nothing_says_so() {
        let expected = format!("No messages received.\n{RULE}\n");
        assert_eq!(report(500, &[], 1000), expected);
    }
}
