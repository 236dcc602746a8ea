//! Which messages go where: what m_split does, and filters for the other tools.
//!
//! A [`Config`] says from where to where; a [`Split`] carries it out. Decoding is left out of it:
//! messages travel as frames, shared between the outputs. A [`Filter`] says which messages to take,
//! and [`SeriesWatch`] when a series has come to its end.

mod by_source;
mod clash;
mod config;
mod filter;
mod series;
mod split;
mod tolerant;

pub(crate) use by_source::BySource;
pub use config::{Config, OutputConfig, SourceConfig};
pub use filter::{Content, Filter, FilterOptions, Series};
pub use series::{SeriesWatch, Strays};
pub use split::{Output, Split};
