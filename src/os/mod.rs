//! What mflow asks of Linux: memory maps and leases of files, paced writing, pipes, closing with the
//! error.

mod close;
mod lease;
mod map;
mod paced_file;
mod pipe;

pub(crate) use close::close;
pub(crate) use map::{Loan, Map};
pub(crate) use paced_file::PacedFile;
#[cfg(feature = "cli")]
pub(crate) use paced_file::is_in_memory;
#[cfg(feature = "cli")]
pub(crate) use pipe::{STDIN, STDOUT};
pub(crate) use pipe::{is_pipe, open_to_read};
