//! Any data header and channels of bsread behind a main header that is whole.
#![no_main]

mod parts;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mflow_handlers::{Message, Registry, canonical};

const MAIN: &[u8] =
    br#"{"htype":"bsr_m-1.1","pulse_id":500,"global_timestamp":{"sec":7,"ns":8},"hash":""}"#;

fuzz_target!(|input: &[u8]| {
    let registry = Registry::default();
    let main = Bytes::from_static(MAIN);
    let message: Message = std::iter::once(main).chain(parts::split(input)).collect();
    let data = registry.decode(message.clone());
    canonical(&data);
    assert_eq!(registry.encode(&data).expect("nothing was edited"), message);
});
