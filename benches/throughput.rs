//! m_generate to m_stats over the loopback interface, against baselines in the same run.
//!
//! * A: the zmq crate, both parts copied when they are sent;
//! * B: the same with the payload handed over by reference;
//! * P: m_generate and m_stats of psi-mflow 1.0.0, if Python has it (see `MFLOW_PEERS` in
//!   `harness/python.rs`).
//!
//! `cargo bench --bench throughput -- [--quick] [--runs N] [--sizes 16B,1KiB]`

mod harness;

use std::io::{Write, stderr, stdout};
use std::process::Command;

use harness::arguments::Arguments;
use harness::baseline::Role;
use harness::process::{free_address, generate};
use harness::python::Python;
use harness::rate::{Rate, measure};
use harness::table::{Spread, Table, against, rate, size};
use harness::{Result, float};

/// What is promised for a size, as ratios to the baselines; baselines without one do not run.
struct Promise {
    bytes: usize,
    copying: Option<f64>,
    sharing: Option<f64>,
    python: Option<f64>,
}

const PROMISES: [Promise; 7] = [
    Promise { bytes: 16, copying: Some(0.9), sharing: Some(0.95), python: None },
    Promise { bytes: 100, copying: None, sharing: None, python: Some(15.0) },
    Promise { bytes: 1000, copying: None, sharing: None, python: Some(5.0) },
    Promise { bytes: 1 << 10, copying: Some(0.9), sharing: Some(0.95), python: None },
    Promise { bytes: 1 << 16, copying: Some(2.0), sharing: Some(0.95), python: Some(2.5) },
    Promise { bytes: 1 << 20, copying: Some(1.7), sharing: Some(0.95), python: Some(2.5) },
    Promise { bytes: 8 << 20, copying: Some(1.25), sharing: Some(0.95), python: None },
];

/// Who sends and receives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Copying,
    Sharing,
    Python,
}

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let python = Python::find();
    if python.is_none() {
        writeln!(stderr(), "skipped: P, no psi-mflow found (see MFLOW_PEERS)")?;
    }
    let mut rates =
        Table::new(["payload", "ours", "A", "B", "P", "ours / A", "ours / B", "ours / P"]);
    let mut costs = Table::new(["CPU us per message", "ours", "A", "B", "P"]);
    let sizes = arguments.sizes_or(&PROMISES.map(|promise| promise.bytes));
    for bytes in sizes {
        let promise = PROMISES.into_iter().find(|promise| promise.bytes == bytes);
        let promise = promise.unwrap_or(Promise {
            bytes,
            copying: Some(0.0),
            sharing: Some(0.0),
            python: Some(0.0),
        });
        let rows = run(&promise, python.as_ref(), &arguments)?;
        rates.row(rows.0);
        costs.row(rows.1);
    }
    write!(stdout(), "\n{rates}\n{costs}")?;
    Ok(())
}

/// Runs all sides in turns, and returns the rows of both tables.
fn run(
    promise: &Promise,
    python: Option<&Python>,
    arguments: &Arguments,
) -> Result<([String; 8], [String; 5])> {
    let sides = [
        (Side::Copying, promise.copying),
        (Side::Sharing, promise.sharing),
        (Side::Ours, Some(1.0)),
        (Side::Python, promise.python.filter(|_| python.is_some())),
    ];
    let mut measured: [Vec<Rate>; 4] = Default::default();
    for run in 1..=arguments.runs {
        write!(stderr(), "\r{:>8}: run {run} of {}  ", size(promise.bytes), arguments.runs)?;
        for ((side, promised), measured) in sides.iter().zip(&mut measured) {
            if promised.is_some() {
                let (sender, receiver) = commands(*side, promise.bytes, python, arguments)?;
                measured.push(measure(sender, receiver, arguments)?);
            }
        }
    }
    writeln!(stderr())?;
    let [copying, sharing, ours, original] =
        measured.each_ref().map(|rates| rates.iter().map(|rate| rate.messages).collect::<Vec<_>>());
    let bytes = float(promise.bytes as u64);
    let median = |rates: &[f64]| rate(Spread::of(rates.iter().copied()).median, bytes);
    let ratio = |others: &[f64], promised: Option<f64>| {
        against(Spread::of_ratios(&ours, others), promised.unwrap_or_default())
    };
    let cpu = measured.each_ref().map(|rates| {
        let cpu = Spread::of(rates.iter().map(|rate| rate.cpu.user + rate.cpu.system)).median;
        if cpu.is_nan() { "-".into() } else { format!("{cpu:.3}") }
    });
    let [copying_cpu, sharing_cpu, ours_cpu, original_cpu] = cpu;
    Ok((
        [
            size(promise.bytes),
            median(&ours),
            median(&copying),
            median(&sharing),
            median(&original),
            ratio(&copying, promise.copying),
            ratio(&sharing, promise.sharing),
            ratio(&original, promise.python),
        ],
        [size(promise.bytes), ours_cpu, copying_cpu, sharing_cpu, original_cpu],
    ))
}

/// Returns the sender and the receiver of a side.
fn commands(
    side: Side,
    bytes: usize,
    python: Option<&Python>,
    arguments: &Arguments,
) -> Result<(Command, Command)> {
    let address = free_address()?;
    let milliseconds = arguments.interval.as_millis().to_string();
    let seconds = arguments.interval.as_secs_f64().to_string();
    let count = bytes.to_string();
    Ok(match (side, python) {
        (Side::Copying | Side::Sharing, _) => {
            let role = if side == Side::Copying { Role::SendCopies } else { Role::SendShares };
            (role.command(&[&address, &count])?, Role::Receive.command(&[&address, &milliseconds])?)
        }
        (Side::Python, Some(python)) => {
            let mut receiver = python.tool("stats");
            receiver.args(["-i", &seconds, &address]);
            (python.generate(&address, bytes), receiver)
        }
        _ => {
            let mut receiver = Command::new(env!("CARGO_BIN_EXE_m_stats"));
            receiver.args(["-i", &seconds, &address]);
            (generate(&address, bytes), receiver)
        }
    })
}
