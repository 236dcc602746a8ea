//! The command line of m_stats.

use std::ffi::OsString;
use std::time::Duration;

use clap::Parser;
use mflow::cli::{self, Limiting, Receiving, Reporting, Size, Verbosity};
use mflow::tools::stats;

/// The help of `--queue-size`, with the default for counting.
const QUEUE_SIZE: &str = "Messages that wait at most for each peer; 0 is no limit [default: 200]";

/// How long `--loopback` measures.
const LOOPBACK: Duration = Duration::from_secs(5);

/// Measure a message stream: rates while it runs, a summary at the end
///
/// A PULL takes its share of the messages away from the other receivers of a PUSH.
#[derive(Parser)]
#[command(name = "m_stats", mut_arg("queue_size", |arg| arg.help(QUEUE_SIZE)))]
pub(crate) struct Cli {
    /// Address of the source, tcp://host:port, or the path of a recording
    #[arg(required_unless_present = "loopback")]
    pub(crate) source: Option<OsString>,
    /// Measure this machine: generate messages and receive them over its loopback interface
    #[arg(long, conflicts_with_all = [
        "source", "mode", "subscribe", "bind", "connect", "queue_size", "io_threads",
    ])]
    loopback: bool,
    /// Size of the messages of --loopback, such as 64KiB; a bare number is MiB [default: 1]
    #[arg(short, long, value_parser = cli::parse_size, conflicts_with = "source")]
    size: Option<Size>,
    /// Time between rates; 0 prints them for every message
    #[arg(short = 'i', long = "interval", visible_aliases = ["sampling-interval", "sampling_interval"],
          value_name = "DURATION", default_value = "0.5", value_parser = cli::parse_duration)]
    interval: Duration,
    #[command(flatten)]
    pub(crate) reporting: Reporting,
    #[command(flatten)]
    pub(crate) receiving: Receiving,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

impl Cli {
    /// Returns how to measure.
    pub(crate) fn options(&self) -> stats::Options {
        let mut limits = self.limiting.limits();
        if self.loopback && limits.count.is_none() {
            limits.duration.get_or_insert(LOOPBACK);
        }
        stats::Options { interval: self.interval, limits }
    }

    /// Returns how many bytes each message of --loopback has.
    pub(crate) fn bytes(&self) -> usize {
        self.size.map_or(1 << 20, |size| size.bytes)
    }
}
