//! m_split to one, two and four outputs, against `zmq::proxy` to one, over the loopback interface;
//! and its memory over a long run.
//!
//! All read from the same sender and write to the same receivers. An output must cost the kernel's
//! copy into its connection, and nothing per byte in the program: the column `user` stays flat.
//!
//! `cargo bench --bench split -- [--quick] [--runs N] [--sizes 1MiB]`

mod harness;

use std::io::{Write, stderr, stdout};
use std::process::Command;

use harness::arguments::Arguments;
use harness::baseline::Role;
use harness::process::{Running, free_address, resident};
use harness::rate::{Rate, Receiver};
use harness::table::{Spread, Table, rate, size};
use harness::{Result, float};

/// How much goes through m_split while its memory is watched.
const LONG_RUN: f64 = 10e9;

/// Who hands the messages on.
#[derive(Clone, Copy)]
struct Hub {
    name: &'static str,
    outputs: usize,
    ours: bool,
}

const HUBS: [Hub; 4] = [
    Hub { name: "zmq::proxy, 1 output", outputs: 1, ours: false },
    Hub { name: "m_split, 1 output", outputs: 1, ours: true },
    Hub { name: "m_split, 2 outputs", outputs: 2, ours: true },
    Hub { name: "m_split, 4 outputs", outputs: 4, ours: true },
];

/// A sender, a hub and its receivers.
struct Chain {
    _sender: Running,
    hub: Running,
    first: Receiver,
    _others: Vec<Receiver>,
}

impl Chain {
    fn start(hub: Hub, bytes: usize, arguments: &Arguments) -> Result<Self> {
        let source = free_address()?;
        let sender = Role::SendShares.command(&[&source, &bytes.to_string()]);
        let outputs: Vec<_> = (0..hub.outputs).map(|_| free_address()).collect::<Result<_>>()?;
        let mut command = if hub.ours {
            let mut command = Command::new(env!("CARGO_BIN_EXE_m_split"));
            command.args(["--quiet", "--on-full", "block", &source]).args(&outputs);
            command
        } else {
            Role::Proxy.command(&[&source, &outputs[0]])?
        };
        let milliseconds = arguments.interval.as_millis().to_string();
        let receive = |address: &String| {
            Receiver::start(&mut Role::Receive.command(&[address, &milliseconds])?)
        };
        Ok(Self {
            _sender: Running::start(&mut sender?)?,
            hub: Running::start(&mut command)?,
            first: receive(&outputs[0])?,
            _others: outputs[1..].iter().map(receive).collect::<Result<_>>()?,
        })
    }
}

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    for bytes in arguments.sizes_or(&[1 << 20]) {
        let table = compare(bytes, &arguments)?;
        write!(stdout(), "\n{}\n\n{table}\n", size(bytes))?;
    }
    writeln!(stdout(), "{}", watch_memory(&arguments)?)?;
    Ok(())
}

fn compare(bytes: usize, arguments: &Arguments) -> Result<Table> {
    let mut measured: [Vec<Rate>; HUBS.len()] = Default::default();
    for run in 1..=arguments.runs {
        write!(stderr(), "\r{:>8}: run {run} of {}  ", size(bytes), arguments.runs)?;
        for (hub, measured) in HUBS.into_iter().zip(&mut measured) {
            let mut chain = Chain::start(hub, bytes, arguments)?;
            measured.push(chain.first.steady(&[chain.hub.id()], arguments)?);
        }
    }
    writeln!(stderr())?;
    let mut table = Table::new([
        "hub",
        "messages into it",
        "CPU us per message: user",
        "kernel",
        "both / proxy",
    ]);
    let both = |rates: &[Rate]| -> Vec<_> {
        rates.iter().map(|rate| rate.cpu.user + rate.cpu.system).collect()
    };
    for (hub, rates) in HUBS.into_iter().zip(&measured) {
        let median = |of: fn(&Rate) -> f64| Spread::of(rates.iter().map(of)).median;
        table.row([
            hub.name.to_owned(),
            rate(median(|rate| rate.messages), float(bytes as u64)),
            format!("{:.2}", median(|rate| rate.cpu.user)),
            format!("{:.2}", median(|rate| rate.cpu.system)),
            Spread::of_ratios(&both(rates), &both(&measured[0])).to_string(),
        ]);
    }
    Ok(table)
}

/// Looks at the resident memory of m_split, 1 MiB messages to two outputs, after each tenth of a
/// long run.
fn watch_memory(arguments: &Arguments) -> Result<Table> {
    let total = if arguments.quick { LONG_RUN / 10.0 } else { LONG_RUN };
    let bytes = float(1 << 20);
    let mut chain = Chain::start(HUBS[2], 1 << 20, arguments)?;
    let mut table = Table::new(["GB through m_split", "resident MiB"]);
    let mut done = 0.0;
    let mut next = 0.0;
    let mut most = 0;
    while done < total {
        done += chain.first.next_rate()? * arguments.interval.as_secs_f64() * bytes;
        let now = resident(chain.hub.id()).ok_or("the resident memory is not known here")?;
        most = most.max(now);
        if done >= next {
            table.row([format!("{:.1}", done / 1e9), (now >> 20).to_string()]);
            next += total / 10.0;
        }
    }
    table.row(["most at any time".into(), (most >> 20).to_string()]);
    Ok(table)
}
