//! libzmq 4.3.5, built for mflow, and its C declarations.
//!
//! The declarations are those of the registry's `zmq-sys` 0.12, so that the crate `zmq` builds on
//! either. `build.rs` decides which libzmq is linked.

// What libzmq with CURVE is linked with: nothing of it is called here.
#[cfg(feature = "curve")]
extern crate libsodium_sys as _;

pub mod errno;
#[allow(clippy::unreadable_literal, non_camel_case_types)]
mod ffi;

pub use std::os::fd::RawFd;

pub use ffi::*;

// As zmq.h has it.
const _: () =
    assert!(size_of::<zmq_msg_t>() == 64 && align_of::<zmq_msg_t>() == align_of::<usize>());
