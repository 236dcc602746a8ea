//! m_stats: how much comes, and how fast.

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::run::Run;
use super::{Ending, Limits, Observer, Silent, generate};
use crate::{Error, Result, Source, Stop, Throughput, ThroughputStatistics, WaitSet};

/// The line that the blocks of the report stand between.
const RULE: &str = "____________________________________________________________";

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often to print rates: 0.5 s by default, for every message where it is zero.
    pub interval: Duration,
    /// When to end.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: Duration::from_millis(500), limits: Limits::default() }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Everything that came, from the first message on.
    pub total: Throughput,
    /// What ended the run.
    pub ending: Ending,
}

/// Measures what comes from a source, and prints it as the original does.
///
/// # Errors
/// Where the source or the output fails.
pub fn run(
    source: &mut dyn Source,
    options: &Options,
    stop: &Stop,
    out: &mut dyn Write,
) -> Result<Summary> {
    let interval = options.interval.as_secs_f64();
    writeln!(out, "mflow stats started. Sampling interval is {interval:.2} seconds.")?;
    writeln!(out, "{RULE}")?;
    let mut report = Report::new(options.interval);
    let mut run = Run::new(options.limits, stop);
    let batch = if options.interval.is_zero() { 1 } else { u64::MAX };
    let ending = loop {
        let tally = source.tally(run.remaining().min(batch))?;
        let now = Instant::now();
        if tally.messages > 0 {
            run.count(tally.messages, now);
            report.record(tally.messages, tally.bytes, now, out)?;
        }
        if let Some(ending) = run.ending(now) {
            break ending;
        }
        if tally.ended {
            break Ending::SourceEnded;
        }
        if tally.messages == 0 {
            let mut set = WaitSet::new();
            source.readiness(&mut set);
            if let Some(ending) = run.wait(set, source.name())? {
                break ending;
            }
        }
    };
    let total = report.finish(run.measured_until(ending), out)?;
    Ok(Summary { total, ending })
}

/// Measures this machine: a generator sends messages of `size` bytes to a free port of the
/// loopback interface, and they are measured as [`run`] does.
///
/// # Errors
/// Where there is no loopback interface, or the output fails.
pub fn loopback(
    options: &Options,
    size: usize,
    stop: &Stop,
    out: &mut dyn Write,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let failed = |source| Error::Wait { name: "the loopback generator".into(), source };
    let measured = Stop::new().map_err(failed)?;
    let sender = crate::connect(
        "tcp://127.0.0.1:*",
        crate::Options::push().bind().stop(&measured).linger(Duration::ZERO),
    )?;
    observer.listening(sender.endpoint());
    let stream = crate::connect(sender.endpoint(), crate::Options::pull())?;
    let generate = generate::Options { bytes: size, ..generate::Options::default() };
    let (done, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        let stop_sending = measured.clone();
        scope.spawn(move || {
            let linger = Duration::ZERO;
            let sent = generate::run(
                Box::new(sender),
                &generate,
                linger,
                &stop_sending,
                &mut io::sink(),
                &mut Silent,
            );
            let _ = done.send(sent);
        });
        let mut source = Box::<dyn Source>::from(stream);
        let summary = run(source.as_mut(), options, stop, out);
        measured.request();
        // Closing the receiver first would make the generator wait for another.
        if let Ok(Err(error)) = ended.recv() {
            return Err(error);
        }
        summary
    })
}

/// The lines of rates and the summary that m_stats and m_generate share.
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
