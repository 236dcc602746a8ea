//! What is wrong with a file: the places that a search of it passed over, and what could not be read.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

/// How many damages are told of; the rest is counted.
const MAX_DAMAGES: usize = 1000;
/// How much of what went wrong is kept to be told.
const MAX_FAULTS: usize = 20;

/// A place of a file that is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// Where it begins, in bytes.
    pub at: u64,
    /// How many bytes were passed over to the next record.
    pub bytes: u64,
    /// What is wrong.
    pub what: String,
}

/// Damaged places in order: the first of them, and how many there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damages {
    pub(crate) first: Vec<Damage>,
    pub(crate) count: u64,
}

impl Damages {
    pub(crate) fn add(&mut self, at: u64, bytes: u64, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < MAX_DAMAGES {
            self.first.push(Damage { at, bytes, what: what.into() });
        }
    }
}

/// Says that something cannot be read.
pub(crate) fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// What was wrong with what was read of a file.
#[derive(Debug)]
pub(crate) struct Faults {
    /// The name of the file.
    name: String,
    /// Messages that could not be read.
    pub(crate) damaged: u64,
    /// Places where something is lost, if only nobody knows how many messages.
    pub(crate) damaged_places: u64,
    /// Where and what, the first of them.
    pub(crate) places: Vec<(u64, Cow<'static, str>)>,
}

impl Faults {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), damaged: 0, damaged_places: 0, places: Vec::new() }
    }

    /// Notes what the file was searched for what is left of.
    pub(crate) fn pass_over(&mut self, damages: Damages) {
        self.damaged_places = self.damaged_places.saturating_add(damages.count);
        let places = damages.first.into_iter().take(MAX_FAULTS);
        self.places.extend(places.map(|damage| (damage.at, damage.what.into())));
    }

    /// Notes and logs what is wrong with a piece that was read.
    pub(crate) fn add(&mut self, at: u64, what: &'static str, messages: u64) {
        tracing::warn!("'{}': at byte {at}: {what}", self.name);
        self.damaged = self.damaged.saturating_add(messages);
        // Nobody knows how many there were.
        self.damaged_places += u64::from(messages == 0);
        if self.places.len() < MAX_FAULTS {
            self.places.push((at, what.into()));
        }
    }
}
