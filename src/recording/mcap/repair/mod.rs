//! Files that may be damaged: checks every record of a file, and saves what can be read into a new
//! file.
//!
//! Records in damaged bytes are found by `read`.

mod recover;
mod verify;

pub use recover::{Recovery, recover};
pub use verify::{Verification, verify};
