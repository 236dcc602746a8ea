//! Messages of bsread as their writers differ, as they are built here, and damaged.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::num::NonZeroU64;

use bytes::Bytes;
use mflow_handlers::bsread::{
    Bsread, BuildError, Compression, DataHeader, Definition, Kind, Pulse, Timestamp, Value,
};
use mflow_handlers::{Array, ByteOrder, Data, Dtype, Message, Registry, canonical};
use serde_json::json;

const MAIN: &str = r#"{"htype":"bsr_m-1.1","pulse_id":500,"global_timestamp":{"sec":7,"ns":8}}"#;
const TIME: Timestamp = Timestamp::new(1_700_000_000, 123_456_789);

fn decode(message: Message) -> Bsread {
    match Registry::default().decode(message) {
        Data::Bsread(bsread) => *bsread,
        other => panic!("expected bsread, found {other:?}"),
    }
}

/// Decodes a message of channels, each described by JSON, with its value and no timestamp.
fn channels(channels: &[(serde_json::Value, &[u8])]) -> Bsread {
    let list: Vec<_> = channels.iter().map(|(channel, _)| channel).collect();
    let header = json!({"htype": "bsr_d-1.1", "channels": list}).to_string();
    let values =
        channels.iter().flat_map(|(_, value)| [Bytes::copy_from_slice(value), Bytes::new()]);
    decode([MAIN.into(), header.into()].into_iter().chain(values).collect())
}

/// Decodes a message of one channel: its value, and the warnings about the message.
fn channel(channel: serde_json::Value, value: &[u8]) -> (Option<Value>, Vec<String>) {
    let bsread = channels(&[(channel, value)]);
    let value = bsread.channels().next().unwrap().value();
    (value, bsread.warnings().iter().map(ToString::to_string).collect())
}

fn array(elements: &[u16], shape: &[usize]) -> Value {
    let array = Array::from_elements(elements, shape).unwrap();
    Value::Array(array.to_order(ByteOrder::Little))
}

#[test]
fn a_length_that_disagrees_with_the_shape_is_one_dimension() {
    let read = |shape, value: &[u8]| {
        channel(json!({"name": "A", "type": "uint16", "shape": shape}), value)
    };
    let warning = |text: &str| vec![format!("channel 'A' in part 3: {text}")];

    assert_eq!(read(json!([1]), &[1, 0]), (Some(Value::Uint16(1)), vec![]));
    assert_eq!(read(json!([2, 1]), &[1, 0, 2, 0]), (Some(array(&[1, 2], &[1, 2])), vec![]));
    assert_eq!(
        read(json!([1]), &[1, 0, 2, 0]),
        (Some(array(&[1, 2], &[2])), warning("expected elements of shape [1], found 2"))
    );
    assert_eq!(
        read(json!([3, 2]), &[1, 0, 2, 0]),
        (Some(array(&[1, 2], &[2])), warning("expected elements of shape [2, 3], found 2"))
    );
    assert_eq!(
        read(json!([1]), &[1, 0, 2]),
        (None, warning("3 bytes are no whole number of elements of uint16"))
    );
    assert_eq!(
        read(json!(["x"]), &[1, 0]),
        (Some(array(&[1], &[1])), warning("its shape is no list of whole numbers from 0 up"))
    );
    let (value, warnings) = read(json!([4_294_967_296_u64, 4_294_967_296_u64]), &[1, 0]);
    assert_eq!((value, warnings.len()), (Some(array(&[1], &[1])), 1));
    assert_eq!(read(json!(vec![1; 70]), &[1, 0]).0, None);
}

#[test]
fn what_nobody_knows_is_kept_as_it_is() {
    let bsread = channels(&[
        (json!({"name": "T", "type": "mystery"}), &[1, 2]),
        (json!({"name": "C", "compression": "zip"}), &[3]),
        (json!({"name": "E", "type": "int8", "encoding": "middle"}), &[4]),
        (json!({"name": "N", "type": 7, "compression": 8}), &[]),
        (json!("none"), &[5]),
    ]);
    let decoded = canonical(&bsread.into());
    let at = json!([7, 8]);
    assert_eq!(
        decoded["channels"],
        json!({
            "T": {"value": null, "timestamp": at, "raw": {"bytes_hex": "0102"}},
            "C": {"value": null, "timestamp": at, "raw": {"bytes_hex": "03"}},
            "E": {"value": 4, "timestamp": at},
            "N": null,
            "": {"value": null, "timestamp": at},
        })
    );
    assert_eq!(
        decoded["warnings"],
        json!([
            "channel 'T' in part 3: expected the name of an element type, found 'mystery'",
            "channel 'C' in part 5: expected the compression 'none', 'lz4' or 'bitshuffle_lz4', found 'zip'",
            "channel 'E' in part 2: expected the byte order 'little' or 'big', found 'middle'",
            "channel '' in part 2: it has no name",
            "channel '' in part 11: 1 bytes are no whole number of elements of float64",
        ])
    );
}

