//! How senders end: what was handed over arrives, what was not is counted.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mflow::endpoint::{Deadline, Offered, offer_until};
use mflow::{Frames, Options, Origin, Received, Sink, Stop, Timestamp, Unconfirmed, open_sink};

const PATIENCE: Duration = Duration::from_secs(60);

fn numbered(number: u32, size: usize) -> Received {
    let mut data = vec![0; size];
    data[..4].copy_from_slice(&number.to_le_bytes());
    Received {
        frames: Frames::from([b"{}".to_vec(), data]),
        time: Timestamp::now(),
        origin: Origin::new("test"),
    }
}

fn number(parts: &[Vec<u8>]) -> u32 {
    u32::from_le_bytes(parts[1][..4].try_into().unwrap())
}

/// Offers until the message is taken.
fn hand_over(sink: &mut dyn Sink, message: &Received) {
    let deadline = Deadline::At(Instant::now() + PATIENCE);
    let offered = offer_until(sink, message, deadline, &Stop::never()).unwrap();
    assert_eq!(offered, Offered::Taken, "no peer accepts it");
}

/// A receiver that takes little ahead.
fn reluctant(endpoint: &str) -> (zmq::Context, zmq::Socket) {
    let context = zmq::Context::new();
    let socket = context.socket(zmq::PULL).unwrap();
    socket.set_rcvhwm(1).unwrap();
    socket.set_rcvbuf(4096).unwrap();
    socket.set_rcvtimeo(60_000).unwrap();
    socket.connect(endpoint).unwrap();
    (context, socket)
}

#[test]
fn a_sender_that_has_finished_has_lost_nothing_for_a_slow_reader() {
    // More than the system's buffers hold; small messages share buffers of libzmq, large ones not.
    for (size, count) in [(1000, 12_000_u32), (20_000, 600)] {
        let options = Options::push().bind().queue_size(0);
        let mut sink = open_sink("tcp://127.0.0.1:*", options).unwrap();
        let (_context, reader) = reluctant(&sink.report().listening[0]);
        let (finishing, finishes) = mpsc::channel();
        let sending = thread::spawn(move || {
            for number in 0..count {
                hand_over(sink.as_mut(), &numbered(number, size));
            }
            finishing.send(()).unwrap();
            sink.finish(PATIENCE).unwrap()
        });
        // So slow that nothing is read before the sender is at its end.
        finishes.recv().unwrap();
        let received: Vec<_> =
            (0..count).map(|_| number(&reader.recv_multipart(0).unwrap())).collect();
        assert_eq!(sending.join().unwrap(), Unconfirmed::Count(0));
        assert_eq!(received, (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn what_a_sender_has_not_handed_over_is_counted_and_the_rest_arrives() {
    let count = 200;
    let options = Options::push().bind().queue_size(0);
    let mut sink = open_sink("tcp://127.0.0.1:*", options).unwrap();
    let (_context, reader) = reluctant(&sink.report().listening[0]);
    for number in 0..count {
        hand_over(sink.as_mut(), &numbered(number, 200_000));
    }
    let Unconfirmed::Count(left) = sink.finish(Duration::from_millis(200)).unwrap() else {
        panic!("a PUSH counts");
    };
    assert!(left > 0, "all of it fits into buffers");
    let handed_over = count - u32::try_from(left).unwrap();
    // The sender closes, and the rest is lost with it: nothing more arrives at the reader.
    reader.set_rcvtimeo(1000).unwrap();
    let arrived: Vec<_> =
        std::iter::from_fn(|| Some(number(&reader.recv_multipart(0).ok()?))).collect();
    assert_eq!(arrived, (0..u32::try_from(arrived.len()).unwrap()).collect::<Vec<_>>());
    // libzmq may have written the message at hand without letting go of it yet.
    assert!([handed_over, handed_over + 1].contains(&u32::try_from(arrived.len()).unwrap()));
}

#[test]
fn a_publisher_cannot_tell_what_was_handed_over() {
    let mut sink = open_sink("tcp://127.0.0.1:*", Options::publish().bind()).unwrap();
    hand_over(sink.as_mut(), &numbered(0, 10));
    assert_eq!(sink.finish(Duration::from_millis(10)).unwrap(), Unconfirmed::Unknown);
}
