//! How a kind of location is opened: what a room implements for its schemes.

use std::any::Any;
use std::ffi::OsStr;
use std::fmt;

use super::{Sink, Source};
use crate::error::Result;

/// Opens the locations of one kind.
pub trait Opener: fmt::Debug + Sync {
    /// Checks a location, as far as that is possible without opening it.
    ///
    /// # Errors
    /// If it cannot be one of this kind.
    fn check(&self, location: &OsStr) -> Result<()>;

    /// Opens a source.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open_source(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Source>>;

    /// Opens a sink.
    ///
    /// # Errors
    /// If it cannot be opened, or opening would overwrite something.
    fn open_sink(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Sink>>;
}

/// How a location is to be opened: options of several kinds. Each opener uses those of its own
/// kind.
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
    /// Makes an opening with default options.
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

    /// Gives a source a short name, by which a recording distinguishes its messages from others.
    /// Messages that come from a recording keep the names in it.
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
