//! The terminal that a bar is drawn on, but for its last columns.
//!
//! A bar fills its line. If a person presses Ctrl-C, the terminal writes `^C` behind the bar. That
//! would move to the next line, and the old bar would stay above.

use std::io;

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// How many columns a bar leaves free: those of `^C`, and the one that the cursor is in after it.
pub(super) const MARGIN: u16 = 3;

/// The most drawings of a bar in a second.
const DRAWINGS: u8 = 20;

/// Returns what a bar on stderr is drawn on, if it is a terminal that can move its cursor. It does not end its line: see [`end_line`].
pub(super) fn target() -> ProgressDrawTarget {
    let terminal = Term::buffered_stderr();
    if terminal.features().is_attended() && std::env::var_os("TERM").is_none_or(|it| it != "dumb") {
        return ProgressDrawTarget::term_like_with_hz(Box::new(Narrow(terminal)), DRAWINGS);
    }
    ProgressDrawTarget::hidden()
}

/// Ends the line of a bar that stays.
pub(super) fn end_line() {
    super::stderr::say(format_args!(""));
}

#[derive(Debug)]
struct Narrow(Term);

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(MARGIN).max(1)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
