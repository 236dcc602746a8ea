//! Receives messages, some of a format that mflow does not know.
//!
//! ```sh
//! cargo run --example receive -- tcp://127.0.0.1:9999
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use bytes::Bytes;
use mflow::handlers::{Data, Json};
use mflow::{Options, connect};

/// A message of our own: a header and any number of parts.
struct Spectrum {
    header: Json,
    channels: Vec<Bytes>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:9999".into());
    let mut stream = connect(&address, Options::pull().timeout(Duration::from_secs(5)))?;
    stream.handlers_mut().register("spectrum-1.0", |parts| {
        let header = parts.next_json()?;
        Ok(Data::custom(Spectrum { header, channels: parts.rest().collect() }))
    });
    for message in stream.messages() {
        let message = message?;
        if let Some(spectrum) = message.data.downcast_ref::<Spectrum>() {
            let channels = spectrum.channels.len();
            println!("spectrum of {channels} channels: {:?}", spectrum.header.get("energy"));
            continue;
        }
        match &message.data {
            Data::Array(array) => println!("{} arrays", array.data.len()),
            Data::Image(image) => println!("image of shape {:?}", image.pixels()?.shape()),
            Data::Broken(broken) => println!("a bad message: {}", broken.error),
            other => println!("{:?}", other.htype()),
        }
    }
    println!("{} messages", stream.statistics().messages_received);
    Ok(())
}
