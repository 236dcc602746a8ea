//! How an MCAP file looks: the layout of its records, and what a recording names in them.
//!
//! This module knows records, not files: `read` finds records in a file, and `write` puts them in
//! order.

pub(super) mod metadata;
pub(super) mod parts;
pub(super) mod record;
pub(super) mod start;
pub(super) mod tally;
pub(super) mod topic;
pub(super) mod wire;
