//! Reads MCAP files, also those of other writers and damaged ones: finds records, and returns
//! messages in the order of their times.
//!
//! `repair` saves what is found of a damaged file, and checks whole files.

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
