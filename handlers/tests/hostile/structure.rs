//! Parts that are missing, too many or out of order, and headers of any nesting.

use bytes::Bytes;
use mflow_handlers::{Data, Message, Registry};

use crate::exercise::Depth;
use crate::messages;

/// Parts longer than this are cut down: what a decoder reads of them does not depend on their length.
const LONGEST: usize = 300;

fn exercise(registry: &Registry, message: &Message) {
    crate::exercise(registry, message, Depth::All);
}

fn short_messages() -> impl Iterator<Item = Message> {
    let shorten = |part: Bytes| part.slice(..part.len().min(LONGEST));
    messages().into_iter().map(move |message| message.into_iter().map(shorten).collect())
}

#[test]
fn missing_and_additional_parts_keep_the_message() {
    let registry = Registry::default();
    for message in short_messages() {
        for length in 0..message.len() {
            exercise(&registry, &message.parts()[..length].iter().cloned().collect());
        }
        let mut message = message;
        for _ in 0..10 {
            message.extend([Bytes::from_static(b"{}"), Bytes::new()]);
            exercise(&registry, &message);
        }
    }
}

#[test]
fn parts_out_of_order_keep_the_message() {
    let registry = Registry::default();
    for message in short_messages() {
        let mut parts = message.into_parts();
        for _ in 0..parts.len() {
            parts.rotate_left(1);
            exercise(&registry, &parts.clone().into());
        }
    }
}

#[test]
fn a_header_of_any_nesting_does_no_harm() {
    let registry = Registry::default();
    for depth in [100, 126, 127, 128, 129, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for htype in ["raw-1.0", "array-1.0", "dseries_end-1.0", "x-1.0"] {
                let header =
                    format!(r#"{{"htype":"{htype}","type":"u1","shape":{nested},"x":{nested}}}"#);
                exercise(&registry, &Message::new([header.into(), "a".into()]));
            }
            exercise(&registry, &Message::new([nested.into()]));
        }
    }
}

#[test]
fn an_array_of_many_dimensions_does_no_harm() {
    for dimensions in [64, 65, 100_000] {
        let shape = vec!["1"; dimensions].join(",");
        let header = format!(r#"{{"htype":"array-1.0","type":"u1","shape":[{shape}]}}"#);
        let message = Message::new([header.into(), "a".into()]);
        let data = Registry::default().decode(message.clone());
        assert_eq!(matches!(data, Data::Array(_)), dimensions <= 64);
        exercise(&Registry::default(), &message);
    }
}

#[test]
fn maps_as_keys_of_maps_do_no_harm() {
    for depth in [10, 30, 60, 100_000] {
        for open in [&b"\xa1"[..], b"\x81\xa1", b"\xa1\xc4"] {
            let mut cbor = b"\xd9\xd9\xf7\xa1\x69user_data".to_vec();
            cbor.extend(open.repeat(depth));
            cbor.extend(b"\x61a".repeat(depth + 1));
            exercise(&Registry::default(), &Message::new([cbor.into()]));
        }
    }
}
