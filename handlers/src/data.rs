//! [`Data`]: the result of decoding a message, with one variant for each format.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::dectris::text_or_bytes;
use crate::header::Json;
use crate::message::{DecodeError, EncodeError, Message, Warning, chain};
use crate::table::formats;
use crate::walk::{Visitor, parts};

/// Makes [`Data`], and what differs from one format to the next.
macro_rules! data {
    ($($name:ident: $size:ident $type:ty, $header:ident, [$($htype:expr),+], $doc:literal;)*) => {
        /// The result of decoding a message: one variant for each format, and three for what no
        /// format here reads.
        ///
        /// Decoding loses nothing: [`Registry::encode`](crate::Registry::encode) returns the
        /// original parts of a value that was not edited.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Data {
            $(#[doc = $doc] $name(held!($size $type)),)*
            /// The value of a handler of the user's own.
            Custom(Custom),
            /// A message of an htype that has no handler, or of none.
            Unknown(Message),
            /// A message that could not be decoded.
            Broken(Broken),
        }

        impl Data {
            /// Returns the htype, as in the current header.
            pub fn htype(&self) -> Option<Cow<'_, str>> {
                match self {
                    $(Self::$name(_) => match self.header() {
                        Some(header) => header.peek().htype,
                        None => [$($htype),+].first().map(|&htype| Cow::Borrowed(htype)),
                    },)*
                    Self::Custom(custom) => custom.htype().map(Cow::Borrowed),
                    Self::Unknown(message) | Self::Broken(Broken { message, .. }) => message.htype(),
                }
            }

            /// Returns the header, the first part, if a format of this crate read one in JSON.
            pub fn header(&self) -> Option<&Json> {
                match self {
                    $(Self::$name(value) => header!($header, value, &),)*
                    Self::Custom(_) | Self::Unknown(_) | Self::Broken(_) => None,
                }
            }

            /// Returns the header for editing.
            pub fn header_mut(&mut self) -> Option<&mut Json> {
                match self {
                    $(Self::$name(value) => header!($header, value, &mut),)*
                    Self::Custom(_) | Self::Unknown(_) | Self::Broken(_) => None,
                }
            }

            /// Returns what was tolerated in the message.
            pub fn warnings(&self) -> Vec<Warning> {
                let header = self.header().filter(|header| header.has_non_numbers());
                let mut warnings: Vec<_> =
                    header.map(|_| Warning::NonNumbers { part: 1 }).into_iter().collect();
                match self {
                    $(Self::$name(value) => warnings.extend(value.warnings()),)*
                    Self::Custom(_) | Self::Unknown(_) | Self::Broken(_) => {}
                }
                warnings
            }

            /// Visits all that the message holds, a map.
            pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
                visitor.map();
                match self {
                    $(Self::$name(value) => value.walk(visitor),)*
                    Self::Custom(custom) => {
                        visitor.entry("custom", &|| custom.type_name().into());
                    }
                    Self::Unknown(message) => undecoded(message, visitor),
                    Self::Broken(Broken { message, error }) => {
                        undecoded(message, visitor);
                        visitor.entry("error", &|| chain(&**error).into());
                    }
                }
                visitor.end();
            }

            /// Returns the name of the variant, for errors.
            fn variant(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => concat!("Data::", stringify!($name)),)*
                    Self::Custom(_) => "Data::Custom",
                    Self::Unknown(_) => "Data::Unknown",
                    Self::Broken(_) => "Data::Broken",
                }
            }
        }

        $(impl From<$type> for Data {
            fn from(value: $type) -> Self {
                Self::$name(value.into())
            }
        })*
    };
}

/// How a value of a type is held.
macro_rules! held {
    (small $type:ty) => {
        $type
    };
    (large $type:ty) => {
        Box<$type>
    };
}

/// The header of a value, if it has one.
macro_rules! header {
    (none, $value:ident, $($borrow:tt)+) => {{
        let _ = $value;
        None
    }};
    ($field:ident, $value:ident, $($borrow:tt)+) => {
        Some($($borrow)+ $value.$field)
    };
}

formats!(data);

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

    /// Says that a handler does not encode this.
    pub(crate) fn not_supported(&self) -> EncodeError {
        let htype = self.htype().unwrap_or_default().into();
        EncodeError::NotSupported { htype, variant: self.variant() }
    }
}

/// A message that no format read: its first part is shown as JSON if it is JSON.
fn undecoded<'d>(message: &'d Message, visitor: &mut dyn Visitor<'d>) {
    let rest: &[Bytes] = match message.parts().split_first() {
        Some((first, rest)) => {
            text_or_bytes("header", &first.clone().into(), visitor);
            rest
        }
        None => &[],
    };
    visitor.entry("data", &|| parts(rest));
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

impl From<Custom> for Data {
    fn from(custom: Custom) -> Self {
        Self::Custom(custom)
    }
}

impl From<Broken> for Data {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}
