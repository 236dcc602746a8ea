//! What a person sees while a program runs: notices, and a bar on a terminal.

use std::fmt;
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use rustix::fs::statvfs;

use super::Verbosity;
use super::margin::{self, MARGIN};
use super::stderr::{say, say_lines};
use crate::counted::Counted;
use crate::measure::ThroughputStatistics;
use crate::recording::Gauge;
use crate::tools::replay::{Playing, Rest};
use crate::tools::{Observer, Progress};

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);
/// Into how many steps a share is divided.
const SHARES: u64 = 1000;
/// The narrowest bar.
const BAR: usize = 10;
/// The width of a terminal that does not report it.
const COLUMNS: u16 = 80;
/// The time over which the rates of the bar are measured.
const SAMPLE: Duration = Duration::from_secs(1);

/// Prints on stderr; draws a bar there if it is a terminal and the program wants one.
pub struct Terminal {
    quiet: bool,
    bar: ProgressBar,
    /// Whether the bar is removed when all messages have left.
    is_passing: bool,
    drawn: Option<Instant>,
    /// The last progress that the program reported, and the last one that is in the rates.
    latest: Progress,
    shown: Progress,
    playing: Option<Playing>,
    rest: Option<Rest>,
    recording: Option<(Gauge, PathBuf)>,
    /// How many messages there will be, if the program knows and its limits do not say.
    expected: Option<u64>,
    statistics: ThroughputStatistics,
}

impl Terminal {
    /// Prints notices only.
    #[must_use]
    pub fn new(verbosity: &Verbosity) -> Self {
        Self {
            quiet: verbosity.is_quiet(),
            bar: ProgressBar::hidden(),
            is_passing: false,
            drawn: None,
            latest: Progress::default(),
            shown: Progress::default(),
            playing: None,
            rest: None,
            recording: None,
            expected: None,
            statistics: ThroughputStatistics::new(SAMPLE, 1),
        }
    }

    /// Draws a bar too, if stderr is a terminal.
    #[must_use]
    pub fn with_bar(mut self) -> Self {
        self.draw_bar("waiting for messages");
        self
    }

    fn draw_bar(&mut self, message: &'static str) {
        if !self.quiet {
            self.bar = ProgressBar::with_draw_target(None, margin::target());
            self.bar.set_style(style("{spinner} {elapsed_precise}  {wide_msg}"));
            self.bar.set_message(message);
            self.bar.enable_steady_tick(REDRAW);
        }
    }

    /// Shows on the bar how much waits to be written, and how much room the disk has.
    pub fn recording(&mut self, gauge: Gauge, path: &Path) {
        self.recording = Some((gauge, path.to_owned()));
    }

    /// Shows on the bar how many of these messages are done.
    pub fn expect(&mut self, messages: Option<u64>) {
        self.expected = messages;
    }

    /// Shows on the bar what the program waits for.
    pub fn waiting(&self, what: impl fmt::Display) {
        self.bar.set_message(what.to_string());
    }

    /// Prints what was done, after the run.
    pub fn summary(&mut self, text: impl fmt::Display) {
        self.finish();
        self.print(say_lines, format_args!("{text}"));
    }

    /// Prints how much was done and in which time, after the run.
    pub fn total(&mut self, messages: u64, bytes: u64, elapsed: Duration) {
        let (messages, bytes) = (Counted(messages, "message"), DecimalBytes(bytes));
        let seconds = elapsed.as_secs_f64();
        self.summary(format_args!("{messages}, {bytes} in {seconds:.1} s"));
    }

    /// Keeps the last state of the bar on the terminal, if it shows messages.
    fn finish(&mut self) {
        if self.bar.is_finished() || self.bar.is_hidden() {
            return;
        }
        if self.latest.messages > 0 {
            self.draw(Instant::now());
            self.bar.abandon();
            margin::end_line();
        } else {
            self.bar.finish_and_clear();
        }
    }

