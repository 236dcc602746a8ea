//! Options that select messages.

use std::num::NonZeroU64;

use clap::Args;

use super::parse_count;
use crate::routing::{Content, FilterOptions, Series};

/// Which messages a program accepts.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Filters")]
pub struct Filtering {
    /// Accept only messages of this htype, with or without its version (may be repeated)
    #[arg(long, value_name = "HTYPE")]
    htype: Vec<String>,
    /// Accept only messages of one series, or of those whose start was seen
    #[arg(long, value_name = "new|any|NUMBER", default_value = "any", value_parser = parse_series)]
    series: Series,
    /// Accept only one of this many messages, the first, and all starts and ends of series
    #[arg(long, value_name = "MESSAGES", value_parser = parse_count::<NonZeroU64>)]
    every: Option<NonZeroU64>,
}

impl Filtering {
    /// Returns the filter.
    #[must_use]
    pub fn options(&self) -> FilterOptions {
        let (htypes, series, every) = (self.htype.clone(), self.series, self.every);
        FilterOptions { htypes, series, every, content: Content::Whole }
    }
}

/// Reads `new`, `any`, or the number of a series.
fn parse_series(text: &str) -> Result<Series, String> {
    match text {
        "any" => Ok(Series::Any),
        "new" => Ok(Series::New),
        _ => text
            .parse()
            .map(Series::Number)
            .map_err(|_| format!("expected new, any or the number of a series, found '{text}'")),
    }
}
