//! [`Pulse`]: the values of channels at one pulse, to be sent.

use bytes::Bytes;
use serde_json::{Map, Value as JsonValue, json};

use super::build_error::BuildError;
use super::codec::Compression;
use super::data_header::DataHeader;
use super::kind::Kind;
use super::message::Bsread;
use super::value::Value;
use crate::header::Timestamp;

/// The values of channels at one pulse, from which a message is made. A channel whose value is not
/// set has no value.
///
/// Lengths of `lz4` are in the byte order of the channel, which is what receivers expect.
///
/// ```
/// use mflow_handlers::Array;
/// use mflow_handlers::bsread::{Compression, DataHeader, Definition, Kind, Pulse, Timestamp};
///
/// let header = DataHeader::new([
///     Definition::new("CURRENT", Kind::Float64),
///     Definition::new("CAMERA", Kind::Uint16)
///         .with_shape(&[2, 3])
///         .with_compression(Compression::BitshuffleLz4),
/// ])?;
/// let mut pulse = Pulse::new(&header, 500, Timestamp::new(1_700_000_000, 0));
/// pulse.set("CURRENT", 1.5)?;
/// pulse.set("CAMERA", Array::from_elements(&[1_u16, 2, 3, 4, 5, 6], &[2, 3])?)?;
/// let message = pulse.finish();
/// assert_eq!(message.channel("CURRENT").unwrap().value(), Some(1.5.into()));
/// assert_eq!(message.encode()?.len(), 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pulse {
    header: DataHeader,
    pulse_id: u64,
    timestamp: Timestamp,
    parts: Vec<Bytes>,
}

impl Pulse {
    /// Begins a pulse, at a time that is also that of every channel set without its own.
    pub fn new(header: &DataHeader, pulse_id: u64, timestamp: Timestamp) -> Self {
        let parts = vec![Bytes::new(); 2 * header.definitions().len()];
        Self { header: header.clone(), pulse_id, timestamp, parts }
    }

    /// Sets the value of a channel, taken at the time of the pulse.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if there is no such channel, or if the value is not of its type and shape.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<(), BuildError> {
        self.set_at(name, value, self.timestamp)
    }

    /// Sets the value of a channel, taken at a time of its own.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_at(
        &mut self,
        name: &str,
        value: impl Into<Value>,
        timestamp: Timestamp,
    ) -> Result<(), BuildError> {
        let value = value.into();
        let no_channel = || BuildError::NoChannel { name: name.into() };
        let index = self.header.index(name).ok_or_else(no_channel)?;
        let definition = &self.header.definitions()[index];
        let shape = match &value {
            Value::Array(array) if !array.shape().is_empty() => array.shape(),
            _ => &[1],
        };
        let (Ok(kind), Ok(compression)) = (definition.kind(), definition.compression()) else {
            return Err(no_channel());
        };
        if value.kind() != Some(kind) || definition.shape() != Some(shape) {
            let describe = |kind: Option<Kind>, shape: Option<&[usize]>| {
                let kind = kind.map_or("another type", Kind::name);
                format!("{kind} of shape {:?}", shape.unwrap_or_default()).into()
            };
            return Err(BuildError::Unlike {
                name: name.into(),
                expected: describe(Some(kind), definition.shape()),
                found: describe(value.kind(), Some(shape)),
            });
        }
        let order = definition.order_or_little();
        let data = value.to_bytes(order);
        if data.is_empty() {
            return Err(BuildError::Empty { name: name.into() });
        }
        self.parts[2 * index] = compression.encode(data, kind.size(), order)?;
        self.parts[2 * index + 1] = timestamp.to_part(order);
        Ok(())
    }

    /// Makes the message.
    pub fn finish(self) -> Bsread {
        let mut main_header = Map::new();
        let mut insert = |key: &str, value: JsonValue| main_header.insert(key.to_owned(), value);
        insert("htype", "bsr_m-1.1".into());
        if self.header.compression() != Compression::None {
            insert("dh_compression", self.header.compression().name().into());
        }
        insert("hash", self.header.hash().into());
        insert("pulse_id", self.pulse_id.into());
        let Timestamp { seconds, nanoseconds } = self.timestamp;
        insert("global_timestamp", json!({"sec": seconds, "ns": nanoseconds}));
        let main_header = JsonValue::Object(main_header);
        Bsread::new(main_header.into(), self.header, self.parts.into())
    }
}
