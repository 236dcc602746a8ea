//! Connections to a stream that are no peers: port scanners, browsers, old versions of ZMTP,
//! sockets of the wrong kind. Raw sockets play most of them.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use mflow::{
    Frame, Monitor, MonitorOptions, OldPeers, Options, PeerEvent, PeerEventKind, Stream, connect,
};

/// How long to wait for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const ANY: &str = "tcp://127.0.0.1:*";

/// How ZMTP 2 and 3 begin.
const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f];
const PULL: u8 = 7;
const PUSH: u8 = 8;

/// The greeting of a peer of ZMTP 2 of this kind, with its identity, which is empty.
fn greeting_2(kind: u8) -> Vec<u8> {
    [&SIGNATURE[..], &[1, kind, 0, 0]].concat()
}

/// The greeting of a peer of ZMTP 3 with this mechanism.
fn greeting_3(mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = [&SIGNATURE[..], &[3, 0], mechanism].concat();
    bytes.resize(64, 0);
    bytes
}

/// How a peer of ZMTP 3 says what kind of socket it is.
fn ready(kind: &[u8; 4]) -> Vec<u8> {
    [&[4, 26][..], b"\x05READY\x0bSocket-Type", &[0, 0, 0, 4], kind].concat()
}

/// What anything but a peer of ZMTP 3 may send first.
fn strangers(kind: u8) -> [Vec<u8>; 5] {
    [
        b"x".to_vec(),
        b"GET / HTTP/1.1\r\nHost: detector\r\n\r\n".to_vec(),
        b"\x01\x00\x07\x00hello!".to_vec(),
        [&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0][..], b"\x07\x00hello!"].concat(),
        [&greeting_2(kind)[..], b"\x00\x06hello!"].concat(),
    ]
}

/// Watches a stream; returns its events one by one.
fn watch(stream: &mut Stream) -> (Monitor, Receiver<PeerEvent>) {
    let (report, events) = mpsc::channel();
    let monitor = stream.monitor(MonitorOptions::default().on_event(move |event| {
        let _ = report.send(event.clone());
    }));
    (monitor, events)
}

#[track_caller]
fn wait_for(events: &Receiver<PeerEvent>, kind: PeerEventKind) -> PeerEvent {
    let mut events = std::iter::from_fn(|| events.recv_timeout(PATIENCE).ok());
    events.find(|event| event.kind == kind).expect("an event in time")
}

fn call(stream: &Stream) -> TcpStream {
    TcpStream::connect(stream.endpoint().strip_prefix("tcp://").unwrap()).unwrap()
}

fn name(stranger: &TcpStream) -> String {
    format!("tcp://{}", stranger.local_addr().unwrap())
}

// ---- who connects to a stream that is bound ----

#[test]
fn a_stranger_takes_no_message_from_a_push() {
    let mut sender = connect(ANY, Options::push().bind().send_timeout(PATIENCE)).unwrap();
    let (monitor, events) = watch(&mut sender);
    let mut receiver = connect(sender.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    assert!(monitor.wait_for_peers(1, PATIENCE));
    for (count, bytes) in strangers(PULL).into_iter().enumerate() {
        let mut stranger = call(&sender);
        stranger.write_all(&bytes).unwrap();
        let failed = wait_for(&events, PeerEventKind::HandshakeFailed);
        assert_eq!((failed.remote, failed.peers), (name(&stranger), 1));
        wait_for(&events, PeerEventKind::Disconnected);
        assert_eq!((sender.strangers(), sender.departures()), (count + 1, 0));
        for number in 0..20_u8 {
            sender.send([&[number][..]]).unwrap();
        }
        for number in 0..20_u8 {
            let frames = receiver.receive_frames().unwrap().expect("a message in time");
            assert_eq!(frames[0].as_ref(), [number]);
        }
    }
}

#[test]
fn a_pull_receives_no_message_from_a_stranger() {
    let mut receiver = connect(ANY, Options::pull().bind().timeout(PATIENCE)).unwrap();
    let (_monitor, events) = watch(&mut receiver);
    for bytes in strangers(PUSH) {
        let mut stranger = call(&receiver);
        stranger.write_all(&bytes).unwrap();
        let failed = wait_for(&events, PeerEventKind::HandshakeFailed);
        assert_eq!(failed.remote, name(&stranger));
    }
    let mut sender = connect(receiver.endpoint(), Options::push()).unwrap();
    sender.send([&b"real"[..]]).unwrap();
    let frames = receiver.receive_frames().unwrap().expect("a message in time");
    assert_eq!(frames[0].as_ref(), b"real");
}

#[test]
fn an_old_receiver_that_is_admitted_receives_and_counts_when_it_disconnects() {
    let options = Options::push().bind().send_timeout(PATIENCE).old_peers(OldPeers::Admitted);
    let mut sender = connect(ANY, options).unwrap();
    let (_monitor, events) = watch(&mut sender);
    let mut receiver = call(&sender);
    receiver.write_all(&greeting_2(PULL)).unwrap();
    sender.send([&b"hello!"[..]]).unwrap();
    // The signature, the version, the kind, the identity, the message.
    let mut bytes = [0; 10 + 1 + 1 + 2 + 8];
    receiver.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[12..], *b"\x00\x00\x00\x06hello!");
    drop(receiver);
    wait_for(&events, PeerEventKind::Disconnected);
    assert_eq!((sender.departures(), sender.strangers()), (1, 1));
}