#[test]
fn a_damaged_channel_does_not_lose_the_others() {
    let lz4 = json!({"name": "L", "type": "int8", "compression": "lz4"});
    let bitshuffle = json!({"name": "B", "type": "int8", "compression": "bitshuffle_lz4"});
    let text = json!({"name": "S", "type": "string"});
    let bsread = channels(&[
        (lz4.clone(), &[0xff, 0xff, 0xff, 0xff, 1]),
        (bitshuffle.clone(), &[0xff; 12]),
        (text, &[0xff]),
        (json!({"name": "A", "type": "int8"}), &[7]),
    ]);
    let values: Vec<_> = bsread.channels().map(|channel| channel.value()).collect();
    assert_eq!(values, [None, None, None, Some(Value::Int8(7))]);
    let warnings: Vec<_> = bsread.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].starts_with("channel 'L' in part 3: the value cannot be decompressed: "));
    assert!(warnings[1].starts_with("channel 'B' in part 5: the value cannot be decompressed: "));
    assert_eq!(
        warnings[2],
        "channel 'S' in part 7: the text is not valid UTF-8: \
        invalid utf-8 sequence of 1 bytes from index 0"
    );
    // Nothing, compressed, is no value.
    assert_eq!(channel(lz4, &[0, 0, 0, 0, 0]), (None, vec![]));
    assert_eq!(channel(bitshuffle, &[0; 12]), (None, vec![]));
}

#[test]
fn compressed_images_that_were_cut_are_one_dimension() {
    // A writer in C++ compresses as many elements as the sum of the dimensions.
    for compression in [Compression::Lz4, Compression::BitshuffleLz4] {
        let short =
            Definition::new("A", Kind::Uint16).with_shape(&[5]).with_compression(compression);
        let header = DataHeader::new([short]).unwrap();
        let mut pulse = Pulse::new(&header, 1, TIME);
        pulse.set("A", array(&[1, 2, 3, 4, 5], &[5])).unwrap();
        let parts = pulse.finish().parts().to_vec();
        let description = json!({"name": "A", "type": "uint16", "shape": [2, 3], "compression": compression.name()});
        let (value, warnings) = channel(description, &parts[0]);
        assert_eq!(value, Some(array(&[1, 2, 3, 4, 5], &[5])));
        assert_eq!(warnings, ["channel 'A' in part 3: expected elements of shape [3, 2], found 5"]);
    }
}

#[test]
fn the_length_of_a_compressed_value_may_be_in_either_byte_order() {
    let elements: Vec<u16> = (0..32_768).map(|index| index % 7).collect();
    for (order, other) in [(ByteOrder::Little, "big"), (ByteOrder::Big, "little")] {
        let definition = |order| {
            Definition::new("A", Kind::Uint8)
                .with_shape(&[65_536])
                .with_order(order)
                .with_compression(Compression::Lz4)
        };
        let header = DataHeader::new([definition(order)]).unwrap();
        let mut pulse = Pulse::new(&header, 1, TIME);
        let bytes: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
        let bytes = Array::from_elements(&bytes, &[65_536]).unwrap();
        pulse.set("A", bytes.clone()).unwrap();
        let part = pulse.finish().parts()[0].clone();
        let description = json!({"name": "A", "type": "uint8", "shape": [65_536],
                                 "encoding": other, "compression": "lz4"});
        assert_eq!(channel(description, &part), (Some(Value::Array(bytes)), vec![]));
    }
}

