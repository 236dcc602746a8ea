//! A part that cannot be read does not lose the rest: it is a warning beside the data.

use bytes::Bytes;
use mflow_handlers::bsread::Value;
use mflow_handlers::{Data, Message, Registry};
use serde_json::json;

use crate::vector;

fn vector(case: &str) -> Message {
    let name = format!("message 0 of {case}");
    vector::all().into_iter().find(|vector| vector.name == name).unwrap().message
}

fn with_part(message: &Message, index: usize, part: &'static [u8]) -> Message {
    let mut parts = message.clone().into_parts();
    parts[index] = Bytes::from_static(part);
    parts.into()
}

fn warnings(data: &Data) -> Vec<String> {
    data.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn an_unreadable_appendix_is_kept_beside_the_image() {
    let message = vector("dimage_appendix");
    let Data::Image(whole) = Registry::default().decode(message.clone()) else { panic!() };
    let data = Registry::default().decode(with_part(&message, 4, b"\xff{"));
    let Data::Image(image) = &data else { panic!("{data:?}") };
    assert_eq!(image.pixels().unwrap(), whole.pixels().unwrap());
    let appendix = image.appendix.as_ref().unwrap();
    assert_eq!((&appendix.bytes()[..], appendix.text()), (&b"\xff{"[..], None));
    assert_eq!(warnings(&data), ["part 5 is neither JSON nor text"]);
    // It is the user's own text: that it is no JSON is nothing to be warned of.
    let text = Registry::default().decode(with_part(&message, 4, b"run 7"));
    assert_eq!(warnings(&text), Vec::<String>::new());
}

#[test]
fn an_unreadable_appendix_is_kept_beside_the_header_of_a_detector() {
    let message = vector("dheader_all_appendix");
    let Data::Header(whole) = Registry::default().decode(message.clone()) else { panic!() };
    let data = Registry::default().decode(with_part(&message, 8, b"\xff{"));
    let Data::Header(header) = &data else { panic!("{data:?}") };
    assert_eq!((&header.config, &header.tables), (&whole.config, &whole.tables));
    assert_eq!(&header.appendix.as_ref().unwrap().bytes()[..], b"\xff{");
    assert_eq!(warnings(&data), ["part 9 is neither JSON nor text"]);
}

#[test]
fn an_unreadable_table_is_a_warning_beside_the_others() {
    let message = vector("dheader_all");
    let Data::Header(whole) = Registry::default().decode(message.clone()) else { panic!() };
    let whole = whole.tables.unwrap();
    for (index, name) in [(2, "flatfield"), (4, "pixel_mask"), (6, "countrate_table")] {
        for (broken, described) in [(index, false), (index + 1, true)] {
            let damaged = with_part(&message, broken, b"\xff{");
            let data = Registry::default().decode(damaged.clone());
            let Data::Header(header) = &data else { panic!("{data:?}") };
            let tables = header.tables.as_ref().unwrap();
            let read: Vec<bool> = [
                tables.flatfield == whole.flatfield,
                tables.pixel_mask == whole.pixel_mask,
                tables.countrate_table == whole.countrate_table,
            ]
            .into();
            assert_eq!(read.iter().filter(|&&is_whole| is_whole).count(), 2, "{name}");
            let found = warnings(&data);
            let not_json = format!("part {} is not a JSON object", index + 1);
            assert_eq!(found.contains(&not_json), !described, "{found:?}");
            let no_array = format!("part {} cannot be read: ", index + 2);
            assert!(found.iter().any(|warning| warning.starts_with(&no_array)), "{found:?}");
            assert_eq!(Registry::default().encode(&data).unwrap(), damaged);
        }
    }
}

#[test]
fn an_unreadable_dconfig_is_a_warning_beside_the_image() {
    let message = vector("dimage_appendix");
    let Data::Image(whole) = Registry::default().decode(message.clone()) else { panic!() };
    let data = Registry::default().decode(with_part(&message, 3, b"{'start_time': 0"));
    let Data::Image(image) = &data else { panic!("{data:?}") };
    assert_eq!(image.pixels().unwrap(), whole.pixels().unwrap());
    assert_eq!(image.appendix, whole.appendix);
    assert_eq!(warnings(&data), ["part 4 is not a JSON object"]);
}

#[test]
fn an_unreadable_blob_is_an_error_of_the_pixels_alone() {
    let message = vector("dimage_bslz4_3x5");
    let data = Registry::default().decode(with_part(&message, 2, b"damaged"));
    let Data::Image(image) = &data else { panic!("{data:?}") };
    assert_eq!(image.pixels().unwrap_err().to_string(), "the pixels cannot be decompressed");
    assert_eq!(&image.blob[..], b"damaged");
    assert!(image.config.as_ref().unwrap().json().is_some());
}

#[test]
fn an_unreadable_channel_is_a_warning_beside_the_others() {
    let main =
        json!({"htype": "bsr_m-1.1", "pulse_id": 1, "global_timestamp": {"sec": 7, "ns": 8}});
    let channel = |name| json!({"name": name, "type": "int32", "compression": "bitshuffle_lz4"});
    let header =
        json!({"htype": "bsr_d-1.1", "channels": [channel("A"), {"name": "B", "type": "int32"}]});
    let parts = [main.to_string(), header.to_string(), "damaged".into(), String::new()];
    let value = [Bytes::from_static(&[5, 0, 0, 0]), Bytes::new()];
    let data =
        Registry::default().decode(parts.into_iter().map(Bytes::from).chain(value).collect());
    let Data::Bsread(bsread) = &data else { panic!("{data:?}") };
    assert_eq!(bsread.channel("A").unwrap().value(), None);
    assert_eq!(bsread.channel("B").unwrap().value(), Some(Value::Int32(5)));
    let warnings = warnings(&data);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("channel 'A' in part 3"), "{warnings:?}");
}

#[test]
fn floats_of_python_that_are_no_numbers_are_a_warning_in_every_header() {
    let main = r#"{"htype":"bsr_m-1.1","pulse_id":1,"x":NaN}"#;
    let header = r#"{"channels":[{"name":"B","type":"int8","precision":-Infinity}]}"#;
    let bsread = Message::from(vec![main.into(), header.into(), "b".into(), "".into()]);
    let image = vector("dimage_appendix");
    let config = with_part(&image, 3, br#"{"start_time":0,"stop_time":NaN,"real_time":1}"#);
    let basic = r#"{"htype":"dheader-1.0","series":Infinity,"header_detail":"basic"}"#;
    let detector = Message::from(vec![basic.into(), r#"{"wavelength":NaN}"#.into()]);
    let none = |part| format!("part {part} has NaN or Infinity, which JSON does not have");
    for (message, parts) in [(bsread, vec![1, 2]), (config, vec![4]), (detector, vec![1, 2])] {
        let data = Registry::default().decode(message.clone());
        assert_eq!(warnings(&data), parts.into_iter().map(none).collect::<Vec<_>>());
        assert_eq!(Registry::default().encode(&data).unwrap(), message);
    }
}
