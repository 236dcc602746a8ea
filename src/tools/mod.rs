//! The five tools as functions: options in, a summary with its [`Findings`] out. If a run breaks off,
//! its error, a [`Failure`], has what was done until then.
//!
//! Command lines, signals, progress bars and text are left to the programs. A tool gives its results to
//! a sink, a writer or a [`Reporter`], and its notices to an [`Observer`]. The counts so far are in its
//! [`Meters`].
//!
//! ```
//! use std::time::Duration;
//! use mflow::Stop;
//! use mflow::tools::{Limits, Silent, loopback, stats};
//! let options = stats::Options {
//!     limits: Limits { duration: Some(Duration::from_millis(300)), ..Limits::default() },
//!     ..stats::Options::default()
//! };
//! let stop = Stop::never();
//! let summary = loopback::run(&options, 1 << 16, &stop, &mut Silent, &mut Silent)?;
//! assert!(summary.total.message_rate() > 0.0);
//! # Ok::<(), mflow::Error>(())
//! ```

mod control;
pub mod dump;
mod error;
mod failure;
mod findings;
pub mod generate;
#[cfg(feature = "cli")]
pub mod inspect;
pub mod loopback;
mod meters;
mod peers;
pub mod replay;
pub(crate) mod report;
mod run;
pub mod split;
pub mod stats;

use std::fmt;
use std::sync::Arc;

use crate::counted::Counted;
use crate::endpoint::{Report, Sink, Source};
use crate::stream::{Address, Options};

pub use control::{Command, Controls, Unattended};
pub use error::Error;
pub use failure::Failure;
use failure::sum_up;
pub use findings::{Dropped, Findings, Missed, OutputFindings};
pub use meters::{Meters, MetersSnapshot};
pub use peers::wait_for_peers;
pub use report::{Interval, Reporter, Total};
pub use run::{Ending, Limits};

/// Receives the notices of a tool while it runs. Each may be ignored, as [`Silent`] does.
pub trait Observer {
    /// A socket is bound to this endpoint.
    fn listening(&mut self, endpoint: &str) {
        let _ = endpoint;
    }

    /// A run has started, and these are its live figures.
    fn started(&mut self, meters: &Arc<Meters>) {
        let _ = meters;
    }

    /// All was sent, and the tool waits until it has left.
    fn leaving(&mut self) {}

    /// All has left, or was given up.
    fn left(&mut self) {}

    /// There is something that a person should know.
    fn notice(&mut self, text: fmt::Arguments<'_>) {
        let _ = text;
    }
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
impl Reporter for Silent {}

/// Tells what a person should know of a source before it is used.
pub fn show_notices(source: &dyn Source, observer: &mut dyn Observer) {
    for notice in source.report().notices {
        observer.notice(format_args!("'{}': {notice}", source.name()));
    }
}

/// Reports where peers connect to a source, and what a person should know of it before it is used.
pub fn show_opened(source: &dyn Source, observer: &mut dyn Observer) {
    show_listening(&source.report(), observer);
    show_notices(source, observer);
}

/// Returns a small send buffer for messages of `least` bytes and more to the loopback interface,
/// otherwise the system's choice.
fn local_send_buffer(address: &str, bytes: usize, least: usize) -> Option<usize> {
    let stays = address.parse().is_ok_and(|address: Address| address.is_loopback());
    (stays && bytes >= least).then_some(Options::LOCAL_SEND_BUFFER)
}

/// Returns where the receivers of a sink are.
fn endpoint(sink: &dyn Sink) -> String {
    sink.report().listening.pop().unwrap_or_else(|| sink.name().to_owned())
}

/// Reports the endpoints that peers connect to.
fn show_listening(report: &Report, observer: &mut dyn Observer) {
    report.listening.iter().for_each(|endpoint| observer.listening(endpoint));
}

/// Tells where peers have left before all was sent.
fn show_departures(name: &str, departures: usize, observer: &mut dyn Observer) {
    if departures > 0 {
        observer.notice(format_args!(
            "{} of '{name}' left on the way: what was queued for them is lost",
            Counted(departures as u64, "receiver")
        ));
    }
}