    fn draw(&mut self, now: Instant) {
        let progress = self.latest;
        let share = self.playing.and_then(|playing| playing.share);
        let (length, position) = match (progress.total.or(self.expected), share) {
            (Some(total), _) => (Some(total), progress.messages),
            (None, Some(share)) => (Some(SHARES), steps(share)),
            (None, None) => (None, progress.messages),
        };
        if length.is_some() && self.bar.length() != length {
            self.bar.set_length(length.unwrap_or(SHARES));
            self.bar.set_style(style("[{wide_bar}] {percent:>3}%  {msg}"));
        }
        self.bar.set_position(position);
        let is_done = length.is_some_and(|length| position >= length);
        let to_do = length.filter(|_| !is_done && share.is_none()).map(|length| length - position);
        let facts = self.facts(now, to_do, length.is_some() && !is_done);
        let columns = super::columns(stderr()).unwrap_or(COLUMNS).saturating_sub(MARGIN);
        let beside = if length.is_some() { BAR + "[] 100%  ".len() } else { "* 00:00:00  ".len() };
        self.bar.set_message(fitting(facts, usize::from(columns).saturating_sub(beside)));
        self.drawn = Some(now);
    }

    /// Returns the facts on the bar in their order, each with its priority.
    fn facts(&mut self, now: Instant, to_do: Option<u64>, has_rest: bool) -> Vec<(u8, String)> {
        let progress = self.latest;
        let messages = progress.messages - self.shown.messages;
        let bytes = progress.bytes - self.shown.bytes;
        self.shown = progress;
        let under_way = self.statistics.record(messages, bytes, now);
        let rate = under_way.or_else(|| self.statistics.samples().last().copied());
        let rate = rate.unwrap_or_else(|| self.statistics.aggregate(now));
        let mut facts = Vec::new();
        if let Some(Playing { at: Some(at), span: Some(span), .. }) = self.playing {
            facts.push((1, format!("{} / {}", Clock(at), Clock(span))));
        }
        facts.push((2, Counted(progress.messages, "message").to_string()));
        facts.push((4, DecimalBytes(progress.bytes).to_string()));
        match self.rest {
            Some(Rest::Paused) => facts.push((0, "paused".to_owned())),
            Some(Rest::Next(after)) => facts.push((0, format!("next in {}", Clock(after)))),
            None => {
                facts.push((3, format!("{:.0} Hz", rate.message_rate())));
                facts.push((0, format!("{:.1} MB/s", rate.data_rate() / 1e6)));
            }
        }
        if has_rest && self.rest != Some(Rest::Paused) {
            let left = self.playing.and_then(|playing| playing.left);
            let left = left.or_else(|| time_for(to_do?, rate.message_rate()));
            // The bar of a loop is at its end with each pass.
            let is_loop = self.playing.is_some_and(|playing| playing.is_loop);
            let left = left.or_else(|| (!is_loop).then(|| self.bar.eta()));
            facts.extend(left.map(|left| (1, format!("{} left", Clock(left)))));
        }
        if let Some((gauge, path)) = &self.recording {
            facts.push((2, format!("{} queued", DecimalBytes(gauge.bytes() as u64))));
            if let Some(room) = room(path) {
                facts.push((3, format!("{} free", DecimalBytes(room))));
            }
        }
        facts
    }

    fn print(&self, say: impl Fn(fmt::Arguments<'_>), text: fmt::Arguments<'_>) {
        if self.quiet {
            return;
        }
        // A bar that is at its end stays, and later text is printed below.
        if self.bar.is_finished() { say(text) } else { self.bar.suspend(|| say(text)) }
    }
}

impl Observer for Terminal {
    fn leaving(&mut self) {
        const LEAVING: &str = "waiting for messages to leave (Ctrl-C gives up)";
        if self.bar.is_hidden() {
            self.draw_bar(LEAVING);
            self.is_passing = true;
        } else {
            self.bar.set_message(LEAVING);
        }
    }

    fn left(&mut self) {
        if std::mem::take(&mut self.is_passing) {
            self.bar.finish_and_clear();
            self.bar = ProgressBar::hidden();
        }
    }

    fn listening(&mut self, endpoint: &str) {
        self.print(say, format_args!("listening on {endpoint}"));
    }

    fn progress(&mut self, progress: Progress) {
        if self.bar.is_hidden() {
            return;
        }
        self.latest = progress;
        self.rest = None;
        let now = Instant::now();
        if self.drawn.is_none_or(|drawn| now - drawn >= REDRAW) {
            self.draw(now);
        }
    }

    fn playing(&mut self, playing: Playing) {
        self.playing = Some(playing);
    }

    fn resting(&mut self, rest: Rest) {
        if !self.bar.is_hidden() {
            self.rest = Some(rest);
            self.draw(Instant::now());
        }
    }

    fn notice(&mut self, text: fmt::Arguments<'_>) {
        self.print(say, format_args!("warning: {text}"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.finish();
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

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    style.progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_what_fits_and_the_most_important_in_any_case() {
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
