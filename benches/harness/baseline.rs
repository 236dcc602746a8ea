//! Baselines: plain programs over the zmq crate, which this binary turns into when it runs itself
//! again.
//!
//! They tune nothing: neither the allocator nor a socket beyond its queue.
#![allow(unsafe_code, reason = "handing a buffer over by reference has no safe binding")]

use std::ffi::c_void;
use std::fs::File;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mflow::Throughput;

use super::Result;

/// The first argument of a process that is one of the baselines.
pub(crate) const ROLE: &str = "--role";

/// What every tool has by default.
const QUEUE: i32 = 100;

/// What a process of this binary does, besides measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends m_generate's messages, both parts copied (baseline A).
    SendCopies,
    /// Sends m_generate's messages, the payload by reference (baseline B).
    SendShares,
    /// Sends array-1.0 messages, the payload by reference.
    SendArrays,
    /// Sends messages out of a map of a file, the payload by reference.
    SendSlices,
    /// Counts messages in one `zmq::Message` that it uses again and again (both baselines).
    Receive,
    /// Receives so many messages and prints how many there were in a second.
    Time,
    /// Receives messages by `mflow::Stream::receive`, which decodes them.
    ReceiveDecoded,
    /// Writes what it receives, in the thread that receives it: to a file, or to a file for each
    /// part if there is a folder.
    Write,
    /// Forwards from a PULL to a PUSH by `zmq::proxy`.
    Proxy,
}

impl Role {
    const ALL: [(&str, Self); 9] = [
        ("send-copies", Self::SendCopies),
        ("send-shares", Self::SendShares),
        ("send-arrays", Self::SendArrays),
        ("send-slices", Self::SendSlices),
        ("receive", Self::Receive),
        ("time", Self::Time),
        ("receive-decoded", Self::ReceiveDecoded),
        ("write", Self::Write),
        ("proxy", Self::Proxy),
    ];

    /// Returns a command that runs this binary in this role.
    pub(crate) fn command(self, arguments: &[&str]) -> Result<Command> {
        let name = Self::ALL.iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg(name).args(arguments);
        Ok(command)
    }
}

/// Runs as a baseline until this process is ended.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [name, rest @ ..] = arguments.as_slice() else {
        return Err("a role is missing".into());
    };
    let role = Role::ALL.iter().find(|(known, _)| known == name).map(|(_, role)| *role);
    match (role, rest) {
        (Some(Role::SendCopies), [address, size]) => send_copies(address, size.parse()?),
        (Some(Role::SendShares), [address, size]) => send_shares(address, size.parse()?, header),
        (Some(Role::SendArrays), [address, size]) => {
            send_shares(address, size.parse()?, array_header)
        }
        (Some(Role::SendSlices), [address, file, messages, size, buffer]) => {
            let file = File::open(file)?;
            send_slices(address, &file, messages.parse()?, size.parse()?, buffer.parse()?)
        }
        (Some(Role::Time), [address, messages]) => time(address, messages.parse()?),
        (Some(Role::Receive), [address, interval]) => receive(address, interval.parse()?),
        (Some(Role::ReceiveDecoded), [address, interval]) => {
            receive_decoded(address, interval.parse()?)
        }
        (Some(Role::Write), [address, to]) => write(address, Path::new(to)),
        (Some(Role::Proxy), [from, to]) => proxy(from, to),
        _ => Err(format!("no role has the arguments {arguments:?}").into()),
    }
}

fn socket(kind: zmq::SocketType) -> Result<zmq::Socket> {
    let socket = zmq::Context::new().socket(kind)?;
    socket.set_sndhwm(QUEUE)?;
    socket.set_rcvhwm(QUEUE)?;
    Ok(socket)
}

