//! What m_stats and m_generate print: lines of rates and a summary, to the byte as the original does.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::{Throughput, ThroughputStatistics};

/// The line that the blocks of the report stand between.
pub(super) const RULE: &str = "____________________________________________________________";

/// Counts messages and prints their rates.
pub(super) struct Report {
    statistics: ThroughputStatistics,
}

impl Report {
    pub(super) fn new(interval: Duration) -> Self {
        Self { statistics: ThroughputStatistics::new(interval, 1) }
    }

    /// Counts messages, and prints a line of rates where one is due.
    pub(super) fn record(
        &mut self,
        messages: u64,
        bytes: u64,
        now: Instant,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.statistics.record(messages, bytes, now) {
            Some(sample) => writeln!(out, "{sample}"),
            None => Ok(()),
        }
    }

    /// Prints the line of the last rates and the summary.
    pub(super) fn finish(&mut self, now: Instant, out: &mut dyn Write) -> io::Result<Throughput> {
        if let Some(sample) = self.statistics.flush(now) {
            writeln!(out, "{sample}")?;
        }
        let total = self.statistics.aggregate(now);
        if total.messages == 0 {
            writeln!(out, "No messages received.")?;
        } else {
            writeln!(out, "{RULE}")?;
            print(&total, out)?;
        }
        writeln!(out, "{RULE}")?;
        out.flush()?;
        Ok(total)
    }
}

fn print(total: &Throughput, out: &mut dyn Write) -> io::Result<()> {
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
        let mut report = Report::new(Duration::from_millis(interval));
        let mut out = Vec::new();
        for (messages, bytes, milliseconds) in records {
            report.record(*messages, *bytes, at(*milliseconds), &mut out).unwrap();
        }
        report.finish(at(end), &mut out).unwrap();
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
    fn a_report_of_nothing_says_so() {
        let expected = format!("No messages received.\n{RULE}\n");
        assert_eq!(report(500, &[], 1000), expected);
    }
}
