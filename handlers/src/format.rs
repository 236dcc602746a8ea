//! [`Format`]: the formats of this crate, as handlers.

use crate::bsread;
use crate::data::Data;
use crate::handler::Handler;
use crate::message::{DecodeError, EncodeError, Message, Parts};
use crate::table::formats;

/// Makes [`Format`].
macro_rules! format {
    ($($name:ident: $size:ident $type:ty, $header:ident, [$($htype:expr),+], $doc:literal;)*) => {
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
            $(#[doc = $doc] #[doc = concat!("\n\nRead to [`Data::", stringify!($name), "`].")] $name,)*
        }

        impl Format {
            /// The htypes that are known, each with its format.
            pub const BY_HTYPE: &[(&str, Self)] = &[$($(($htype, Self::$name),)+)*];
        }

        impl Handler for Format {
            fn decode(&self, parts: &mut Parts<'_>) -> Result<Data, DecodeError> {
                match self {
                    $(Self::$name => Ok(<$type>::decode(parts)?.into()),)*
                }
            }

            fn encode(&self, data: &Data) -> Result<Message, EncodeError> {
                match (self, data) {
                    $((Self::$name, Data::$name(value)) => value.encode(),)*
                    _ => Err(data.not_supported()),
                }
            }
        }
    };
}

formats!(format);

/// The [`Decoder`](bsread::Decoder) of bsread is a handler of its own, because it remembers data
/// headers.
impl Handler for bsread::Decoder {
    fn decode(&self, parts: &mut Parts<'_>) -> Result<Data, DecodeError> {
        Ok(self.read(parts)?.into())
    }

    fn encode(&self, data: &Data) -> Result<Message, EncodeError> {
        Format::Bsread.encode(data)
    }
}
