//! Measures streams: how much is received, and how fast.
//!
//! Choosing what to measure, reading the clock, and printing are left to the tools.

mod throughput;

pub use throughput::{Throughput, ThroughputStatistics};
