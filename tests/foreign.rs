//! Interoperability of the decoders and encoders: psi-bsread as a peer, live, and the libraries that
//! others read DECTRIS's formats with.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use bytes::Bytes;
use harness::{Dir, PATIENCE, Process};
use mflow::handlers::bsread::{Compression, DataHeader, Definition, Kind, Pulse, Timestamp};
use mflow::handlers::compression::{Codec, Element, encode_lz4_block};
use mflow::handlers::dectris;
use mflow::handlers::dectris::stream2::{self, Stream2, TypedArray};
use mflow::handlers::{Array, Data, Registry};
use mflow::{Options, connect};
use serde_json::{Value, json};

/// How many pulses go each way.
const PULSES: u16 = 5;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read_by(peer: Process) -> Vec<Value> {
    lines(&peer.end().expect(0).stdout)
}

/// The rows of a camera at a pulse.
fn camera(pulse: u16) -> Vec<Vec<u16>> {
    (0..6).map(|row| (0..10).map(|column| row * 10 + column + pulse).collect()).collect()
}

fn wave(pulse: u16) -> Vec<f32> {
    (0..5).map(|element| f32::from(element + pulse)).collect()
}

// ---- psi-bsread ----

/// Has psi-bsread send into m_dump, and compares what it prints.
fn its_sender_is_decoded(compression: Option<&str>) {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let count = PULSES.to_string();
    let arguments = ["tcp://127.0.0.1:*", "--bind", "-J", "--decode", "-n", &count];
    let dump = dir.start("m_dump", arguments.into_iter().chain(["--timeout", "60"]));
    let endpoint = dump.endpoint();
    let (address, port) = endpoint.rsplit_once(':').unwrap();
    let options = compression.into_iter().flat_map(|name| ["--compression", name]);
    let sender = peers.start("send_bsread.py", [address, port, &count].into_iter().chain(options));
    let dump = dump.end().expect(0);
    sender.end().expect(0);
    let lines = lines(&dump.stdout);
    assert_eq!(lines.len(), usize::from(PULSES));
    for (line, pulse) in lines.iter().zip(0..) {
        assert_eq!((&line["index"], &line["htype"]), (&json!(pulse), &json!("bsr_m-1.1")));
        let decoded = &line["decoded"];
        assert_eq!(decoded.get("warnings"), None);
        let time = json!([1_700_000_000 + u32::from(pulse), 123_456_789]);
        assert_eq!(decoded["pulse_id"], 500 + pulse);
        assert_eq!(decoded["global_timestamp"], time);
        let printed = compression.unwrap_or("none");
        for channel in decoded["data_header"]["channels"].as_array().unwrap() {
            let name = channel.get("compression").and_then(Value::as_str).unwrap_or("none");
            assert_eq!(name, printed);
        }
        let channels = &decoded["channels"];
        let value = |name: &str| {
            assert_eq!(channels[name]["timestamp"], time, "{name}");
            channels[name]["value"].clone()
        };
        assert_eq!(value("FLOAT"), json!(1.5 * f64::from(pulse)));
        assert_eq!(value("INT"), json!(-i64::from(pulse)));
        assert_eq!(value("TEXT"), json!(format!("pulse {pulse}")));
        let wave_read = value("WAVE");
        assert_eq!(wave_read["dtype"], "float32");
        assert_eq!(wave_read["values"], json!(wave(pulse)));
        let camera_read = value("CAMERA");
        assert_eq!(
            (&camera_read["dtype"], &camera_read["shape"]),
            (&json!("uint16"), &json!([6, 10]))
        );
        assert_eq!(camera_read["values"], json!(camera(pulse)));
    }
}

#[test]
fn m_dump_decodes_what_psi_bsread_sends() {
    its_sender_is_decoded(None);
}

#[test]
fn m_dump_decodes_what_psi_bsread_sends_by_lz4() {
    its_sender_is_decoded(Some("lz4"));
}

#[test]
fn m_dump_decodes_what_psi_bsread_sends_by_bitshuffle_lz4() {
    its_sender_is_decoded(Some("bitshuffle_lz4"));
}

