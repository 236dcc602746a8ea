//! The stream of DECTRIS detectors in its second version: messages in CBOR (RFC 8949), one part each.
//!
//! ```text
//! 55799 ({                                       tag of three bytes, d9 d9 f7: this is CBOR
//!   "type": "start",                             when the detector is armed
//!   "series_id": 4, "series_unique_id": "01H…",  in every message
//!   "arm_date": 0 ("2023-10-03T17:47:49+02:00"), …the fields of [`Start`]
//! })
//! 55799 ({
//!   "type": "image",                             for each image
//!   "series_id": 4, "series_unique_id": "01H…", "image_id": 0,
//!   "real_time": [500000, 50000000],             seconds, as a fraction
//!   "series_date": 0 ("2023-…"), "start_time": [0, 50000000], "stop_time": [500000, 50000000],
//!   "user_data": null,                           anything
//!   "data": {"threshold_1": 40 ([[height, width], 69 (56500 (["bslz4", 2, bytes]))])}
//! })
//! 55799 ({"type": "end", "series_id": 4, "series_unique_id": "01H…"})
//! ```
//!
//! In practice every field may be missing, and the tag too. A message has no htype. It is
//! recognised by the tag, or by `type` as the first key, and is called `stream2` here.
//! [`TypedArray`] describes the arrays. Jungfraujoch of PSI sends the same with more fields and
//! types: they are kept.
//!
//! Sources: DECTRIS's documentation of stream V2, and recorded messages.

mod any;
mod blob;
mod column_major;
mod error;
mod field;
mod fields;
pub mod message;
pub mod typed_array;
mod walk;

pub use crate::cbor::{Cbor, CborError, MAX_DEPTH, Value};
pub use crate::header::stream2::HTYPE;
pub use crate::header::{DateTime, Rational};
pub use any::Stream2;
pub use error::TypedArrayError;
pub use field::ByName;
pub use fields::{Entries, Received};
pub use message::{Axis, End, Image, Other, Start};
pub use typed_array::TypedArray;

#[cfg(test)]
mod tests;
