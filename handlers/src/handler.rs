//! [`Handler`]: something that decodes and encodes the messages of an htype.

use crate::data::Data;
use crate::message::{DecodeError, EncodeError, Message, Parts};

/// Something that decodes the messages of one htype, and perhaps encodes them.
///
/// A closure that decodes is a handler. A type can encode as well:
///
/// ```
/// use mflow_handlers::{Custom, Data, DecodeError, EncodeError, Handler, Message, Parts, Registry};
///
/// struct Temperature;
///
/// impl Handler for Temperature {
///     fn decode(&self, parts: &mut Parts<'_>) -> Result<Data, DecodeError> {
///         parts.next_json()?;
///         let kelvin = parts.next_part()?;
///         Ok(Data::custom(i32::from_le_bytes(kelvin[..].try_into().map_err(DecodeError::other)?)))
///     }
///
///     fn encode(&self, data: &Data) -> Result<Message, EncodeError> {
///         let kelvin = data.downcast_ref::<i32>().ok_or_else(|| EncodeError::other("expected an i32"))?;
///         let header = r#"{"htype":"temperature-1.0"}"#;
///         Ok(Message::new([header.into(), kelvin.to_le_bytes().to_vec().into()]))
///     }
/// }
///
/// let mut registry = Registry::default();
/// registry.insert("temperature-1.0", Temperature);
/// let message = registry.encode(&Data::Custom(Custom::new("temperature-1.0", 293_i32)))?;
/// assert_eq!(registry.decode(message).downcast_ref(), Some(&293_i32));
/// # Ok::<(), EncodeError>(())
/// ```
pub trait Handler: Send + Sync {
    /// Makes a value from the parts of a message. It need not read all parts.
    ///
    /// # Errors
    ///
    /// If the parts are not what the handler expects: the message is then [`Data::Broken`].
    fn decode(&self, parts: &mut Parts<'_>) -> Result<Data, DecodeError>;

    /// Makes the parts of a message from a value. A handler without this method only decodes.
    ///
    /// # Errors
    ///
    /// If the value is of another kind than the handler makes, or the handler only decodes.
    fn encode(&self, data: &Data) -> Result<Message, EncodeError> {
        Err(data.not_supported())
    }
}

impl<F> Handler for F
where
    F: Fn(&mut Parts<'_>) -> Result<Data, DecodeError> + Send + Sync,
{
    fn decode(&self, parts: &mut Parts<'_>) -> Result<Data, DecodeError> {
        self(parts)
    }
}
