//! Messages of bsread a second on one core: 100 channels of single float64, all values read.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mflow_handlers::bsread::{Bsread, DataHeader, Definition, Kind, Pulse, Timestamp, Value};
use mflow_handlers::{Data, Message, Registry};

const MESSAGES: u32 = 50_000;
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

    // The registry takes the message: what giving it a share costs is measured alone and taken off.
    let clone = median(|| drop(black_box(message.clone())));
    let registry = Registry::default();
    let decode = median(|| drop(black_box(registry.decode(message.clone()))));
    let by_order = median(|| sum(&registry, message.clone(), |_| {}));
    let by_name = median(|| {
        sum(&registry, message.clone(), |bsread| {
            for name in &names {
                black_box(bsread.channel(name).and_then(|channel| channel.value()));
            }
        });
    });
    let times = [
        ("not read", decode),
        ("read in order", by_order),
        ("read in order, and once more by name", by_name),
    ];
    for (what, time) in times {
        let time = time.saturating_sub(clone);
        let rate = 1.0 / time.as_secs_f64();
        println!("100 channels {what}: {time:?} a message, {rate:.0} messages/s");
    }
    println!("(sharing and dropping the parts of a message: {clone:?}, not counted)");
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
