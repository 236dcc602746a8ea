//! Room for one small frame, used again and again.
//!
//! A sender of small messages fills a slot, hands its frame to libzmq and fills the slot again once
//! libzmq's thread has released it. Both threads look at one flag, and the sender only reads it, so
//! that a slot costs one trip of its memory between two cores and no locked instruction of the
//! sender.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{COPY_INTO_FRAME, Frame};

/// The slot can be filled.
const FREE: u8 = 0;
/// A frame shows the slot's bytes.
const LENT: u8 = 1;
/// A frame shows the bytes of a dropped slot: the last user of the frame frees them.
const LEFT: u8 = 2;

/// Room for up to [`COPY_INTO_FRAME`] bytes, and something to keep as long as they are in use.
pub(crate) struct Slot<T>(NonNull<Room<T>>);

/// The flag comes first: it shares its cache line with the beginning of the bytes.
#[repr(C, align(64))]
struct Room<T> {
    state: AtomicU8,
    bytes: [u8; COPY_INTO_FRAME],
    kept: T,
}

// SAFETY: a slot is the only owner of its room but for the frame that it has lent, which reads the
// bytes, writes the flag atomically, and may be the last to drop what is kept, on any thread.
unsafe impl<T: Send> Send for Slot<T> {}

impl<T: Send + 'static> Slot<T> {
    /// Makes an empty slot. It drops `kept` when both the slot and the frame that it has lent are
    /// dropped.
    pub(crate) fn new(kept: T) -> Self {
        let state = AtomicU8::new(FREE);
        let room = Box::new(Room { state, bytes: [0; COPY_INTO_FRAME], kept });
        Self(NonNull::from(Box::leak(room)))
    }

    /// Has the processor bring the room over from the other core meanwhile, to be filled soon.
    pub(crate) fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads and writes nothing.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            let room = self.0.as_ptr().cast::<i8>();
            _mm_prefetch::<_MM_HINT_ET0>(room);
            _mm_prefetch::<_MM_HINT_ET0>(room.wrapping_add(64));
        }
    }

    /// Returns whether the frame that was lent last is still in use.
    fn is_lent(&self) -> bool {
        // SAFETY: the room lives as long as the slot does.
        let state = unsafe { &(*self.0.as_ptr()).state };
        state.load(Ordering::Acquire) == LENT
    }

    /// Makes `frame` one of these bytes; does nothing (false) if the frame before is still in
    /// use, or they are too many.
    pub(crate) fn lend(&mut self, bytes: &[u8], frame: &mut Frame) -> bool {
        if bytes.len() > COPY_INTO_FRAME || self.is_lent() {
            return false;
        }
        let room = self.0.as_ptr();
        // SAFETY: no frame shows the bytes and `self` is borrowed exclusively, so nothing else uses
        // them while they are written. The frame that shows them keeps the room alive: as long as
        // it is lent, `drop` leaves the room to `let_go`.
        unsafe {
            let place = (&raw mut (*room).bytes).cast::<u8>();
            place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            (*room).state.store(LENT, Ordering::Relaxed);
            let lent = std::slice::from_raw_parts(place, bytes.len());
            frame.become_foreign(lent, let_go::<T>, room.cast());
        }
        true
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // SAFETY: the room lives: only `drop` and, after `LEFT`, `let_go` free it. The later
        // of the two swaps sees what the other has written, and that one frees.
        unsafe {
            if (*self.0.as_ptr()).state.swap(LEFT, Ordering::AcqRel) == FREE {
                drop(Box::from_raw(self.0.as_ptr()));
            }
        }
    }
}

/// Gives a slot back; libzmq calls it once, after the last reference to a frame has gone.
unsafe extern "C" fn let_go<T>(_bytes: *mut c_void, room: *mut c_void) {
    let room = room.cast::<Room<T>>();
    // SAFETY: the room lives as long as it is lent; see `drop`.
    unsafe {
        if (*room).state.swap(FREE, Ordering::AcqRel) == LEFT {
            drop(Box::from_raw(room));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn lend<T: Send + 'static>(slot: &mut Slot<T>, bytes: &[u8]) -> Option<Frame> {
        let mut frame = Frame::new();
        slot.lend(bytes, &mut frame).then_some(frame)
    }

    #[test]
    fn a_slot_is_lent_once_at_a_time() {
        let mut slot = Slot::new(());
        let frame = lend(&mut slot, b"one").unwrap();
        let share = frame.clone();
        drop(frame);
        assert!(slot.is_lent());
        assert!(lend(&mut slot, b"two").is_none());
        assert_eq!(share.as_ref(), b"one");
        drop(share);
        assert_eq!(lend(&mut slot, b"two").unwrap().as_ref(), b"two");
        assert!(lend(&mut slot, &[0; COPY_INTO_FRAME + 1]).is_none());
    }

    #[test]
    fn the_later_of_slot_and_frame_drops_what_is_kept() {
        let kept = Arc::new(());
        let mut slot = Slot::new(Arc::clone(&kept));
        let frame = lend(&mut slot, &[7; COPY_INTO_FRAME]).unwrap();
        drop(slot);
        assert_eq!((frame.as_ref(), Arc::strong_count(&kept)), (&[7; COPY_INTO_FRAME][..], 2));
        std::thread::spawn(move || drop(frame)).join().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);

        let mut slot = Slot::new(Arc::clone(&kept));
        drop(lend(&mut slot, b"back").unwrap());
        drop(slot);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
