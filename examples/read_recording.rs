//! Reads a recording: what is in it, and the messages of its second half.
//!
//! ```sh
//! cargo run --example read_recording -- run42.mcap
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::PathBuf;

use mflow::Event;
use mflow::handlers::{Data, Registry};
use mflow::recording::{Seek, open_recording};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf = std::env::args_os().nth(1).unwrap_or_else(|| "run42.mcap".into()).into();
    let mut recording = open_recording(&path)?; // an MCAP file or a folder
    for origin in recording.origins() {
        println!("from {}", origin.name);
    }
    // A file that still grows does not know its length.
    let messages = recording.messages().unwrap_or(0);
    recording.seek(Seek::Message(messages / 2))?;
    let registry = Registry::default();
    while let Event::Message(received) = recording.poll()? {
        let (number, time) = (recording.position(), received.time.as_nanos());
        match registry.decode(received.frames.into()) {
            Data::Image(image) => println!("{number} {time} image {:?}", image.pixels()?.shape()),
            other => println!("{number} {time} {:?}", other.htype()),
        }
    }
    Ok(())
}
