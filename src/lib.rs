//! Message streams of scientific detectors: receive, send, record, replay, split and measure them.
//!
//! Detectors of DECTRIS and facilities like PSI send their data as multipart messages over ZeroMQ:
//! a JSON header that names the format, and binary parts. This crate carries such messages, whole
//! and uncopied, and decodes them on request. The programs m_stats, m_generate, m_dump, m_replay
//! and m_split are thin wrappers of its [`tools`].
//!
//! ```no_run
//! use std::time::Duration;
//! use mflow::{Options, connect, handlers::Data};
//!
//! # struct MyMessage { header: mflow::handlers::Json, data: Vec<bytes::Bytes> }
//! let options = Options::pull().queue_size(100).timeout(Duration::from_secs(5));
//! let mut stream = connect("tcp://sf-lc:9999", options)?;
//! stream.handlers_mut().register("my_htype-1.0", |parts| {
//!     let header = parts.next_json()?;
//!     Ok(Data::custom(MyMessage { header, data: parts.rest().collect() }))
//! });
//! for message in stream.messages() {                  // ends at the timeout
//!     let message = message?;                         // the transport's error
//!     println!("{} so far", message.statistics.messages_received);
//!     if let Data::Image(image) = &message.data {     // a bad message is `Data::Broken`
//!         println!("{:?}", image.pixels()?.shape());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to find where
//!
//! - [`connect`] opens a [`Stream`] as its [`Options`] say; [`handlers`] decode and encode.
//! - [`Frame`] and [`Frames`] are messages as they travel, shared and not copied.
//! - [`Source`] and [`Sink`] are streams and recordings by address; [`Merge`] makes one source of
//!   many; [`WaitSet`] waits for all of them, and [`Stop`] ends every wait.
//! - [`Monitor`] reports who is connected, [`ThroughputStatistics`] the rates.
//! - [`recording`] reads and writes MCAP files and folders: [`recording::open_recording`],
//!   [`recording::Recorder`], [`recording::mcap`].
//! - [`routing`] filters and splits; [`tools`] are the five programs as functions.
//!
//! # Features
//!
//! `cli`, on by default, builds the programs and the crates that only they need. For the library
//! alone, depend on it with `default-features = false`.
//!
//! Runs on Linux. Nothing is printed: events are reported through
//! [`tracing`](https://docs.rs/tracing).

#[cfg(feature = "cli")]
pub mod cli;
mod counted;
pub mod endpoint;
pub mod error;
pub mod frame;
pub mod location;
pub mod measure;
mod mem;
mod os;
mod printable;
pub mod recording;
pub mod routing;
pub mod stream;
pub mod tools;

pub use endpoint::{
    Event, Merge, Offer, Origin, Received, Sink, Source, Stop, Tally, Timestamp, Unconfirmed,
    WaitSet,
};
pub use error::{Error, ErrorKind, Result, SystemError};
pub use frame::{Frame, Frames};
pub use location::{Location, open_sink, open_source};
pub use measure::{Throughput, ThroughputStatistics};
pub use mflow_handlers as handlers;
pub use stream::{
    Address, Attach, Decoded, Libzmq, Messages, Mode, Monitor, MonitorOptions, More, OldPeers,
    Options, PeerEvent, PeerEventKind, Statistics, Stream, UnknownMode, libzmq,
};

// Their types in the signatures of this crate.
#[doc(no_inline)]
pub use {bytes, zmq};

/// Opens a stream: connects to an address or binds it, as the options say.
///
/// A stream that connects does not need its peer to be there yet, and reconnects when the peer
/// disconnects. A stream that binds accepts any number of peers; `tcp://127.0.0.1:*` binds a free
/// port, which [`Stream::endpoint`] returns.
///
/// ```
/// use mflow::{Options, connect};
/// let publisher = connect("tcp://127.0.0.1:*", Options::publish().bind())?;
/// let subscriber = connect(publisher.endpoint(), Options::sub().subscribe("{\"htype\":\"d"))?;
/// # Ok::<(), mflow::Error>(())
/// ```
///
/// # Errors
/// If the address is not valid or is in use, its host is unknown, or it is to be bound and does not
/// belong to this machine.
pub fn connect(address: &str, options: Options) -> Result<Stream> {
    Stream::open(address, options)
}

/// The examples of the README and of the pages in `docs/` are tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/ARCHITECTURE.md")]
    struct Architecture;
    #[doc = include_str!("../docs/connections.md")]
    struct Connections;
    #[doc = include_str!("../docs/decoding.md")]
    struct Decoding;
    #[doc = include_str!("../docs/ends-and-exit-codes.md")]
    struct Ends;
    #[doc = include_str!("../docs/library.md")]
    struct Library;
    #[doc = include_str!("../docs/measuring.md")]
    struct Measuring;
    #[doc = include_str!("../docs/performance.md")]
    struct Performance;
    #[doc = include_str!("../docs/psi-mflow.md")]
    struct PsiMflow;
    #[doc = include_str!("../docs/recordings.md")]
    struct Recordings;
    #[doc = include_str!("../docs/routing.md")]
    struct Routing;
}
