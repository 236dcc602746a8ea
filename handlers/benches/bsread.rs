//! Messages of bsread a second on one core: 100 channels of single float64, from parts to values and
//! back to nothing. 100 thousand are asked for.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

#[path = "../../benches/harness/table.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod table;

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use mflow_handlers::bsread::{Bsread, DataHeader, Definition, Kind, Pulse, Timestamp, Value};
use mflow_handlers::{Data, Message, Registry};
use table::{Spread, Table, against};

const MESSAGES: u32 = 10_000;
const RUNS: usize = 9;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let names: Vec<String> =
        (0..100).map(|index| format!("SECTION-DEVICE{index:03}:VALUE")).collect();
    let header =
        DataHeader::new(names.iter().map(|name| Definition::new(name, Kind::Float64))).unwrap();
    let mut pulse = Pulse::new(&header, 500, Timestamp::new(1_700_000_000, 123_456_789));
    for name in &names {
        pulse.set(name, 1.5).unwrap();
    }
    let message = pulse.finish().encode().unwrap();

    let parts = message.into_parts();
    let registry = Registry::default();
    // Everything counts from the parts on, as a receiver has them, to the last one dropped: they are
    // slices of what was received, or copies each of its own.
    let shared = || parts.iter().cloned().collect::<Message>();
    let copied = || parts.iter().map(|part| Bytes::copy_from_slice(part)).collect::<Message>();
    let read_by_name = |bsread: &Bsread| {
        for name in &names {
            black_box(bsread.channel(name).and_then(|channel| channel.value()));
        }
    };
    let by_name = |message| sum(&registry, message, read_by_name);
    let mut table =
        Table::new(["bsread, 100 channels", "of shared parts", "of copied parts", "shared, k/s"]);
    let mut row = |what: &str, asked: f64, work: &dyn Fn(Message)| {
        let [shared, copied] = [time(|| work(shared())), time(|| work(copied()))];
        let rates = Spread::of(shared.iter().map(|seconds| 1e-3 / seconds));
        let us = |times: &[f64]| {
            let Spread { low, median, high } = Spread::of(times.iter().map(|time| time * 1e6));
            format!("{median:.2} us ({low:.2}-{high:.2})")
        };
        table.row([what.into(), us(&shared), us(&copied), against(rates, asked)]);
    };
    row("made and dropped", 0.0, &|message| drop(black_box(message)));
    row("and decoded", 100.0, &|message| drop(black_box(registry.decode(message))));
    row("and all values read", 100.0, &|message| sum(&registry, message, |_| {}));
    row("and once more by name", 0.0, &by_name);
    println!("\n{table}");
}

/// Decodes a message and adds up its values.
fn sum(registry: &Registry, message: Message, more: impl Fn(&Bsread)) {
    let Data::Bsread(bsread) = registry.decode(message) else { panic!("expected bsread") };
    let mut sum = 0.0;
    for channel in bsread.channels() {
        if let Some(Value::Float64(value)) = channel.value() {
            sum += value;
        }
        black_box(channel.timestamp());
    }
    assert!(sum > 149.0);
    more(&bsread);
}

/// Returns the seconds that a message took, for each run.
fn time(work: impl Fn()) -> Vec<f64> {
    let run = |_| {
        let start = Instant::now();
        (0..MESSAGES).for_each(|_| work());
        start.elapsed().as_secs_f64() / f64::from(MESSAGES)
    };
    (0..RUNS).map(run).collect()
}
