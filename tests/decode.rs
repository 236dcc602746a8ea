//! m_dump decodes: every vector as JSON, as files of NumPy, and as pictures.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod harness;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use harness::{Dir, case, vector};
use serde_json::{Value, json};

/// Returns the names of the cases that hold messages, in their order.
fn cases() -> Vec<String> {
    let folder = fs::read_dir(vector("")).unwrap().map(|entry| entry.unwrap());
    let folders = folder.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    // These are compressed data and no messages.
    names.retain(|name| !name.starts_with("codec_") && name != "tolerance_bslz4_bsread_pre2018");
    names.sort();
    assert!(names.len() > 30, "vectors are missing");
    names
}

/// Returns the exit code of a case, in each format.
fn code(case: &str) -> i32 {
    // One of these channels has an unknown type.
    if case == "bsread_defaults" { 3 } else { 0 }
}

/// Returns what is expected of the messages of a case.
fn expected(case: &str) -> Vec<Value> {
    let text = fs::read(vector(case).join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    expected["messages"].as_array().unwrap().clone()
}

/// Makes all numbers floats, so that they are compared by value.
fn by_value(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_u64().is_none_or(|number| number < 1 << 53) => {
            number.as_f64().into()
        }
        Value::Array(values) => values.iter().map(by_value).collect(),
        Value::Object(object) => {
            let mut sorted: Vec<_> =
                object.iter().map(|(key, value)| (key.clone(), by_value(value))).collect();
            sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(sorted.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_warning_says_that_messages_without_arrays_make_no_files() {
    let dir = Dir::new();
    dir.write("in/000000_000.raw", r#"{"htype":"raw-1.0"}"#);
    let dump = dir.run("m_dump", ["in", "out", "--format", "npy"]).expect(0);
    let warning = "WARN no message has an array that a .npy file can hold: none was made";
    assert!(dump.stderr.lines().any(|line| line.trim() == warning), "{}", dump.stderr);
}

#[test]
fn every_vector_is_decoded_as_expected() {
    let dir = Dir::new();
    for case in cases() {
        let arguments = ["--format", "json", "--decode"];
        let folder = vector(&case);
        let dump = dir.run("m_dump", [folder.to_str().unwrap()].into_iter().chain(arguments));
        let dump = dump.expect(code(&case));
        let (lines, expected) = (lines(&dump.stdout), expected(&case));
        assert_eq!(lines.len(), expected.len(), "{case}");
        for (index, (mut line, expected)) in lines.into_iter().zip(expected).enumerate() {
            let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, ["index", "htype", "parts", "decoded"], "{case}");
            assert_eq!(line["index"], index, "{case}");
            assert_eq!(line["parts"], expected["part_bytes"], "{case}");
            let decoded = line["decoded"].as_object_mut().unwrap();
            decoded.remove("warnings");
            let expected = &expected["decoded"];
            if case == "tolerance_stream2_bszstd" {
                // It says what to expect of the pixels only.
                decoded.retain(|key, _| expected.get(key).is_some());
            }
            assert_eq!(by_value(&line["decoded"]), by_value(expected), "{case}");
            if case.starts_with("stream2_") {
                assert_eq!(line["htype"], "stream2", "{case}");
            }
        }
    }
}

#[test]
fn without_decode_a_line_has_htype_and_parts_only() {
    let dir = Dir::new();
    dir.write("in/000000_000.raw", r#"{"htype":"x-1.0"}"#);
    dir.write("in/000000_001.raw", "abc");
    dir.write("in/000007_000.raw", "no header");
    let dump = dir.run("m_dump", ["in", "-J"]).expect(0);
    let expected = "{\"index\":0,\"htype\":\"x-1.0\",\"parts\":[17,3]}\n\
                    {\"index\":1,\"htype\":null,\"parts\":[9]}\n";
    assert_eq!(dump.stdout, expected);
    assert_eq!(dump.stderr, "warning: 'in': 6 messages missing in between\n");
}

#[test]
fn a_message_that_cannot_be_decoded_has_its_line_and_the_end_is_3() {
    let dir = Dir::new();
    dir.write("in/000000_000.raw", r#"{"htype":"array-1.0","type":"u1","shape":[3]}"#);
    dir.write("in/000000_001.raw", "ab");
    dir.write("in/000001_000.raw", r#"{"htype":"raw-1.0"}"#);
    let dump = dir.run("m_dump", ["in", "--format", "json", "--decode"]).expect(3);
    assert_eq!(dump.stderr, "error: 1 message could not be decoded in full\n");
    let lines = lines(&dump.stdout);
    let error = "part 2 of 'array-1.0' is not the array its header describes: expected 3 bytes of \
                 uint8 in shape [3], found 2";
    assert_eq!((&lines[0]["index"], &lines[0]["decoded"]["error"]), (&json!(0), &json!(error)));
    let next = json!({"header": {"htype": "raw-1.0"}, "data": []});
    assert_eq!((&lines[1]["index"], &lines[1]["decoded"]), (&json!(1), &next));

    let arrays = dir.run("m_dump", ["in", "out", "--format", "npy"]).expect(3);
    assert!(arrays.stderr.contains(&format!("message 0: {error}")), "{}", arrays.stderr);
    assert!(arrays.stderr.contains("error: 1 message could not be decoded in full\n"));
    assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 0);
}

/// Writes a copy of the first message of a vector with a part replaced, as the only one of a folder.
fn damage(dir: &Dir, folder: &str, case: &str, part: usize, bytes: &[u8]) {
    for entry in fs::read_dir(vector(case)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("000000_") && name.ends_with(".raw") {
            dir.write(format!("{folder}/{name}"), fs::read(vector(case).join(&name)).unwrap());
        }
    }
    dir.write(format!("{folder}/000000_{part:03}.raw"), bytes);
}

#[test]
fn what_cannot_be_read_of_a_message_does_not_lose_the_rest_and_the_end_is_3() {
    let dir = Dir::new();
    let json = |folder, code| {
        let dump = dir.run("m_dump", [folder, "--format", "json", "--decode"]).expect(code);
        let warning = "error: 1 message could not be decoded in full\n";
        assert_eq!(dump.stderr, if code == 3 { warning } else { "" }, "{folder}");
        lines(&dump.stdout)[0]["decoded"].clone()
    };
    damage(&dir, "blob", "dimage_bslz4_3x5", 2, b"damaged");
    let blob = json("blob", 3);
    assert_eq!((&blob["image"], &blob["header"]["htype"]), (&Value::Null, &json!("dimage-1.0")));
    assert_eq!(blob["image_raw"], json!({"bytes_hex": "64616d61676564"}));
    dir.run("m_dump", ["blob", "blob_npy", "--format", "npy"]).expect(3);

    damage(&dir, "table", "dheader_all", 3, b"damaged");
    let table = json("table", 3);
    assert_eq!(table["tables"]["flatfield"], Value::Null);
    assert!(table["tables"]["pixel_mask"]["sha256"].is_string(), "{table}");
    dir.run("m_dump", ["table", "table_npy", "--format", "npy"]).expect(3);

    damage(&dir, "described", "dheader_all", 4, b"{");
    let described = json("described", 3);
    assert_eq!(
        (&described["part_5"], &described["tables"]["pixel_mask"]),
        (&Value::Null, &Value::Null)
    );
    assert!(described["tables"]["flatfield"]["sha256"].is_string(), "{described}");

    dir.write("channel/000000_000.raw", r#"{"htype":"bsr_m-1.1","pulse_id":1}"#);
    let header = r#"{"channels":[{"name":"A","type":"int32","compression":"lz4"},{"name":"B","type":"int8"}]}"#;
    dir.write("channel/000000_001.raw", header);
    for (part, bytes) in ["damaged", "", "b", ""].iter().enumerate() {
        dir.write(format!("channel/000000_{:03}.raw", part + 2), bytes);
    }
    let channel = json("channel", 3);
    assert_eq!(channel["channels"]["A"]["value"], Value::Null);
    assert_eq!(channel["channels"]["B"]["value"], 98);

    let mut cbor = fs::read(vector("stream2_image_bslz4").join("000000_000.raw")).unwrap();
    // The frame of the pixels has their length in its first eight bytes, behind its tag and
    // element.
    let tag = cbor.windows(6).position(|bytes| bytes == b"\x65bslz4").unwrap();
    cbor[tag + 9..tag + 17].fill(0xff);
    dir.write("stream2/000000_000.raw", cbor);
    let stream2 = json("stream2", 3);
    assert!(stream2["series_id"].is_number(), "{stream2}");
    dir.run("m_dump", ["stream2", "stream2_npy", "--format", "npy"]).expect(3);

    // Text of the site, and times: the message is read without them.
    damage(&dir, "appendix", "dimage_appendix", 4, b"\xff{");
    let warnings = json!(["part 5 is neither JSON nor text"]);
    assert_eq!(json("appendix", 0)["warnings"], warnings);
    damage(&dir, "dconfig", "dimage_appendix", 3, b"{'start_time'");
    assert_eq!(json("dconfig", 0)["warnings"], json!(["part 4 is not a JSON object"]));
}

/// Decodes a folder in every format, each of which must end with this code; returns the lines of JSON,
/// and the names of the NumPy files.
fn decode_everywhere(dir: &Dir, folder: &Path, code: i32) -> (Vec<Value>, Vec<String>) {
    let (name, folder) = (folder.file_name().unwrap().to_str().unwrap(), folder.to_str().unwrap());
    let dump = dir.run("m_dump", [folder, "--format", "json", "--decode"]).expect(code);
    let [npy, png] = ["npy", "png"].map(|format| {
        let out = format!("{name}_{format}");
        dir.run("m_dump", [folder, &out, "--format", format]).expect(code);
        dir.path(out)
    });
    assert!(png.is_dir());
    let names = fs::read_dir(npy).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    (lines(&dump.stdout), names)
}

#[test]
fn data_that_cannot_be_decoded_end_every_format_with_3() {
    let dir = Dir::new();
    let damaged: [&[u8]; 6] = [
        // No array where one should be: as a channel, in place of the channels, beside a good one.
        b"\xd9\xd9\xf7\xa2\x64type\x65image\x64data\xa1\x61t\x05",
        b"\xd9\xd9\xf7\xa2\x64type\x65image\x64data\x64oops",
        b"\xd9\xd9\xf7\xa2\x64type\x65image\x64data\xa2\x61s\xd8\x40\x41\x01\x61t\x61x",
        // An array of a type of 128 bits, bytes that cannot be decompressed, text that is none.
        b"\xd9\xd9\xf7\xa1\x61x\xd8\x53\x50\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xd9\xd9\xf7\xa1\x61x\xd9\xdc\xb4\x83\x63lz4\x00\x41\x00",
        b"\xd9\xd9\xf7\xa1\x61x\x62\xff\xfe",
    ];
    for (index, message) in damaged.into_iter().enumerate() {
        let folder = format!("damaged{index}");
        dir.write(format!("{folder}/000000_000.raw"), message);
        let (lines, names) = decode_everywhere(&dir, &dir.path(&folder), 3);
        assert_eq!((lines.len(), names.len()), (1, usize::from(index == 2)), "{folder}");
    }
    // What holds no array, and is of another type than it should be, is there as it was sent.
    let tolerated = b"\xd9\xd9\xf7\xa2\x64type\x65start\x6dbeam_center_x\x64left";
    dir.write("tolerated/000000_000.raw", tolerated);
    let (lines, _) = decode_everywhere(&dir, &dir.path("tolerated"), 0);
    assert_eq!(lines[0]["decoded"]["beam_center_x"], "left");
}

#[test]
fn tables_that_a_detector_does_not_have_are_null_and_no_damage() {
    let dir = Dir::new();
    let (lines, names) = decode_everywhere(&dir, &case("dheader_undefined_tables"), 0);
    assert_eq!(names, ["000000_countrate_table.npy"]);
    let decoded = &lines[0]["decoded"];
    assert_eq!(decoded.get("warnings"), None);
    let tables = decoded["tables"].as_object().unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["flatfield", "pixel_mask", "countrate_table"]);
    assert_eq!((&tables["flatfield"], &tables["pixel_mask"]), (&Value::Null, &Value::Null));
    let expected = json!([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    assert_eq!(tables["countrate_table"]["values"], expected);
}

#[test]
fn what_the_second_stream_says_it_does_not_have_is_null_and_no_damage() {
    let dir = Dir::new();
    let absent: [&[u8]; 9] = [
        b"\xf6",
        b"\xf7",
        b"\xa0",
        b"\xa1\x61t\xf6",
        b"\xa1\x61t\xf7",
        // Arrays without extents and bytes, without elements, and of nothing that was compressed.
        b"\xa1\x61t\xd8\x28\x82\x80\xd8\x55\x40",
        b"\xa1\x61t\xd8\x28\x82\x80\xf6",
        b"\xa1\x61t\xd8\x55\xf6",
        b"\xa1\x61t\xd8\x28\x82\x80\xd8\x55\xd9\xdc\xb4\x83\x65bslz4\x04\x40",
    ];
    for (index, value) in absent.into_iter().enumerate() {
        let message = [b"\xd9\xd9\xf7\xa2\x64type\x65start\x69flatfield", value].concat();
        dir.write(format!("in/{index:06}_000.raw"), message);
    }
    let (lines, names) = decode_everywhere(&dir, &dir.path("in"), 0);
    assert_eq!(names, [""; 0]);
    for (index, line) in lines.iter().enumerate() {
        let expected = match index {
            0 | 1 => Value::Null,
            2 => json!({}),
            _ => json!({"t": null}),
        };
        assert_eq!(line["decoded"], json!({"type": "start", "flatfield": expected}), "{index}");
    }
}

#[test]
fn every_array_that_is_shown_is_exported_under_its_path() {
    let dir = Dir::new();
    let (lines, names) = decode_everywhere(&dir, &case("stream2_arrays_in_lists"), 0);
    let expected = [
        "000000_images.0.profile.npy",
        "000000_images.1.profile.npy",
        "000001_data.pedestal.npy",
        "000002_user_data.dark.npy",
    ];
    assert_eq!(names, expected);
    assert_eq!(lines[0]["decoded"]["images"][1]["profile"]["values"], json!([1.0, 2.0, 3.0]));
    let pictures = fs::read_dir(dir.path("stream2_arrays_in_lists_png")).unwrap().count();
    assert_eq!(pictures, 2);
}

#[test]
fn a_header_and_a_configuration_with_a_byte_order_mark_are_read() {
    let dir = Dir::new();
    let (lines, names) = decode_everywhere(&dir, &case("bom/header"), 0);
    assert_eq!(
        (&lines[0]["htype"], &names[..]),
        (&json!("array-1.0"), &["000000_001.npy".into()][..])
    );
    assert_eq!(lines[0]["decoded"]["data"][0]["values"], json!([0, 1]));
    for name in ["split.json", "split_plain.json"] {
        let config = case("bom").join(name);
        dir.run("m_split", ["--config", config.to_str().unwrap(), "--check"]).expect(0);
    }
}

#[test]
fn frames_without_a_header_are_raw_whatever_their_first_bytes() {
    let dir = Dir::new();
    let (lines, names) = decode_everywhere(&dir, &case("raw_taken_for_stream2"), 0);
    assert_eq!((lines.len(), names.len()), (3, 0));
    for line in lines {
        assert_eq!((&line["htype"], &line["parts"]), (&Value::Null, &json!([102])));
        assert_eq!(line["decoded"]["header_raw"]["bytes_len"], 102);
    }
}

#[test]
fn floats_of_python_that_are_no_numbers_are_read_as_null() {
    let dir = Dir::new();
    let header =
        r#"{"htype":"array-1.0","type":"u1","shape":[2],"temperature":NaN,"range":[-Infinity,1]}"#;
    dir.write("in/000000_000.raw", header);
    dir.write("in/000000_001.raw", "ab");
    let dump = dir.run("m_dump", ["in", "--format", "json", "--decode"]).expect(0);
    let decoded = &lines(&dump.stdout)[0]["decoded"];
    assert_eq!(decoded["header"]["temperature"], Value::Null);
    assert_eq!(decoded["header"]["range"], json!([null, 1]));
    assert_eq!(decoded["data"][0]["values"], json!([97, 98]));
    let warning = "part 1 has NaN or Infinity, which JSON does not have";
    assert_eq!(decoded["warnings"], json!([warning]));
}

#[test]
fn options_that_make_no_sense_exit_with_2() {
    let dir = Dir::new();
    let wrong: [&[&str]; 9] = [
        &["in", "--format", "npy"],
        &["in", "--format", "png"],
        &["in", "--format", "raw"],
        &["in", "out", "--format", "json"],
        &["in", "out", "--format", "text"],
        &["in", "--decode"],
        &["in", "out", "--format", "npy", "--decode"],
        &["in", "out", "--format", "png", "-s", "2"],
        &["in", "-J", "--format", "json"],
    ];
    for line in wrong {
        let failed = dir.run("m_dump", line).expect(2);
        assert!(failed.stderr.starts_with("error: "), "{line:?}: {}", failed.stderr);
        assert!(!dir.path("out").exists(), "{line:?}");
    }
}

#[test]
fn a_folder_that_holds_arrays_is_not_touched_unless_forced() {
    let dir = Dir::new();
    dir.write("in/000000_000.raw", r#"{"htype":"array-1.0","type":"u1","shape":[1,2]}"#);
    dir.write("in/000000_001.raw", "ab");
    for format in ["npy", "png"] {
        dir.write(format!("{format}/000004_x.{format}"), "");
        // A message, not an array: no reason to refuse.
        dir.write(format!("{format}/000009_000.raw"), "");
        let arguments = ["in", format, "--format", format];
        let refused = dir.run("m_dump", arguments).expect(1);
        assert_eq!(refused.errors(), [format!("error: '{format}' holds a recording already")]);
        dir.run("m_dump", arguments.into_iter().chain(["--force"])).expect(0);
        assert!(dir.path(format).join(format!("000005_001.{format}")).exists());
    }
}

// ---- npy ----

/// Returns the arrays that are expected of a message, by the names of their files.
fn arrays(decoded: &Value) -> Vec<(String, Value)> {
    let mut arrays = Vec::new();
    if let Some(data) = decoded["data"].as_array() {
        let parts = data.iter().zip(1..);
        parts.for_each(|(value, part)| add_arrays(&format!("{part:03}"), value, &mut arrays));
        return arrays;
    }
    for (name, value) in decoded.as_object().unwrap() {
        match (name.as_str(), value.as_object()) {
            // These are called by their own names alone.
            ("tables", Some(tables)) => {
                tables.iter().for_each(|(name, table)| add_arrays(name, table, &mut arrays));
            }
            ("channels", Some(channels)) => {
                let mut add =
                    |(name, it): (&String, &Value)| add_arrays(name, &it["value"], &mut arrays);
                channels.iter().for_each(&mut add);
            }
            _ => add_arrays(name, value, &mut arrays),
        }
    }
    arrays
}

/// Adds an array, or all of those within a value by their paths.
fn add_arrays(path: &str, value: &Value, arrays: &mut Vec<(String, Value)>) {
    if value.get("sha256").is_some() && value.get("dtype").is_some() {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove("values");
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let escaped = path.bytes().map(|byte| match is_safe(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        arrays.push((escaped.collect(), value));
        return;
    }
    let mut add = |step: &str, value| add_arrays(&format!("{path}.{step}"), value, arrays);
    for (key, value) in value.as_object().into_iter().flatten() {
        add(key, value);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        add(&index.to_string(), value);
    }
}

#[test]
fn numpy_reads_every_array_of_every_vector() {
    let dir = Dir::new();
    let Some(peers) = dir.peers() else { return };
    let mut found = 0;
    for case in cases() {
        let folder = vector(&case);
        dir.run("m_dump", [folder.to_str().unwrap(), &case, "--format", "npy"]).expect(code(&case));
        let mut expected: Vec<Value> = expected(&case)
            .iter()
            .enumerate()
            .flat_map(|(index, message)| {
                let arrays = arrays(&message["decoded"]).into_iter();
                arrays.map(move |(name, array)| {
                    json!({"name": format!("{index:06}_{name}"), "array": array})
                })
            })
            .collect();
        expected.sort_by_key(|array| array["name"].as_str().unwrap().to_owned());
        found += expected.len();
        if expected.is_empty() {
            assert_eq!(fs::read_dir(dir.path(&case)).unwrap().count(), 0, "{case}");
            continue;
        }
        let read = peers.start("read_npy.py", [&case]).end().expect(0);
        let mut read = lines(&read.stdout);
        read.sort_by_key(|array| array["name"].as_str().unwrap().to_owned());
        assert_eq!(read, expected, "{case}");
    }
    assert!(found > 100, "only {found} arrays");
}

// ---- png ----

/// Returns width, height, and the colour of each pixel.
fn picture(path: PathBuf) -> (u32, u32, Vec<[u8; 3]>) {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).unwrap()));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    let pixels = bytes.chunks_exact(3).map(|pixel| pixel.try_into().unwrap()).collect();
    (info.width, info.height, pixels)
}

const RED: [u8; 3] = [110, 30, 50];
const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];

#[test]
fn a_picture_has_the_size_of_its_image_and_shows_masked_pixels() {
    let dir = Dir::new();
    let header = r#"{"htype":"array-1.0","type":"uint16","shape":[2,3],"endianness":"big"}"#;
    dir.write("in/000000_000.raw", header);
    dir.write("in/000000_001.raw", [0, 0, 1, 0, 2, 0, 255, 255, 0, 0, 1, 0]);
    dir.run("m_dump", ["in", "out", "--format", "png"]).expect(0);
    let (width, height, pixels) = picture(dir.path("out/000000_001.png"));
    let gray = [127; 3];
    assert_eq!((width, height, pixels), (3, 2, vec![BLACK, gray, WHITE, RED, BLACK, gray]));
}

#[test]
fn the_frame_of_a_real_detector_shows_its_gaps_and_each_photon() {
    let dir = Dir::new();
    let folder = vector("dimage_real_eiger2_16m");
    dir.run("m_dump", [folder.to_str().unwrap(), "out", "--format", "png"]).expect(0);
    let (width, height, pixels) = picture(dir.path("out/000000_image.png"));
    assert_eq!((width, height), (4148, 4362));
    let count = |colour| pixels.iter().filter(|&&pixel| pixel == colour).count();
    // As counted by NumPy.
    assert_eq!((count(RED), count(BLACK), count(WHITE)), (1_253_074, 16_840_255, 247));
    let at = |x: usize, y: usize| pixels[y * 4148 + x];
    assert_eq!((at(1030, 0), at(0, 514), at(0, 0)), (RED, RED, BLACK));
}

#[test]
fn values_that_detectors_use_as_flags_do_not_change_a_picture() {
    let dir = Dir::new();
    let folder = case("png_flags");
    dir.run("m_dump", [folder.to_str().unwrap(), "out", "--format", "png"]).expect(0);
    let grays = |index| {
        let (width, height, pixels) = picture(dir.path(format!("out/00000{index}_image.png")));
        assert_eq!((width, height), (90, 60));
        let red = pixels.iter().filter(|&&pixel| pixel == RED).count();
        assert!(red > 0 && red < pixels.len() / 10, "picture {index}: {red} flags");
        let mut grays: Vec<_> = pixels.into_iter().filter(|&pixel| pixel != RED).collect();
        grays.sort_unstable();
        grays.dedup();
        grays.len()
    };
    // The third one is of other photons, which are seen as well.
    assert_eq!([grays(0), grays(1), grays(2)], [48, 48, 49]);
}

#[test]
fn what_is_no_image_gives_no_picture() {
    let dir = Dir::new();
    dir.write("in/000000_000.raw", r#"{"htype":"array-1.0","type":"u1","shape":[4]}"#);
    dir.write("in/000000_001.raw", "abcd");
    dir.run("m_dump", ["in", "out", "--format", "png"]).expect(0);
    assert_eq!(fs::read_dir(dir.path(Path::new("out"))).unwrap().count(), 0);
}