/// Sends pulses to psi-bsread, and compares what it reads.
fn our_pulses_are_read(compression: Compression) {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let options = Options::push().bind().send_timeout(PATIENCE);
    let mut stream = connect("tcp://127.0.0.1:*", options).unwrap();
    let endpoint = stream.endpoint().to_owned();
    let (host, port) = endpoint.strip_prefix("tcp://").unwrap().rsplit_once(':').unwrap();
    let peer = peers.start("receive_bsread.py", [host, port, &PULSES.to_string()]);
    let channel = |name, kind, shape: &[usize]| {
        Definition::new(name, kind).with_shape(shape).with_compression(compression)
    };
    let channels = [
        channel("FLOAT", Kind::Float64, &[1]),
        channel("INT", Kind::Int64, &[1]),
        channel("TEXT", Kind::Text, &[1]),
        channel("WAVE", Kind::Float32, &[5]),
        channel("CAMERA", Kind::Uint16, &[6, 10]),
        channel("NOTHING", Kind::Float64, &[1]),
    ];
    let header = match compression {
        Compression::BitshuffleLz4 => DataHeader::new_compressed(channels),
        _ => DataHeader::new(channels),
    };
    let header = header.unwrap();
    for pulse in 0..PULSES {
        let time = Timestamp::new(1_700_000_000 + i64::from(pulse), 123_456_789);
        let mut message = Pulse::new(&header, 500 + u64::from(pulse), time);
        message.set("FLOAT", 1.5 * f64::from(pulse)).unwrap();
        message.set("INT", -i64::from(pulse)).unwrap();
        message.set("TEXT", format!("pulse {pulse}")).unwrap();
        message.set("WAVE", Array::from_elements(&wave(pulse), &[5]).unwrap()).unwrap();
        let pixels = Array::from_elements(&camera(pulse).concat(), &[6, 10]).unwrap();
        message.set("CAMERA", pixels).unwrap();
        stream.forward(&message.finish().into()).unwrap();
    }
    let read = read_by(peer);
    assert_eq!(read.len(), usize::from(PULSES));
    for (read, pulse) in read.iter().zip(0..) {
        let time = json!([1_700_000_000 + u32::from(pulse), 123_456_789]);
        let channel = |value: Value| json!({"value": value, "timestamp": time});
        assert_eq!((&read["pulse_id"], &read["global_timestamp"]), (&json!(500 + pulse), &time));
        let channels = &read["channels"];
        assert_eq!(channels["FLOAT"], channel(json!(1.5 * f64::from(pulse))));
        assert_eq!(channels["INT"], channel(json!(-i64::from(pulse))));
        assert_eq!(channels["TEXT"], channel(json!(format!("pulse {pulse}"))));
        let wave = json!({"dtype": "float32", "values": wave(pulse)});
        assert_eq!(channels["WAVE"], channel(wave));
        let camera = json!({"dtype": "uint16", "values": camera(pulse)});
        assert_eq!(channels["CAMERA"], channel(camera));
        assert_eq!(channels["NOTHING"]["value"], Value::Null);
    }
}

#[test]
fn psi_bsread_reads_what_we_send() {
    our_pulses_are_read(Compression::None);
}

#[test]
fn psi_bsread_reads_what_we_send_by_lz4() {
    our_pulses_are_read(Compression::Lz4);
}

#[test]
fn psi_bsread_reads_what_we_send_by_bitshuffle_lz4() {
    our_pulses_are_read(Compression::BitshuffleLz4);
}

// ---- DECTRIS ----

/// Pixels of more than one block of compression, and of no round number of them.
fn pixels() -> (Array, Vec<Vec<u16>>) {
    let rows: Vec<Vec<u16>> =
        (0..67).map(|row| (0..131).map(|column| row * column % 1021).collect()).collect();
    (Array::from_elements(&rows.concat(), &[67, 131]).unwrap(), rows)
}

/// Makes an image of pixels that are compressed.
fn compressed_image(pixels: &Array, encoding: &str, blob: Vec<u8>) -> Data {
    let mut image = dectris::Image::new(4, 17, pixels);
    let description = image.description.value_mut();
    description["encoding"] = encoding.into();
    description["size"] = blob.len().into();
    image.blob = Bytes::from(blob);
    image.into()
}

#[test]
fn others_read_the_images_that_we_encode() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let (pixels, rows) = pixels();
    let little = pixels.to_order(mflow::handlers::ByteOrder::Little);
    let bslz4 = Codec::BitshuffleLz4(Element::of_bytes(2).unwrap());
    let flatfield = Array::from_elements(&[0.5_f32, 1.0, 1.5, 2.0, 2.5, 3.0], &[2, 3]).unwrap();

    let mut start = stream2::Start::new(4, "series");
    start.flatfield = Some(stream2::ByName(vec![(
        "threshold_1".to_owned(),
        TypedArray::new(&flatfield).unwrap(),
    )]));
    let mut image = stream2::Image::new(4, "series", 17);
    image.push_channel("plain", TypedArray::new(&pixels).unwrap());
    image.push_channel("lz4", TypedArray::compressed(&pixels, Codec::Lz4).unwrap());
    image.push_channel("bslz4", TypedArray::compressed(&pixels, bslz4).unwrap());
    let messages: [Data; 5] = [
        dectris::Image::new(4, 17, &little).into(),
        compressed_image(&little, "lz4<", encode_lz4_block(little.bytes()).unwrap()),
        compressed_image(&little, "bs16-lz4<", bslz4.encode(little.bytes()).unwrap()),
        Stream2::from(start).into(),
        Stream2::from(image).into(),
    ];
    let registry = Registry::default();
    for (index, data) in messages.iter().enumerate() {
        for (part, bytes) in registry.encode(data).unwrap().parts().iter().enumerate() {
            dir.write(format!("in/{index:06}_{part:03}.raw"), bytes);
        }
    }
    let expected = |message: usize, name: &str| json!({"message": message, "name": name, "dtype": "uint16", "values": rows});
    let factors = json!([[0.5, 1.0, 1.5], [2.0, 2.5, 3.0]]);
    let expected = [
        expected(0, "image"),
        expected(1, "image"),
        expected(2, "image"),
        json!({"message": 3, "name": "flatfield.threshold_1", "dtype": "float32",
               "values": factors}),
        expected(4, "data.plain"),
        expected(4, "data.lz4"),
        expected(4, "data.bslz4"),
    ];
    let read = read_by(peers.start("read_dectris.py", ["in"]));
    let name = |value: &Value| (value["message"].clone(), value["name"].clone());
    let names = |values: &[Value]| values.iter().map(name).collect::<Vec<_>>();
    assert_eq!(names(&read), names(&expected));
    for (read, expected) in read.iter().zip(&expected) {
        assert!(read == expected, "{:?}", name(read));
    }
}
