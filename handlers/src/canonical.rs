//! [`canonical`]: a decoded message as JSON, for people and for comparison.
//!
//! ```text
//! an array         {"dtype": "uint16", "shape": [slow, …, fast], "nbytes": n, "sha256": "…"}
//!                  and "values" (nested lists) if it has 64 elements or fewer
//! bytes            {"bytes_hex": "…"} up to 64 of them, else {"bytes_len": n, "sha256": "…"}
//! a missing value  null
//! no number        {"float": "nan" | "inf" | "-inf"}
//! a complex one    {"re": 1.0, "im": 2.0}
//! ```
//!
//! The hash of an array is that of its bytes in C order and little endian, whatever order they were
//! sent in. `"warnings"` is present when something was tolerated.

use bytes::Bytes;
use half::f16;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::array::{Array, Element};
use crate::array_message::ArrayMessage;
use crate::bsread::{self, Bsread, Channel, Timestamp, ValueError};
use crate::compression::Options;
use crate::data::{Broken, Data};
use crate::dectris::stream2;
use crate::dectris::{DetectorHeader, FreeText, Image, PixelError, Table, Tables};
use crate::dtype::{ByteOrder, Dtype};
use crate::error::chain;
use crate::json::Json;
use crate::message::Message;

/// The most elements of an array, and the most bytes, that are written out.
const WRITTEN_OUT: usize = 64;

/// Returns a decoded message as canonical JSON.
///
/// ```
/// use mflow_handlers::{Array, ArrayMessage, canonical};
///
/// let data = ArrayMessage::new(Array::from_elements(&[1_u8, 2], &[2])?).into();
/// assert_eq!(canonical(&data)["data"][0]["values"], serde_json::json!([1, 2]));
/// # Ok::<(), mflow_handlers::ArrayError>(())
/// ```
pub fn canonical(data: &Data) -> Value {
    Canonical::of(data).json
}

/// A decoded message as [`canonical`] JSON, and whether all of it could be read.
///
/// ```
/// use mflow_handlers::{Canonical, Message, Registry};
///
/// let data = Registry::default().decode(Message::new(["{".into()]));
/// let canonical = Canonical::of(&data);
/// assert_eq!(canonical.json["error"].as_str().unwrap().split(':').next(), Some("part 1 is not valid JSON"));
/// assert!(!canonical.is_whole);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical {
    /// The JSON.
    pub json: Value,
    /// Whether the message could be decoded, and every image, table, array and value of a channel be
    /// read. A channel whose type or compression nobody knows has null and its bytes: that is whole.
    pub is_whole: bool,
}

