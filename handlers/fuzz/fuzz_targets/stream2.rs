//! Any message of the stream V2 of DECTRIS, which is one part.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mflow_handlers::{Message, Registry, canonical};

fuzz_target!(|input: &[u8]| {
    let registry = Registry::default();
    let message = Message::new([Bytes::copy_from_slice(input)]);
    let data = registry.decode(message.clone());
    canonical(&data);
    assert_eq!(registry.encode(&data).expect("nothing was edited"), message);
});
