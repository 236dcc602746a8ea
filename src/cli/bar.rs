//! The bar of a run on a terminal: it is drawn by a thread of its own, from the meters.

use std::convert::Infallible;
use std::fmt;
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use rustix::fs::statvfs;

use super::margin::MARGIN;
use crate::counted::Counted;
use crate::measure::{Throughput, ThroughputStatistics};
use crate::tools::replay::{Playing, Rest};
use crate::tools::{Meters, MetersSnapshot};

/// How often the bar is drawn.
pub(super) const REDRAW: Duration = Duration::from_millis(100);
/// Into how many steps a share is divided.
const SHARES: u64 = 1000;
/// The narrowest bar.
const BAR: usize = 10;
/// The width of a terminal that does not report it.
const COLUMNS: u16 = 80;
/// The time over which the rates of the bar are measured.
const SAMPLE: Duration = Duration::from_secs(1);

/// What the bar shows beside the meters; nothing by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    /// How many messages there will be, if the program knows and the meters do not say.
    pub(super) expected: Option<u64>,
    /// The file or folder that is written.
    pub(super) path: Option<PathBuf>,
}

/// A thread that draws a bar.
pub(super) struct Drawing {
    /// Nothing is sent: the thread ends when this is dropped.
    going_on: Sender<Infallible>,
    thread: JoinHandle<Drawn>,
}

impl Drawing {
    /// Starts to draw the bar whenever the meters have changed.
    pub(super) fn start(bar: ProgressBar, meters: Arc<Meters>, beside: Beside) -> Self {
        let (going_on, over) = mpsc::channel();
        let mut drawn = Drawn::new(bar, meters, beside);
        let thread = thread::spawn(move || {
            while over.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                drawn.draw_changes();
            }
            drawn
        });
        Self { going_on, thread }
    }

    /// Ends the thread. Returns the bar, to draw it a last time, unless the thread has panicked.
    pub(super) fn end(self) -> Option<Drawn> {
        drop(self.going_on);
        self.thread.join().ok()
    }
}

/// A bar, and the state of the meters that it shows.
pub(super) struct Drawn {
    bar: ProgressBar,
    meters: Arc<Meters>,
    beside: Beside,
    shown: MetersSnapshot,
    statistics: ThroughputStatistics,
}

impl Drawn {
    fn new(bar: ProgressBar, meters: Arc<Meters>, beside: Beside) -> Self {
        let shown = MetersSnapshot::default();
        let statistics = ThroughputStatistics::new(SAMPLE, 1);
        Self { bar, meters, beside, shown, statistics }
    }

    /// Draws the bar if a message was done since the last time, or the replay rests.
    fn draw_changes(&mut self) {
        let seen = self.meters.snapshot();
        if seen.messages != self.shown.messages {
            self.draw(seen, seen.latest.unwrap_or_else(Instant::now));
        } else if seen.rest != self.shown.rest {
            self.draw(seen, Instant::now());
        }
    }

    /// Draws the last state of the bar. Returns whether there is anything to show.
    pub(super) fn draw_last(&mut self) -> bool {
        let seen = self.meters.snapshot();
        if seen.messages > 0 {
            self.draw(seen, Instant::now());
        }
        seen.messages > 0
    }

    fn draw(&mut self, seen: MetersSnapshot, now: Instant) {
        let share = seen.playing.and_then(|playing| playing.share);
        let (length, position) = match (seen.expected.or(self.beside.expected), share) {
            (Some(total), _) => (Some(total), seen.messages),
            (None, Some(share)) => (Some(SHARES), steps(share)),
            (None, None) => (None, seen.messages),
        };
        if length.is_some() && self.bar.length() != length {
            self.bar.set_length(length.unwrap_or(SHARES));
            self.bar.set_style(style("[{wide_bar}] {percent:>3}%  {msg}"));
        }
        self.bar.set_position(position);
        let is_done = length.is_some_and(|length| position >= length);
        let to_do = length.filter(|_| !is_done && share.is_none()).map(|length| length - position);
        let facts = self.facts(&seen, now, to_do, length.is_some() && !is_done);
        let columns = super::columns(stderr()).unwrap_or(COLUMNS).saturating_sub(MARGIN);
        let beside = if length.is_some() { BAR + "[] 100%  ".len() } else { "* 00:00:00  ".len() };
        self.bar.set_message(fitting(facts, usize::from(columns).saturating_sub(beside)));
        self.shown = seen;
    }

