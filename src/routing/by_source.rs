//! A value for each source: code that follows one stream of messages must not see another.

use std::sync::Arc;

use crate::endpoint::Origin;

/// One `T` for each source of messages, made at its first message.
#[derive(Clone, Debug)]
pub(crate) struct BySource<T> {
    made_of: T,
    each: Vec<(Arc<Origin>, T)>,
    /// The index of the last one: messages of one source often follow each other.
    latest: usize,
}

impl<T: Clone> BySource<T> {
    /// Makes a map that gives each source a clone of this value.
    pub(crate) fn new(made_of: T) -> Self {
        Self { made_of, each: Vec::new(), latest: 0 }
    }

    /// Returns the value of a source.
    pub(crate) fn of(&mut self, origin: &Arc<Origin>) -> &mut T {
        let is_of = |(of, _): &(Arc<Origin>, T)| Arc::ptr_eq(of, origin) || of == origin;
        if !self.each.get(self.latest).is_some_and(is_of) {
            self.latest = self.each.iter().position(is_of).unwrap_or_else(|| {
                self.each.push((Arc::clone(origin), self.made_of.clone()));
                self.each.len() - 1
            });
        }
        &mut self.each[self.latest].1
    }

    /// Returns the number of sources so far.
    pub(crate) fn len(&self) -> usize {
        self.each.len()
    }

    /// Returns the value of each source so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.each.iter().map(|(_, each)| each)
    }

    /// Starts again for each source.
    pub(crate) fn clear(&mut self) {
        self.each.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_own() {
        let [one, other] = ["one", "other"].map(Origin::new);
        let mut numbers = BySource::new(0);
        for origin in [&one, &other, &one, &one] {
            *numbers.of(origin) += 1;
        }
        assert_eq!(numbers.iter().copied().collect::<Vec<_>>(), [3, 1]);
        // A source is identified by its name.
        assert_eq!(*numbers.of(&Origin::new("other")), 1);
        numbers.clear();
        assert_eq!(*numbers.of(&one), 0);
    }
}
