//! [`Bsread`]: bsr_m-1.0 and bsr_m-1.1 of PSI, the values of many channels at one pulse.
//!
//! ```text
//! part 1   the main header: {"htype": "bsr_m-1.1", "pulse_id": 500, "hash": "<MD5 of part 2>",
//!           "global_timestamp": {"sec": s, "ns": n}, "dh_compression": "none"}
//! part 2   the data header, JSON that names the channels; compressed as dh_compression says
//! part 3   the value of the first channel         } two parts for each channel,
//! part 4   its timestamp                          } in the order of the data header
//! ```
//!
//! In version 1.0 the timestamp has `epoch` in place of `sec`; senders of the transition mix the two,
//! so the keys tell and not the version. Source: the bsread specification of PSI and public senders.
//! This decoder reads the main header and leaves the other parts as they are.

use bytes::Bytes;
use serde_json::Value;

use crate::error::{DecodeError, EncodeError};
use crate::json::Json;
use crate::message::Message;
use crate::parts::Parts;

/// The htype of this format, for errors.
const HTYPE: &str = "bsr_m-1.1";

/// A message bsr_m-1.x: a main header, and the parts of the data header and the channels.
///
/// ```
/// use mflow_handlers::{Bsread, Message, Parts};
///
/// let main_header = r#"{"htype":"bsr_m-1.1","pulse_id":500,"global_timestamp":{"sec":7,"ns":8}}"#;
/// let message = Message::from(vec![main_header.into(), r#"{"htype":"bsr_d-1.1"}"#.into()]);
/// let bsread = Bsread::decode(&mut Parts::new(&message))?;
/// assert_eq!(bsread.pulse_id(), Some(500));
/// assert_eq!(bsread.global_timestamp(), Some((7, 8)));
/// # Ok::<(), mflow_handlers::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bsread {
    /// Part 1: pulse, timestamp, and how part 2 is compressed.
    pub main_header: Json,
    /// Part 2: the channels, as sent.
    pub data_header: Bytes,
    /// The values and timestamps of the channels, as sent.
    pub channels: Vec<Bytes>,
}

impl Bsread {
    /// Returns the number of the pulse.
    pub fn pulse_id(&self) -> Option<i64> {
        self.main_header.get("pulse_id")?.as_i64()
    }

    /// Returns the time of the pulse, in seconds and nanoseconds, as it is told.
    pub fn global_timestamp(&self) -> Option<(i64, i64)> {
        let timestamp = self.main_header.get("global_timestamp")?;
        let seconds = timestamp.get("sec").or_else(|| timestamp.get("epoch"))?;
        Some((seconds.as_i64()?, timestamp.get("ns").and_then(Value::as_i64)?))
    }

    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// If one of the first two parts is missing, or the first is not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            main_header: parts.next_object()?,
            data_header: parts.next_part()?,
            channels: parts.rest().collect(),
        })
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NotAnObject`] if the main header is not an object.
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let main_header = self.main_header.encode(HTYPE, 1)?;
        Ok([main_header, self.data_header.clone()]
            .into_iter()
            .chain(self.channels.iter().cloned())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(parts: &[&'static str]) -> Result<Bsread, String> {
        let message: Message = parts.iter().copied().map(Bytes::from).collect();
        let bsread =
            Bsread::decode(&mut Parts::new(&message)).map_err(|error| error.to_string())?;
        assert_eq!(bsread.encode().unwrap(), message);
        Ok(bsread)
    }

    #[test]
    fn the_keys_tell_the_time_and_not_the_version() {
        let old = decode(&[r#"{"htype":"bsr_m-1.1","global_timestamp":{"epoch":7,"ns":8}}"#, ""])
            .unwrap();
        assert_eq!((old.pulse_id(), old.global_timestamp()), (None, Some((7, 8))));
        let none =
            decode(&[r#"{"htype":"bsr_m-1.0","pulse_id":"x","global_timestamp":7}"#, ""]).unwrap();
        assert_eq!((none.pulse_id(), none.global_timestamp()), (None, None));
    }

    #[test]
    fn parts_of_channels_are_kept_as_they_are() {
        let bsread =
            decode(&[r#"{"htype":"bsr_m-1.1"}"#, "data header", "value", "time", ""]).unwrap();
        assert_eq!(bsread.data_header, "data header");
        assert_eq!(bsread.channels, ["value", "time", ""]);
    }

    #[test]
    fn a_missing_data_header_is_an_error() {
        assert_eq!(
            decode(&[r#"{"htype":"bsr_m-1.1"}"#]).unwrap_err(),
            "part 2 of 'bsr_m-1.1' is missing"
        );
    }
}
