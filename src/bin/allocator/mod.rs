//! The allocator of the programs: jemalloc, for libzmq too. The library chooses none.
//!
//! glibc maps and unmaps each buffer above 32 MiB, and the kernel clears its pages each time: large
//! frames then have a third of the speed of smaller ones.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "jemalloc reads its options from a symbol of this name")]

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What jemalloc reads at the start: a C string, by its address.
///
/// Large buffers are reused like small ones, and return to the system after 30 s without use.
// SAFETY: no other symbol of the program has this name; jemalloc declares it as `const char *`, which
// a reference to an array of bytes that ends with a zero is.
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: &[u8; 82] =
    b"oversize_threshold:0,background_thread:true,dirty_decay_ms:30000,muzzy_decay_ms:0\0";
