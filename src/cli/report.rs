//! What m_stats and m_generate print: lines of rates and a summary, to the byte as the original does,
//! or as JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::error::Result;
use crate::measure::Throughput;
use crate::tools::{self, Ending, Interval, Reporter, Total};

/// In which form rates are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// The text of the original.
    #[default]
    Text,
    /// A line of JSON for each interval, and one for the summary. A rate is null if all messages
    /// arrived at once.
    ///
    /// ```text
    /// {"event":"interval","seconds":0.5,"messages":50,"bytes":52428800,"messages_per_second":100.0,"bytes_per_second":104857600.0}
    /// {"event":"summary", …}
    /// ```
    Json,
}

/// The line between the blocks of the report.
const RULE: &str = "____________________________________________________________";

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

/// The direction of the messages that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Received,
    Sent,
}

/// Prints the rates of a run.
pub struct Rates<W> {
    notation: Notation,
    direction: Direction,
    out: W,
}

impl<W: Write> Rates<W> {
    /// Prints the rates of a receiver.
    pub fn received(notation: Notation, out: W) -> Self {
        Self { notation, direction: Direction::Received, out }
    }

    /// Prints the rates of a sender.
    pub fn sent(notation: Notation, out: W) -> Self {
        Self { notation, direction: Direction::Sent, out }
    }

    /// Prints a line for people; nothing in JSON.
    ///
    /// # Errors
    /// If the output fails.
    pub fn remark(&mut self, text: fmt::Arguments<'_>) -> Result<()> {
        self.write_remark(text).map_err(tools::Error::output)
    }

    fn write_remark(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        match self.notation {
            Notation::Text => writeln!(self.out, "{text}"),
            Notation::Json => Ok(()),
        }
    }
}

impl<W: Write> Reporter for Rates<W> {
    fn started(&mut self, interval: Duration) -> io::Result<()> {
        let seconds = interval.as_secs_f64();
        let started = "mflow stats started. Sampling interval is";
        self.write_remark(format_args!("{started} {seconds:.2} seconds.\n{RULE}"))
    }

    fn interval(&mut self, interval: &Interval) -> io::Result<()> {
        match self.notation {
            Notation::Text => writeln!(self.out, "{}", interval.throughput),
            Notation::Json => write_json("interval", &interval.throughput, &mut self.out),
        }
    }

    fn ended(&mut self, ending: Ending) -> io::Result<()> {
        match (self.direction, ending) {
            (Direction::Sent, Ending::Stopped) => {
                self.write_remark(format_args!("Terminated by user."))
            }
            _ => Ok(()),
        }
    }

    fn total(&mut self, total: &Total) -> io::Result<()> {
        match self.notation {
            Notation::Text => write_text(&total.throughput, self.direction, &mut self.out)?,
            Notation::Json => write_json("summary", &total.throughput, &mut self.out)?,
        }
        self.out.flush()
    }
}

fn write_json(event: &'static str, sample: &Throughput, out: &mut impl Write) -> io::Result<()> {
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
    // A program that follows the lines reads each one when it is written.
    out.flush()
}

fn write_text(total: &Throughput, direction: Direction, out: &mut impl Write) -> io::Result<()> {
    match (total.messages, direction) {
        (0, Direction::Received) => writeln!(out, "No messages received.")?,
        (0, Direction::Sent) => writeln!(out, "No messages sent.")?,
        _ => {
            writeln!(out, "{RULE}")?;
            write_summary(total, out)?;
        }
    }
    writeln!(out, "{RULE}")
}

fn write_summary(total: &Throughput, out: &mut impl Write) -> io::Result<()> {
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
    use std::time::Instant;

    use super::*;
    use crate::tools::report::Report;

    /// Records at given moments, looks at the clock if no messages are given, and returns what was
    /// printed.
    fn report(mut rates: Rates<Vec<u8>>, records: &[(u64, u64, u64)], end: u64) -> String {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut report = Report::new(Duration::from_millis(500));
        rates.remark(format_args!("for people")).unwrap();
        for (messages, bytes, milliseconds) in records {
            match messages {
                0 => report.tick(at(*milliseconds), &mut rates).unwrap(),
                _ => report.record(*messages, *bytes, at(*milliseconds), &mut rates).unwrap(),
            }
        }
        report.finish(Ok(Ending::Count), at(end), &mut rates).1.unwrap();
        String::from_utf8(rates.out).unwrap()
    }

    fn new(notation: Notation) -> Rates<Vec<u8>> {
        Rates::received(notation, Vec::new())
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
    fn rates_of_messages_that_arrive_at_once_are_null_in_json() {
        let printed = report(new(Notation::Json), &[(5, 50, 0)], 0);
        let nulls = "\"messages_per_second\":null,\"bytes_per_second\":null}\n";
        assert_eq!(printed.matches(nulls).count(), 2, "{printed}");
    }

    #[test]
    fn a_report_of_nothing_says_so() {
        let text = Notation::Text;
        for (rates, done) in [
            (Rates::received(text, Vec::new()), "received"),
            (Rates::sent(text, Vec::new()), "sent"),
        ] {
            let expected = format!("for people\nNo messages {done}.\n{RULE}\n");
            assert_eq!(report(rates, &[], 1000), expected);
        }
    }

    #[test]
    fn only_a_sender_that_was_stopped_by_hand_says_so() {
        let printed = |mut rates: Rates<Vec<u8>>, ending| {
            rates.ended(ending).unwrap();
            String::from_utf8(rates.out).unwrap()
        };
        let stopped = "Terminated by user.\n";
        let sent = |notation| Rates::sent(notation, Vec::new());
        assert_eq!(printed(sent(Notation::Text), Ending::Stopped), stopped);
        assert_eq!(printed(sent(Notation::Text), Ending::Count), "");
        assert_eq!(printed(sent(Notation::Json), Ending::Stopped), "");
        assert_eq!(printed(new(Notation::Text), Ending::Stopped), "");
    }
}