#[test]
fn a_receiver_that_connects_admits_an_old_detector() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let mut receiver = connect(&address, Options::pull().timeout(PATIENCE)).unwrap();
    let (mut detector, _) = listener.accept().unwrap();
    detector.write_all(&[&greeting_2(PUSH)[..], b"\x00\x06hello!"].concat()).unwrap();
    let frames = receiver.receive_frames().unwrap().expect("a message in time");
    assert_eq!(frames[0].as_ref(), b"hello!");
}

#[test]
fn a_receiver_that_is_set_so_refuses_an_old_detector() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let mut receiver = connect(&address, Options::pull().old_peers(OldPeers::Refused)).unwrap();
    let (_monitor, events) = watch(&mut receiver);
    let (mut detector, _) = listener.accept().unwrap();
    detector.write_all(&[&greeting_2(PUSH)[..], b"\x00\x06hello!"].concat()).unwrap();
    assert_eq!(wait_for(&events, PeerEventKind::HandshakeFailed).remote, address);
}

// ---- a receiver that sends ----

#[test]
fn a_receiver_that_sends_to_a_push_does_not_stay() {
    let mut sender = connect(ANY, Options::push().bind().queue_size(10)).unwrap();
    let (monitor, events) = watch(&mut sender);
    let few: Vec<_> = b"\x00\x06hello!".repeat(5000);
    let large = [&[2][..], &(1_u64 << 20).to_be_bytes(), &[0; 1 << 20]].concat();
    for bytes in [few, large] {
        let mut stranger = call(&sender);
        stranger.write_all(&[greeting_3(b"NULL"), ready(b"PULL")].concat()).unwrap();
        assert!(monitor.wait_for_peers(1, PATIENCE));
        // It may be disconnected before it has sent everything.
        let _ = stranger.write_all(&bytes);
        drop(stranger);
        assert_eq!(wait_for(&events, PeerEventKind::Disconnected).peers, 0);
    }
}

#[test]
fn a_receiver_that_never_stops_sending_to_a_push_is_disconnected() {
    let mut sender = connect(ANY, Options::push().bind()).unwrap();
    let (monitor, events) = watch(&mut sender);
    let mut stranger = call(&sender);
    stranger.write_all(&[greeting_3(b"NULL"), ready(b"PULL")].concat()).unwrap();
    assert!(monitor.wait_for_peers(1, PATIENCE));
    // It would be kept in memory.
    let bytes = b"\x00\x06hello!".repeat(1000);
    stranger.set_write_timeout(Some(PATIENCE)).unwrap();
    let is_cut = (0..100_000).any(|_| stranger.write_all(&bytes).is_err());
    assert!(is_cut, "it sends without end");
    assert_eq!(wait_for(&events, PeerEventKind::Disconnected).peers, 0);
}

// ---- who is at the address that a stream connects to ----

/// Lets a PULL meet the wrong peer at an address, twice, and then the right one.
fn meet(wrong: impl FnOnce(&str) -> Box<dyn FnOnce()>) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    let go = wrong(&address);
    let mut receiver = connect(&address, Options::pull().timeout(PATIENCE)).unwrap();
    let (monitor, events) = watch(&mut receiver);
    let receiving = thread::spawn(move || receiver.receive_frames().unwrap());
    // Without another attempt there is no second time.
    for _ in 0..2 {
        wait_for(&events, PeerEventKind::HandshakeFailed);
        wait_for(&events, PeerEventKind::Disconnected);
    }
    go();
    let mut sender = connect(&address, Options::push().bind().send_timeout(PATIENCE)).unwrap();
    assert!(monitor.wait_for_peers(1, PATIENCE));
    sender.send([Frame::from(&b"right"[..])]).unwrap();
    let frames = receiving.join().unwrap().expect("a message in time");
    assert_eq!(frames[0].as_ref(), b"right");
}

/// Binds a socket of a context of its own, which ends with it.
fn bind(kind: zmq::SocketType, address: &str) -> Box<dyn FnOnce()> {
    let context = zmq::Context::new();
    let socket = context.socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    socket.bind(address).unwrap();
    Box::new(move || {
        drop(socket);
        drop(context);
    })
}

#[test]
fn a_receiver_connects_after_it_met_a_socket_of_the_wrong_kind() {
    meet(|address| bind(zmq::PUB, address));
    meet(|address| bind(zmq::REP, address));
}

#[test]
fn a_receiver_connects_after_it_was_denied_access() {
    meet(|address| {
        let context = zmq::Context::new();
        let handler = context.socket(zmq::REP).unwrap();
        handler.bind("inproc://zeromq.zap.01").unwrap();
        let socket = context.socket(zmq::PUSH).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_zap_domain("closed").unwrap();
        socket.bind(address).unwrap();
        let denying = thread::spawn(move || {
            // Ends when its context does.
            while let Ok(request) = handler.recv_multipart(0) {
                let reply = [b"1.0", &request[1][..], b"400", b"no", b"", b""];
                if handler.send_multipart(reply, 0).is_err() {
                    break;
                }
            }
        });
        Box::new(move || {
            drop(socket);
            context.clone().destroy().unwrap();
            denying.join().unwrap();
        })
    });
}

#[test]
fn a_receiver_connects_after_it_met_another_security_mechanism() {
    meet(|address| {
        let listener = TcpListener::bind(address.strip_prefix("tcp://").unwrap()).unwrap();
        let greeting = thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(&greeting_3(b"CURVE")).unwrap();
                // It ends from the other side.
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        Box::new(move || greeting.join().unwrap())
    });
}
