//! `Stream::receive`, which decodes, against m_stats, which only counts; both receive array-1.0
//! messages from the same sender over the loopback interface.
//!
//! `cargo bench --bench receive -- [--quick] [--runs N] [--sizes 1KiB]`

mod harness;

use std::io::{Write, stderr, stdout};
use std::process::Command;

use harness::arguments::Arguments;
use harness::baseline::Role;
use harness::process::free_address;
use harness::rate::measure;
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};

/// What is promised as a ratio to m_stats.
const PROMISED: f64 = 0.6;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let mut table = Table::new(["payload", "receive", "m_stats", "receive / m_stats"]);
    for bytes in arguments.sizes_or(&[1 << 10]) {
        let (mut decoded, mut counted) = (Vec::new(), Vec::new());
        for run in 1..=arguments.runs {
            write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
            let address = free_address()?;
            let sender = || Role::SendArrays.command(&[&address, &bytes.to_string()]);
            let interval = arguments.interval;
            let mut stats = Command::new(env!("CARGO_BIN_EXE_m_stats"));
            stats.args(["-i", &interval.as_secs_f64().to_string(), &address]);
            let receive =
                Role::ReceiveDecoded.command(&[&address, &interval.as_millis().to_string()])?;
            counted.push(measure(sender()?, stats, &arguments)?.messages);
            decoded.push(measure(sender()?, receive, &arguments)?.messages);
        }
        writeln!(stderr())?;
        let median =
            |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, float(bytes as u64));
        table.row([
            size(bytes),
            median(&decoded),
            median(&counted),
            against(Spread::of_ratios(&decoded, &counted), PROMISED),
        ]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}
