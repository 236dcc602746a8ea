//! What the benches share: processes in pairs, the baselines in the same run, and tables.
//!
//! What is measured, and against what, is left to each bench.

#![allow(dead_code, reason = "no bench needs all of it")]

pub(crate) mod arguments;
pub(crate) mod baseline;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod python;
pub(crate) mod rate;
pub(crate) mod table;

/// Whatever can go wrong here ends the bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Returns a count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
