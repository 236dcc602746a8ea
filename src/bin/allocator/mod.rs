//! The allocator of the programs: jemalloc, for libzmq too. The library chooses none.
//!
//! glibc maps and unmaps each buffer above 32 MiB, and the kernel clears its pages anew each time, so
//! that large frames go at a third of the speed of smaller ones.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "jemalloc reads its options from a symbol of this name")]

use std::ffi::c_char;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Large buffers are reused like small ones, and go back to the system within 30 s in which nothing
/// needs them.
const OPTIONS: &[u8] =
    b"oversize_threshold:0,background_thread:true,dirty_decay_ms:30000,muzzy_decay_ms:0\0";

/// What jemalloc reads when the program starts.
// SAFETY: no other symbol of the program has this name, and the text ends with a zero.
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: Option<&'static c_char> = Some(first(OPTIONS));

/// Returns the first character of a text.
const fn first(text: &'static [u8]) -> &'static c_char {
    // SAFETY: the text is not empty, and a character has the size of a byte.
    unsafe { &*text.as_ptr().cast::<c_char>() }
}
