//! [`Value`]: the value of a channel.

use bytes::Bytes;

use super::kind::Kind;
use crate::array::{Array, ByteOrder};
use crate::walk;

macro_rules! values {
    ($($kind:ident $number:ty;)*) => {
        /// The value of a channel at a pulse: a number, a text or an array.
        ///
        /// ```
        /// use mflow_handlers::bsread::Value;
        ///
        /// assert_eq!(Value::from(7_u16).as_f64(), Some(7.0));
        /// assert_eq!(Value::from("on").as_str(), Some("on"));
        /// assert_eq!(Value::from(u64::MAX).as_i64(), None);
        /// ```
        #[derive(Debug, Clone, PartialEq)]
        pub enum Value {
            /// True or false.
            Bool(bool),
            $(#[doc = concat!("A number of type `", stringify!($number), "`.")] $kind($number),)*
            /// A text.
            Text(String),
            /// Everything else, which shares its bytes with the message unless it was compressed.
            Array(Array),
        }

        impl Value {
            /// Returns the type of the value. Arrays of types that no channel has have none.
            pub fn kind(&self) -> Option<Kind> {
                match self {
                    Self::Bool(_) => Some(Kind::Bool),
                    $(Self::$kind(_) => Some(Kind::$kind),)*
                    Self::Text(_) => Some(Kind::Text),
                    Self::Array(array) => {
                        Kind::ALL.iter().copied().find(|kind| kind.dtype() == Some(array.dtype()))
                    }
                }
            }

            /// Reads a single element, if the bytes are as many as it has.
            #[inline]
            pub(super) fn scalar(kind: Kind, order: ByteOrder, bytes: &[u8]) -> Option<Self> {
                match kind {
                    Kind::Bool => match bytes {
                        [byte] => Some(Self::Bool(*byte != 0)),
                        _ => None,
                    },
                    $(Kind::$kind => {
                        let bytes = bytes.try_into().ok()?;
                        Some(Self::$kind(match order {
                            ByteOrder::Little => <$number>::from_le_bytes(bytes),
                            ByteOrder::Big => <$number>::from_be_bytes(bytes),
                        }))
                    })*
                    Kind::Text => None,
                }
            }

            /// Returns the bytes of the value as they are sent, before compression.
            pub(super) fn to_bytes(&self, order: ByteOrder) -> Bytes {
                match self {
                    Self::Bool(value) => Bytes::copy_from_slice(&[u8::from(*value)]),
                    $(Self::$kind(value) => Bytes::copy_from_slice(&match order {
                        ByteOrder::Little => value.to_le_bytes(),
                        ByteOrder::Big => value.to_be_bytes(),
                    }),)*
                    Self::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                    Self::Array(array) => array.to_order(order).bytes().clone(),
                }
            }
        }

        $(impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self::$kind(value)
            }
        })*
    };
}

values! {
    Int8 i8;
    Int16 i16;
    Int32 i32;
    Int64 i64;
    Uint8 u8;
    Uint16 u16;
    Uint32 u32;
    Uint64 u64;
    Float32 f32;
    Float64 f64;
}

impl Value {
    /// Returns a single number or bool as a whole number, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Bool(value) => Some(value.into()),
            Self::Int8(value) => Some(value.into()),
            Self::Int16(value) => Some(value.into()),
            Self::Int32(value) => Some(value.into()),
            Self::Int64(value) => Some(value),
            Self::Uint8(value) => Some(value.into()),
            Self::Uint16(value) => Some(value.into()),
            Self::Uint32(value) => Some(value.into()),
            Self::Uint64(value) => value.try_into().ok(),
            Self::Float32(_) | Self::Float64(_) | Self::Text(_) | Self::Array(_) => None,
        }
    }

    /// Returns a single number or bool as a float, the nearest one if a whole number of 64 bits
    /// lies between two.
    #[expect(clippy::cast_precision_loss, reason = "the documentation says so")]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Float32(value) => Some(value.into()),
            Self::Float64(value) => Some(value),
            Self::Uint64(value) => Some(value as f64),
            _ => self.as_i64().map(|value| value as f64),
        }
    }

    /// Returns a bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns an array.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Value {
    /// Returns the value as canonical JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Float32(value) => walk::float((*value).into()),
            Self::Float64(value) => walk::float(*value),
            Self::Uint64(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Array(array) => walk::array(array),
            value => value.as_i64().into(),
        }
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(array)
    }
}
