//! What it costs to make, share and convert one frame, in nanoseconds.
//!
//! `cargo bench --bench frame -- [--quick] [--runs N] [--sizes 16B,1KiB]`

mod harness;

use std::hint::black_box;
use std::io::{Write, stdout};
use std::time::Instant;

use bytes::Bytes;
use harness::arguments::Arguments;
use harness::table::{Spread, Table, size};
use harness::{Result, float};
use mflow::Frame;

/// How often each is done in a run.
const TIMES: u64 = 1_000_000;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::read()? else { return Ok(()) };
    let times = if arguments.quick { TIMES / 10 } else { TIMES };
    let mut table =
        Table::new(["payload", "copy", "from an owner", "clone", "clone a shared one", "to Bytes"]);
    for bytes in arguments.sizes_or(&[16, 100, 1 << 10, 1 << 14]) {
        let source = Bytes::from(vec![0; bytes]);
        let copied = || Frame::from(source.as_ref());
        let owned = || Frame::from_owner(source.clone());
        let frame = copied();
        let shared = owned();
        let _other = shared.clone();
        let time = |what: &dyn Fn()| {
            let runs = (0..arguments.runs).map(|_| {
                let start = Instant::now();
                (0..times).for_each(|_| what());
                start.elapsed().as_secs_f64() * 1e9 / float(times)
            });
            format!("{:.0}", Spread::of(runs).median)
        };
        table.row([
            size(bytes),
            time(&|| drop(black_box(copied()))),
            time(&|| drop(black_box(owned()))),
            time(&|| drop(black_box(frame.clone()))),
            time(&|| drop(black_box(shared.clone()))),
            time(&|| drop(black_box(Bytes::from(frame.clone())))),
        ]);
    }
    write!(stdout(), "\nns each, with dropping it\n\n{table}")?;
    Ok(())
}
