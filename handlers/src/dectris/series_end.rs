//! [`SeriesEnd`]: dseries_end-1.0, sent when a series is over or aborted.
//!
//! ```text
//! part 1   {"htype": "dseries_end-1.0", "series": 4}
//! ```

use bytes::Bytes;
use serde_json::json;

use super::part::in_order;
use crate::header::Json;
use crate::message::{DecodeError, EncodeError, Message, Parts, Warning, warning};
use crate::walk::{Visitor, extra_parts};

/// The htype of this format, for errors.
const HTYPE: &str = "dseries_end-1.0";

/// A message dseries_end-1.0: the end of a series.
///
/// ```
/// use mflow_handlers::dectris::SeriesEnd;
///
/// assert_eq!(SeriesEnd::new(4).series(), Some(4));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesEnd {
    /// The header.
    pub header: Json,
    /// Parts that the format does not know.
    pub extra: Vec<Bytes>,
}

impl SeriesEnd {
    /// Makes the end of a series.
    pub fn new(series: u64) -> Self {
        Self { header: json!({ "htype": HTYPE, "series": series }).into(), extra: Vec::new() }
    }

    /// Returns the number of the series.
    pub fn series(&self) -> Option<u64> {
        self.header.peek().series
    }

    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// If the header is missing or not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Ok(Self { header: parts.next_object()?, extra: parts.rest().collect() })
    }

    /// Visits the values of the message.
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        visitor.part("header", &self.header);
        extra_parts(&self.extra, visitor);
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NotAnObject`] if the header is not an object.
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let header = self.header.encode(HTYPE, 1)?;
        in_order(HTYPE, std::iter::once(header).chain(self.extra.iter().cloned()).map(Some))
    }

    /// Returns what was tolerated in the message.
    pub fn warnings(&self) -> Vec<Warning> {
        warning::extra_parts(1, self.extra.len()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_the_format_does_not_know_are_kept_and_told() {
        let end = SeriesEnd { extra: vec!["more".into(), Bytes::new()], ..SeriesEnd::new(4) };
        assert_eq!(end.warnings(), [Warning::ExtraParts { expected: 1, found: 3 }]);
        let message = end.encode().unwrap();
        assert_eq!(SeriesEnd::decode(&mut Parts::new(&message)).unwrap(), end);
    }

    #[test]
    fn a_series_that_is_no_number_is_none() {
        let mut end = SeriesEnd::new(4);
        end.header.value_mut()["series"] = json!("4");
        assert_eq!(end.series(), None);
    }
}
