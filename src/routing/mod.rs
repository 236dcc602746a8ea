//! Decides which message is sent to which output: splits for m_split, and filters for the other tools.
//!
//! A [`Config`] names a source and its outputs, and a [`Split`] offers each message to the outputs.
//! They share its frames; nothing is decoded. A [`Filter`] selects messages by their first part,
//! and [`SeriesWatch`] detects the end of a series.

mod by_source;
mod clash;
mod config;
mod error;
mod filter;
mod series;
mod split;
mod tolerant;

pub(crate) use by_source::BySource;
pub use config::{Config, OutputConfig, SourceConfig};
pub use error::Error;
pub use filter::{Content, Filter, FilterOptions, Series};
pub use series::{SeriesWatch, Strays};
pub use split::{Output, Split};
