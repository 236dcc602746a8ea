//! The damage of a file: places that a search skipped, and bytes that could not be read.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

/// How many damages are listed; the rest is only counted.
const MAX_DAMAGES: usize = 1000;
/// How many descriptions of damage are kept.
const MAX_FAULTS: usize = 20;

/// A place of a file that is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// Where it begins, in bytes.
    pub at: u64,
    /// How many bytes were skipped to the next record.
    pub bytes: u64,
    /// What is wrong.
    pub what: String,
}

/// Damaged places in order: the first ones, and how many there are.
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

/// Makes the text for an error of reading.
pub(crate) fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// The damage found while reading a file.
#[derive(Debug)]
pub(crate) struct Faults {
    /// The name of the file.
    name: String,
    /// Messages that could not be read.
    pub(crate) damaged: u64,
    /// Places where an unknown number of messages is lost.
    pub(crate) damaged_places: u64,
    /// The first damages: their places, and what is wrong.
    pub(crate) places: Vec<(u64, Cow<'static, str>)>,
}

impl Faults {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), damaged: 0, damaged_places: 0, places: Vec::new() }
    }

    /// Adds the damage that a search of the file has found.
    pub(crate) fn pass_over(&mut self, damages: Damages) {
        self.damaged_places = self.damaged_places.saturating_add(damages.count);
        let places = damages.first.into_iter().take(MAX_FAULTS);
        self.places.extend(places.map(|damage| (damage.at, damage.what.into())));
    }

    /// Records and logs what is wrong with a piece that was read.
    pub(crate) fn add(&mut self, at: u64, what: &'static str, messages: u64) {
        tracing::warn!("'{}': at byte {at}: {what}", self.name);
        self.damaged = self.damaged.saturating_add(messages);
        // The number of messages is unknown.
        self.damaged_places += u64::from(messages == 0);
        if self.places.len() < MAX_FAULTS {
            self.places.push((at, what.into()));
        }
    }
}