#[test]
fn timestamps_fall_back_to_that_of_the_pulse() {
    let header = r#"{"channels":[{"name":"A","type":"int8"},{"name":"B","type":"int8","encoding":"big"},
        {"name":"C","type":"int8"},{"name":"D","type":"int8"},{"name":"E","type":"int8"}]}"#;
    let time = [1_700_000_000_i64.to_le_bytes(), 123_456_789_i64.to_le_bytes()].concat();
    let one = Bytes::from_static(&[1]);
    let parts = |main: &'static str| {
        let pairs = [
            (one.clone(), Bytes::from(time.clone())),
            (one.clone(), Bytes::from(time.clone())),
            (one.clone(), Bytes::from_static(b"short")),
            (one.clone(), Bytes::new()),
            (Bytes::new(), Bytes::new()),
        ];
        let values = pairs.into_iter().flat_map(|(value, time)| [value, time]);
        decode([main.into(), header.into()].into_iter().chain(values).collect())
    };
    let times =
        |bsread: &Bsread| bsread.channels().map(|channel| channel.timestamp()).collect::<Vec<_>>();
    let bsread = parts(MAIN);
    let global = Some(Timestamp::new(7, 8));
    assert_eq!(times(&bsread), [Some(TIME), Some(TIME), global, global, None]);
    let warnings: Vec<_> = bsread.warnings().iter().map(ToString::to_string).collect();
    let expected = [
        "channel 'B' in part 6: its timestamp is in the other byte order",
        "channel 'C' in part 8: expected 16 bytes of timestamp, found 5",
    ];
    assert_eq!(warnings, expected);
    let none = parts(r#"{"htype":"bsr_m-1.1"}"#);
    assert_eq!(times(&none), [Some(TIME), Some(TIME), None, None, None]);
    let misspelled = parts(r#"{"htype":"bsr_m-1.0","global_timespamp":{"epoch":7,"ns":8}}"#);
    assert_eq!(times(&misspelled), [Some(TIME), Some(TIME), global, global, None]);
    assert_eq!(
        misspelled.warnings()[0].to_string(),
        "expected the key 'global_timestamp', found 'global_timespamp'"
    );
}

#[test]
fn texts_are_padded_in_version_1_0_alone() {
    let read = |main: &'static str, dh: &'static str| {
        let header = format!(r#"{{"htype":"{dh}","channels":[{{"name":"S","type":"String"}}]}}"#);
        let parts = [main.into(), header.into(), Bytes::from_static(b"ab\0c"), Bytes::new()];
        decode(Message::new(parts)).channel("S").unwrap().value().unwrap()
    };
    let (new, old) = (r#"{"htype":"bsr_m-1.1"}"#, r#"{"htype":"bsr_m-1.0"}"#);
    assert_eq!(read(old, "bsr_d-1.0").as_str(), Some("ab"));
    assert_eq!(read(old, "bsr_d-1.1").as_str(), Some("ab"));
    assert_eq!(read(new, "bsr_d-1.0").as_str(), Some("ab"));
    assert_eq!(read(new, "bsr_d-1.1").as_str(), Some("ab\0c"));
}

#[test]
fn too_few_and_too_many_parts_are_told() {
    let header = r#"{"channels":[{"name":"A","type":"int8"},{"name":"B","type":"int8"}]}"#;
    let read = |parts: &[&'static str]| {
        let parts = [MAIN, header].into_iter().chain(parts.iter().copied()).map(Bytes::from);
        let bsread = decode(parts.collect());
        let values: Vec<_> = bsread.channels().map(|channel| channel.value().is_some()).collect();
        (values, bsread.warnings().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(read(&["a"]), (vec![true, false], vec!["part 4 is missing".into()]));
    assert_eq!(
        read(&["a", "", "b", "", "c"]),
        (vec![true, true], vec!["expected at most 6 parts, found 7".into()])
    );
    let warning = "expected 6 parts, found 5: channels without value have one";
    assert_eq!(read(&["", "b", ""]), (vec![false, true], vec![warning.into()]));
    let none = decode(Message::new([MAIN.into(), "{}".into()]));
    assert_eq!(none.warnings()[0].to_string(), "part 2 has no list of channels");
}

#[test]
fn a_data_header_that_cannot_be_read_names_its_part() {
    let error = |main: &'static str, header: &'static str| match Registry::default()
        .decode(Message::new([main.into(), header.into()]))
    {
        Data::Broken(broken) => broken.error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(error(MAIN, "{"), "part 2 of 'bsr_m-1.1' is not valid JSON");
    let old = r#"{"htype":"bsr_m-1.0","dh_compression":"lz4"}"#;
    assert_eq!(error(old, "{}"), "part 2 of 'bsr_m-1.0' cannot be decompressed");
    let zip = r#"{"htype":"bsr_m-1.1","dh_compression":"zip"}"#;
    assert_eq!(error(zip, "{}"), "part 2 of 'bsr_m-1.1' is compressed in an unknown way");
}

/// Returns two values of each kind, a single one and a larger one.
fn values(kind: Kind) -> [Value; 2] {
    fn of<T: mflow_handlers::Element + Into<Value>>(elements: [T; 6]) -> [Value; 2] {
        [elements[1].into(), Array::from_elements(&elements, &[2, 3]).unwrap().into()]
    }
    match kind {
        Kind::Bool => {
            let bytes = Bytes::from_static(&[1, 0, 1, 1, 0, 0]);
            let array = Array::new(Dtype::Bool, ByteOrder::Little, &[2, 3], bytes).unwrap();
            [true.into(), array.into()]
        }
        Kind::Int8 => of([1_i8, -2, 3, 4, i8::MIN, i8::MAX]),
        Kind::Int16 => of([1_i16, -2, 3, 4, i16::MIN, i16::MAX]),
        Kind::Int32 => of([1_i32, -2, 3, 4, i32::MIN, i32::MAX]),
        Kind::Int64 => of([1_i64, -2, 3, 4, i64::MIN, i64::MAX]),
        Kind::Uint8 => of([1_u8, 2, 3, 4, 5, u8::MAX]),
        Kind::Uint16 => of([1_u16, 258, 3, 4, 5, u16::MAX]),
        Kind::Uint32 => of([1_u32, 258, 3, 4, 5, u32::MAX]),
        Kind::Uint64 => of([1_u64, 258, 3, 4, 5, u64::MAX]),
        Kind::Float32 => of([1.5_f32, -2.25, 0.0, 1e30, f32::INFINITY, f32::MIN_POSITIVE]),
        Kind::Float64 => of([1.5_f64, -2.25, 0.0, 1e300, f64::INFINITY, f64::MIN_POSITIVE]),
        Kind::Text => ["Grüezi µ ✓".into(), "x".repeat(1000).into()],
    }
}

#[test]
fn what_was_built_decodes_to_equal_values() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for compression in [Compression::None, Compression::Lz4, Compression::BitshuffleLz4] {
            let mut definitions = Vec::new();
            for &kind in Kind::ALL {
                let shape: &[usize] = if kind == Kind::Text { &[] } else { &[2, 3] };
                for (name, shape) in [("S", &[][..]), ("W", shape)] {
                    definitions.push(
                        Definition::new(&format!("{name}-{kind}"), kind)
                            .with_shape(shape)
                            .with_order(order)
                            .with_compression(compression),
                    );
                }
            }
            definitions.push(
                Definition::new("NONE", Kind::Int8).with_schedule(NonZeroU64::new(10).unwrap(), 1),
            );
            let header = match compression {
                Compression::None => DataHeader::new(definitions).unwrap(),
                _ => DataHeader::new_compressed(definitions).unwrap(),
            };
            let mut pulse = Pulse::new(&header, 500, Timestamp::new(7, 8));
            for &kind in Kind::ALL {
                let [single, many] = values(kind);
                pulse.set(&format!("S-{kind}"), single).unwrap();
                pulse.set_at(&format!("W-{kind}"), many, TIME).unwrap();
            }
            let built = pulse.finish();
            let read = decode(built.encode().unwrap());
            assert_eq!(read, built);
            assert_eq!(read.warnings(), []);
            assert_eq!((read.pulse_id(), read.data_header().hash()), (Some(500), header.hash()));
            assert_eq!(read.main_header.get("hash").unwrap(), header.hash());
            assert_eq!(read.channel("NONE").unwrap().value(), None);
            assert!(!read.channel("NONE").unwrap().definition().is_due(500));
            assert!(read.channel("MISSING").is_none());
            for &kind in Kind::ALL {
                let [single, many] = values(kind);
                let channel = read.channel(&format!("S-{kind}")).unwrap();
                assert_eq!(channel.value(), Some(single));
                assert_eq!(channel.timestamp(), Some(Timestamp::new(7, 8)));
                let channel = read.channel(&format!("W-{kind}")).unwrap();
                let native = channel.value().map(|value| match value {
                    Value::Array(array) => Value::Array(array.to_native()),
                    value => value,
                });
                assert_eq!((native, channel.timestamp()), (Some(many), Some(TIME)));
            }
        }
    }
}

#[test]
fn what_would_read_back_differently_is_not_built() {
    let definitions =
        [Definition::new("A", Kind::Int16).with_shape(&[2, 3]), Definition::new("T", Kind::Text)];
    let header = DataHeader::new(definitions).unwrap();
    let mut pulse = Pulse::new(&header, 1, TIME);
    let error = |result: Result<(), BuildError>| result.unwrap_err().to_string();
    assert_eq!(error(pulse.set("B", 1_i16)), "there is no channel 'B'");
    let expected = "channel 'A' expects int16 of shape [2, 3], found";
    assert_eq!(error(pulse.set("A", 1_i16)), format!("{expected} int16 of shape [1]"));
    assert_eq!(
        error(pulse.set("A", array(&[1, 2], &[2]))),
        format!("{expected} uint16 of shape [2]")
    );
    assert_eq!(
        error(pulse.set("T", "")),
        "the value of channel 'T' is empty, which cannot be distinguished from no value"
    );

    let mut bsread = pulse.finish();
    bsread.main_header.value_mut()["dh_compression"] = "lz4".into();
    assert_eq!(
        bsread.encode().unwrap_err().to_string(),
        "part 2 of 'bsr_m-1.1' has the compression 'none', but the header says 'lz4'"
    );
}
