//! The streams of DECTRIS detectors. The second version, in CBOR, is in [`stream2`]; here is the first version ("legacy" in their manuals): a header when
//! the detector is armed, an image for each frame, and an end.
//!
//! Shapes list the fastest dimension first there, `[width, height]`; in this crate's values they are
//! in C order. Sources: public readers of the stream and frames recorded from detectors.

pub mod encoding;
pub mod free_text;
pub mod header;
pub mod image;
mod part;
pub mod series_end;
pub mod stream2;

pub use encoding::{Encoding, UnknownEncoding};
pub use free_text::FreeText;
pub use header::{DetectorHeader, Table, Tables};
pub use image::{Image, PixelError};
pub use series_end::SeriesEnd;

pub(crate) use part::text_or_bytes;
