//! What m_stats and m_generate print: lines of rates and a summary, to the byte as the original does,
//! or as JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Ending;
use crate::error::Result;
use crate::measure::{Throughput, ThroughputStatistics};
use crate::tools::Error;

/// In which form rates are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// The text of the original.
    #[default]
    Text,
    /// A line of JSON for each interval, and one for the summary. A rate is null if messages came at
    /// once, which have none.
    ///
    /// ```text
    /// {"event":"interval","seconds":0.5,"messages":50,"bytes":52428800,"messages_per_second":100.0,"bytes_per_second":104857600.0}
    /// {"event":"summary", …}
    /// ```
    Json,
}

/// The line that the blocks of the report stand between.
pub(super) const RULE: &str = "____________________________________________________________";

/// What is done with the messages that a report is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Receive,
    Send,
}

/// Counts messages and prints their rates.
pub(super) struct Report {
    notation: Notation,
    direction: Direction,
    statistics: ThroughputStatistics,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line {
    event: &'static str,
    seconds: f64,
    messages: u64,
    bytes: u64,
    messages_per_second: Option<f64>,
    bytes_per_second: Option<f64>,
}

impl Report {
    pub(super) fn new(interval: Duration, notation: Notation, direction: Direction) -> Self {
        Self { notation, direction, statistics: ThroughputStatistics::new(interval, 1) }
    }

    /// Prints a line that is for people alone.
    pub(super) fn remark(&self, text: fmt::Arguments<'_>, out: &mut dyn Write) -> Result<()> {
        match self.notation {
            Notation::Text => writeln!(out, "{text}").map_err(Error::output),
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
            Some(sample) => self.rates(&sample, out).map_err(Error::output),
            None => Ok(()),
        }
    }

    /// Returns when [`tick`](Self::tick) has a line to print if no message comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.statistics.due()
    }

    /// Prints the line of rates of an interval that is over, also if no message came in it.
    pub(super) fn tick(&mut self, now: Instant, out: &mut dyn Write) -> Result<()> {
        match self.statistics.tick(now) {
            Some(sample) => self.rates(&sample, out).map_err(Error::output),
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
        let printed = self.end(last.as_ref(), &total, out).map_err(Error::output);
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
            Notation::Text => write_text(total, self.direction, out)?,
            Notation::Json => write_json("summary", total, out)?,
        }
        out.flush()
    }
}

fn write_json(event: &'static str, sample: &Throughput, out: &mut dyn Write) -> io::Result<()> {
    let known = |rate: f64| sample.has_rate().then_some(rate);
    let line = Line {
        event,
        seconds: sample.elapsed.as_secs_f64(),
        messages: sample.messages,
        bytes: sample.bytes,
        messages_per_second: known(sample.message_rate()),
        bytes_per_second: known(sample.data_rate()),
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)?;
    // Who follows the lines wants them when they are true.
    out.flush()
}

fn write_text(total: &Throughput, direction: Direction, out: &mut dyn Write) -> io::Result<()> {
    match (total.messages, direction) {
        (0, Direction::Receive) => writeln!(out, "No messages received.")?,
        (0, Direction::Send) => writeln!(out, "No messages sent.")?,
        _ => {
            writeln!(out, "{RULE}")?;
            write_summary(total, out)?;
        }
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

    /// Records at given moments, looks at the clock if no messages are given, and returns what was
    /// printed.
    fn report(new: Report, records: &[(u64, u64, u64)], end: u64) -> String {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let (mut report, mut out) = (new, Vec::new());
        report.remark(format_args!("for people"), &mut out).unwrap();
        for (messages, bytes, milliseconds) in records {
            match messages {
                0 => report.tick(at(*milliseconds), &mut out).unwrap(),
                _ => report.record(*messages, *bytes, at(*milliseconds), &mut out).unwrap(),
            }
        }
        report.finish(Ok(Ending::Count), at(end), &mut out).1.unwrap();
        String::from_utf8(out).unwrap()
    }

    fn new(notation: Notation) -> Report {
        Report::new(Duration::from_millis(500), notation, Direction::Receive)
    }

    #[test]
    fn a_report_is_that_of_the_original_to_the_byte() {
        let records =
            [(1, 1_000_000, 0), (10, 10_000_000, 500), (0, 0, 1100), (5, 5_000_000, 1250)];
        let expected = "\
for people
Data rate:     20.000 MB/s    Message rate:     20.000 Hz
Data rate:      0.000 MB/s    Message rate:      0.000 Hz
Data rate:      6.667 MB/s    Message rate:      6.667 Hz
____________________________________________________________
Total elapsed time:        1.250 s
Average message size:      1.000 MB
Total bytes received:     16.000 MB
Average data rate:        12.000 MB/s
Messages received:            16 messages
Average message rate:     12.000 Hz
____________________________________________________________
";
        assert_eq!(report(new(Notation::Text), &records, 1250), expected);
    }

    #[test]
    fn a_report_in_json_is_a_line_for_each_interval_and_one_for_all() {
        let records = [(1, 1000, 0), (10, 10_000, 500), (0, 0, 1100)];
        let expected = "\
{\"event\":\"interval\",\"seconds\":0.5,\"messages\":11,\"bytes\":11000,\
\"messages_per_second\":20.0,\"bytes_per_second\":20000.0}
{\"event\":\"interval\",\"seconds\":0.5,\"messages\":0,\"bytes\":0,\
\"messages_per_second\":0.0,\"bytes_per_second\":0.0}
{\"event\":\"summary\",\"seconds\":0.5,\"messages\":11,\"bytes\":11000,\
\"messages_per_second\":20.0,\"bytes_per_second\":20000.0}
";
        assert_eq!(report(new(Notation::Json), &records, 500), expected);
    }

    #[test]
    fn rates_of_messages_that_came_at_once_are_null_in_json() {
        let told = report(new(Notation::Json), &[(5, 50, 0)], 0);
        let nulls = "\"messages_per_second\":null,\"bytes_per_second\":null}\n";
        assert_eq!(told.matches(nulls).count(), 2, "{told}");
    }

    #[test]
    fn a_report_of_nothing_says_so() {
        for (direction, done) in [(Direction::Receive, "received"), (Direction::Send, "sent")] {
            let new = Report::new(Duration::from_millis(500), Notation::Text, direction);
            let expected = format!("for people\nNo messages {done}.\n{RULE}\n");
            assert_eq!(report(new, &[], 1000), expected);
        }
    }
}
