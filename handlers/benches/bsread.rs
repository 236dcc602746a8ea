//! Messages of bsread a second on one core: 100 channels of single float64, from parts to values and
//! back to nothing. 100 thousand are asked for.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mflow_handlers::bsread::{Bsread, DataHeader, Definition, Kind, Pulse, Timestamp, Value};
use mflow_handlers::{Data, Message, Registry};

const MESSAGES: u32 = 20_000;
const RUNS: usize = 9;

fn main() {
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
    let times = [
        ("the message made of its parts, not decoded", median(|| drop(black_box(shared())))),
        ("decoded", median(|| drop(black_box(registry.decode(shared()))))),
        ("decoded and read", median(|| sum(&registry, shared(), |_| {}))),
        ("decoded and read, and by name", median(|| sum(&registry, shared(), read_by_name))),
        ("the message made of copies, not decoded", median(|| drop(black_box(copied())))),
        ("decoded", median(|| drop(black_box(registry.decode(copied()))))),
        ("decoded and read", median(|| sum(&registry, copied(), |_| {}))),
    ];
    for (what, time) in times {
        let rate = 1.0 / time.as_secs_f64();
        println!("{what}: {time:?} a message, {rate:.0} messages/s");
    }
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

/// Returns the median time of a run, for each message.
fn median(work: impl Fn()) -> Duration {
    let run = || {
        let start = Instant::now();
        (0..MESSAGES).for_each(|_| work());
        start.elapsed() / MESSAGES
    };
    let mut times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    times.sort();
    times[RUNS / 2]
}
