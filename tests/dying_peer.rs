//! A PUSH whose peers are killed under load and come back: what arrives is whole, and arrives once.
//!
//! What is lost in the hands of libzmq is printed, not judged: run with `--nocapture` to see it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "only tests use it")]

use std::collections::HashMap;
use std::env;
use std::io::{Read, Write, stderr};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use mflow::handlers::Message;
use mflow::{
    Attach, ErrorKind, Frame, Frames, MonitorOptions, Options, PeerEventKind, Stream, connect,
};

/// How long to wait for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Makes a process of this binary a peer: how to attach, the size of a part, an address.
const PEER: &str = "MFLOW_TEST_PEER";
/// What a peer reports for a message that is not one of those that were sent.
const TORN: u64 = u64::MAX;
/// How many messages a peer has to receive before it is killed.
const LIFE: u64 = 20;

/// Makes a part of `size` bytes that carry the number of its message at both ends.
fn part(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[size - 8..].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Returns the number of a message, if it is one that was sent, and whole.
fn number(message: &Message, size: usize) -> Option<u64> {
    let number = u64::from_le_bytes(message.parts()[0].get(..8)?.try_into().unwrap());
    let expected = part(number, size);
    (message.len() == 3 && message.into_iter().all(|part| *part == expected)).then_some(number)
}

/// Not a test of its own but the peer of one: receives, reports the number of each message, and
/// ends when the sender has closed and there is no more.
#[test]
fn peer() {
    let Ok(options) = env::var(PEER) else { return };
    let mut words = options.split(' ');
    let attach = if words.next() == Some("bind") { Attach::Bind } else { Attach::Connect };
    let size = words.next().unwrap().parse().unwrap();
    let options = Options::pull().attach(attach).timeout(Duration::from_millis(100));
    let mut stream = connect(words.next().unwrap(), options).unwrap();
    let monitor = stream.monitor(MonitorOptions::default());
    let mut under_way = false;
    loop {
        match stream.receive_raw().unwrap() {
            Some(message) => {
                under_way = true;
                let number = number(&message, size).unwrap_or(TORN);
                stderr().write_all(&number.to_le_bytes()).unwrap();
            }
            None if under_way && monitor.peers() == 0 => break,
            None => {}
        }
    }
}

/// What all peers of a test have received.
#[derive(Default)]
struct Received {
    counts: Mutex<HashMap<u64, u64>>,
    changed: Condvar,
}

/// A peer in a process of its own.
struct Peer {
    child: Child,
    received: Arc<AtomicU64>,
    reader: Option<JoinHandle<()>>,
    all: Arc<Received>,
}

impl Peer {
    fn start(options: &str, all: &Arc<Received>) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "peer", "--nocapture"])
            .env(PEER, options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut numbers = child.stderr.take().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let (count, heard) = (Arc::clone(&received), Arc::clone(all));
        let reader = thread::spawn(move || {
            let mut number = [0; 8];
            while numbers.read_exact(&mut number).is_ok() {
                let mut counts = heard.counts.lock().unwrap();
                *counts.entry(u64::from_le_bytes(number)).or_default() += 1;
                count.fetch_add(1, Ordering::AcqRel);
                heard.changed.notify_all();
            }
        });
        Self { child, received, reader: Some(reader), all: Arc::clone(all) }
    }

    /// Waits until it has received some messages.
    fn wait_until_under_load(&self) {
        let counts = self.all.counts.lock().unwrap();
        let waiting = |_: &mut HashMap<_, _>| self.received.load(Ordering::Acquire) < LIFE;
        let waited = self.all.changed.wait_timeout_while(counts, PATIENCE, waiting).unwrap();
        assert!(!waited.1.timed_out(), "the stream does not go on");
    }

    /// Waits for its own end.
    fn end(mut self) {
        self.reader.take().unwrap().join().unwrap();
    }
}

/// Kills it, in the way that leaves no time for anything.
impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

/// What is lost with a peer that dies: the messages in the queues of both sides, and those in the
/// system's buffers, which may be as large as `net.ipv4.tcp_wmem` and `tcp_rmem` say.
const IN_QUEUES: usize = 2 * 2 * 100;
const IN_BUFFERS: usize = (4 << 20) + (32 << 20);

