//! [`Json`] as a part of a message: errors and warnings about it name the part.

use bytes::Bytes;

use super::error::{EncodeError, Place};
use super::warning::Warning;
use crate::header::{Json, Valid};

impl Json {
    /// Returns what was tolerated in the part, which should be an object.
    pub(crate) fn warning(&self, part: usize) -> Option<Warning> {
        if !self.is_object() {
            Some(Warning::NotJson { part })
        } else {
            self.has_non_numbers().then_some(Warning::NonNumbers { part })
        }
    }

    /// Returns the part. It must be an object, as every header is, and must read back.
    pub(crate) fn encode(&self, htype: &str, part: usize) -> Result<Bytes, EncodeError> {
        let place = || Place::new(Some(htype), part);
        if !self.is_object() {
            return Err(EncodeError::NotAnObject { place: place() });
        }
        let text = self.to_bytes();
        if self.is_edited() {
            serde_json::from_slice::<Valid>(&text)
                .map_err(|source| EncodeError::NotJson { place: place(), source })?;
        }
        Ok(text)
    }

    /// Returns the part as [`encode`](Self::encode) does; an unedited part may be anything.
    pub(crate) fn encode_or_keep(&self, htype: &str, part: usize) -> Result<Bytes, EncodeError> {
        if self.is_edited() { self.encode(htype, part) } else { Ok(self.to_bytes()) }
    }
}
