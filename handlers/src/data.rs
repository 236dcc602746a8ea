//! [`Data`]: what decoding a message gives, one variant a format.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::array_message::ArrayMessage;
use crate::bsread::{Bsread, Reconnect, Stop};
use crate::dectris::stream2::{self, Stream2};
use crate::dectris::{DetectorHeader, Image, SeriesEnd};
use crate::error::DecodeError;
use crate::json::Json;
use crate::message::Message;
use crate::raw::Raw;
use crate::warning::Warning;

/// What decoding a message gives: one variant a format, and three for what no format here reads.
///
/// Decoding loses nothing: [`Registry::encode`](crate::Registry::encode) makes of a value that nobody
/// edited the parts it came from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Data {
    /// raw-1.0: a header and parts that nobody interprets.
    Raw(Raw),
    /// array-1.0: a header and arrays.
    Array(ArrayMessage),
    /// dheader-1.0: the configuration of a DECTRIS detector.
    Header(Box<DetectorHeader>),
    /// dimage-1.0: an image of a DECTRIS detector.
    Image(Box<Image>),
    /// dseries_end-1.0: the end of a series of a DECTRIS detector.
    SeriesEnd(SeriesEnd),
    /// The stream V2 of a DECTRIS detector: a start, an image or an end.
    Stream2(Box<Stream2>),
    /// bsr_m-1.0 and bsr_m-1.1: the channels of bsread at one pulse.
    Bsread(Box<Bsread>),
    /// bsr_stop-1.0: a sender of bsread stops.
    BsreadStop(Stop),
    /// bsr_reconnect-1.0: a stream of bsread goes on at another address.
    BsreadReconnect(Reconnect),
    /// What a handler of the user's own made.
    Custom(Custom),
    /// A message of an htype that nobody registered, or of none.
    Unknown(Message),
    /// A message that could not be decoded.
    Broken(Broken),
}

impl Data {
    /// Wraps what a handler of the user's own made of a message. The registry adds the htype.
    pub fn custom(value: impl Any + Send + Sync) -> Self {
        Custom { htype: None, ..Custom::new("", value) }.into()
    }

    /// Returns what a handler of the user's own made, if it is a `T`.
    ///
    /// ```
    /// use mflow_handlers::Data;
    ///
    /// let data = Data::custom(7_u32);
    /// assert_eq!(data.downcast_ref::<u32>(), Some(&7));
    /// assert_eq!(data.downcast_ref::<u8>(), None);
    /// ```
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        match self {
            Self::Custom(custom) => custom.downcast_ref(),
            _ => None,
        }
    }

    /// Returns the htype, as the header tells it now.
    pub fn htype(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Custom(custom) => custom.htype().map(Cow::Borrowed),
            Self::Stream2(_) => Some(Cow::Borrowed(stream2::HTYPE)),
            Self::Unknown(message) | Self::Broken(Broken { message, .. }) => message.htype(),
            _ => self.header()?.peek().htype,
        }
    }

    /// Returns the header, the first part, where a format of this crate read one in JSON.
    pub fn header(&self) -> Option<&Json> {
        match self {
            Self::Raw(raw) => Some(&raw.header),
            Self::Array(message) => Some(&message.header),
            Self::Header(header) => Some(&header.header),
            Self::Image(image) => Some(&image.header),
            Self::SeriesEnd(end) => Some(&end.header),
            Self::Bsread(bsread) => Some(&bsread.main_header),
            Self::BsreadStop(stop) => Some(&stop.header),
            Self::BsreadReconnect(reconnect) => Some(&reconnect.header),
            Self::Stream2(_) | Self::Custom(_) | Self::Unknown(_) | Self::Broken(_) => None,
        }
    }

    /// Returns the header for editing.
    pub fn header_mut(&mut self) -> Option<&mut Json> {
        match self {
            Self::Raw(raw) => Some(&mut raw.header),
            Self::Array(message) => Some(&mut message.header),
            Self::Header(header) => Some(&mut header.header),
            Self::Image(image) => Some(&mut image.header),
            Self::SeriesEnd(end) => Some(&mut end.header),
            Self::Bsread(bsread) => Some(&mut bsread.main_header),
            Self::BsreadStop(stop) => Some(&mut stop.header),
            Self::BsreadReconnect(reconnect) => Some(&mut reconnect.header),
            Self::Stream2(_) | Self::Custom(_) | Self::Unknown(_) | Self::Broken(_) => None,
        }
    }

    /// Returns what was tolerated in the message.
    pub fn warnings(&self) -> Vec<Warning> {
        let header = self.header().filter(|header| header.has_non_numbers());
        let mut warnings: Vec<_> =
            header.map(|_| Warning::NonNumbers { part: 1 }).into_iter().collect();
        warnings.extend(match self {
            Self::Array(message) => message.warnings(),
            Self::Header(header) => header.warnings(),
            Self::Image(image) => image.warnings(),
            Self::SeriesEnd(end) => end.warnings(),
            Self::Stream2(message) => message.warnings(),
            Self::Bsread(bsread) => bsread.warnings(),
            Self::BsreadStop(stop) => stop.warnings(),
            Self::BsreadReconnect(reconnect) => reconnect.warnings(),
            Self::Raw(_) | Self::Custom(_) | Self::Unknown(_) | Self::Broken(_) => Vec::new(),
        });
        warnings
    }

    /// Returns the name of the variant, for errors.
    pub(crate) fn variant(&self) -> &'static str {
        match self {
            Self::Raw(_) => "Data::Raw",
            Self::Array(_) => "Data::Array",
            Self::Header(_) => "Data::Header",
            Self::Image(_) => "Data::Image",
            Self::SeriesEnd(_) => "Data::SeriesEnd",
            Self::Stream2(_) => "Data::Stream2",
            Self::Bsread(_) => "Data::Bsread",
            Self::BsreadStop(_) => "Data::BsreadStop",
            Self::BsreadReconnect(_) => "Data::BsreadReconnect",
            Self::Custom(_) => "Data::Custom",
            Self::Unknown(_) => "Data::Unknown",
            Self::Broken(_) => "Data::Broken",
        }
    }
}