impl Canonical {
    /// Reads all of a message.
    pub fn of(data: &Data) -> Self {
        let mut warnings: Vec<_> = data.warnings().iter().map(ToString::to_string).collect();
        let mut is_whole = true;
        let mut object = match data {
            Data::Raw(raw) => fields([("header", json(&raw.header)), ("data", parts(&raw.data))]),
            Data::Array(message) => array_message(message),
            Data::Header(header) => detector_header(header, &mut is_whole),
            Data::Image(image) => {
                let pixels = image.pixels();
                is_whole = pixels.is_ok();
                if let Err(error @ PixelError::Compression(_)) = &pixels {
                    // Others are told without decompressing anything.
                    warnings.push(chain(error));
                }
                self::image(image, pixels.ok().as_ref())
            }
            Data::SeriesEnd(end) => header_alone(&end.header, &end.extra),
            Data::Stream2(message) => stream2::canonical(message, &mut is_whole),
            Data::Bsread(message) => self::bsread(message, &mut is_whole),
            Data::BsreadStop(stop) => header_alone(&stop.header, &stop.extra),
            Data::BsreadReconnect(reconnect) => header_alone(&reconnect.header, &reconnect.extra),
            Data::Custom(custom) => fields([("custom", custom.type_name().into())]),
            Data::Unknown(message) => undecoded(message),
            Data::Broken(Broken { message, error }) => {
                is_whole = false;
                let mut object = undecoded(message);
                object.insert("error".into(), chain(&**error).into());
                object
            }
        };
        if !warnings.is_empty() {
            object.insert("warnings".into(), warnings.into());
        }
        Self { json: object.into(), is_whole }
    }
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn array_message(message: &ArrayMessage) -> Map<String, Value> {
    let data = message.data.iter().map(|part| part.as_ref().map_or(Value::Null, array)).collect();
    fields([("header", json(&message.header)), ("data", data)])
}

fn detector_header(header: &DetectorHeader, is_whole: &mut bool) -> Map<String, Value> {
    let mut object = fields([("header", json(&header.header))]);
    if let Some(config) = &header.config {
        object.insert("part_2".into(), json(config));
    }
    if let Some(Tables { flatfield, pixel_mask, countrate_table }) = &header.tables {
        object.extend(fields([
            ("part_3", json(&flatfield.description)),
            ("part_5", json(&pixel_mask.description)),
            ("part_7", json(&countrate_table.description)),
        ]));
        let mut tables = Map::new();
        *is_whole = [
            ("flatfield", flatfield),
            ("pixel_mask", pixel_mask),
            ("countrate_table", countrate_table),
        ]
        .map(|(name, table)| insert_table(&mut tables, name, table))
        .iter()
        .all(|&is_read| is_read);
        object.insert("tables".into(), tables.into());
    }
    insert_tail(&mut object, header.appendix.as_ref(), &header.extra);
    object
}

fn image(image: &Image, pixels: Option<&Array>) -> Map<String, Value> {
    let mut object =
        fields([("header", json(&image.header)), ("part_2", json(&image.description))]);
    match &image.config {
        Some(config) => insert_text(&mut object, "part_4", config),
        None => drop(object.insert("part_4".into(), Value::Null)),
    }
    insert_array(&mut object, "image", pixels, &image.blob);
    insert_tail(&mut object, image.appendix.as_ref(), &image.extra);
    object
}

fn bsread(message: &Bsread, is_whole: &mut bool) -> Map<String, Value> {
    let channels = message
        .channels()
        .map(|channel| (channel.name().to_owned(), self::channel(&channel, is_whole)));
    fields([
        ("main_header", json(&message.main_header)),
        ("data_header", json(message.data_header().json())),
        ("pulse_id", message.pulse_id().into()),
        ("global_timestamp", timestamp(message.global_timestamp())),
        ("channels", channels.collect::<Map<_, _>>().into()),
    ])
}

/// A channel, null if it has no value. What nobody knows to read is shown as bytes.
fn channel(channel: &Channel<'_>, is_whole: &mut bool) -> Value {
    let value = channel.read(&Options::default());
    if value == Ok(None) {
        return Value::Null;
    }
    let is_unknown =
        matches!(value, Err(ValueError::UnknownType(_) | ValueError::UnknownCompression(_)));
    *is_whole &= value.is_ok() || is_unknown;
    let value = value.ok().flatten().as_ref().map_or(Value::Null, channel_value);
    let mut object = fields([("value", value), ("timestamp", timestamp(channel.timestamp()))]);
    if let Some(raw) = channel.raw().filter(|_| is_unknown) {
        object.insert("raw".into(), bytes(raw));
    }
    object.into()
}

fn channel_value(value: &bsread::Value) -> Value {
    match value {
        bsread::Value::Bool(value) => (*value).into(),
        bsread::Value::Float32(value) => float((*value).into()),
        bsread::Value::Float64(value) => float(*value),
        bsread::Value::Uint64(value) => (*value).into(),
        bsread::Value::Text(text) => text.as_str().into(),
        bsread::Value::Array(array) => self::array(array),
        value => value.as_i64().into(),
    }
}

fn timestamp(timestamp: Option<Timestamp>) -> Value {
    timestamp.map_or(Value::Null, |time| json!([time.seconds, time.nanoseconds]))
}

/// A message of one part.
fn header_alone(header: &Json, extra: &[Bytes]) -> Map<String, Value> {
    let mut object = fields([("header", json(header))]);
    insert_tail(&mut object, None, extra);
    object
}

/// A message that no format read: its first part is shown as JSON if it is.
fn undecoded(message: &Message) -> Map<String, Value> {
    match message.parts().split_first() {
        Some((first, rest)) => {
            let mut object = Map::new();
            insert_text(&mut object, "header", &first.clone().into());
            object.insert("data".into(), parts(rest));
            object
        }
        None => fields([("data", json!([]))]),
    }
}

/// Inserts a table, and tells whether it could be read.
fn insert_table(tables: &mut Map<String, Value>, name: &str, table: &Table) -> bool {
    let array = table.array();
    insert_array(tables, name, array.as_ref().ok(), &table.blob);
    array.is_ok()
}

/// Inserts an array; null, and the bytes beside it, if it cannot be read.
fn insert_array(object: &mut Map<String, Value>, key: &str, read: Option<&Array>, blob: &Bytes) {
    object.insert(key.into(), read.map_or(Value::Null, array));
    if read.is_none() {
        object.insert(format!("{key}_raw"), bytes(blob));
    }
}

/// Inserts a text under its key if it is JSON, else as bytes under another.
fn insert_text(object: &mut Map<String, Value>, key: &str, text: &FreeText) {
    match text.json() {
        Some(value) => object.insert(key.into(), json(&value)),
        None => object.insert(format!("{key}_raw"), bytes(text.bytes())),
    };
}

/// Inserts what may follow the parts of a format.
fn insert_tail(object: &mut Map<String, Value>, appendix: Option<&FreeText>, extra: &[Bytes]) {
    if let Some(appendix) = appendix {
        insert_text(object, "appendix", appendix);
    }
    if !extra.is_empty() {
        object.insert("extra".into(), parts(extra));
    }
}

fn json(json: &Json) -> Value {
    json.value().clone()
}

/// Parts of any content, an empty one being a missing value.
fn parts(parts: &[Bytes]) -> Value {
    parts.iter().map(|part| if part.is_empty() { Value::Null } else { bytes(part) }).collect()
}

pub(crate) fn bytes(bytes: &Bytes) -> Value {
    if bytes.len() <= WRITTEN_OUT {
        json!({ "bytes_hex": hex(bytes) })
    } else {
        json!({ "bytes_len": bytes.len(), "sha256": sha256(bytes) })
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn array(array: &Array) -> Value {
    let mut object = fields([
        ("dtype", array.dtype().name().into()),
        ("shape", array.shape().into()),
        ("nbytes", array.bytes().len().into()),
        ("sha256", sha256(array.to_order(ByteOrder::Little).bytes()).into()),
    ]);
    if array.len() <= WRITTEN_OUT {
        object.insert("values".into(), nest(array.shape(), elements(array)));
    }
    object.into()
}

/// Folds elements in C order to lists of lists, from the fastest dimension on.
fn nest(shape: &[usize], elements: Vec<Value>) -> Value {
    let Some((&slowest, faster)) = shape.split_first() else {
        return elements.into_iter().next().unwrap_or_default();
    };
    if elements.is_empty() {
        return json!([]);
    }
    let lists = faster
        .iter()
        .rev()
        .fold(elements, |elements, &extent| elements.chunks(extent).map(Value::from).collect());
    debug_assert_eq!(lists.len(), slowest);
    lists.into()
}

fn elements(array: &Array) -> Vec<Value> {
    match array.dtype() {
        Dtype::Bool => each(array, |byte: u8| (byte != 0).into()),
        Dtype::Int8 => each(array, |number: i8| number.into()),
        Dtype::Int16 => each(array, |number: i16| number.into()),
        Dtype::Int32 => each(array, |number: i32| number.into()),
        Dtype::Int64 => each(array, |number: i64| number.into()),
        Dtype::Uint8 => each(array, |number: u8| number.into()),
        Dtype::Uint16 => each(array, |number: u16| number.into()),
        Dtype::Uint32 => each(array, |number: u32| number.into()),
        Dtype::Uint64 => each(array, |number: u64| number.into()),
        Dtype::Float16 => each(array, |number: f16| float(number.into())),
        Dtype::Float32 => each(array, |number: f32| float(number.into())),
        Dtype::Float64 => each(array, float),
        Dtype::Complex64 => each(array, |[re, im]: [f32; 2]| complex(re.into(), im.into())),
        Dtype::Complex128 => each(array, |[re, im]: [f64; 2]| complex(re, im)),
    }
}

fn each<T: Element>(array: &Array, value: impl Fn(T) -> Value) -> Vec<Value> {
    let elements = array.elements::<T>().expect("the type is that of the array");
    elements.iter().copied().map(value).collect()
}

pub(crate) fn float(number: f64) -> Value {
    match number {
        _ if number.is_finite() => number.into(),
        _ if number.is_nan() => json!({ "float": "nan" }),
        _ if number > 0.0 => json!({ "float": "inf" }),
        _ => json!({ "float": "-inf" }),
    }
}

fn complex(re: f64, im: f64) -> Value {
    json!({ "re": float(re), "im": float(im) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    fn decoded(parts: &[&str]) -> Value {
        let message = parts.iter().map(|part| Bytes::from((*part).to_owned())).collect();
        canonical(&Registry::default().decode(message))
    }

    fn values(array: &Array) -> Value {
        super::array(array)["values"].clone()
    }

    #[test]
    fn what_is_no_number_is_named() {
        let floats =
            Array::from_elements(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5], &[4]).unwrap();
        assert_eq!(
            values(&floats),
            json!([{"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, 0.5])
        );
        let complex = Array::from_elements(&[[1.0, f64::NAN]], &[]).unwrap();
        assert_eq!(values(&complex), json!({"re": 1.0, "im": {"float": "nan"}}));
    }

    #[test]
    fn values_are_nested_as_the_shape_tells() {
        let array = |shape: &[usize]| Array::from_elements(&[1_u8, 2, 3, 4, 5, 6], shape).unwrap();
        assert_eq!(values(&array(&[6])), json!([1, 2, 3, 4, 5, 6]));
        assert_eq!(values(&array(&[2, 3])), json!([[1, 2, 3], [4, 5, 6]]));
        assert_eq!(values(&array(&[1, 3, 1, 2])), json!([[[[1, 2]], [[3, 4]], [[5, 6]]]]));
        assert_eq!(values(&Array::from_elements::<u8>(&[], &[2, 0]).unwrap()), json!([]));
    }

    #[test]
    fn more_than_64_elements_are_not_written_out() {
        let array =
            |len: usize| super::array(&Array::from_elements(&vec![0_u8; len], &[len]).unwrap());
        assert!(array(64).get("values").is_some());
        assert_eq!(array(65).get("values"), None);
        assert_eq!(bytes(&Bytes::from_static(&[0xab, 1])), json!({"bytes_hex": "ab01"}));
        assert_eq!(bytes(&vec![0; 65].into())["bytes_len"], 65);
    }

    #[test]
    fn the_hash_does_not_depend_on_the_byte_order() {
        let little = Array::from_elements(&[1_u32, 2], &[2]).unwrap().to_order(ByteOrder::Little);
        assert_eq!(super::array(&little), super::array(&little.to_order(ByteOrder::Big)));
    }

    #[test]
    fn a_message_that_was_not_decoded_shows_its_parts() {
        assert_eq!(
            decoded(&[r#"{"htype":"x-1.0"}"#, "ab", ""]),
            json!({"header": {"htype": "x-1.0"}, "data": [{"bytes_hex": "6162"}, null]})
        );
        assert_eq!(decoded(&["ab"]), json!({"header_raw": {"bytes_hex": "6162"}, "data": []}));
        assert_eq!(decoded(&[]), json!({"data": [], "error": "the message has no parts"}));
        assert_eq!(
            decoded(&[r#"{"htype":"array-1.0","type":"u1"}"#, "ab"]),
            json!({
                "header": {"htype": "array-1.0", "type": "u1"},
                "data": [{"bytes_hex": "6162"}],
                "error": "part 2 of 'array-1.0' is not the array its header describes: \
                          expected 1 bytes of uint8 in shape [], found 2",
            })
        );
    }

    #[test]
    fn warnings_are_there_when_something_was_tolerated() {
        let decoded = decoded(&[r#"{"htype":"dseries_end-1.0","series":4}"#, "more"]);
        assert_eq!(
            decoded,
            json!({
                "header": {"htype": "dseries_end-1.0", "series": 4},
                "extra": [{"bytes_hex": "6d6f7265"}],
                "warnings": ["expected at most 1 parts, found 2"],
            })
        );
    }

    #[test]
    fn a_custom_value_shows_its_type() {
        assert_eq!(canonical(&Data::custom(7_u8)), json!({"custom": "u8"}));
    }
}
