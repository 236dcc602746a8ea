//! What a person may ask for while a tool sends.

use crate::endpoint::WaitSet;

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To pause, or to go on.
    Pause,
    /// To send one message, and to pause after it.
    Step,
    /// To end.
    Quit,
}

/// Where a person's commands come from; never waits.
pub trait Controls {
    /// Takes the next command, where there is one.
    fn next(&mut self) -> Option<Command>;

    /// Adds what to wait for when there was none.
    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>);
}

/// Nobody is there to ask for anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unattended;

impl Controls for Unattended {
    fn next(&mut self) -> Option<Command> {
        None
    }

    fn readiness<'a>(&'a self, _: &mut WaitSet<'a>) {}
}
