//! [`Received`]: a message with its time and origin.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::frame::Frames;

/// A time in nanoseconds since the Unix epoch (UTC) that never goes backwards in one process: the
/// system's clock read once, and the monotonic time since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Reads the clock.
    #[must_use]
    pub fn now() -> Self {
        static ANCHOR: OnceLock<(u64, Instant)> = OnceLock::new();
        let (start, monotonic) = ANCHOR.get_or_init(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            (nanoseconds(now), Instant::now())
        });
        Self(start.saturating_add(nanoseconds(monotonic.elapsed())))
    }

    /// Makes a time of nanoseconds since the Unix epoch, such as that of a recording.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Returns the nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

/// 2^64 ns last until the year 2554.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The source of a message, shared between all messages of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name of the source: its address or path.
    pub name: String,
    /// The short name that distinguishes it from others in a recording, such as `a` of `a=tcp://…`.
    pub label: Option<String>,
    /// How its messages are received if it is a stream, as in recordings: `PULL` or `SUB`.
    pub mode: Option<String>,
}

impl Origin {
    /// Returns the name that identifies the source: its label, or its name if it has none.
    #[must_use]
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }

    /// Makes an origin for all messages of a source, without label and mode.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), ..Self::default() })
    }
}

/// A message with its time of reception and its source.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message.
    pub frames: Frames,
    /// When it was received.
    pub time: Timestamp,
    /// Its source.
    pub origin: Arc<Origin>,
}
