//! [`Error`]: what no kind of endpoint accepts.

use std::borrow::Cow;

use crate::error::{self, ErrorKind};

/// What no source or sink accepts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that is not valid, or that cannot be opened in this way.
    #[error("'{address}' is not an address: {reason}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// A message without any part: ZeroMQ has none, and recordings keep none.
    #[error("a message for '{address}' has no parts")]
    NoParts {
        /// Its destination: an address or a path.
        address: String,
    },
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let (Error::Address { address, .. } | Error::NoParts { address }) = &error;
        Self::new(ErrorKind::Usage, address.clone(), error)
    }
}