    /// Returns the facts on the bar in their order, each with its priority.
    fn facts(
        &mut self,
        seen: &MetersSnapshot,
        now: Instant,
        to_do: Option<u64>,
        has_rest: bool,
    ) -> Vec<(u8, String)> {
        let rate = self.rate(seen, now);
        let mut facts = Vec::new();
        if let Some(Playing { at: Some(at), span: Some(span), .. }) = seen.playing {
            facts.push((1, format!("{} / {}", Clock(at), Clock(span))));
        }
        facts.push((2, Counted(seen.messages, "message").to_string()));
        facts.push((4, DecimalBytes(seen.bytes).to_string()));
        match seen.rest {
            Some(Rest::Paused) => facts.push((0, "paused".to_owned())),
            Some(Rest::Next(after)) => facts.push((0, format!("next in {}", Clock(after)))),
            None => {
                facts.push((3, format!("{:.0} Hz", rate.message_rate())));
                facts.push((0, format!("{:.1} MB/s", rate.data_rate() / 1e6)));
            }
        }
        if has_rest && seen.rest != Some(Rest::Paused) {
            let left = seen.playing.and_then(|playing| playing.left);
            let left = left.or_else(|| time_for(to_do?, rate.message_rate()));
            // The bar of a loop is at its end with each pass.
            let is_loop = seen.playing.is_some_and(|playing| playing.is_loop);
            let left = left.or_else(|| (!is_loop).then(|| self.bar.eta()));
            facts.extend(left.map(|left| (1, format!("{} left", Clock(left)))));
        }
        if let Some(queued) = seen.queued {
            facts.push((2, format!("{} queued", DecimalBytes(queued))));
            if let Some(room) = self.beside.path.as_deref().and_then(room) {
                facts.push((3, format!("{} free", DecimalBytes(room))));
            }
        }
        facts
    }

    /// Counts what is new, and returns the current rate.
    fn rate(&mut self, seen: &MetersSnapshot, now: Instant) -> Throughput {
        if seen.messages == 0 {
            return Throughput::default();
        }
        let mut counted = (self.shown.messages, self.shown.bytes);
        if let (0, Some(first)) = (counted.0, seen.first) {
            // The first message starts the clock, and arrived before this look.
            counted = (1, seen.bytes / seen.messages);
            self.statistics.record(counted.0, counted.1, first);
        }
        let (messages, bytes) = (seen.messages - counted.0, seen.bytes.saturating_sub(counted.1));
        let current = self.statistics.record(messages, bytes, now);
        let rate = current.or_else(|| self.statistics.samples().last().copied());
        rate.unwrap_or_else(|| self.statistics.aggregate(now))
    }
}

/// Returns how long this many messages take at a rate.
fn time_for(messages: u64, rate: f64) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "it is shown to the second")]
    let seconds = messages as f64 / rate;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Joins the texts that fit into this many characters. Those of the least priority are left out
/// first; at least one stays.
fn fitting(mut facts: Vec<(u8, String)>, columns: usize) -> String {
    loop {
        let texts: Vec<_> = facts.iter().map(|(_, text)| text.as_str()).collect();
        let line = texts.join("  ");
        let least = facts.iter().enumerate().max_by_key(|(_, (dispensable, _))| *dispensable);
        match least {
            Some((index, _)) if facts.len() > 1 && line.chars().count() > columns => {
                facts.remove(index);
            }
            _ => return line,
        }
    }
}

/// Returns how many bytes have room on the disk of a file, which may not exist yet.
fn room(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = statvfs(path).or_else(|_| statvfs(folder.unwrap_or(Path::new(".")))).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A length of time as a player shows it, `1:02:03` or `2:03`.
struct Clock(Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match hours {
            0 => write!(f, "{minutes}:{seconds:02}"),
            _ => write!(f, "{hours}:{minutes:02}:{seconds:02}"),
        }
    }
}

/// Returns a share from 0 to 1 in steps.
fn steps(share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "within the steps"
    )]
    let steps = (share.clamp(0.0, 1.0) * SHARES as f64) as u64;
    steps
}

pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    style.progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_starts_the_clock_even_if_the_bar_is_drawn_late() {
        let started = Instant::now();
        let at = |milliseconds| started + Duration::from_millis(milliseconds);
        let meters = Arc::new(Meters::new(started, None));
        (0..51).for_each(|number| meters.count(1, 1000, at(1000 + 10 * number)));
        let mut drawn = Drawn::new(ProgressBar::hidden(), meters, Beside::default());
        let seen = drawn.meters.snapshot();
        let rate = drawn.rate(&seen, at(1500));
        assert_eq!((rate.message_rate(), rate.data_rate()), (100.0, 100_000.0));
    }

    #[test]
    fn a_bar_shows_what_fits_and_the_most_important_in_any_case() {
        let facts = [(1, "0:01 / 0:03"), (3, "350 messages"), (4, "107.54 MB"), (0, "61.8 MB/s")];
        let facts = facts.map(|(dispensable, text)| (dispensable, text.to_owned())).to_vec();
        for (columns, line) in [
            (80, "0:01 / 0:03  350 messages  107.54 MB  61.8 MB/s"),
            (40, "0:01 / 0:03  350 messages  61.8 MB/s"),
            (30, "0:01 / 0:03  61.8 MB/s"),
            (0, "61.8 MB/s"),
        ] {
            assert_eq!(fitting(facts.clone(), columns), line);
        }
    }
}
