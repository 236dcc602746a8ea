//! How a kind of location is opened: what a room implements for its schemes.

use std::any::Any;
use std::ffi::OsStr;
use std::fmt;

use super::{Sink, Source};
use crate::error::Result;

/// What opens the locations of one kind.
pub trait Opener: fmt::Debug + Sync {
    /// Checks a location, as far as that is possible without opening it.
    ///
    /// # Errors
    /// If it cannot be one of this kind.
    fn check(&self, location: &OsStr) -> Result<()>;

    /// Opens what messages come from.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open_source(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Source>>;

    /// Opens what messages go to.
    ///
    /// # Errors
    /// If it cannot be opened, or holds something that would be overwritten.
    fn open_sink(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Sink>>;
}

/// How a location is to be opened: the options of any number of kinds, of which each opener takes
/// its own.
///
/// ```
/// use mflow::endpoint::Opening;
/// use mflow::recording::RecorderOptions;
/// use mflow::{Location, Options};
/// let opening = Opening::from(Options::pull().bind())        // if it is a stream
///     .with(RecorderOptions::default())                      // if it is a recording
///     .labelled("a");
/// let source = "tcp://127.0.0.1:*".parse::<Location>()?.open_source(opening)?;
/// assert!(source.report().listening[0].starts_with("tcp://127.0.0.1:"));
/// # Ok::<(), mflow::Error>(())
/// ```
#[derive(Default)]
pub struct Opening {
    label: Option<String>,
    options: Vec<Box<dyn Any>>,
}

impl Opening {
    /// Makes one of default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the options of one kind, in place of any before.
    #[must_use]
    pub fn with<T: 'static>(mut self, options: T) -> Self {
        self.options.retain(|other| !other.is::<T>());
        self.options.push(Box::new(options));
        self
    }

    /// Gives a source a short name that tells its messages from those of others in a recording. What
    /// a recording holds keeps the names that it has there.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Returns the options of one kind, or its defaults.
    #[must_use]
    pub fn options<T: Clone + Default + 'static>(&self) -> T {
        self.options
            .iter()
            .find_map(|options| options.downcast_ref::<T>())
            .cloned()
            .unwrap_or_default()
    }

    /// Returns the options of one kind, if there are any.
    #[must_use]
    pub fn given<T: Clone + 'static>(&self) -> Option<T> {
        self.options.iter().find_map(|options| options.downcast_ref::<T>()).cloned()
    }

    /// Returns the short name.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("label", &self.label).finish_non_exhaustive()
    }
}
