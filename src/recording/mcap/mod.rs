//! Recordings as MCAP files, which open in `mcap`, Foxglove, Python, C++ and Go without any code
//! of ours.
//!
//! ```text
//! magic, header (library "mflow/x.y.z"), metadata "mflow.session" and "mflow.user"
//! data      schema                            mflow.Message, ahead of all else
//!           channel, …                        /<source>/<htype>, ahead of its first chunk
//!           chunk [message, …], message index, …    in the order messages came
//!           attachment "series-<id>-header"   the start message of a series, again
//!           metadata "mflow.summary", data end      where the writer came to its end
//! summary   schema, channels, statistics, chunk indexes, attachment indexes, metadata indexes
//!           summary offsets, footer, magic
//! ```
//!
//! Chunks are not compressed. A message of [`OWN_CHUNK`] bytes has one of its own, smaller ones are
//! batched to [`BATCH_BYTES`] or [`BATCH_TIME`]: what a killed writer loses at most. The data of a
//! message are its parts, drawn in `parts`; `log_time` is when it was received, and rises strictly,
//! so that the order of times is the order of recording; `publish_time` is the sender's own time,
//! where its format tells one in Unix time, else the same. `sequence` counts received messages.

use std::time::Duration;

mod block;
mod channel;
mod chunk;
mod definition;
mod gather;
mod index;
mod info;
mod open;
mod order;
mod parts;
mod piece;
mod pipe;
mod place;
mod reader;
mod record;
mod recover;
mod salvage;
mod scan;
mod session;
mod starts;
mod topic;
mod unpack;
mod verify;
mod wire;
mod writer;

pub use info::{AttachmentInfo, ChannelInfo, Detail, Info, MetadataInfo, info};
pub use pipe::McapPipe;
pub use reader::McapReader;
pub use recover::{Recovery, recover};
pub use salvage::Damage;
pub use starts::SeriesStart;
pub use verify::{Verification, verify};
pub use writer::{McapOptions, McapWriter, Written};

/// From this many bytes on a message has a chunk of its own.
pub const OWN_CHUNK: usize = 256 << 10;
/// Smaller messages are batched to this many bytes at most.
pub const BATCH_BYTES: usize = 1 << 20;
/// Smaller messages wait this long for others at most.
pub const BATCH_TIME: Duration = Duration::from_millis(100);

/// Metadata of the writer: addresses, modes, host, versions, clock.
pub const SESSION: &str = "mflow.session";
/// Metadata that the user gave.
pub const USER: &str = "mflow.user";
/// Metadata written when a recording is closed; there is none where its writer died.
pub const SUMMARY: &str = "mflow.summary";

/// Metadata that point to the start message of a series, which is a message of the file and too
/// large to be an attachment as well: its `series` and its `time`.
pub const START: &str = "mflow.start";
/// The start message of a series that is a message of the file is an attachment too up to this many
/// bytes.
pub const SMALL_START: usize = 1 << 20;

/// The channel that messages go to once there are [`MAX_HTYPES`] others.
pub const OTHER: &str = "other";
/// The htype of a channel whose messages have none.
pub const RAW: &str = "raw";
/// How many channels there are at most for htypes by name.
pub const MAX_HTYPES: usize = 256;
