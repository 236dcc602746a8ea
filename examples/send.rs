//! Sends arrays to every receiver that connects.
//!
//! ```sh
//! cargo run --example send
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use mflow::handlers::{Array, ArrayMessage};
use mflow::{MonitorOptions, Options, connect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::push().bind().send_timeout(Duration::from_secs(5));
    let mut stream = connect("tcp://127.0.0.1:9999", options)?;
    let monitor = stream.monitor(MonitorOptions::default());
    println!("sending to {}", stream.endpoint());
    if !monitor.wait_for_peers(1, Duration::from_secs(60)) {
        return Err("no receiver has connected".into());
    }
    for frame in 0..10_u16 {
        let pixels = [frame; 12];
        let message = ArrayMessage::new(Array::from_elements(&pixels, &[3, 4])?);
        stream.forward(&message.into())?;
    }
    Ok(())
}
