//! Measures streams: how much is received, and how fast.
//!
//! Choosing what to measure, reading the clock, and printing are left to the tools.

mod lateness;
mod throughput;

pub use lateness::{LATE, Lateness};
pub use throughput::{Throughput, ThroughputStatistics};