/// Sends under load to `peers` peers of which `deaths` are killed, one after the other.
fn survive(attach: Attach, size: usize, peers: usize, deaths: usize) {
    let address = match attach {
        Attach::Bind => "tcp://127.0.0.1:*".to_owned(),
        Attach::Connect => {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            format!("tcp://127.0.0.1:{port}")
        }
    };
    let options = Options::push().attach(attach).send_timeout(Duration::from_millis(100));
    let mut stream = connect(&address, options.linger(PATIENCE)).unwrap();
    let other_end = if attach == Attach::Bind { "connect" } else { "bind" };
    let options = format!("{other_end} {size} {}", stream.endpoint());
    let all = Arc::<Received>::default();
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Acquire) {
                let message: Frames = (0..3).map(|_| Frame::from(part(number, size))).collect();
                match stream.send(message) {
                    Ok(()) => number += 1,
                    Err(error) if error.kind() == ErrorKind::TimedOut => {}
                    Err(error) => panic!("{error}"),
                }
            }
            stream.disconnect();
            number
        });
        let mut alive: Vec<_> = (0..peers).map(|_| Peer::start(&options, &all)).collect();
        for death in 0..deaths {
            alive.iter().for_each(Peer::wait_until_under_load);
            let victim = death % peers;
            drop(alive.remove(victim));
            alive.insert(victim, Peer::start(&options, &all));
        }
        alive.iter().for_each(Peer::wait_until_under_load);
        done.store(true, Ordering::Release);
        let sent = sending.join().unwrap();
        alive.into_iter().for_each(Peer::end);
        sent
    });
    let mut counts = all.counts.lock().unwrap();
    let torn = counts.remove(&TORN).unwrap_or(0);
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    let lost = (0..sent).filter(|number| !counts.contains_key(number)).count();
    eprintln!(
        "{attach:?}, 3 x {size} bytes, {peers} peers, {deaths} deaths: {sent} sent, {lost} lost"
    );
    assert_eq!((torn, doubled), (0, vec![]));
    assert!(lost <= deaths * (IN_QUEUES + IN_BUFFERS / (3 * size)), "{lost} of {sent} lost");
}

/// A payload that, once `late`, holds up the thread that gives it back, as a busy machine would: it
/// waits for nothing, and how long it does decides no more than whether a fault would be seen.
struct Ballast {
    bytes: Vec<u8>,
    late: Arc<AtomicBool>,
}

impl AsRef<[u8]> for Ballast {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        if self.late.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(30));
        }
    }
}

/// Receives messages until an empty one; says of how many parts each of them was.
fn receive_until_empty(peer: &mut Stream) -> Vec<usize> {
    let mut lengths = Vec::new();
    loop {
        let message = peer.receive_raw().unwrap().expect("the stream continues");
        lengths.push(message.len());
        if message.parts().iter().all(Bytes::is_empty) {
            return lengths;
        }
    }
}

#[test]
fn a_peer_that_libzmq_is_late_to_part_with_tears_no_message() {
    const PARTS: usize = 200_000;
    let mut sender =
        connect("tcp://127.0.0.1:*", Options::push().bind().send_buffer(64 << 10)).unwrap();
    let (report, departures) = mpsc::channel();
    let monitor = sender.monitor(MonitorOptions::default().on_event(move |event| {
        if event.kind == PeerEventKind::Disconnected {
            let _ = report.send(());
        }
    }));
    // The second of four peers takes little, so that the end finds a message on its way to it.
    let context = zmq::Context::new();
    let victim = context.socket(zmq::PULL).unwrap();
    victim.set_rcvhwm(1).unwrap();
    victim.set_rcvbuf(4096).unwrap();
    let mut peers = Vec::new();
    for count in 1..=4 {
        if count == 2 {
            victim.connect(sender.endpoint()).unwrap();
        } else {
            peers.push(connect(sender.endpoint(), Options::pull().timeout(PATIENCE)).unwrap());
        }
        assert!(monitor.wait_for_peers(count, PATIENCE));
    }
    let late = Arc::new(AtomicBool::new(false));
    for number in 0..16 {
        let ballast = if number % 4 == 1 {
            Frame::from_owner(Ballast { bytes: vec![1; 4 << 20], late: Arc::clone(&late) })
        } else {
            Frame::from(vec![1])
        };
        sender.send([ballast]).unwrap();
    }
    // It is the turn of the last peer in libzmq's list, which takes the place of one that
    // disconnects.
    for _ in 0..3 {
        sender.send([&b"turn"[..]]).unwrap();
    }
    let long: Frames = (0..PARTS).map(|_| Frame::from_static(b"1")).collect();
    late.store(true, Ordering::Release);
    drop((victim, context));
    departures.recv_timeout(PATIENCE).unwrap();
    sender.send(long).unwrap();
    for _ in &peers {
        sender.send([&b""[..]]).unwrap();
    }
    let mut lengths: Vec<_> = peers.iter_mut().flat_map(receive_until_empty).collect();
    lengths.retain(|length| *length != 1);
    assert_eq!(lengths, [PARTS]);
}

