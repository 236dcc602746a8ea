//! [`Losses`]: which messages a queue has dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use mflow_handlers::Peek;

use crate::endpoint::{Origin, Received};

/// How many kinds of dropped messages are counted separately; all others count as one kind.
pub(super) const MOST_KINDS: usize = 256;

/// How many messages of one source and htype were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The source; the first one of many, once there are too many kinds.
    pub origin: Arc<Origin>,
    /// The htype, if the messages have one.
    pub htype: Option<String>,
    /// Messages that were dropped as they arrived.
    pub newest: u64,
    /// Messages that had been queued and made room for newer ones.
    pub oldest: u64,
}

impl Dropped {
    /// Returns the total.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.newest + self.oldest
    }
}

/// Which message of a queue was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Newest,
    Oldest,
}

/// Dropped messages by source and htype, of at most [`MOST_KINDS`] kinds and one for the rest.
#[derive(Debug, Default)]
pub(super) struct Losses(BTreeMap<(String, String), Dropped>);

impl Losses {
    pub(super) fn count(&mut self, origin: &Arc<Origin>, htype: Option<&str>, which: Which) {
        let mut kind = (origin.name.clone(), htype.unwrap_or_default().to_owned());
        if self.0.len() >= MOST_KINDS && !self.0.contains_key(&kind) {
            kind = (String::new(), String::new());
        }
        let htype = (!kind.1.is_empty()).then(|| kind.1.clone());
        let first = || Dropped { origin: Arc::clone(origin), htype, newest: 0, oldest: 0 };
        let dropped = self.0.entry(kind).or_insert_with(first);
        match which {
            Which::Newest => dropped.newest += 1,
            Which::Oldest => dropped.oldest += 1,
        }
    }

    pub(super) fn to_vec(&self) -> Vec<Dropped> {
        self.0.values().cloned().collect()
    }

    /// Returns all counts, and starts again from zero.
    pub(super) fn take(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

/// Returns the htype of a message, if it has one.
pub(crate) fn htype(message: &Received) -> Option<String> {
    let part = message.frames.first()?;
    Peek::of(part.as_ref()).htype.map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_counted_by_kind_and_kinds_are_bounded() {
        let origin = Origin::new("x");
        let mut losses = Losses::default();
        for number in 0..600 {
            losses.count(&origin, Some(&format!("h{}", number % 300)), Which::Newest);
        }
        let dropped = losses.to_vec();
        assert_eq!(dropped.len(), MOST_KINDS + 1);
        assert_eq!(dropped.iter().map(Dropped::messages).sum::<u64>(), 600);
        let of = |htype: &str| dropped.iter().find(|kind| kind.htype.as_deref() == Some(htype));
        let expected = Dropped { origin, htype: Some("h7".into()), newest: 2, oldest: 0 };
        assert_eq!(of("h7"), Some(&expected));
    }
}
