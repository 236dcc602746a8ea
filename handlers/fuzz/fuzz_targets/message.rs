//! Any message: decoding loses nothing of it, and reading it does no harm.
#![no_main]

mod parts;

use libfuzzer_sys::fuzz_target;
use mflow_handlers::{Message, Registry, canonical};

fuzz_target!(|input: &[u8]| {
    let registry = Registry::default();
    let message = Message::from(parts::split(input));
    let mut data = registry.decode(message.clone());
    canonical(&data);
    assert_eq!(registry.encode(&data).expect("nothing was edited"), message);
    if let Some(header) = data.header_mut() {
        header.value_mut();
        let encoded = registry.encode(&data).expect("the header is as it was");
        assert_eq!(registry.decode(encoded), data);
    }
});
