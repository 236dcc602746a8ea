//! Measures streams: how much is received, and how fast.
//!
//! The tools choose what to measure, read the clock, and print.

mod lateness;
mod throughput;

pub use lateness::{LATE, Lateness};
pub use throughput::{Throughput, ThroughputStatistics};
