//! A recorded frame of a real detector through all programs, from a folder to folders.

mod harness;

use harness::{Dir, recording, vector};

/// An EIGER2 16M frame: 4 parts, 490 kB.
const FRAME: &str = "dimage_real_eiger2_16m";

#[test]
fn a_recorded_frame_comes_out_of_a_split_as_it_went_into_the_replay() {
    const MESSAGES: usize = 50;
    let dir = Dir::new();
    let count = MESSAGES.to_string();
    let any = "tcp://127.0.0.1:*";
    let frame = vector(FRAME);

    let replay =
        dir.start("m_replay", [frame.to_str().unwrap(), "-a", any, "-l", "-n", count.as_str()]);
    let source = replay.endpoint();
    let split = dir.start("m_split", [&source, any, any, "-n", &count, "--on-full", "block"]);
    let dumps: Vec<_> = split
        .endpoints(2)
        .iter()
        .zip(["one", "other"])
        .map(|(endpoint, folder)| (folder, dir.start("m_dump", [endpoint, folder, "-n", &count])))
        .collect();

    let parts: Vec<Vec<u8>> = recording(&frame).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(parts.len(), 4, "parts of the vector");
    for (folder, dump) in dumps {
        dump.end().expect(0);
        let dumped = recording(dir.path(folder));
        assert_eq!(dumped.len(), MESSAGES * parts.len(), "files of '{folder}'");
        for (index, (name, bytes)) in dumped.iter().enumerate() {
            let (message, part) = (index / parts.len(), index % parts.len());
            assert_eq!(*name, format!("{message:06}_{part:03}.raw"));
            assert!(*bytes == parts[part], "'{folder}/{name}' differs");
        }
    }
    split.end().expect(0);
    replay.end().expect(0);
}
