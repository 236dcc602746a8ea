//! Measuring streams: how much is received, and how fast.
//!
//! What is measured is left to the tools, and so is printing it.

mod throughput;

pub use throughput::{Throughput, ThroughputStatistics};
