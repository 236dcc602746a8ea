//! How an MCAP file looks: the layout of its records, and what a recording names in them.
//!
//! Nothing here knows a file. Where records are found in one is left to `read`, in which order they
//! make one to `write`.

pub(super) mod metadata;
pub(super) mod parts;
pub(super) mod record;
pub(super) mod start;
pub(super) mod tally;
pub(super) mod topic;
pub(super) mod wire;
