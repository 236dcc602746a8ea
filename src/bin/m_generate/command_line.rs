//! The command line of m_generate.

use std::time::Duration;

use clap::Parser;
use mflow::cli::{self, Limiting, MessageRate, Reporting, Sending, Size, Verbosity};
use mflow::tools::generate::{self, queue_size, send_buffer};

/// What depends on the size of the messages here.
const QUEUE_SIZE: &str = "Messages that wait at most for each peer; 0 is no limit [default: 100, \
     or 200 of up to 512 bytes]";

/// Generate messages of zeros, as fast as it goes or at a rate
#[derive(Parser)]
#[command(
    name = "m_generate",
    mut_arg("queue_size", |arg| arg.help(QUEUE_SIZE)),
)]
pub(crate) struct Cli {
    /// Size of the data of a message, such as 64KiB; a bare number is MiB and may be a fraction
    #[arg(short, long, default_value = "1", value_parser = cli::parse_size)]
    pub(crate) size: Size,
    /// Messages per second, such as 100 or 2kHz, or max, as fast as it goes [default: max]
    #[arg(short, long, value_parser = cli::parse_rate)]
    rate: Option<MessageRate>,
    /// Time between rates; 0 prints them for every message
    #[arg(short, long, value_name = "DURATION", default_value = "0.2", value_parser = cli::parse_duration)]
    interval: Duration,
    #[command(flatten)]
    pub(crate) reporting: Reporting,
    #[command(flatten)]
    pub(crate) sending: Sending,
    #[command(flatten)]
    limiting: Limiting,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

impl Cli {
    /// Returns what to generate.
    pub(crate) fn options(&self) -> generate::Options {
        generate::Options {
            bytes: self.size.bytes,
            rate: self.rate.and_then(MessageRate::hertz),
            interval: self.interval,
            limits: self.limiting.limits(),
        }
    }

    /// Returns how to send messages of this size.
    pub(crate) fn sending(&self) -> Sending {
        let bytes = self.size.bytes;
        let buffer = self.sending.address().and_then(|address| send_buffer(address, bytes));
        self.sending.clone().usual_queue_size(queue_size(bytes)).usual_send_buffer(buffer)
    }
}
