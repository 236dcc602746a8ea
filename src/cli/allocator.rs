//! Tuning the allocator of the programs; a library never does that to its host.

#![allow(unsafe_code, reason = "mallopt has no safe binding")]

/// Has glibc keep the buffers of large messages rather than give each back to the kernel, which
/// costs a third of the throughput from 64 KiB up.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn keep_large_buffers() {
    const MIB: libc::c_int = 1 << 20;
    // SAFETY: sets three numbers of this process's allocator, before any other thread is started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 * MIB);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1024 * MIB);
        libc::mallopt(libc::M_TOP_PAD, 64 * MIB);
    }
}

/// Other allocators need no tuning that we know of.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn keep_large_buffers() {}
