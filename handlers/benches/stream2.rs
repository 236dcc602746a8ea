//! Time to read an image of the stream V2 of DECTRIS without decompressing it: under 2 us is asked.

#[path = "../../benches/harness/table.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod table;

use std::hint::black_box;
use std::io::{Write, stdout};
use std::time::Instant;

use bytes::Bytes;
use mflow_handlers::{Data, Message, Registry};
use table::{Spread, Table};

const MESSAGES: u32 = 100_000;
const RUNS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let registry = Registry::default();
    let mut table = Table::new(["stream2 image", "bytes", "ns each (quartiles)"]);
    for case in ["stream2_image_bslz4", "stream2_image_514x1030"] {
        let path = format!("{}/tests/vectors/{case}/000000_000.raw", env!("CARGO_MANIFEST_DIR"));
        let message = Message::new([Bytes::from(std::fs::read(path)?)]);
        assert!(matches!(registry.decode(message.clone()), Data::Stream2(_)), "{case}");
        let time = |_| {
            let start = Instant::now();
            (0..MESSAGES).for_each(|_| drop(black_box(registry.decode(message.clone()))));
            start.elapsed().as_secs_f64() * 1e9 / f64::from(MESSAGES)
        };
        let Spread { low, median, high } = Spread::of((0..RUNS).map(time));
        let times = format!("{median:.0} ({low:.0}-{high:.0})");
        table.row([case.into(), message.bytes().to_string(), times]);
    }
    write!(stdout(), "\n{table}")?;
    Ok(())
}
