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
//! Both parts of a channel are empty if it has no value at a pulse. In version 1.0 the timestamp has
//! `epoch` in place of `sec`, `encoding` may stand beside `channels`, types have other names and texts
//! are padded with zeros; senders of the transition mix the two, so the keys tell and not the
//! version. [`Stop`] and [`Reconnect`] come over the same socket.
//!
//! Source: the bsread specification of PSI, and messages of the public senders, whose conventions
//! differ: see [`Compression`] for lengths, [`Timestamp`] for byte orders.
//!
//! A [`Bsread`] message gives its [`Channel`]s by name or one after the other, each [`Value`] being
//! read when it is asked for. To send, a [`DataHeader`] is made of [`Definition`]s, and with it a
//! [`Pulse`] for each message.

mod cache;
mod channel;
mod codec;
mod command;
mod data_header;
mod definition;
mod kind;
mod layout;
mod message;
mod pulse;
mod timestamp;
mod value;

pub use cache::Decoder;
pub use channel::{Channel, Channels, ValueError};
pub use codec::{Compression, UnknownCompression};
pub use command::{Reconnect, Stop};
pub use data_header::{DataHeader, DataHeaderError};
pub use definition::Definition;
pub use kind::Kind;
pub use message::Bsread;
pub use pulse::{BuildError, Pulse};
pub use timestamp::Timestamp;
pub use value::Value;

/// The htype of this format, for errors.
const HTYPE: &str = "bsr_m-1.1";

/// Tells whether a message of this htype is one of pulses, whatever its version.
pub(crate) fn is_main_header(htype: &str) -> bool {
    htype.rsplit_once('-').is_some_and(|(name, _)| name == "bsr_m")
}
