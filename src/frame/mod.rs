//! One part of a message as it travels: a buffer of libzmq, shared by reference count.
//!
//! [`stream`](crate::stream) sends and receives whole messages.
//!
//! This is the room for `unsafe` over libzmq's message functions. Two facts about libzmq 4.x carry
//! it, neither of them promised by `zmq.h`:
//!
//! * a `zmq_msg_t` may be moved by value (libzmq itself does so; nothing points into it);
//! * `zmq_msg_copy` writes a flag of the message it copies *from*, without synchronisation, and
//!   counts references atomically from then on. So a frame is `Send` but not `Sync`, and its
//!   copies may live on other threads.
#![allow(unsafe_code, reason = "the message functions of libzmq have no safe binding that shares")]

mod frames;
mod glance;
mod slot;

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::fmt;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::Arc;

use bytes::Bytes;
use zmq_sys::zmq_msg_t;

pub use frames::Frames;
pub(crate) use slot::Slot;

/// Up to this many bytes a copy is cheaper than handing a buffer over by reference.
pub(crate) const COPY_INTO_FRAME: usize = 256;
/// Up to this many bytes a copy is cheaper than `Bytes::from_owner`.
const COPY_INTO_BYTES: usize = 1024;
/// libzmq receives messages shorter than this into a buffer that several of them share.
const SHARED_BUFFER: usize = 8192;
/// libzmq keeps up to this many bytes inside the `zmq_msg_t` itself.
pub(crate) const INLINE: usize = 33;

/// One part of a message: bytes that libzmq or an owner of ours keeps alive.
///
/// Cloning shares the bytes. A received frame of up to 8 KiB is a slice of the buffer that libzmq
/// received it in, together with its neighbours: code that keeps small frames for long should
/// [`detach`](Frame::detach) them.
///
/// ```
/// use mflow::Frame;
/// let frame = Frame::from(&b"hello"[..]);
/// let shared = frame.clone();
/// assert_eq!(shared.as_ref(), b"hello");
/// ```
pub struct Frame(UnsafeCell<zmq_msg_t>);

impl Frame {
    /// Makes an empty frame.
    #[must_use]
    pub fn new() -> Self {
        let mut message = zmq_msg_t::default();
        // SAFETY: `message` is memory for one message; initialising an empty one cannot fail.
        unsafe { zmq_sys::zmq_msg_init(&raw mut message) };
        Self(UnsafeCell::new(message))
    }

    /// Makes a frame of bytes that live as long as the program: they are neither copied nor
    /// counted. Over `inproc://` a receiver gets these very bytes, to read only.
    ///
    /// ```
    /// use mflow::Frame;
    /// assert_eq!(Frame::from_static(b"stop").as_ref(), b"stop");
    /// ```
    #[must_use]
    pub fn from_static(bytes: &'static [u8]) -> Self {
        let mut message = zmq_msg_t::default();
        let data = bytes.as_ptr().cast_mut().cast();
        // SAFETY: `message` is memory for one message, and initialising one that frees nothing
        // cannot fail; libzmq only reads its bytes, which never move.
        unsafe {
            zmq_sys::zmq_msg_init_data(&raw mut message, data, bytes.len(), None, null_mut())
        };
        Self(UnsafeCell::new(message))
    }