/// Lets four peers disconnect and return while a sender is nearly always in the middle of a
/// message.
fn depart(address: &str, [from, to]: [Options; 2], times: usize) {
    const PARTS: usize = 20_000;
    let context = zmq::Context::new();
    let options = from.bind().context(&context).queue_size(2);
    let mut sender = connect(address, options.send_timeout(Duration::from_millis(100))).unwrap();
    let endpoint = sender.endpoint().to_owned();
    let options = to.context(&context).queue_size(2);
    let options = options.timeout(Duration::from_millis(100));
    let (departures, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let come_and_go = || {
        let mut lengths = Vec::new();
        while !done.load(Ordering::Acquire) {
            let mut peer = connect(&endpoint, options.clone()).unwrap();
            let mut left = 3;
            while left > 0 && !done.load(Ordering::Acquire) {
                if let Some(message) = peer.receive_raw().unwrap() {
                    lengths.push(message.len());
                    left -= 1;
                }
            }
            departures.fetch_add(1, Ordering::AcqRel);
        }
        lengths
    };
    thread::scope(|scope| {
        let peers: Vec<_> = (0..4).map(|_| scope.spawn(come_and_go)).collect();
        let long: Frames = (0..PARTS).map(|_| Frame::from_static(b"1")).collect();
        while departures.load(Ordering::Acquire) < times {
            match sender.send(long.clone()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(error) => panic!("{error}"),
            }
        }
        done.store(true, Ordering::Release);
        let mut lengths: Vec<_> = peers.into_iter().flat_map(|peer| peer.join().unwrap()).collect();
        assert!(lengths.len() >= 3 * times, "{} messages arrived", lengths.len());
        lengths.retain(|length| *length != PARTS);
        assert_eq!(lengths, Vec::<usize>::new(), "torn");
    });
}

#[test]
fn a_peer_that_goes_in_mid_message_tears_none() {
    depart("tcp://127.0.0.1:*", [Options::push(), Options::pull()], 40);
    depart("ipc://*", [Options::push(), Options::pull()], 40);
}

#[test]
fn a_subscriber_that_goes_in_mid_message_tears_none() {
    depart("tcp://127.0.0.1:*", [Options::publish(), Options::sub()], 40);
}

/// Most of those go unnoticed in mid-message, so it takes more of them.
#[test]
fn a_peer_of_the_same_process_that_goes_in_mid_message_tears_none() {
    depart("inproc://depart", [Options::push(), Options::pull()], 300);
}

#[test]
fn inline_parts_survive_the_death_of_one_of_many_peers() {
    survive(Attach::Bind, 16, 4, 40);
}

#[test]
fn small_parts_survive_the_death_of_one_of_many_peers() {
    survive(Attach::Bind, 1024, 4, 40);
}

#[test]
fn large_parts_survive_the_death_of_one_of_many_peers() {
    survive(Attach::Bind, 200 << 10, 4, 20);
}

#[test]
fn parts_survive_the_death_of_the_only_peer_of_a_sender_that_is_bound() {
    for size in [16, 1024, 200 << 10] {
        survive(Attach::Bind, size, 1, 10);
    }
}

#[test]
fn parts_survive_the_death_of_the_peer_that_a_sender_is_connected_to() {
    for size in [16, 1024, 200 << 10] {
        survive(Attach::Connect, size, 1, 10);
    }
}
