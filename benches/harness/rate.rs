//! How a rate is measured, the same way for every receiver.
//!
//! A receiver prints the rate of messages at an interval, from its first message on. The first few
//! rates do not count; the mean of those after them does.

use std::io::{BufReader, Lines};
use std::process::{ChildStdout, Command};

use super::arguments::Arguments;
use super::process::{Cpu, Running};
use super::{Result, float};

/// What some programs reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Messages per second.
    pub(crate) messages: f64,
    /// Microseconds on a processor per message.
    pub(crate) cpu: Cpu,
}

/// Measures the rate from a sender to a receiver, and what both cost.
pub(crate) fn measure(
    mut sender: Command,
    mut receiver: Command,
    arguments: &Arguments,
) -> Result<Rate> {
    let mut sender = Running::start(&mut sender)?;
    let mut receiver = Receiver::start(&mut receiver)?;
    let processes = [sender.id(), receiver.running.id()];
    let rate = receiver.steady(&processes, arguments)?;
    sender.check()?;
    Ok(rate)
}

/// A program that prints the rates at which it receives.
pub(crate) struct Receiver {
    running: Running,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Receiver {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let (running, lines) = Running::start_reading(command)?;
        Ok(Self { running, lines })
    }

    /// Measures the rate once it is steady, and what some processes spend meanwhile.
    pub(crate) fn steady(&mut self, processes: &[u32], arguments: &Arguments) -> Result<Rate> {
        for _ in 0..arguments.warm_up {
            self.next_rate()?;
        }
        let before = Cpu::spent_by(processes);
        let mut sum = 0.0;
        for _ in 0..arguments.counted {
            sum += self.next_rate()?;
        }
        let received = sum * arguments.interval.as_secs_f64();
        Ok(Rate {
            messages: sum / float(arguments.counted as u64),
            cpu: Cpu::spent_by(processes).per_message(before, received),
        })
    }

    /// Waits for the next line of rates, as m_stats and the original print them, and returns its
    /// messages per second.
    pub(crate) fn next_rate(&mut self) -> Result<f64> {
        for line in &mut self.lines {
            if let Some((_, rate)) = line?.split_once("Message rate:") {
                return Ok(rate.trim().trim_end_matches(" Hz").parse()?);
            }
        }
        Err("the receiver has ended".into())
    }
}
