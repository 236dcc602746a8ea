//! How streams are opened by their location.

use std::ffi::OsStr;

use super::{Address, Options, Stream, StreamSource};
use crate::endpoint::{self, Opener, Opening, Sink, Source};
use crate::error::Result;

/// Opens `tcp://`, `ipc://` and `inproc://` locations, with [`Options`].
#[derive(Debug)]
pub(crate) struct StreamOpener;

impl Opener for StreamOpener {
    fn check(&self, location: &OsStr) -> Result<()> {
        address(location).map(drop)
    }

    fn open_source(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Source>> {
        let stream = Stream::open(address(location)?.as_str(), opening.options::<Options>())?;
        Ok(Box::new(StreamSource::new(stream, opening.label().map(str::to_owned))))
    }

    fn open_sink(&self, location: &OsStr, opening: &Opening) -> Result<Box<dyn Sink>> {
        let options = opening.given::<Options>().unwrap_or_else(Options::push);
        Ok(Box::new(Stream::open(address(location)?.as_str(), options)?))
    }
}

impl From<Options> for Opening {
    fn from(options: Options) -> Self {
        Self::new().with(options)
    }
}

fn address(location: &OsStr) -> Result<Address> {
    match location.to_str() {
        Some(text) => text.parse(),
        None => Err(endpoint::Error::Address {
            address: location.to_string_lossy().into_owned(),
            reason: "it is not UTF-8".into(),
        }
        .into()),
    }
}
