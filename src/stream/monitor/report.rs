//! What libzmq reports of the connections of a socket, as it reports it.
#![allow(
    unsafe_code,
    reason = "only the second version of the reports says whose connection it is"
)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use super::PeerEventKind;

unsafe extern "C" {
    /// The later version of `zmq_socket_monitor`.
    ///
    /// libzmq exports it as a C function only if it is built with its draft API, so this is the
    /// name that the C++ compiler gives it. The third argument is a `uint64_t`.
    #[cfg_attr(
        all(target_os = "linux", target_pointer_width = "64"),
        link_name = "_Z28zmq_socket_monitor_versionedPvPKcmii"
    )]
    #[cfg_attr(
        not(all(target_os = "linux", target_pointer_width = "64")),
        link_name = "_Z28zmq_socket_monitor_versionedPvPKcyii"
    )]
    fn zmq_socket_monitor_versioned(
        socket: *mut c_void,
        address: *const c_char,
        events: u64,
        version: c_int,
        kind: c_int,
    ) -> c_int;
}

/// Something that happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) kind: PeerEventKind,
    /// Why a handshake has failed; meaningless for other events.
    pub(super) failure: Failure,
    /// The descriptor of the connection, or the number of an error.
    pub(super) value: u64,
    /// The local address, and the remote address.
    pub(super) local: String,
    pub(super) remote: String,
}

/// Why a handshake has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection has ended, or it took too long.
    Ended,
    /// The peer has violated the protocol.
    Protocol,
    /// The two sides do not have the same security mechanism.
    Mechanism,
    /// The peer denies access, with this status of ZAP.
    Denied(u64),
    /// libzmq does not say: a socket of the wrong kind, or an old version of ZMTP.
    Unsaid,
}

/// The result of a read.
pub(super) enum Next {
    Report(Report),
    /// Nothing at present.
    None,
    /// The socket has closed: there are no more reports.
    End,
}

/// The reports of one socket.
pub(super) struct Reports(zmq::Socket);

impl Reports {
    /// Starts to watch a socket.
    pub(super) fn of(context: &zmq::Context, socket: &mut zmq::Socket) -> Result<Self, zmq::Error> {
        let address = new_address();
        let reports = context.socket(zmq::PAIR)?;
        reports.set_linger(0)?;
        let name = CString::new(address.as_str()).map_err(|_| zmq::Error::EINVAL)?;
        let kind = zmq::PAIR as c_int;
        // SAFETY: the socket is open, and the name lives until the call is over.
        let watched = unsafe {
            zmq_socket_monitor_versioned(
                socket.as_mut_ptr(),
                name.as_ptr(),
                u64::from(u16::MAX),
                2,
                kind,
            )
        };
        if watched != 0 {
            // SAFETY: it only reads the number of the error.
            return Err(zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() }));
        }
        reports.connect(&address)?;
        Ok(Self(reports))
    }

    /// Ends the reports of a socket.
    ///
    /// A watch over no events takes the place of this one. Closing the socket would end the reports
    /// too, but only after its linger period.
    pub(super) fn end(socket: &zmq::Socket) -> Result<(), zmq::Error> {
        socket.monitor(&new_address(), 0)
    }

    /// Returns the socket that the reports come from.
    pub(super) fn socket(&self) -> &zmq::Socket {
        &self.0
    }

    /// Receives one report from the socket.
    pub(super) fn next(&self) -> Next {
        match self.0.recv_multipart(zmq::DONTWAIT) {
            Ok(parts) => parse(&parts),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => Next::None,
            Err(_) => Next::End,
        }
    }
}

/// Reads a report of five parts: the event, the number of values, the value, the local address, the
/// remote address. The system's libzmq has the first version, of two parts: the event with the
/// value, and the local address.
fn parse(parts: &[Vec<u8>]) -> Next {
    let number = |index: usize| -> u64 {
        let part = parts.get(index).and_then(|part| part.first_chunk());
        part.map_or(0, |part| u64::from_ne_bytes(*part))
    };
    let text = |index: usize| -> String {
        parts.get(index).map_or_else(String::new, |text| String::from_utf8_lossy(text).into())
    };
    let (event, value, local, remote) = match parts {
        [head, _] => match head[..] {
            [a, b, c, d, e, f] => {
                let (event, value) = (u16::from_ne_bytes([a, b]), u32::from_ne_bytes([c, d, e, f]));
                (event.into(), value.into(), text(1), String::new())
            }
            _ => return Next::None,
        },
        _ => (u32::try_from(number(0)).unwrap_or(0), number(2), text(3), text(4)),
    };
    if event == zmq_sys::ZMQ_EVENT_MONITOR_STOPPED {
        return Next::End;
    }
    let failure = match event {
        zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL => Failure::Ended,
        zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH => Failure::Denied(value),
        zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
            if value == u64::from(zmq_sys::ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) =>
        {
            Failure::Mechanism
        }
        zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL => Failure::Protocol,
        _ => Failure::Unsaid,
    };
    let kind = PeerEventKind::from_raw(event);
    Next::Report(Report { kind, failure, value, local, remote })
}

/// Returns an address for the reports of one socket.
fn new_address() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("inproc://mflow-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
