//! Opens what an address or a path names: a stream or a recording.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::endpoint::{Sink, Source};
use crate::error::{Error, Result};
use crate::recording::{
    FolderWriter, McapOptions, McapWriter, Recorder, RecorderOptions, is_mcap, is_pipe,
    open_recording,
};
use crate::stream::{Address, Attach, Options, Stream, StreamSource};

/// The address of a stream, or the path of a recording.
///
/// What has a scheme is an address. A path has a `/` in it, ends in `.mcap`, or there is something
/// at it: anything else is an error, as it may be an address whose scheme was forgotten.
///
/// ```
/// use mflow::Location;
/// assert!(matches!("tcp://host:9999".parse()?, Location::Stream(_)));
/// assert!(matches!("run.mcap".parse()?, Location::Recording(_)));
/// assert!(matches!("data/run".parse()?, Location::Recording(_)));
/// assert!("host:9999".parse::<Location>().is_err());
/// # Ok::<(), mflow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A stream.
    Stream(Address),
    /// An MCAP file, or a folder of `.raw` files.
    Recording(PathBuf),
}

impl Location {
    /// Returns the address, where it is that of a stream.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Stream(address) => Some(address),
            Self::Recording(_) => None,
        }
    }

    /// Opens what messages come from; the options are for a stream.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open_source(&self, options: Options) -> Result<Box<dyn Source>> {
        match self {
            Self::Stream(address) => Ok(Stream::open(address.as_str(), options)?.into()),
            Self::Recording(path) => Ok(open_recording(path)?),
        }
    }

    /// Opens what messages come from, under a short name that tells those of a stream from others
    /// in a recording. What a recording holds keeps the names that it has there.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open_labelled_source(&self, label: &str, options: Options) -> Result<Box<dyn Source>> {
        let Self::Stream(address) = self else { return self.open_source(options) };
        let stream = Stream::open(address.as_str(), options)?;
        Ok(Box::new(StreamSource::new(stream, Some(label.to_owned()))))
    }

    /// Opens what messages go to: a stream as the options say, or a new recording, which is an MCAP
    /// file where its path ends in `.mcap` or is that of a pipe, and a folder otherwise.
    ///
    /// # Errors
    /// Where it cannot be opened, or there is a recording already.
    pub fn open_sink(&self, options: Options) -> Result<Box<dyn Sink>> {
        self.open_noting_sink(options, Vec::new())
    }

    /// Opens what messages go to, as [`open_sink`](Self::open_sink) does; an MCAP file notes these
    /// keys and values of how its messages are received.
    ///
    /// # Errors
    /// As [`open_sink`](Self::open_sink).
    pub fn open_noting_sink(
        &self,
        options: Options,
        session: Vec<(String, String)>,
    ) -> Result<Box<dyn Sink>> {
        Ok(match self {
            Self::Stream(address) => Box::new(Stream::open(address.as_str(), options)?),
            Self::Recording(path) if is_mcap(path) || is_pipe(path) => {
                let options = McapOptions { session, ..McapOptions::default() };
                let writer = McapWriter::create(path, options)?;
                Box::new(Recorder::start(writer, RecorderOptions::default())?)
            }
            Self::Recording(path) => {
                let max_memory = FolderWriter::MAX_MEMORY;
                let options = RecorderOptions { max_memory, ..RecorderOptions::default() };
                Box::new(Recorder::start(FolderWriter::create(path)?, options)?)
            }
        })
    }

    /// Returns how the command lines attach where nobody says; it means nothing for a recording.
    #[must_use]
    pub fn usual_attach(&self) -> Attach {
        self.address().map_or(Attach::Connect, Address::usual_attach)
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::try_from(OsStr::new(text))
    }
}

/// Reads what may be the name of a file, which need not be UTF-8.
impl TryFrom<&OsStr> for Location {
    type Error = Error;

    fn try_from(text: &OsStr) -> Result<Self, Error> {
        let (path, shown) = (Path::new(text), text.to_string_lossy());
        let is_path = || is_mcap(path) || shown.contains('/') || path.try_exists().unwrap_or(true);
        let reject = |reason| Err(Error::Address { address: shown.clone().into_owned(), reason });
        if Address::is_meant_by(&shown) {
            match text.to_str() {
                Some(address) => Ok(Self::Stream(address.parse()?)),
                None => reject("it is not UTF-8"),
            }
        } else if !text.is_empty() && is_path() {
            Ok(Self::Recording(path.to_owned()))
        } else {
            reject("expected tcp://host:port, ipc://path, or a path such as x.mcap or ./folder")
        }
    }
}

impl From<Address> for Location {
    fn from(address: Address) -> Self {
        Self::Stream(address)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(address) => address.fmt(f),
            Self::Recording(path) => path.display().fmt(f),
        }
    }
}

/// Opens what messages come from: a stream, or a recording, for which the options mean nothing; see
/// [`Location`].
///
/// # Errors
/// Where the address is none, or what it names cannot be opened.
pub fn open_source(address: &str, options: Options) -> Result<Box<dyn Source>> {
    address.parse::<Location>()?.open_source(options)
}

/// Opens what messages go to: a stream, or a new recording, for which the options mean nothing; see
/// [`Location`].
///
/// # Errors
/// Where the address is none, or what it names cannot be opened.
pub fn open_sink(address: &str, options: Options) -> Result<Box<dyn Sink>> {
    address.parse::<Location>()?.open_sink(options)
}
