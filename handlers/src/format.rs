//! [`Format`]: the formats of this crate, as handlers.

use crate::array_message::ArrayMessage;
use crate::bsread::{Bsread, Reconnect, Stop};
use crate::data::Data;
use crate::dectris::stream2::{self, Stream2};
use crate::dectris::{DetectorHeader, Image, SeriesEnd};
use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::parts::Parts;
use crate::raw::Raw;
use crate::registry::Handler;

/// The formats of this crate. Each is a [`Handler`], which can be registered under any htype.
///
/// ```
/// use mflow_handlers::{Data, Format, Message, Registry};
///
/// let mut registry = Registry::empty();
/// registry.insert("our_raw-2.0", Format::Raw);
/// let data = registry.decode(Message::new([r#"{"htype":"our_raw-2.0"}"#.into()]));
/// assert!(matches!(data, Data::Raw(_)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// raw-1.0, and pilatus-1.0 with its image as a file of CBF, read to [`Data::Raw`].
    Raw,
    /// array-1.0, and its predecessor chunk-1.0, read to [`Data::Array`].
    Array,
    /// dheader-1.0, read to [`Data::Header`].
    Header,
    /// dimage-1.0, read to [`Data::Image`].
    Image,
    /// dseries_end-1.0, read to [`Data::SeriesEnd`].
    SeriesEnd,
    /// The stream V2 of DECTRIS, which has no htype: `stream2`, read to [`Data::Stream2`].
    Stream2,
    /// bsr_m-1.0 and bsr_m-1.1, read to [`Data::Bsread`]. [`Decoder`](crate::bsread::Decoder) does so
    /// faster.
    Bsread,
    /// bsr_stop-1.0, read to [`Data::BsreadStop`].
    BsreadStop,
    /// bsr_reconnect-1.0, read to [`Data::BsreadReconnect`].
    BsreadReconnect,
}

impl Format {
    /// The htypes that are known, each with its format.
    pub const BY_HTYPE: &[(&str, Self)] = &[
        ("raw-1.0", Self::Raw),
        ("pilatus-1.0", Self::Raw),
        ("array-1.0", Self::Array),
        ("chunk-1.0", Self::Array),
        ("dheader-1.0", Self::Header),
        ("dimage-1.0", Self::Image),
        ("dseries_end-1.0", Self::SeriesEnd),
        (stream2::HTYPE, Self::Stream2),
        ("bsr_m-1.0", Self::Bsread),
        ("bsr_m-1.1", Self::Bsread),
        ("bsr_stop-1.0", Self::BsreadStop),
        ("bsr_reconnect-1.0", Self::BsreadReconnect),
    ];
}

impl Handler for Format {
    fn decode(&self, parts: &mut Parts<'_>) -> Result<Data, DecodeError> {
        Ok(match self {
            Self::Raw => Raw::decode(parts)?.into(),
            Self::Array => ArrayMessage::decode(parts)?.into(),
            Self::Header => DetectorHeader::decode(parts)?.into(),
            Self::Image => Image::decode(parts)?.into(),
            Self::SeriesEnd => SeriesEnd::decode(parts)?.into(),
            Self::Stream2 => Stream2::decode(parts)?.into(),
            Self::Bsread => Bsread::decode(parts)?.into(),
            Self::BsreadStop => Stop::decode(parts)?.into(),
            Self::BsreadReconnect => Reconnect::decode(parts)?.into(),
        })
    }

    fn encode(&self, data: &Data) -> Result<Message, EncodeError> {
        match (self, data) {
            (Self::Raw, Data::Raw(raw)) => raw.encode(),
            (Self::Array, Data::Array(message)) => message.encode(),
            (Self::Header, Data::Header(header)) => header.encode(),
            (Self::Image, Data::Image(image)) => image.encode(),
            (Self::SeriesEnd, Data::SeriesEnd(end)) => end.encode(),
            (Self::Stream2, Data::Stream2(message)) => message.encode(),
            (Self::Bsread, Data::Bsread(bsread)) => bsread.encode(),
            (Self::BsreadStop, Data::BsreadStop(stop)) => stop.encode(),
            (Self::BsreadReconnect, Data::BsreadReconnect(reconnect)) => reconnect.encode(),
            _ => Err(EncodeError::not_supported(data)),
        }
    }
}
