//! [`Visitor`]: visits the values of a decoded message, in the order of its JSON. Each format walks
//! its own values. Visitors build the JSON and collect the arrays of a message.

mod builder;
mod json;

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use serde_json::Value;

use crate::array::Array;
use crate::header::Json;

pub(crate) use builder::Builder;
pub(crate) use json::{array, bytes, float, parts};

/// Visits the values of a message. A map has a key before each value.
pub(crate) trait Visitor<'d> {
    /// Begins a map.
    fn map(&mut self);

    /// Begins a list.
    fn list(&mut self);

    /// Names the next value of the map that began last.
    fn key(&mut self, key: &str);

    /// Ends the map or the list that began last.
    fn end(&mut self);

    /// Visits any other value without arrays in it. It is built on request.
    fn json(&mut self, value: &dyn Fn() -> Value);

    /// Visits a value that has to be read, and may be damaged.
    fn unread(&mut self, unread: Box<dyn Unread + 'd>);

    /// Visits a value of a map.
    fn entry(&mut self, key: &str, value: &dyn Fn() -> Value) {
        self.key(key);
        self.json(value);
    }

    /// Visits a JSON part of the message under a key.
    fn part(&mut self, key: &str, json: &Json) {
        self.entry(key, &|| json.value().clone());
    }
}

/// Visits the parts that a format does not know, if there are any.
pub(crate) fn extra_parts<'d>(extra: &[Bytes], visitor: &mut dyn Visitor<'d>) {
    if !extra.is_empty() {
        visitor.entry("extra", &|| parts(extra));
    }
}

/// A value that is read, and decompressed, on request.
pub(crate) trait Unread {
    /// Returns the name of the value as an array, if it is not the path.
    fn name(&self) -> Option<String> {
        None
    }

    /// Reads the value.
    fn read(&self) -> Result<Read, ReadError>;

    /// Returns how the value is shown.
    fn show(&self, read: Result<Read, ReadError>) -> Shown;
}

/// A value that was read.
pub(crate) enum Read {
    Array(Array),
    Bytes(Bytes),
    /// Another value, as JSON.
    Value(Value),
    /// The sender says that there is no value.
    Absent,
}

/// How a value is shown as JSON.
pub(crate) struct Shown {
    pub(crate) value: Value,
    /// The bytes that are shown beside it, because it cannot be read.
    pub(crate) raw: Option<Bytes>,
    /// Warnings that only reading finds.
    pub(crate) warning: Option<String>,
}

impl Read {
    pub(crate) fn into_json(self) -> Value {
        match self {
            Self::Array(elements) => array(&elements),
            Self::Bytes(string) => bytes(&string),
            Self::Value(value) => value,
            Self::Absent => Value::Null,
        }
    }
}

impl From<Value> for Shown {
    fn from(value: Value) -> Self {
        Self { value, raw: None, warning: None }
    }
}

impl From<Read> for Shown {
    fn from(read: Read) -> Self {
        read.into_json().into()
    }
}

impl Shown {
    /// Shows null, and the bytes that cannot be read beside it.
    pub(crate) fn beside(raw: &Bytes) -> Self {
        Self { raw: Some(raw.clone()), ..Value::Null.into() }
    }
}

/// Why an array, or another value, of a message cannot be read.
#[derive(Debug)]
pub struct ReadError(Box<dyn Error + Send + Sync>);

impl ReadError {
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// Returns the error of the format, which names the reason.
    ///
    /// ```
    /// use mflow_handlers::dectris::{Image, PixelError};
    /// use mflow_handlers::{Array, Data};
    ///
    /// let mut image = Image::new(4, 17, &Array::from_elements(&[1_u8], &[1, 1])?);
    /// image.description.value_mut()["encoding"] = "adsc".into();
    /// let error = Data::from(image).arrays().next().unwrap().array.unwrap_err();
    /// assert!(matches!(error.get_ref().downcast_ref(), Some(PixelError::UnknownEncoding(_))));
    /// # Ok::<(), mflow_handlers::ArrayError>(())
    /// ```
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
