//! What the messages of scientific detectors mean.
//!
//! A message has several parts. The first is usually a JSON object, the header, whose `htype` names
//! the format; binary parts follow. This crate makes values of messages and messages of values. It
//! is pure: no sockets, no files, no clock; the crate `mflow` brings the messages.
//!
//! ```
//! use mflow_handlers::{Data, Message, Registry};
//!
//! let message = Message::new([
//!     r#"{"htype":"array-1.0","type":"uint16","shape":[2,3],"frame":7}"#.into(),
//!     vec![1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0].into(),
//! ]);
//! let registry = Registry::default();
//! let data = registry.decode(message.clone());
//! if let Data::Array(array) = &data {
//!     let image = array.data[0].as_ref().unwrap();
//!     assert_eq!(image.shape(), [2, 3]);
//!     assert_eq!(*image.elements::<u16>()?, [1, 2, 3, 4, 5, 6]);
//! }
//! assert_eq!(registry.encode(&data)?, message);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Formats
//!
//! | htype | from | value |
//! | --- | --- | --- |
//! | `raw-1.0`, `pilatus-1.0` | PSI | [`Raw`]: a header and parts that are not interpreted |
//! | `array-1.0`, `chunk-1.0` | PSI | [`ArrayMessage`]: a header and arrays |
//! | `dheader-1.0` | DECTRIS | [`DetectorHeader`](dectris::DetectorHeader): configuration and tables |
//! | `dimage-1.0` | DECTRIS | [`Image`](dectris::Image): an image and its times |
//! | `dseries_end-1.0` | DECTRIS | [`SeriesEnd`](dectris::SeriesEnd): the end of a series |
//! | none, goes by `stream2` | DECTRIS | [`Stream2`](dectris::stream2::Stream2): start, images and end in CBOR |
//! | `bsr_m-1.0`, `bsr_m-1.1` | PSI | [`Bsread`](bsread::Bsread): the channels of a machine at one pulse |
//! | `bsr_stop-1.0` | PSI | [`Stop`](bsread::Stop): a sender of bsread stops |
//! | `bsr_reconnect-1.0` | PSI | [`Reconnect`](bsread::Reconnect): the stream continues at another address |
//!
//! Formats of your own: a closure ([`Registry::register`]) or a type that is a [`Handler`].
//!
//! # What to find where
//!
//! - [`Message`], the parts; [`Peek`], what the first one says, without decoding; [`Parts`], to
//!   read them.
//! - [`Registry`], which decodes and encodes; [`Handler`] and [`Format`], what it does so with.
//! - [`Data`], what decoding gives; [`Json`], a header and its text; [`Array`], a typed array with
//!   [`Dtype`], [`ByteOrder`] and [`Element`].
//! - [`DecodeError`], [`EncodeError`] and [`ArrayError`]; [`Warning`], what was tolerated.
//! - [`canonical()`] and [`Canonical`], a value as JSON for people and for comparison; [`NamedArray`], the arrays of a
//!   message of any format.
//!
//! # Promises
//!
//! - No input makes this crate panic. A message that cannot be decoded is [`Data::Broken`], with its
//!   parts and the error; an unknown one is [`Data::Unknown`]. None is lost.
//! - An unedited value encodes to its original parts, byte for byte. One that was built
//!   or edited encodes so that decoding gives an equal value, or not at all.
//! - Parts are shared, never copied, and memory grows with the size of the message only: lengths are
//!   checked before anything is allocated.

pub mod array;
pub mod bsread;
pub mod canonical;
pub mod cbor;
pub mod compression;
pub mod data;
pub mod dectris;
pub mod format;
pub mod handler;
pub mod header;
pub mod message;
pub mod psi;
pub mod registry;
mod table;
mod walk;

pub use array::{Array, ArrayError, Element, MAX_DIMENSIONS};
pub use array::{ByteOrder, Dtype, UnknownByteOrder, UnknownType};
pub use canonical::{Canonical, NamedArray, canonical};
pub use data::{Broken, Custom, Data};
pub use format::Format;
pub use handler::Handler;
pub use header::{Json, Peek, Stage, without_byte_order_mark};
pub use message::{DecodeError, EncodeError, IntoParts, Message, Parts, Place, Warning};
pub use psi::{ArrayMessage, Raw};
pub use registry::{Registry, decode_with};
pub use walk::ReadError;