/// A value of the user's own, of any type, with the htype whose handler made it.
///
/// A clone shares the value. Two are equal if they share it.
#[derive(Clone)]
pub struct Custom {
    htype: Option<Arc<str>>,
    value: Arc<dyn Any + Send + Sync>,
    type_name: &'static str,
}

impl Custom {
    /// Makes a value that the handler of `htype` encodes.
    pub fn new<T: Any + Send + Sync>(htype: &str, value: T) -> Self {
        Self {
            htype: Some(htype.into()),
            value: Arc::new(value),
            type_name: std::any::type_name::<T>(),
        }
    }

    /// Returns the htype of the handler, once it is known.
    pub fn htype(&self) -> Option<&str> {
        self.htype.as_deref()
    }

    /// Returns the value, if it is a `T`.
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// Returns the name of the value's type, for people.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Adds the htype, if there is none yet.
    pub(crate) fn with_htype(mut self, htype: Option<&str>) -> Self {
        self.htype = self.htype.or_else(|| htype.map(Arc::from));
        self
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.htype == other.htype && Arc::ptr_eq(&self.value, &other.value)
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Custom({:?}, {})", self.htype, self.type_name)
    }
}

/// A message that could not be decoded, and why. Two are equal if their messages are.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The message as it was received.
    pub message: Message,
    /// What was wrong with it.
    pub error: Arc<DecodeError>,
}

impl PartialEq for Broken {
    fn eq(&self, other: &Self) -> bool {
        self.message == other.message
    }
}

impl Broken {
    /// Says why a message could not be decoded.
    pub fn new(message: Message, error: DecodeError) -> Self {
        Self { message, error: Arc::new(error) }
    }
}

macro_rules! from {
    ($($value:ident => |$name:ident| $data:expr;)*) => {$(
        impl From<$value> for Data {
            fn from($name: $value) -> Self {
                $data
            }
        }
    )*};
}

from! {
    Raw => |raw| Self::Raw(raw);
    ArrayMessage => |message| Self::Array(message);
    DetectorHeader => |header| Self::Header(Box::new(header));
    Image => |image| Self::Image(Box::new(image));
    SeriesEnd => |end| Self::SeriesEnd(end);
    Stream2 => |message| Self::Stream2(Box::new(message));
    Bsread => |bsread| Self::Bsread(Box::new(bsread));
    Stop => |stop| Self::BsreadStop(stop);
    Reconnect => |reconnect| Self::BsreadReconnect(reconnect);
    Custom => |custom| Self::Custom(custom);
    Broken => |broken| Self::Broken(broken);
}
