#![allow(clippy::unwrap_used, reason = "these are tests")]

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::array::{Array, ArrayError, ByteOrder, Dtype};
use crate::compression::{Codec, CompressionError, Element, Options};
use crate::data::Data;
use crate::header::stream2::SELF_DESCRIBED;
use crate::header::{Peek, Stage};
use crate::message::{Message, Parts, Warning, chain};
use crate::registry::Registry;

const UNIQUE: &str = "01HBV3JPF9T4ZDPADX6EMK6XMZ";

fn cbor(bytes: &'static [u8]) -> Cbor {
    Cbor::parse(Bytes::from_static(bytes)).unwrap()
}

fn map(pairs: Vec<(&str, Value)>) -> Bytes {
    let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Value::Tag(SELF_DESCRIBED, Box::new(Value::Map(pairs))).encode().unwrap().bytes().clone()
}

fn decode(part: Bytes) -> Stream2 {
    let message = Message::new([part]);
    Stream2::decode(&mut Parts::new(&message)).unwrap()
}

fn error(part: &'static [u8]) -> String {
    match Registry::default().decode(Message::new([Bytes::from_static(part)])) {
        Data::Broken(broken) => chain(&*broken.error),
        other => panic!("expected a broken message, found {other:?}"),
    }
}

fn canonical(value: &Cbor) -> serde_json::Value {
    let mut other = Other::new("test");
    other.entries.push("x", value.clone());
    crate::canonical::canonical(&Stream2::from(other).into())["x"].clone()
}

fn start() -> Start {
    let array =
        |elements: &[f32]| TypedArray::new(&Array::from_elements(elements, &[1, 2]).unwrap());
    let axis = Axis { increment: Some(0.1), start: Some(f64::NAN), ..Axis::default() };
    let mut start = Start {
        arm_date: Some(DateTime("2023-10-03T17:47:49.434+02:00".into())),
        channels: Some(vec!["threshold_1".into(), "difference".into()]),
        countrate_correction_enabled: Some(true),
        detector_translation: Some([0.0, -0.0, -0.125]),
        flatfield: Some([("threshold_1", array(&[1.0, f32::NAN]).unwrap())].into_iter().collect()),
        goniometer: Some([("omega", axis)].into_iter().collect()),
        image_dtype: Some("uint16".into()),
        number_of_images: Some(u64::MAX),
        threshold_energy: Some([("threshold_1", 6200.0)].into_iter().collect()),
        user_data: Some(cbor(b"\xc1\xa1\x01\x9f\xff")),
        ..Start::new(4, UNIQUE)
    };
    start.extra.push("future", cbor(b"\x01"));
    start
}

#[test]
fn a_message_that_was_built_reads_back_equal() {
    let pixels = Array::from_elements(&[1_u32, 2, 3, 4, 5, 6], &[2, 3]).unwrap();
    let element = Element::of_bytes(4).unwrap();
    let mut image = Image {
        real_time: Some(Rational { numerator: 500_000, denominator: 50_000_000 }),
        ..Image::new(4, UNIQUE, 17)
    };
    image.push_channel("threshold_2", TypedArray::new(&pixels).unwrap());
    for codec in [Codec::Lz4, Codec::BitshuffleLz4(element)] {
        image.push_channel("threshold_1", TypedArray::compressed(&pixels, codec).unwrap());
    }
    let mut other = Other::new("calibration");
    other.entries.push("gain", cbor(b"\xf9\x3c\x00"));
    let messages = [start().into(), image.clone().into(), End::new(4, UNIQUE).into(), other.into()];
    for message in messages {
        let message: Stream2 = message;
        let encoded = message.encode().unwrap();
        assert!(encoded.parts()[0].starts_with(b"\xd9\xd9\xf7"));
        let decoded = Stream2::decode(&mut Parts::new(&encoded)).unwrap();
        // Numbers that are none are the same; so are the messages, by their own measure.
        assert!(decoded.is_same(&message), "{decoded:?}\n{message:?}");
        assert_eq!(decoded.encode().unwrap(), encoded);
        assert_eq!(decoded.warnings(), []);
    }
    assert!(image.channels().all(|(_, channel)| channel.array().unwrap() == pixels));
}