    /// Makes a frame of an owner's bytes without copying them; libzmq drops the owner on the thread
    /// that releases the last reference.
    ///
    /// # Panics
    /// If the process is out of memory.
    #[must_use]
    pub fn from_owner<T: AsRef<[u8]> + Send + 'static>(owner: T) -> Self {
        let owner = Box::into_raw(Box::new(owner));
        // SAFETY: the box lives until `drop_owner` is called, and its bytes do not move or change:
        // nothing but `drop_owner` touches it again. It may be dropped on another thread because
        // it is `Send`.
        unsafe { Self::from_foreign((*owner).as_ref(), drop_owner::<T>, owner.cast()) }
    }

    /// Makes a frame as [`from_owner`](Self::from_owner) of some bytes of an owner that is shared:
    /// libzmq releases its share.
    ///
    /// # Panics
    /// If the range is not within the bytes.
    pub(crate) fn from_shared<T: AsRef<[u8]> + Send + Sync + 'static>(
        owner: Arc<T>,
        range: Range<usize>,
    ) -> Self {
        let owner = Arc::into_raw(owner);
        // SAFETY: the share lives until `drop_share` is called, and until then nothing can move or
        // change what it shares. That may be dropped on another thread because it is `Send`, and
        // used on several at once because it is `Sync`. A range that is not within the bytes
        // panics, and leaks a share.
        unsafe {
            let bytes = &(*owner).as_ref()[range];
            Self::from_foreign(bytes, drop_share::<T>, owner.cast_mut().cast())
        }
    }

    /// Makes a frame of bytes that libzmq frees by calling `free` with `owner`.
    ///
    /// # Safety
    /// The bytes live and do not change until `free` is called, on any thread; libzmq only reads
    /// what it sends.
    unsafe fn from_foreign(
        bytes: &[u8],
        free: unsafe extern "C" fn(*mut c_void, *mut c_void),
        owner: *mut c_void,
    ) -> Self {
        let mut frame = Self::new();
        // SAFETY: as the caller guarantees.
        unsafe { frame.become_foreign(bytes, free, owner) };
        frame
    }

    /// Becomes a frame of bytes that libzmq frees by calling `free` with `owner`.
    ///
    /// # Safety
    /// As [`from_foreign`](Self::from_foreign).
    unsafe fn become_foreign(
        &mut self,
        bytes: &[u8],
        free: unsafe extern "C" fn(*mut c_void, *mut c_void),
        owner: *mut c_void,
    ) {
        // SAFETY: `self` holds an initialised message, which is closed before it is initialised
        // anew; the caller guarantees the rest.
        unsafe {
            let data = bytes.as_ptr().cast_mut().cast();
            let message = self.0.get();
            zmq_sys::zmq_msg_close(message);
            let status = zmq_sys::zmq_msg_init_data(message, data, bytes.len(), Some(free), owner);
            self.check(status);
        }
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        // SAFETY: `self` always holds an initialised message.
        unsafe { zmq_sys::zmq_msg_size(self.0.get()) }
    }

    /// Returns whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether this frame was received with more parts of its message behind it.
    #[must_use]
    pub fn more(&self) -> bool {
        // SAFETY: `self` always holds an initialised message.
        unsafe { zmq_sys::zmq_msg_more(self.0.get()) != 0 }
    }

    /// Returns a frame of the same bytes that keeps no receive buffer alive: small ones are copied.
    #[must_use]
    pub fn detach(&self) -> Self {
        if (INLINE + 1..SHARED_BUFFER).contains(&self.len()) {
            Self::from(self.as_ref())
        } else {
            self.clone()
        }
    }

    /// Becomes a copy of these bytes, and releases its old ones.
    ///
    /// This is cheaper than putting a new frame in its place. A message that was written just now
    /// should stay where it is: to move it, the processor reads in one piece what was written in
    /// several, and so waits until everything that was written before has reached the cache, the
    /// bytes themselves included.
    ///
    /// # Panics
    /// If the process is out of memory.
    pub fn copy_from(&mut self, bytes: &[u8]) {
        // SAFETY: `self` holds an initialised message, which is closed before it is initialised
        // anew; after success it has room for all of `bytes`, which cannot overlap memory that was
        // allocated just now.
        unsafe {
            let message = self.0.get();
            zmq_sys::zmq_msg_close(message);
            let status = zmq_sys::zmq_msg_init_size(message, bytes.len());
            self.check(status);
            let target = zmq_sys::zmq_msg_data(message).cast::<u8>();
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Becomes a share of a frame to send, and releases its old bytes.
    pub(crate) fn share_from(&mut self, frame: &Self) {
        // SAFETY: as in `clone`; the old message is closed by `zmq_msg_copy`.
        let status = unsafe { zmq_sys::zmq_msg_copy(self.0.get(), frame.0.get()) };
        assert_eq!(status, 0, "an initialised message can be shared");
    }

    /// Becomes a share of a frame to send: or a copy of it, if that is cheaper than counting
    /// references from two threads.
    pub(crate) fn share_or_copy_from(&mut self, frame: &Self) {
        let bytes = frame.as_ref();
        if (INLINE + 1..=COPY_INTO_FRAME).contains(&bytes.len()) {
            self.copy_from(bytes);
        } else {
            self.share_from(frame);
        }
    }

    /// Becomes empty, and releases its bytes.
    pub(crate) fn clear(&mut self) {
        // SAFETY: `self` holds an initialised message, which is closed before it is initialised
        // anew; initialising an empty one cannot fail.
        unsafe {
            zmq_sys::zmq_msg_close(self.0.get());
            zmq_sys::zmq_msg_init(self.0.get());
        }
    }

    /// Panics if a message could not be initialised in this place; leaves an empty one there.
    fn check(&mut self, status: c_int) {
        if status != 0 {
            // SAFETY: there is nothing in the place that would have to be closed.
            unsafe { zmq_sys::zmq_msg_init(self.0.get()) };
        }
        assert_eq!(status, 0, "libzmq is out of memory");
    }

    /// Receives one frame into `self`, and releases its old bytes.
    pub(crate) fn recv(&mut self, socket: &mut zmq::Socket, flags: i32) -> Result<(), zmq::Error> {
        // SAFETY: both pointers are valid for the call and have no other user: both are borrowed
        // exclusively.
        let received = unsafe { zmq_sys::zmq_msg_recv(self.0.get(), socket.as_mut_ptr(), flags) };
        if received < 0 { Err(last_error()) } else { Ok(()) }
    }

    /// Sends this frame, which is empty then; if it was not accepted, it is unchanged.
    pub(crate) fn send(&mut self, socket: &mut zmq::Socket, flags: i32) -> Result<(), zmq::Error> {
        // SAFETY: as in `recv`. A sent message is empty and initialised, a refused one is
        // unchanged, so dropping or reusing `self` is right in both cases.
        let sent = unsafe { zmq_sys::zmq_msg_send(self.0.get(), socket.as_mut_ptr(), flags) };
        if sent < 0 { Err(last_error()) } else { Ok(()) }
    }
}

/// Drops the owner of a frame's bytes; libzmq calls it once, after the last reference has gone.
unsafe extern "C" fn drop_owner<T>(_bytes: *mut c_void, owner: *mut c_void) {
    // SAFETY: `owner` is the pointer that `from_owner` took out of its box, given back once.
    drop(unsafe { Box::from_raw(owner.cast::<T>()) });
}

/// Drops a share of the owner of a frame's bytes, as `drop_owner` drops an owner.
unsafe extern "C" fn drop_share<T>(_bytes: *mut c_void, owner: *mut c_void) {
    // SAFETY: `owner` is the pointer that `from_shared` took out of its share, given back once.
    drop(unsafe { Arc::from_raw(owner.cast_const().cast::<T>()) });
}

fn last_error() -> zmq::Error {
    // SAFETY: reads the calling thread's error number.
    let number: c_int = unsafe { zmq_sys::zmq_errno() };
    zmq::Error::from_raw(number)
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: `self` holds an initialised message and is not used again.
        unsafe { zmq_sys::zmq_msg_close(self.0.get()) };
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        let copy = Self::new();
        // SAFETY: both messages are initialised. The copied one's flags are written through its
        // `UnsafeCell`; `Frame` is not `Sync`, so no other thread sees it meanwhile.
        let status = unsafe { zmq_sys::zmq_msg_copy(copy.0.get(), self.0.get()) };
        assert_eq!(status, 0, "an initialised message can be shared");
        copy
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: libzmq gives a pointer to `len` readable bytes, valid as long as the message is
        // neither moved nor changed; the borrow of `self` forbids both.
        unsafe {
            std::slice::from_raw_parts(
                zmq_sys::zmq_msg_data(self.0.get()).cast_const().cast::<u8>(),
                self.len(),
            )
        }
    }
}

