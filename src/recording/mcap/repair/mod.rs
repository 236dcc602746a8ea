//! Files that may be damaged: checking every record of one, and saving what can be read into a new one.
//!
//! Records in damaged bytes are found by `read`.

mod recover;
mod verify;

pub use recover::{Recovery, recover};
pub use verify::{Verification, verify};
