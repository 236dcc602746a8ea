//! Waiting for receivers before a tool sends.

use std::io::{self, PipeReader, Read, Write, pipe};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionbio;

use super::{Command, Controls};
use crate::endpoint::{Stop, WaitSet};
use crate::error::{Result, SystemError};
use crate::stream::{Mode, Monitor, MonitorOptions, Stream};
use crate::tools::Error;

/// How often to check for a terminal.
const LOOK: Duration = Duration::from_secs(1);

/// How long a subscription may take from the handshake to this side; its arrival is not reported.
const SUBSCRIBING: Duration = Duration::from_millis(100);

/// The peers of a stream while they are waited for.
struct Awaited {
    endpoint: String,
    monitor: Monitor,
    changes: PipeReader,
}

impl Awaited {
    fn new(stream: &mut Stream) -> Result<Self> {
        let failed = |source| SystemError::SetUp { what: "a watch over peers", source };
        let (changes, mut signal) = pipe().map_err(failed)?;
        ioctl_fionbio(&changes, true).map_err(|error| failed(error.into()))?;
        let options = MonitorOptions::default().on_event(move |_| {
            // The pipe is read regularly, so it has room; after the wait its end is closed.
            let _ = signal.write_all(&[1]);
        });
        let endpoint = stream.endpoint().to_owned();
        Ok(Self { endpoint, monitor: stream.monitor(options), changes })
    }

    /// Reads the signals of changes, if any.
    fn notice(&mut self) -> io::Result<()> {
        match self.changes.read(&mut [0; 64]) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// Waits until each stream has this many peers; false if a stop is requested or a person quits
/// before. Replaces earlier monitors of the streams.
///
/// Subscribers get a tenth of a second more, for their subscriptions to arrive.
///
/// # Errors
/// [`Error::NoPeers`] if no peer connected for as long as `timeout`.
pub fn wait_for_peers<'s>(
    streams: impl IntoIterator<Item = &'s mut Stream>,
    count: usize,
    timeout: Option<Duration>,
    controls: &mut dyn Controls,
    stop: &Stop,
) -> Result<bool> {
    if count == 0 {
        return Ok(true);
    }
    let mut has_subscribers = false;
    for stream in streams {
        has_subscribers |= stream.mode() == Mode::Pub;
        let mut awaited = Awaited::new(stream)?;
        let name = awaited.endpoint.clone();
        let wait = |source| SystemError::Wait { name: name.clone(), source };
        let mut peers = awaited.monitor.peers();
        let mut since = Instant::now();
        while peers < count {
            let left = timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
            let mut set = WaitSet::new();
            set.readable(awaited.changes.as_fd());
            // There is nothing yet to pause.
            while let Some(command) = controls.next() {
                if command == Command::Quit {
                    return Ok(false);
                }
            }
            controls.readiness(&mut set);
            // A terminal that was taken away meanwhile wakes no wait when it is back.
            set.deadline(Instant::now() + LOOK);
            if !set.wait(stop, left).map_err(wait)? {
                if stop.is_requested() {
                    return Ok(false);
                }
                let endpoint = awaited.endpoint;
                return Err(Error::NoPeers { endpoint, wanted: count, found: peers }.into());
            }
            awaited.notice().map_err(wait)?;
            let now = awaited.monitor.peers();
            if std::mem::replace(&mut peers, now) < now {
                since = Instant::now();
            }
        }
    }
    if has_subscribers {
        let mut set = WaitSet::new();
        set.deadline(Instant::now() + SUBSCRIBING);
        let wait = |source| SystemError::Wait { name: "subscriptions".to_owned(), source }.into();
        return set.wait(stop, None).map_err(wait);
    }
    Ok(true)
}