/// Copies the bytes.
impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        let mut frame = Self::new();
        frame.copy_from(bytes);
        frame
    }
}

/// Shares the bytes; copies if that is cheaper.
impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() <= COPY_INTO_FRAME {
            Self::from(bytes.as_ref())
        } else {
            Self::from_owner(bytes)
        }
    }
}

/// Takes the bytes over; copies if that is cheaper.
impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

/// Shares the bytes; copies if that is cheaper, which also frees the receive buffer.
impl From<Frame> for Bytes {
    fn from(frame: Frame) -> Self {
        if frame.len() <= COPY_INTO_BYTES {
            Self::copy_from_slice(frame.as_ref())
        } else {
            Self::from_owner(frame)
        }
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts how often it was dropped.
    struct Owner(Vec<u8>, Arc<AtomicUsize>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn pattern(len: usize) -> Vec<u8> {
        (0..=250).cycle().take(len).collect()
    }

    #[test]
    fn bytes_survive_every_conversion_at_every_kind_of_length() {
        for len in [0, 1, 33, 34, 256, 257, 1024, 1025, 8191, 8192, 100_000] {
            let bytes = pattern(len);
            let frame = Frame::from(Bytes::from(bytes.clone()));
            assert_eq!(frame.as_ref(), bytes);
            assert_eq!(frame.clone(), frame);
            assert_eq!(frame.detach(), frame);
            assert_eq!(Bytes::from(frame), bytes);
        }
    }

    #[test]
    fn an_owner_is_dropped_once_after_the_last_share_on_any_thread() {
        for len in [0, 5, 5000] {
            let drops = Arc::new(AtomicUsize::new(0));
            let frame = Frame::from_owner(Owner(pattern(len), Arc::clone(&drops)));
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let share = frame.clone();
                    std::thread::spawn(move || assert_eq!(share.as_ref(), pattern(len)))
                })
                .collect();
            drop(frame);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(drops.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn static_bytes_stay_where_they_are_in_every_share() {
        static BYTES: [u8; 5000] = [7; 5000];
        for len in [0, 5, 5000] {
            let frame = Frame::from_static(&BYTES[..len]);
            assert_eq!(frame.as_ref(), vec![7; len]);
            assert_eq!(frame.clone().as_ref().as_ptr(), BYTES.as_ptr());
            let mut share = Frame::from(pattern(100));
            share.share_from(&frame);
            drop(frame);
            assert_eq!((share.as_ref().as_ptr(), share.len()), (BYTES.as_ptr(), len));
        }
    }

    #[test]
    fn bytes_made_of_a_frame_share_its_buffer_from_1_kib_up() {
        let frame = Frame::from(pattern(4096));
        let address = frame.as_ref().as_ptr();
        assert_eq!(Bytes::from(frame.clone()).as_ptr(), address);
        let small = Frame::from(pattern(100));
        assert_ne!(Bytes::from(small.clone()).as_ptr(), small.as_ref().as_ptr());
    }

    #[test]
    fn a_frame_goes_through_a_socket_and_back() {
        let context = zmq::Context::new();
        let mut push = context.socket(zmq::PUSH).unwrap();
        let mut pull = context.socket(zmq::PULL).unwrap();
        push.bind("tcp://127.0.0.1:*").unwrap();
        pull.connect(&push.get_last_endpoint().unwrap().unwrap()).unwrap();
        let drops = Arc::new(AtomicUsize::new(0));
        for len in [0, 20, 200, 20_000] {
            let owner = Owner(pattern(len), Arc::clone(&drops));
            Frame::from(&b"first"[..]).send(&mut push, zmq::SNDMORE).unwrap();
            Frame::from_owner(owner).send(&mut push, 0).unwrap();
            let mut frame = Frame::new();
            frame.recv(&mut pull, 0).unwrap();
            assert!(frame.more());
            assert_eq!(frame.as_ref(), b"first");
            frame.recv(&mut pull, 0).unwrap();
            assert!(!frame.more());
            assert_eq!(frame.as_ref(), pattern(len));
        }
        drop((push, pull, context));
        assert_eq!(drops.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn a_refused_frame_is_as_it_was() {
        let context = zmq::Context::new();
        let mut push = context.socket(zmq::PUSH).unwrap();
        let mut frame = Frame::from(pattern(5000));
        assert_eq!(frame.send(&mut push, zmq::DONTWAIT), Err(zmq::Error::EAGAIN));
        assert_eq!(frame.as_ref(), pattern(5000));
    }
}
