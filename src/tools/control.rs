//! The commands of a person while a tool sends.

use crate::endpoint::WaitSet;

/// A command of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Pause, or continue.
    Pause,
    /// Send one message, and pause after it.
    Step,
    /// End.
    Quit,
}

/// The source of a person's commands; never waits.
pub trait Controls {
    /// Takes the next command, if there is one.
    fn next(&mut self) -> Option<Command>;

    /// Adds what to wait for when there was none.
    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>);
}

/// There is no person, and so no command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unattended;

impl Controls for Unattended {
    fn next(&mut self) -> Option<Command> {
        None
    }

    fn readiness<'a>(&'a self, _: &mut WaitSet<'a>) {}
}
