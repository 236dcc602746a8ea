//! Splitting one source to many outputs: what m_split does.
//!
//! A [`Config`] says from where to where; a [`Split`] carries it out. Decoding is left out of it:
//! messages travel as frames, shared between the outputs.

mod config;
mod split;

pub use config::{Config, OnFull, OutputConfig, SourceConfig};
pub use split::{Output, Split};