#[test]
fn an_edited_message_keeps_what_was_not_edited() {
    let part = map(vec![
        ("series_id", Value::Integer(4)),
        ("odd", Value::Tag(99, Box::new(Value::Null))),
        ("beam_center_x", "left".into()),
        ("type", "start".into()),
    ]);
    let Stream2::Start(mut start) = decode(part.clone()) else { panic!("expected a start") };
    start.more_parts.push("more".into());
    assert_eq!(Stream2::Start(start.clone()).encode().unwrap().parts()[0], part);

    start.series_id = Some(5);
    let encoded = Stream2::Start(start.clone()).encode().unwrap();
    assert_eq!(Stream2::decode(&mut Parts::new(&encoded)).unwrap(), Stream2::Start(start.clone()));
    assert_eq!(
        start.extra.get("odd").unwrap().value().unwrap(),
        Value::Tag(99, Box::new(Value::Null))
    );
    let warnings: Vec<_> =
        Stream2::Start(start).warnings().iter().map(Warning::to_string).collect();
    assert_eq!(
        warnings,
        [
            "the field 'beam_center_x' cannot be read: expected a number",
            "expected at most 1 parts, found 2",
        ]
    );
}

#[test]
fn what_would_not_read_back_equal_is_not_sent() {
    let refused = |message: Stream2| message.encode().unwrap_err().to_string();
    let mut start = Start::new(4, UNIQUE);
    start.extra.push("series_id", cbor(b"\x05"));
    assert_eq!(refused(start.into()), "part 1 of 'stream2' would not read back equal");
    assert_eq!(
        refused(Other::new("image").into()),
        "part 1 of 'stream2' would not read back equal"
    );
    let mut axis = Axis::default();
    axis.extra.push("start", cbor(b"\x05"));
    let goniometer = Some([("omega", axis)].into_iter().collect());
    let start = Start { goniometer, ..Start::default() };
    assert_eq!(refused(start.into()), "part 1 of 'stream2' would not read back equal");
}

#[test]
fn fields_are_read_tolerantly() {
    let message = decode(Bytes::from_static(
        b"\xbf\x7f\x62ty\x62pe\xff\xc0\x65start\x69series_id\xf9\x44\x00\
          \x6dbeam_center_x\x05\x68arm_date\x60\x6cpixel_size_x\xc1\xfa\x3f\x00\x00\x00\
          \x6fincident_energy\x20\x08\x09\x68channels\xf6\xff",
    ));
    let Stream2::Start(start) = &message else { panic!("expected a start") };
    assert_eq!(start.series_id, Some(4));
    assert_eq!(start.beam_center_x, Some(5.0));
    assert_eq!(start.arm_date, Some(DateTime(String::new())));
    assert_eq!(start.pixel_size_x, Some(0.5));
    assert_eq!(start.incident_energy, Some(-1.0));
    assert_eq!(start.channels, None);
    assert_eq!(start.extra.0.len(), 2);
    assert_eq!(message.warnings(), []);
}

#[test]
fn damaged_messages_are_broken_with_a_reason() {
    assert_eq!(
        error(b"\xd9\xd9\xf7\xa1\x64type"),
        "part 1 of 'stream2' is not valid CBOR: the data ends within the value at byte 9"
    );
    assert_eq!(error(b"\xd9\xd9\xf7\x80"), "part 1 of 'stream2' is CBOR, but not a map");
    assert_eq!(
        error(b"\xd9\xd9\xf7\xa1\x61x\xff"),
        "part 1 of 'stream2' is not valid CBOR: there is no value at byte 6"
    );
}

#[test]
fn any_nesting_does_no_harm() {
    for level in [&b"\x81"[..], b"\x9f", b"\xc1", b"\xa1\x61a", b"\xbf\x61a", b"\xd9\xd9\xf7"] {
        for head in [&b"\xa1\x61x"[..], b"\xd9\xd9\xf7\xa1\x64data", b""] {
            let part = [head, &level.repeat(200_000)].concat();
            let data = Registry::default().decode(Message::new([part.into()]));
            assert!(!matches!(data, Data::Stream2(_)));
        }
    }
}

#[test]
fn a_message_is_found_by_its_first_bytes() {
    let peek = |part| Peek::of(part);
    let image = peek(b"\xa3\x64type\x65image\x69series_id\x04\x68image_id\x18\x2a");
    assert_eq!(
        (image.htype.as_deref(), image.series, image.frame, image.stage),
        (Some("stream2"), Some(4), Some(42), Some(Stage::Image))
    );
    let end = peek(b"\xd9\xd9\xf7\xbf\x64type\x63end\x69series_id\x04\x68image_id\x01");
    assert_eq!((end.htype.as_deref(), end.series, end.frame), (Some("stream2"), Some(4), None));
    assert_eq!(end.stage, Some(Stage::End));
    assert_eq!(peek(b"\xa1\x64type\x65start").stage, Some(Stage::Start));
    assert_eq!(peek(b"\xa1\x64type\x65other").stage, None);
    assert_eq!(peek(b"\xd9\xd9\xf7").htype.as_deref(), Some("stream2"));
    assert_eq!(peek(b"\xbf\x7f\x62ty\x62pe\xff\xc0\x61x").htype.as_deref(), Some("stream2"));
    let others: [&[u8]; 13] = [
        b"\xa1",
        b"\xa1\x01\x02",
        b"\xd9\xd9\xf8\xa0",
        b"\x80",
        b"",
        b"\xa1\xff",
        b"\xd9",
        b"\xb9\x00",
        // A map and a text, which pixels may begin with by chance; the key of another format; a
        // type that is no text.
        b"\xa5\x61\x00\x00\x00\x00",
        b"\xa2\x69series_id\x04\x64type\x63end",
        b"\xa1\x64type\x04",
        b"\xa1\x64type\x41e",
        b"\xa1\x64type\x62\xff\xfe",
    ];
    for other in others {
        assert_eq!(peek(other), Peek::default(), "{other:x?}");
    }
}

