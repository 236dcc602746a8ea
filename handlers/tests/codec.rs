//! Compressed data that reference implementations have made, or refuse.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod vector;

use bytes::Bytes;
use mflow_handlers::compression::{Codec, Element, Options};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The codec that a vector of DECTRIS's library names.
fn codec(decoded: &Value) -> Codec {
    let bytes = usize::try_from(decoded["elem_size"].as_u64().unwrap()).unwrap();
    match decoded["algorithm"].as_str().unwrap() {
        "lz4" => Codec::Lz4,
        "bslz4" => Codec::BitshuffleLz4(Element::of_bytes(bytes).unwrap()),
        other => panic!("{other}"),
    }
}

#[test]
fn what_the_library_of_dectris_decodes_decodes_alike() {
    for vector in vector::data("codec_dectris_ok") {
        let blob = &vector.message.parts()[0];
        let out = codec(&vector.decoded).decode(blob, &Options::default()).unwrap();
        let expected = vector.decoded["out"]["bytes_hex"].as_str().unwrap();
        assert_eq!(hex(&out), expected, "{}", vector.name);
    }
}

#[test]
fn what_the_library_of_dectris_refuses_is_refused() {
    for vector in vector::data("codec_dectris_bad") {
        let blob = &vector.message.parts()[0];
        let result = codec(&vector.decoded).decode(blob, &Options::default());
        assert!(result.is_err(), "{}: {result:?}", vector.name);
    }
}

#[test]
fn bits_are_transposed_as_the_library_of_bitshuffle_does() {
    for vector in vector::data("codec_bitshuffle_only") {
        let [plain, transposed] = vector.message.parts() else { panic!("{}", vector.name) };
        let bytes = usize::try_from(vector.decoded["elem_size"].as_u64().unwrap()).unwrap();
        let element = Element::of_bytes(bytes).unwrap();
        assert_eq!(element.transpose(plain).unwrap(), *transposed, "{}", vector.name);
        assert_eq!(element.untranspose(transposed).unwrap(), *plain, "{}", vector.name);
    }
}

#[test]
fn the_old_headers_of_bsread_are_understood() {
    for vector in vector::data("tolerance_bslz4_bsread_pre2018") {
        let codec = Codec::BitshuffleLz4(Element::of_bytes(2).unwrap());
        let out: Bytes = codec.decode(&vector.message.parts()[0], &Options::default()).unwrap();
        let expected = vector.decoded["out"]["sha256"].as_str().unwrap();
        assert_eq!(hex(&Sha256::digest(&out)), expected, "{}", vector.name);
    }
}
