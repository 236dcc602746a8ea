//! Reading MCAP files, those of others and damaged ones too: finding records, and giving messages in
//! the order of their times.
//!
//! Saving what was found of a damaged file, and checking all of it, is left to `repair`.

pub(super) mod block;
pub(super) mod damage;
pub(super) mod definition;
pub(super) mod index;
pub(super) mod info;
mod open;
mod order;
pub(super) mod piece;
pub(super) mod pipe;
pub(super) mod place;
pub(super) mod reader;
pub(super) mod salvage;
pub(super) mod scan;
pub(super) mod start;
mod unpack;