/// Writes the header of a message as m_generate does.
fn header(into: &mut Vec<u8>, size: usize, frame: u64) -> std::io::Result<()> {
    let integers = size / 4;
    write!(into, r#"{{"htype":"raw-1.0","type":"int32","shape":[1,{integers}],"frame":{frame}}}"#)
}

/// Writes the header of an array of bytes.
fn array_header(into: &mut Vec<u8>, size: usize, frame: u64) -> std::io::Result<()> {
    write!(into, r#"{{"htype":"array-1.0","type":"uint8","shape":[{size}],"frame":{frame}}}"#)
}

fn send_copies(address: &str, size: usize) -> Result<()> {
    let socket = socket(zmq::PUSH)?;
    socket.bind(address)?;
    let payload = vec![0; size];
    let mut text = Vec::new();
    for frame in 0.. {
        text.clear();
        header(&mut text, size, frame)?;
        socket.send(text.as_slice(), zmq::SNDMORE)?;
        socket.send(payload.as_slice(), 0)?;
    }
    Ok(())
}

fn send_shares(
    address: &str,
    size: usize,
    header: fn(&mut Vec<u8>, usize, u64) -> std::io::Result<()>,
) -> Result<()> {
    let mut socket = socket(zmq::PUSH)?;
    socket.bind(address)?;
    let payload: &'static [u8] = vec![0; size].leak();
    let mut text = Vec::new();
    for frame in 0.. {
        text.clear();
        header(&mut text, size, frame)?;
        socket.send(text.as_slice(), zmq::SNDMORE)?;
        send_by_reference(&mut socket, payload)?;
    }
    Ok(())
}

fn send_by_reference(socket: &mut zmq::Socket, bytes: &'static [u8]) -> Result<()> {
    let mut message = zmq_sys::zmq_msg_t::default();
    // SAFETY: `message` is memory for one message; `bytes` live until the process ends, and libzmq
    // only reads what it sends. A message that was not sent is leaked, and the process ends.
    let sent = unsafe {
        let data = bytes.as_ptr().cast_mut().cast();
        let hint = std::ptr::null_mut();
        zmq_sys::zmq_msg_init_data(&raw mut message, data, bytes.len(), Some(keep), hint);
        zmq_sys::zmq_msg_send(&raw mut message, socket.as_mut_ptr(), 0)
    };
    if sent < 0 { Err("a message could not be sent".into()) } else { Ok(()) }
}

/// Sends slices of a file that has as many messages, each behind a header; with so large a buffer of
/// the system's, or its own choice if that is 0.
fn send_slices(
    address: &str,
    file: &File,
    messages: usize,
    size: usize,
    buffer: i32,
) -> Result<()> {
    // SAFETY: the bench that wrote the file does not change it any more.
    let map: &'static [u8] = Box::leak(Box::new(unsafe { memmap2::Mmap::map(file)? }));
    let mut socket = socket(zmq::PUSH)?;
    if buffer > 0 {
        socket.set_sndbuf(buffer)?;
    }
    socket.bind(address)?;
    let stride = map.len() / messages;
    let mut text = Vec::new();
    for message in 0..messages {
        text.clear();
        header(&mut text, size, message as u64)?;
        let slice = map.get(message * stride..).and_then(|rest| rest.get(..size));
        socket.send(text.as_slice(), zmq::SNDMORE)?;
        send_by_reference(&mut socket, slice.ok_or("the file is too short")?)?;
    }
    Ok(())
}

/// Frees nothing: what is sent lives until the process ends.
unsafe extern "C" fn keep(_bytes: *mut c_void, _hint: *mut c_void) {}

fn receive(address: &str, interval: u64) -> Result<()> {
    let socket = socket(zmq::PULL)?;
    socket.connect(address)?;
    let count = print_rates(Duration::from_millis(interval));
    let mut message = zmq::Message::new();
    let mut messages = 0;
    loop {
        socket.recv(&mut message, 0)?;
        if !message.get_more() {
            messages += 1;
            count.store(messages, Ordering::Relaxed);
        }
    }
}

fn time(address: &str, messages: u64) -> Result<()> {
    let socket = socket(zmq::PULL)?;
    socket.connect(address)?;
    let mut message = zmq::Message::new();
    let mut next = || -> Result<Instant> {
        while {
            socket.recv(&mut message, 0)?;
            message.get_more()
        } {}
        Ok(Instant::now())
    };
    let first = next()?;
    let last = (1..messages).try_fold(first, |_, _| next())?;
    writeln!(stdout(), "{}", super::float(messages - 1) / (last - first).as_secs_f64())?;
    Ok(())
}

fn receive_decoded(address: &str, interval: u64) -> Result<()> {
    let mut stream = mflow::connect(address, mflow::Options::pull())?;
    let count = print_rates(Duration::from_millis(interval));
    while let Some(message) = stream.receive()? {
        if !matches!(message.data, mflow::handlers::Data::Array(_)) {
            return Err(format!("expected an array, found {:?}", message.data).into());
        }
        count.store(message.statistics.messages_received, Ordering::Relaxed);
    }
    Ok(())
}

fn write(address: &str, to: &Path) -> Result<()> {
    let socket = socket(zmq::PULL)?;
    socket.connect(address)?;
    let mut file = if to.is_dir() { None } else { Some(File::create_new(to)?) };
    let mut messages = 0_u64;
    loop {
        let parts = receive_parts(&socket)?;
        // The first part last, which shows that the others are there.
        for (part, bytes) in parts.iter().enumerate().rev() {
            match &mut file {
                Some(file) => file.write_all(bytes)?,
                None => {
                    let name = format!("{messages:06}_{part:03}.raw");
                    File::create_new(to.join(name))?.write_all(bytes)?;
                }
            }
        }
        messages += 1;
    }
}

fn receive_parts(socket: &zmq::Socket) -> Result<Vec<zmq::Message>> {
    let mut parts = Vec::with_capacity(2);
    loop {
        let part = socket.recv_msg(0)?;
        let more = part.get_more();
        parts.push(part);
        if !more {
            return Ok(parts);
        }
    }
}

fn proxy(from: &str, to: &str) -> Result<()> {
    let (source, sink) = (socket(zmq::PULL)?, socket(zmq::PUSH)?);
    source.connect(from)?;
    sink.bind(to)?;
    Ok(zmq::proxy(&source, &sink)?)
}

/// Prints the rate of a counter as m_stats prints its rates, from the first message on. A thread
/// looks at the clock, so that counting costs next to nothing.
fn print_rates(interval: Duration) -> Arc<AtomicU64> {
    let counter = Arc::new(AtomicU64::new(0));
    let watched = Arc::clone(&counter);
    std::thread::spawn(move || {
        while watched.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (mut seen, mut since) = (watched.load(Ordering::Relaxed), Instant::now());
        loop {
            std::thread::sleep(interval);
            let (count, now) = (watched.load(Ordering::Relaxed), Instant::now());
            let rate = Throughput::within(now - since, count - seen, 0);
            if writeln!(stdout(), "{rate}").is_err() {
                return;
            }
            (seen, since) = (count, now);
        }
    });
    counter
}
