//! What a person sees while a program runs: notices, and a bar on a terminal.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{DecimalBytes, ProgressBar};

use super::Verbosity;
use super::bar::{Beside, Drawing, Drawn, REDRAW, style};
use super::margin;
use super::stderr::{say, say_lines};
use crate::counted::Counted;
use crate::tools::{Meters, Observer};

/// Prints on stderr; draws a bar there if it is a terminal and the program wants one.
pub struct Terminal {
    quiet: bool,
    bar: ProgressBar,
    /// Whether the bar is removed when all messages have left.
    is_passing: bool,
    beside: Beside,
    /// Draws the bar during a run.
    drawing: Option<Drawing>,
    /// What it has drawn, once it has ended.
    drawn: Option<Drawn>,
}

impl Terminal {
    /// Prints notices only.
    #[must_use]
    pub fn new(verbosity: &Verbosity) -> Self {
        Self {
            quiet: verbosity.is_quiet(),
            bar: ProgressBar::hidden(),
            is_passing: false,
            beside: Beside::default(),
            drawing: None,
            drawn: None,
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

    /// Shows on the bar of a recorder how much room the disk has that a path is on.
    pub fn writing_to(&mut self, path: &Path) {
        self.beside.path = Some(path.to_owned());
    }

    /// Shows on the bar how many of these messages are done.
    pub fn expect(&mut self, messages: Option<u64>) {
        self.beside.expected = messages;
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

    /// Ends the drawing; the bar stays as it is.
    fn end_drawing(&mut self) {
        if let Some(drawing) = self.drawing.take() {
            self.drawn = drawing.end();
        }
    }

    /// Keeps the last state of the bar on the terminal, if it shows messages.
    fn finish(&mut self) {
        self.end_drawing();
        if self.bar.is_finished() || self.bar.is_hidden() {
            return;
        }
        if self.drawn.as_mut().is_some_and(Drawn::draw_last) {
            self.bar.abandon();
            margin::end_line();
        } else {
            self.bar.finish_and_clear();
        }
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
            self.end_drawing();
            self.bar.set_message(LEAVING);
        }
    }

    fn left(&mut self) {
        if std::mem::take(&mut self.is_passing) {
            self.bar.finish_and_clear();
            self.bar = ProgressBar::hidden();
        } else {
            self.finish();
        }
    }

    fn listening(&mut self, endpoint: &str) {
        self.print(say, format_args!("listening on {endpoint}"));
    }

    fn started(&mut self, meters: &Arc<Meters>) {
        if self.bar.is_hidden() {
            return;
        }
        self.end_drawing();
        let (bar, meters) = (self.bar.clone(), Arc::clone(meters));
        self.drawing = Some(Drawing::start(bar, meters, self.beside.clone()));
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
