//! [`Inputs`]: the sources of messages.

use crate::endpoint::{Merge, Opening, Source};
use crate::error::Result;
use crate::location::Location;
use crate::recording::{Recording, open_recordings};
use crate::stream::Options;
use crate::tools::{Observer, show_listening};

/// A source of messages, and its label in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The label, if it has one.
    pub label: Option<String>,
    /// The stream or the recording.
    pub location: Location,
}

/// All sources of messages: streams, which are merged, or recordings, which are read as one.
#[derive(Clone, Debug)]
pub struct Inputs(Vec<Input>);

impl Inputs {
    /// Labels the inputs that have no label, if there are several: `s0` for the first, or the next label
    /// that is free.
    #[must_use]
    pub fn new(mut inputs: Vec<Input>) -> Self {
        let several = if inputs.len() > 1 { inputs.len() } else { 0 };
        for index in 0..several {
            if inputs[index].label.is_none() {
                let is_free =
                    |label: &String| inputs.iter().all(|it| it.label.as_ref() != Some(label));
                inputs[index].label = (index..).map(|number| format!("s{number}")).find(is_free);
            }
        }
        Self(inputs)
    }

    /// Returns them in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Input> + Clone {
        self.0.iter()
    }

    /// Opens them as one if they are recordings. Their checksums are compared, because files made
    /// from them may have none, or new ones.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn open_recorded(&self) -> Result<Option<Box<dyn Recording>>> {
        let paths = self.iter().map(|input| input.location.path().map(ToOwned::to_owned));
        let Some(paths) = paths.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut recording = open_recordings(&paths)?;
        recording.look_at_checksums();
        Ok(Some(recording))
    }

    /// Returns the recording that was opened as a source, or opens the streams, each with the options for
    /// its location, and merges them if there are several.
    ///
    /// # Errors
    /// If one of them cannot be opened.
    pub fn open_source(
        &self,
        recording: Option<Box<dyn Recording>>,
        options: impl Fn(&Location) -> Options,
        observer: &mut dyn Observer,
    ) -> Result<Box<dyn Source>> {
        if let Some(recording) = recording {
            return Ok(recording);
        }
        let mut sources = Vec::new();
        for Input { label, location } in self.iter() {
            let opening = Opening::from(options(location));
            let opening = label.iter().fold(opening, Opening::labelled);
            let source = location.open_source(opening)?;
            show_listening(&source.report(), observer);
            sources.push(source);
        }
        Ok(match sources.len() {
            1 => sources.remove(0),
            _ => Box::new(Merge::new(sources)),
        })
    }

    /// Returns the width of the longest label, if there are several sources; the sources of a
    /// recording have labels of their own.
    #[must_use]
    pub fn label_width(&self, recording: Option<&dyn Recording>) -> Option<usize> {
        let labels: Vec<&str> = match recording {
            Some(recording) => recording.origins().iter().map(|origin| origin.label()).collect(),
            None => self.iter().filter_map(|input| input.label.as_deref()).collect(),
        };
        let widest = labels.iter().map(|label| label.chars().count()).max();
        widest.filter(|_| labels.len() > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_inputs_get_the_labels_that_are_free() {
        let input = |label: Option<&str>| Input {
            label: label.map(str::to_owned),
            location: "tcp://127.0.0.1:9999".parse().unwrap(),
        };
        let labels = |inputs: &[Option<&str>]| -> Vec<Option<String>> {
            let inputs = Inputs::new(inputs.iter().copied().map(input).collect());
            inputs.iter().map(|input| input.label.clone()).collect()
        };
        let some = |labels: &[&str]| -> Vec<_> {
            labels.iter().map(|label| Some((*label).to_owned())).collect()
        };
        assert_eq!(labels(&[None]), [None]);
        assert_eq!(labels(&[None, Some("a"), None]), some(&["s0", "a", "s2"]));
        assert_eq!(labels(&[Some("s1"), None]), some(&["s1", "s2"]));
    }
}
