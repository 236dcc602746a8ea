//! What mflow uses of Linux: memory maps and leases of files, paced writing, pipes, closing with
//! its error; and for the programs, signals and the process.

mod close;
mod lease;
mod map;
mod paced_file;
mod pipe;
#[cfg(feature = "cli")]
mod process;
#[cfg(feature = "cli")]
pub(crate) mod signal;

pub(crate) use close::close;
pub(crate) use map::{Loan, Map};
pub(crate) use paced_file::PacedFile;
pub(crate) use paced_file::is_in_memory;
#[cfg(feature = "cli")]
pub(crate) use pipe::STDIN;
pub(crate) use pipe::{STDOUT, is_pipe, open_to_read};
#[cfg(feature = "cli")]
pub(crate) use process::allow_many_files;
#[cfg(feature = "cli")]
pub use process::give_way;
