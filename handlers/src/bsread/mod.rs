//! bsread of PSI: the values of many channels of a machine at one pulse.
//!
//! ```text
//! part 1   the main header: {"htype": "bsr_m-1.1", "pulse_id": 500, "hash": "<MD5 of part 2>",
//!           "global_timestamp": {"sec": s, "ns": n}, "dh_compression": "none"}
//! part 2   the data header, compressed as dh_compression says: {"htype": "bsr_d-1.1", "channels":
//!           [{"name": "X", "type": "float64", "shape": [width, height], "encoding": "little",
//!             "compression": "none", "modulo": 1, "offset": 0}, …]}
//! part 3   the value of the first channel, compressed as it says } two parts for each channel, in
//! part 4   its timestamp: seconds, nanoseconds; 8 bytes each     } the order of the data header
//! ```
//!
//! Both parts of a channel are empty if it has no value at a pulse. In version 1.0 the timestamp
//! has `epoch` in place of `sec`, `encoding` may stand beside `channels`, types have other names
//! and texts are padded with zeros; senders of the transition mix the two, so the keys decide and
//! not the version. [`Stop`] and [`Reconnect`] come over the same socket.
//!
//! Source: the bsread specification of PSI, and messages of the public senders, whose conventions
//! differ: see [`Compression`] for lengths, [`Timestamp`] for byte orders.
//!
//! A [`Bsread`] message gives its [`Channel`]s by name or one after the other, each [`Value`] being
//! read when it is asked for. To send, a [`DataHeader`] is made of [`Definition`]s, and with it a
//! [`Pulse`] for each message.

mod build_error;
pub mod cache;
pub mod channel;
pub mod codec;
pub mod command;
pub mod data_header;
pub mod definition;
pub mod kind;
mod layout;
pub mod message;
pub mod pulse;
mod timestamp;
pub mod value;

pub use build_error::BuildError;
pub use cache::Decoder;
pub use channel::{Channel, Channels, ValueError};
pub use codec::Compression;
pub use command::{Reconnect, Stop};
pub use data_header::{DataHeader, DataHeaderError};
pub use definition::Definition;
pub use kind::Kind;
pub use message::Bsread;
pub use pulse::Pulse;
pub use value::Value;

pub use crate::compression::UnknownCompression;
pub use crate::header::Timestamp;