#[test]
fn bytes_behind_the_map_are_tolerated() {
    let message = decode(Bytes::from_static(b"\xa1\x64type\x63end\x00\x00"));
    assert_eq!(message, End::default().into());
    assert_eq!(message.warnings(), [Warning::TrailingBytes { part: 1, bytes: 2 }]);
    assert_eq!(message.encode().unwrap().parts()[0].len(), 12);
}

#[test]
fn pixels_are_shared_with_the_message() {
    let pixels = Array::from_elements(&[7_u8; 4], &[2, 2]).unwrap();
    let mut image = Image::new(4, UNIQUE, 0);
    image.push_channel("threshold_1", TypedArray::new(&pixels).unwrap());
    let message = Stream2::from(image).encode().unwrap();
    let range = message.parts()[0].as_ptr_range();
    let Stream2::Image(image) = Stream2::decode(&mut Parts::new(&message)).unwrap() else {
        panic!("expected an image")
    };
    let pixels = image.channel("threshold_1").unwrap().array().unwrap();
    assert!(range.contains(&pixels.bytes().as_ptr()));
}

#[test]
fn plain_lists_are_arrays_within_dimensions() {
    let array = |bytes| TypedArray::from(cbor(bytes)).array();
    let expected = Array::from_elements(&[1_i64, 2], &[1, 2]).unwrap();
    assert_eq!(array(b"\xd8\x28\x82\x82\x01\x02\x82\x01\x02").unwrap(), expected);
    assert_eq!(
        array(b"\xd8\x28\x9f\x9f\x01\x02\xff\xd8\x29\x9f\x01\x02\xff\xff").unwrap(),
        expected
    );
    let columns = array(b"\xd9\x04\x10\x82\x82\x02\x02\x84\x01\x02\xf9\x3c\x00\x03").unwrap();
    assert_eq!(*columns.elements::<f64>().unwrap(), [1.0, 1.0, 2.0, 3.0]);
    assert_eq!(array(b"\xd8\x28\x82\x81\x01\x81\xf5").unwrap().dtype(), Dtype::Bool);
    assert_eq!(array(b"\xd8\x28\x82\x81\x01\x81\x60"), Err(TypedArrayError::NotNumbers));
    assert_eq!(array(b"\xd8\x28\x82\x81\x20\x81\x00"), Err(TypedArrayError::Dimensions));
    assert_eq!(array(b"\xd8\x28\x81\x81\x01"), Err(TypedArrayError::Dimensions));
    assert_eq!(array(b"\x81\x00"), Err(TypedArrayError::NotTyped));
}

#[test]
fn types_are_told_by_their_tags() {
    let little = |tag: u8| {
        let bytes = Bytes::from([&[0xd8, tag, 0x50][..], &[0; 16]].concat());
        TypedArray::from(Cbor::parse(bytes).unwrap())
    };
    let array = little(68).array().unwrap();
    assert_eq!((array.dtype(), array.shape()), (Dtype::Uint8, &[16][..]));
    for tag in [76, 83, 87] {
        assert_eq!(little(tag).array(), Err(TypedArrayError::Tag(tag.into())));
        assert_eq!(little(tag).blob().unwrap().len(), 16);
        assert_eq!(canonical(little(tag).cbor()), json!({"bytes_hex": "00".repeat(16)}));
    }
    let array = Array::new(Dtype::Float16, ByteOrder::Big, &[8], vec![0; 16].into()).unwrap();
    assert_eq!(TypedArray::new(&array).unwrap(), little(80));
    let bools = Array::new(Dtype::Bool, ByteOrder::Big, &[1], vec![0].into()).unwrap();
    assert_eq!(TypedArray::new(&bools), Err(TypedArrayError::Dtype(Dtype::Bool)));
}

