//! Closes the connections of receivers that send to a PUSH. A PUSH never reads, and libzmq keeps
//! what arrives in memory as long as the peer is connected.
//!
//! The handshake and the heartbeats of ZMTP are few bytes, so each peer may send a number of bytes
//! that grows slowly. Only Linux reports how many bytes a connection has received.
#![allow(unsafe_code, reason = "libzmq reports a descriptor as a bare number")]

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How often to check.
const PERIOD: Duration = Duration::from_millis(100);
/// How many bytes a peer may send at once, and how many more each second.
const ALLOWANCE: u64 = 64 << 10;
const ALLOWANCE_A_SECOND: u64 = 256;

/// Checks how much peers have sent.
#[derive(Debug, Default)]
pub(super) struct Floodgate {
    /// When the watch of each descriptor began.
    since: HashMap<u64, Instant>,
    due: Option<Instant>,
}

impl Floodgate {
    /// Returns when to check next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Checks the connections to peers, given by descriptor and remote address, if a check is due
    /// or they have changed.
    pub(super) fn look<'a>(&mut self, peers: impl Iterator<Item = (u64, &'a str)>, now: Instant) {
        if self.due.is_some_and(|due| now < due) {
            return;
        }
        let before = std::mem::take(&mut self.since);
        for (descriptor, remote) in peers {
            let since = *before.get(&descriptor).unwrap_or(&now);
            let seconds = now.saturating_duration_since(since).as_secs();
            let allowed = seconds.saturating_mul(ALLOWANCE_A_SECOND).saturating_add(ALLOWANCE);
            let Some(received) = connection(descriptor, remote) else { continue };
            match bytes_received(&received) {
                Some(bytes) if bytes > allowed => {
                    tracing::warn!("'{remote}' sends to a PUSH: disconnecting it");
                    // It may have disconnected meanwhile.
                    let _ = received.shutdown(Shutdown::Both);
                }
                Some(_) => drop(self.since.insert(descriptor, since)),
                None => {}
            }
        }
        self.due = (!self.since.is_empty()).then(|| now + PERIOD);
    }
}

/// Returns a connection by its descriptor, if that is still the one to this remote address.
fn connection(descriptor: u64, remote: &str) -> Option<TcpStream> {
    let number = c_int::try_from(descriptor).ok()?;
    // SAFETY: the descriptor with this number, if there is one, is only duplicated.
    let number = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
    if number < 0 {
        return None;
    }
    // SAFETY: the descriptor was just made, and has no other owner.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    let peer = stream.peer_addr().ok()?;
    (remote.strip_prefix("tcp://")? == peer.to_string()).then_some(stream)
}

/// Returns how many bytes a connection has received, if the system says so.
#[cfg(target_os = "linux")]
fn bytes_received(stream: &TcpStream) -> Option<u64> {
    /// Where `tcpi_bytes_received` is in the `tcp_info` of Linux 4.1 and later.
    const PLACE: std::ops::Range<usize> = 128..136;
    let mut info = [0_u8; 256];
    let mut length = libc::socklen_t::try_from(info.len()).ok()?;
    // SAFETY: the system writes no more than `length` bytes to `info`, and how many to `length`.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    let filled = usize::try_from(length).ok()?;
    if result != 0 || filled < PLACE.end {
        return None;
    }
    Some(u64::from_ne_bytes(info[PLACE].try_into().ok()?))
}

/// Returns how many bytes a connection has received, if the system says so.
#[cfg(not(target_os = "linux"))]
fn bytes_received(_stream: &TcpStream) -> Option<u64> {
    None
}
