//! The keys that a replay on a terminal obeys.
//!
//! The terminal hands over each key at once, and shows none, as long as this lives. Signals from
//! the keyboard do not change.

use std::io::{IsTerminal, Stdin, stderr, stdin};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::read;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

use super::Verbosity;
use crate::endpoint::WaitSet;
use crate::tools::{Command, Controls};

/// The mode that the terminal had, as long as it has another one.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// The keyboard of a replay: space pauses, a dot steps, q ends.
///
/// The terminal gets back its mode when this is dropped, and by a second Ctrl-C.
pub struct Keyboard {
    stdin: Stdin,
    is_open: bool,
}

impl Keyboard {
    /// Takes over the keyboard if stdin and stderr are terminals, this program is in their
    /// foreground, and output is wanted; there are no commands otherwise.
    #[must_use]
    pub fn open(verbosity: &Verbosity) -> Self {
        let stdin = stdin();
        let is_wanted = !verbosity.is_quiet() && stdin.is_terminal() && stderr().is_terminal();
        let mut keyboard = Self { stdin, is_open: false };
        if is_wanted && keyboard.is_in_foreground() {
            keyboard.is_open = keyboard.take_over().is_ok();
        }
        keyboard
    }

    /// Returns a text with what keys do, if there may be commands.
    #[must_use]
    pub fn beside(&self, text: &str, keys: &str) -> String {
        if self.is_open { format!("{text} ({keys})") } else { text.to_owned() }
    }

    /// Has the terminal hand over each key. The shell that brings a stopped program back to the
    /// foreground may have set another mode, so this may be called again.
    fn take_over(&self) -> rustix::io::Result<()> {
        let mut mode = tcgetattr(&self.stdin)?;
        let by_line = LocalModes::ICANON | LocalModes::ECHO;
        if !mode.local_modes.intersects(by_line) {
            return Ok(());
        }
        SAVED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| mode.clone());
        mode.local_modes.remove(by_line);
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&self.stdin, OptionalActions::Now, &mode)
    }

    /// Touching the terminal from the background would stop the program.
    fn is_in_foreground(&self) -> bool {
        is_in_foreground(&self.stdin)
    }

    /// Reads a key if there is one.
    fn key(&mut self) -> Option<u8> {
        let mut polled = [PollFd::new(&self.stdin, PollFlags::IN)];
        if !poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
            return None;
        }
        let mut key = [0];
        if read(&self.stdin, &mut key) == Ok(1) {
            return Some(key[0]);
        }
        // The terminal is gone: it would stay readable for ever, so it is no longer waited for.
        self.is_open = false;
        None
    }
}

impl Controls for Keyboard {
    fn next(&mut self) -> Option<Command> {
        if !self.is_open || !self.is_in_foreground() || self.take_over().is_err() {
            return None;
        }
        loop {
            match self.key()? {
                b' ' => return Some(Command::Pause),
                b'.' => return Some(Command::Step),
                b'q' | b'Q' => return Some(Command::Quit),
                _ => {}
            }
        }
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        if self.is_open && self.is_in_foreground() {
            set.readable(self.stdin.as_fd());
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        restore_terminal();
    }
}

fn is_in_foreground(terminal: &Stdin) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// Gives the terminal back the mode that it had, if it has another one by now.
pub(super) fn restore_terminal() {
    give_back(SAVED.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Does the same if nothing may be waited for: in a signal handler.
pub(super) fn restore_terminal_at_once() {
    give_back(SAVED.try_lock().ok().and_then(|mut saved| saved.take()));
}

fn give_back(mode: Option<Termios>) {
    if let Some(mode) = mode
        && is_in_foreground(&stdin())
    {
        // A terminal that is gone has no mode.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &mode);
    }
}
