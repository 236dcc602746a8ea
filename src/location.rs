//! Sources and destinations of messages, and the table of schemes that opens them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::endpoint::{self, Opener, Opening, Sink, Source};
use crate::error::{Error, Result};
use crate::mem::MemOpener;
use crate::recording::{RecordingOpener, is_mcap};
use crate::stream::{Address, Attach, StreamOpener};

/// The opener of each scheme. A new scheme is a line here, and a room of its own.
const SCHEMES: &[(&str, &dyn Opener)] = &[
    ("tcp", &StreamOpener),
    ("ipc", &StreamOpener),
    ("inproc", &StreamOpener),
    ("mem", &MemOpener),
];
/// The opener of a location without a scheme.
const PATH: &dyn Opener = &RecordingOpener;

/// A source or a destination of messages: a scheme and what follows, such as `tcp://host:9999`, or
/// the path of a recording.
///
/// A path contains a `/`, ends in `.mcap`, or exists. Anything else without a scheme is an error,
/// because it may be an address whose scheme was forgotten.
///
/// ```
/// use mflow::Location;
/// assert_eq!("tcp://host:9999".parse::<Location>()?.scheme(), Some("tcp"));
/// assert_eq!("run.mcap".parse::<Location>()?.scheme(), None);
/// assert!("data/run".parse::<Location>()?.path().is_some());
/// assert!("host:9999".parse::<Location>().is_err());
/// # Ok::<(), mflow::Error>(())
/// ```
#[derive(Clone)]
pub struct Location {
    text: OsString,
    scheme: Option<&'static str>,
    opener: &'static dyn Opener,
}

impl Location {
    /// Returns the location as it was given.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        &self.text
    }

    /// Returns what comes before `://`; none for a path.
    #[must_use]
    pub fn scheme(&self) -> Option<&'static str> {
        self.scheme
    }

    /// Returns the path, if it is that of a recording.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.scheme.is_none().then(|| Path::new(&self.text))
    }

    /// Returns the address, if it is that of a stream.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.text.to_str()?.parse().ok()
    }

    /// Returns whether a text has the form `scheme://…`, so that it is not meant as a path.
    #[must_use]
    pub fn has_scheme(text: &OsStr) -> bool {
        text.to_string_lossy().contains("://")
    }

    /// Opens a source; each kind of location uses its own options, such as
    /// [`Options`](crate::stream::Options) of streams.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open_source(&self, opening: impl Into<Opening>) -> Result<Box<dyn Source>> {
        self.opener.open_source(&self.text, &opening.into())
    }

    /// Opens a sink: a stream, or a new recording. A recording is an MCAP file if its path ends in
    /// `.mcap` or is a pipe, and a folder otherwise.
    ///
    /// # Errors
    /// If it cannot be opened, or there is a recording already.
    pub fn open_sink(&self, opening: impl Into<Opening>) -> Result<Box<dyn Sink>> {
        self.opener.open_sink(&self.text, &opening.into())
    }

    /// Returns how the command lines attach by default; meaningless for a recording.
    #[must_use]
    pub fn usual_attach(&self) -> Attach {
        self.address().map_or(Attach::Connect, |address| address.usual_attach())
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::try_from(OsStr::new(text))
    }
}

/// Reads a text that may be the name of a file and need not be UTF-8.
impl TryFrom<&OsStr> for Location {
    type Error = Error;

    fn try_from(text: &OsStr) -> Result<Self, Error> {
        let (path, shown) = (Path::new(text), text.to_string_lossy());
        let is_path = || is_mcap(path) || shown.contains('/') || path.try_exists().unwrap_or(true);
        let reject = |reason: String| {
            Err(endpoint::Error::Address {
                address: shown.clone().into_owned(),
                reason: reason.into(),
            }
            .into())
        };
        let (scheme, opener) = match shown.split_once("://") {
            Some((scheme, _)) => match SCHEMES.iter().find(|(name, _)| *name == scheme) {
                Some((name, opener)) => (Some(*name), *opener),
                None => return reject(format!("expected one of the schemes {}", names())),
            },
            None if !text.is_empty() && is_path() => (None, PATH),
            None => {
                let reason =
                    "expected tcp://host:port, ipc://path, or a path such as x.mcap or ./folder";
                return reject(reason.into());
            }
        };
        opener.check(text)?;
        Ok(Self { text: text.to_owned(), scheme, opener })
    }
}

/// Returns the names of all schemes, for people.
fn names() -> String {
    let names: Vec<_> = SCHEMES.iter().map(|(name, _)| *name).collect();
    let (last, others) = names.split_last().expect("there are schemes");
    format!("{} and {last}", others.join(", "))
}

impl From<Address> for Location {
    fn from(address: Address) -> Self {
        address.as_str().parse().expect("the address of a stream is a location")
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Location {}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.text).finish()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.to_string_lossy().fmt(f)
    }
}

/// Opens a source: see [`Location`].
///
/// # Errors
/// If the location is not valid, or cannot be opened.
pub fn open_source(location: &str, opening: impl Into<Opening>) -> Result<Box<dyn Source>> {
    location.parse::<Location>()?.open_source(opening)
}

/// Opens a sink: see [`Location`].
///
/// # Errors
/// If the location is not valid, or cannot be opened.
pub fn open_sink(location: &str, opening: impl Into<Opening>) -> Result<Box<dyn Sink>> {
    location.parse::<Location>()?.open_sink(opening)
}
