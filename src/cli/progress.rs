//! What a person sees while a program runs: notices, and a bar on a terminal.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verbosity;
use super::stderr::say;
use crate::ThroughputStatistics;
use crate::tools::{Observer, Progress};

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);
/// Over how long the rates of the bar are taken.
const SAMPLE: Duration = Duration::from_secs(1);

/// Tells on stderr; draws a bar there where it is a terminal and the program wants one.
pub struct Terminal {
    quiet: bool,
    bar: ProgressBar,
    drawn: Option<Instant>,
    /// What the program said last, and what of it was drawn.
    latest: Progress,
    told: Progress,
    statistics: ThroughputStatistics,
}

impl Terminal {
    /// Tells notices only.
    #[must_use]
    pub fn new(verbosity: &Verbosity) -> Self {
        Self {
            quiet: verbosity.is_quiet(),
            bar: ProgressBar::hidden(),
            drawn: None,
            latest: Progress::default(),
            told: Progress::default(),
            statistics: ThroughputStatistics::new(SAMPLE, 1),
        }
    }

    /// Draws a bar too, where stderr is a terminal.
    #[must_use]
    pub fn with_bar(mut self) -> Self {
        if !self.quiet && stderr().is_terminal() {
            self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            self.bar.set_style(style("{spinner} {elapsed_precise}  {msg}"));
            self.bar.set_message("waiting for messages");
            self.bar.enable_steady_tick(REDRAW);
        }
        self
    }

    /// Tells what was done, after the run.
    pub fn summary(&mut self, text: impl fmt::Display) {
        self.finish();
        self.tell(format_args!("{text}"));
    }

    /// Tells how much was done and in which time, after the run.
    pub fn total(&mut self, messages: u64, bytes: u64, elapsed: Duration) {
        let (messages, bytes) = (HumanCount(messages), DecimalBytes(bytes));
        let seconds = elapsed.as_secs_f64();
        self.summary(format_args!("{messages} messages, {bytes} in {seconds:.1} s"));
    }

    /// Leaves the bar as it is at last.
    fn finish(&mut self) {
        if !self.bar.is_finished() && !self.bar.is_hidden() {
            if self.latest.messages > 0 {
                self.draw(Instant::now());
            }
            self.bar.abandon();
        }
    }

    fn draw(&mut self, now: Instant) {
        let progress = self.latest;
        if let Some(total) = progress.total
            && self.bar.length() != Some(total)
        {
            self.bar.set_length(total);
            self.bar
                .set_style(style("{elapsed_precise} [{bar:30}] {percent:>3}%  {msg}  ETA {eta}"));
        }
        let messages = progress.messages - self.told.messages;
        let bytes = progress.bytes - self.told.bytes;
        self.told = progress;
        let under_way = self.statistics.record(messages, bytes, now);
        let rate = under_way.or_else(|| self.statistics.samples().last().copied());
        let rate = rate.unwrap_or_else(|| self.statistics.aggregate(now));
        self.bar.set_position(progress.messages);
        self.bar.set_message(format!(
            "{} messages  {}  {:.0} Hz  {:.1} MB/s",
            HumanCount(progress.messages),
            DecimalBytes(progress.bytes),
            rate.message_rate(),
            rate.data_rate() / 1e6,
        ));
        self.drawn = Some(now);
    }

    fn tell(&self, text: fmt::Arguments<'_>) {
        if !self.quiet {
            self.bar.suspend(|| say(text));
        }
    }
}

impl Observer for Terminal {
    fn listening(&mut self, endpoint: &str) {
        self.tell(format_args!("listening on {endpoint}"));
    }

    fn progress(&mut self, progress: Progress) {
        if self.bar.is_hidden() {
            return;
        }
        self.latest = progress;
        let now = Instant::now();
        if self.drawn.is_none_or(|drawn| now - drawn >= REDRAW) {
            self.draw(now);
        }
    }

    fn notice(&mut self, text: fmt::Arguments<'_>) {
        self.tell(format_args!("warning: {text}"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    style.progress_chars("=> ")
}
