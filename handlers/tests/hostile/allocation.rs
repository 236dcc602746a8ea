//! An allocator that counts what each thread has taken, and the most it ever had.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to implement; this one hands on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Bytes that this thread has, less what it had when counting began.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The most of them since then.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn change(bytes: isize) {
    // A thread that ends still frees: it is not counted then.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call is handed on to the allocator of the system as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        change(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        change(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, bytes: *mut u8, layout: Layout) {
        change(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(bytes, layout) }
    }

    unsafe fn realloc(&self, bytes: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both exist while the bytes are moved.
        change(size.cast_signed());
        change(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(bytes, layout, size) }
    }
}

/// Returns the most bytes that this thread had while it did something, beyond those it had before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LIVE.set(0);
    PEAK.set(0);
    let result = work();
    (result, PEAK.get().unsigned_abs())
}