#[test]
fn lengths_are_checked_before_memory_is_taken() {
    let array = |bytes| TypedArray::from(cbor(bytes)).array();
    // 2^40 elements, and a blob that says it has as many bytes.
    let huge = array(
        b"\xd8\x28\x82\x81\x1b\x00\x00\x01\x00\x00\x00\x00\x00\xd8\x40\xd9\xdc\xb4\x83\x63lz4\x00\
          \x4c\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x10\x00",
    );
    let too_large = |limit| TypedArrayError::Compression {
        algorithm: "lz4",
        source: CompressionError::TooLarge { length: 1 << 40, limit },
    };
    assert_eq!(huge, Err(too_large(12 * 255)));
    let other = array(
        b"\xd8\x28\x82\x81\x02\xd8\x40\xd9\xdc\xb4\x83\x63lz4\x00\
          \x4c\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x10\x00",
    );
    let source = CompressionError::Length { expected: 2, found: 1 << 40 };
    assert_eq!(other, Err(TypedArrayError::Compression { algorithm: "lz4", source }));
    let overflow = array(b"\xd8\x28\x82\x82\x1b\x80\x00\x00\x00\x00\x00\x00\x00\x1b\x80\x00\x00\x00\x00\x00\x00\x00\xd8\x40\x40");
    assert!(matches!(overflow, Err(TypedArrayError::NotTheArray(ArrayError::Overflow { .. }))));
}

#[test]
fn an_unknown_algorithm_is_named_and_keeps_its_blob() {
    let array = TypedArray::from(cbor(b"\xd8\x40\xd9\xdc\xb4\x83\x64zlib\x00\x42ab"));
    assert_eq!(
        array.array().unwrap_err().to_string(),
        "expected the algorithm 'lz4', 'bslz4' or 'bszstd', found 'zlib'"
    );
    assert_eq!(array.blob().unwrap(), "ab");
    let mut image = Image::new(4, UNIQUE, 0);
    image.push_channel("threshold_1", array);
    let warnings = Stream2::from(image.clone()).warnings();
    assert_eq!(
        warnings[0].to_string(),
        "the field 'data.threshold_1' cannot be read: expected the algorithm 'lz4', 'bslz4' or \
         'bszstd', found 'zlib'"
    );
    let shown = crate::canonical::canonical(&Stream2::from(image).into());
    assert!(shown["data"]["threshold_1"]["error"].is_string(), "{shown}");
}

#[test]
fn compressed_bytes_are_bytes_anywhere() {
    let data = vec![7; 100];
    let value = Value::Tag(
        56500,
        Box::new(Value::Array(vec![
            "lz4".into(),
            Value::Integer(0),
            Bytes::from(Codec::Lz4.encode(&data).unwrap()).into(),
        ])),
    );
    let value = value.encode().unwrap();
    assert_eq!(value.byte_string(&Options::default()).unwrap(), data);
    assert!(value.byte_string(&Options { limit: 99, ..Options::default() }).is_err());
    assert_eq!(canonical(&value)["bytes_len"], 100);
}

#[test]
fn values_are_canonical() {
    for (bytes, expected) in [
        (&b"\xf7"[..], json!(null)),
        (b"\xf0", json!({"simple": 16})),
        (b"\xf9\x7c\x00", json!({"float": "inf"})),
        (b"\xf9\x3c\x00", json!(1.0)),
        (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", json!(u64::MAX)),
        (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", json!(-18_446_744_073_709_551_616.0)),
        (b"\xc2\x41\x07", json!(7)),
        (b"\xc3\x41\x07", json!(-8)),
        (b"\xc1\x1a\x65\x53\xf1\x00", json!("2023-11-14T22:13:20+00:00")),
        (b"\xc1\x20", json!("1969-12-31T23:59:59+00:00")),
        (b"\xc1\xf9\x38\x00", json!("1970-01-01T00:00:00.500000+00:00")),
        (b"\xc0\x61x", json!("x")),
        (b"\xd8\x1e\x82\x01\x02", json!([1, 2])),
        (b"\xd8\x25\x41\xff", json!({"tag": 37, "value": {"bytes_hex": "ff"}})),
        (b"\xd8\x25\x05", json!(5)),
        (
            b"\x62\xff\xfe",
            json!({"error": "the text at byte 16 is not UTF-8", "raw": {"bytes_hex": "62fffe"}}),
        ),
        (b"\xbf\x01\x02\xf6\x03\xff", json!({"1": 2, "null": 3})),
        (b"\xa1\x81\x01\x02", json!({r#"{"bytes_hex":"8101"}"#: 2})),
        (b"\x5f\x41\x01\x41\x02\xff", json!({"bytes_hex": "0102"})),
    ] {
        assert_eq!(canonical(&cbor(bytes)), expected, "{bytes:x?}");
    }
}
