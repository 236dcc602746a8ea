//! The vectors in `tests/vectors`, found by listing that folder.
#![allow(clippy::unwrap_used, reason = "this is part of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mflow_handlers::dectris::stream2::{Received, Stream2};
use mflow_handlers::{Data, Message};
use serde_json::Value;

/// A message, and the canonical JSON it is expected to decode to.
#[allow(dead_code, reason = "not every test needs every field")]
pub(crate) struct Vector {
    /// The case and the index of the message in it.
    pub(crate) name: String,
    pub(crate) message: Message,
    pub(crate) decoded: Value,
}

/// Lists the folders of all cases in the order of their names.
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    cases
}

/// Returns whether the parts of a case are compressed data and not messages.
fn is_data(case: &Path) -> bool {
    let name = case.file_name().unwrap().to_str().unwrap();
    name.starts_with("codec_") || name == "tolerance_bslz4_bsread_pre2018"
}

/// Reads the blobs of a case of compressed data.
#[allow(dead_code, reason = "not every test needs every kind")]
pub(crate) fn data(name: &str) -> Vec<Vector> {
    let case = cases().into_iter().find(|case| case.ends_with(name)).unwrap();
    assert!(is_data(&case));
    read(&case)
}

/// Reads the messages of all cases, in the order of their names.
#[allow(dead_code, reason = "not every test needs every kind")]
pub(crate) fn all() -> Vec<Vector> {
    let mut cases = cases();
    cases.retain(|case| !is_data(case));
    let vectors: Vec<Vector> = cases.iter().flat_map(|case| read(case)).collect();
    assert!(vectors.len() >= cases.len() && cases.len() > 20, "vectors are missing");
    vectors
}

fn read(case: &Path) -> Vec<Vector> {
    let expected: Value =
        serde_json::from_slice(&fs::read(case.join("expected.json")).unwrap()).unwrap();
    let messages = expected["messages"].as_array().unwrap().iter().enumerate();
    let vector = |(index, expected): (usize, &Value)| {
        let parts = 0..expected["part_bytes"].as_array().unwrap().len();
        let part =
            |part| Bytes::from(fs::read(case.join(format!("{index:06}_{part:03}.raw"))).unwrap());
        Vector {
            name: format!("message {index} of {}", case.file_name().unwrap().display()),
            message: parts.map(part).collect(),
            decoded: expected["decoded"].clone(),
        }
    };
    messages.map(vector).collect()
}

/// The same message of the stream V2, as if it had been built here.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn built(data: &Data) -> Data {
    let Data::Stream2(message) = data else { panic!("expected stream2, found {data:?}") };
    let mut message = message.clone();
    match &mut *message {
        Stream2::Start(start) => start.received = Received::default(),
        Stream2::Image(image) => image.received = Received::default(),
        Stream2::End(end) => end.received = Received::default(),
        Stream2::Other(other) => other.received = Received::default(),
        _ => unreachable!("there are no others"),
    }
    Data::Stream2(message)
}
