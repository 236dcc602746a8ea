//! Streams in one process, over real sockets: what is received, what is sent, what is refused.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "only tests use it")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mflow::handlers::{Data, DecodeError, Message, Registry};
use mflow::{Error, Frame, Frames, Mode, More, Options, Stop, Stream, connect, endpoint, stream};

/// How long to wait for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

const RAW: &str = r#"{"htype":"raw-1.0"}"#;
const ARRAY: &str = r#"{"htype":"array-1.0","type":"uint8","shape":[3],"frame":7}"#;

/// Opens a PUSH that is bound and a PULL that is connected to it.
fn pair() -> (Stream, Stream) {
    pair_at("tcp://127.0.0.1:*", Options::push(), Options::pull())
}

/// Opens two streams, the first bound.
fn pair_at(address: &str, bound: Options, connected: Options) -> (Stream, Stream) {
    let bound = connect(address, bound.bind()).unwrap();
    let connected = connect(bound.endpoint(), connected.timeout(PATIENCE)).unwrap();
    (bound, connected)
}

fn frames(parts: &[&[u8]]) -> Frames {
    parts.iter().map(|part| Frame::from(*part)).collect()
}

fn message(parts: &[&[u8]]) -> Message {
    frames(parts).into()
}

/// Tries again and again until it works.
fn until(mut works: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !works() {
        assert!(Instant::now() < deadline, "it never worked");
    }
}

/// A PUSH whose messages no peer will ever accept.
fn lonely(options: Options) -> Stream {
    connect("tcp://127.0.0.1:*", options.bind()).unwrap()
}

// ---- receiving ----

#[test]
fn a_message_is_received_decoded_raw_or_as_frames() {
    let (mut sender, mut receiver) = pair();
    for _ in 0..3 {
        sender.send([ARRAY.as_bytes(), b"abc"]).unwrap();
    }
    match receiver.receive().unwrap().unwrap().data {
        Data::Array(array) => assert_eq!(array.data[0].as_ref().unwrap().shape(), [3]),
        other => panic!("{other:?}"),
    }
    let raw = receiver.receive_raw().unwrap().unwrap();
    assert_eq!(raw, message(&[ARRAY.as_bytes(), b"abc"]));
    let received = receiver.receive_frames().unwrap().unwrap();
    assert_eq!(received, frames(&[ARRAY.as_bytes(), b"abc"]));
}

#[test]
fn a_receive_without_timeout_waits_for_the_message() {
    let (mut sender, mut receiver) = pair();
    receiver.set_timeout(None);
    let receiving = thread::spawn(move || receiver.receive_raw().unwrap());
    sender.send([RAW.as_bytes()]).unwrap();
    assert_eq!(receiving.join().unwrap(), Some(message(&[RAW.as_bytes()])));
}

#[test]
fn a_receive_ends_at_the_timeout_and_not_before() {
    let (_sender, mut receiver) = pair();
    let timeout = Duration::from_millis(30);
    receiver.set_timeout(timeout);
    let start = Instant::now();
    assert!(receiver.receive().unwrap().is_none());
    assert!(start.elapsed() >= timeout);
}

#[test]
fn a_receive_with_zero_timeout_takes_what_is_there_and_waits_for_nothing() {
    let (mut sender, mut receiver) = pair();
    sender.send([&b"first"[..]]).unwrap();
    sender.send([&b"second"[..]]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"first"])));
    receiver.set_timeout(Duration::ZERO);
    // The second one is on its way: asking at once again and again has to find it.
    let mut second = None;
    until(|| {
        second = receiver.receive_raw().unwrap();
        second.is_some()
    });
    assert_eq!(second, Some(message(&[b"second"])));
    assert_eq!(receiver.receive_raw().unwrap(), None);
}

#[test]
fn a_message_is_received_with_a_decoder_of_the_moment() {
    let (mut sender, mut receiver) = pair();
    sender.send([RAW.as_bytes(), b"a", b"b"]).unwrap();
    sender.send([&b"no JSON"[..]]).unwrap();
    let count = |parts: &mut mflow::handlers::Parts<'_>| {
        parts.next_json()?;
        Ok(parts.rest().count())
    };
    let first = receiver.receive_with(count).unwrap().unwrap();
    assert_eq!(first.data.unwrap(), 2);
    let second = receiver.receive_with(count).unwrap().unwrap();
    assert_eq!(second.data.unwrap_err().to_string(), "part 1 is not valid JSON");
    assert_eq!(second.statistics.messages_received, 2);
}

#[test]
fn an_iteration_survives_a_bad_message_and_ends_at_the_timeout() {
    let (mut sender, mut receiver) = pair();
    sender.send([RAW.as_bytes()]).unwrap();
    sender.send([&br#"{"htype":"dimage-1.0"}"#[..]]).unwrap();
    sender.send([RAW.as_bytes(), b"x"]).unwrap();
    let mut messages = receiver.messages();
    let kinds: Vec<_> = messages
        .by_ref()
        .take(3)
        .map(|message| match message.unwrap().data {
            Data::Raw(_) => "raw",
            Data::Broken(_) => "broken",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["raw", "broken", "raw"]);
    receiver.set_timeout(Duration::from_millis(5));
    assert!(receiver.messages().next().is_none());
}

#[test]
fn each_message_carries_the_statistics_of_its_stream() {
    let (mut sender, mut receiver) = pair();
    sender.send([RAW.as_bytes(), b"12345"]).unwrap();
    sender.send([&b""[..]]).unwrap();
    let header = RAW.len() as u64;
    for (latest, total, messages) in [(header + 5, header + 5, 1), (0, header + 5, 2)] {
        let statistics = receiver.receive().unwrap().unwrap().statistics;
        assert_eq!(statistics, receiver.statistics());
        assert_eq!(
            (
                statistics.bytes_received,
                statistics.total_bytes_received,
                statistics.messages_received
            ),
            (latest, total, messages)
        );
    }
}

#[test]
fn handlers_of_the_user_add_to_the_built_in_ones_and_replace_them() {
    let (mut sender, mut receiver) = pair();
    receiver.handlers_mut().register("my-1.0", |parts| {
        let header = parts.next_json()?;
        let parts: Vec<_> = parts.rest().collect();
        Ok(Data::custom((header.get("n").and_then(serde_json::Value::as_u64), parts.len())))
    });
    receiver.handlers_mut().register("raw-1.0", |_| Err(DecodeError::other("too raw")));
    sender.send([&br#"{"htype":"my-1.0","n":4}"#[..], b"", b""]).unwrap();
    sender.send([RAW.as_bytes()]).unwrap();
    sender.send([ARRAY.as_bytes(), b"abc"]).unwrap();
    let data = receiver.receive().unwrap().unwrap().data;
    assert_eq!(data.downcast_ref::<(Option<u64>, usize)>(), Some(&(Some(4), 2)));
    match receiver.receive().unwrap().unwrap().data {
        Data::Broken(broken) => assert_eq!(broken.error.to_string(), "too raw"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(receiver.receive().unwrap().unwrap().data, Data::Array(_)));
}

#[test]
fn the_whole_table_of_handlers_is_replaced() {
    let mut handlers = Registry::empty();
    handlers.register("my-1.0", |_| Ok(Data::custom("mine")));
    let options = Options::pull().handlers(handlers.clone());
    let (mut sender, mut receiver) = pair_at("tcp://127.0.0.1:*", Options::push(), options);
    for _ in 0..2 {
        sender.send([RAW.as_bytes()]).unwrap();
        sender.send([&br#"{"htype":"my-1.0"}"#[..]]).unwrap();
    }
    assert!(matches!(receiver.receive().unwrap().unwrap().data, Data::Unknown(_)));
    assert_eq!(receiver.receive().unwrap().unwrap().data.downcast_ref(), Some(&"mine"));
    *receiver.handlers_mut() = Registry::default();
    assert!(matches!(receiver.receive().unwrap().unwrap().data, Data::Raw(_)));
    assert!(matches!(receiver.receive().unwrap().unwrap().data, Data::Unknown(_)));
}

#[test]
fn bad_messages_are_received_as_such_and_the_next_one_is_good() {
    let bad: &[&[&[u8]]] = &[
        &[b""],
        &[b"", b"", b""],
        &[b"\xff\xfe{"],
        &[b"{"],
        &[b"[1,2]"],
        &[b"null"],
        &[b"{}"],
        &[br#"{"htype":7}"#],
        &[br#"{"htype":["a","b"]}"#],
        &[br#"{"htype":[]}"#],
        &[br#"{"htype":"array-1.0"}"#],
        &[br#"{"htype":"array-1.0","type":"int32","shape":[-1]}"#, b"abcd"],
        &[br#"{"htype":"array-1.0","type":"int32","shape":[18446744073709551615,9]}"#, b"abcd"],
        &[br#"{"htype":"array-1.0","type":"int32","shape":[1.5]}"#, b"abcd"],
        &[br#"{"htype":"array-1.0","type":"int32","shape":[2]}"#, b"abc"],
        &[br#"{"htype":"dheader-1.0"}"#],
        &[br#"{"htype":"dheader-1.0","header_detail":"all"}"#, b"{}", b"x"],
        &[br#"{"htype":"dimage-1.0"}"#, b"{}", b""],
        &[br#"{"htype":"dimage-1.0"}"#, b"{}", b"", b"", b"", b"", b"", b""],
        &[br#"{"htype":"dseries_end-1.0"}"#, b"too", b"many"],
        &[br#"{"htype":"bsr_m-1.1"}"#],
        &[br#"{"htype":"bsr_m-1.1"}"#, b"not JSON", b"x"],
        &[br#"{"htype":"raw-1.0""#],
    ];
    let (mut sender, mut receiver) = pair();
    for parts in bad {
        sender.send(frames(parts)).unwrap();
        sender.send([RAW.as_bytes(), b"good"]).unwrap();
        // Whatever the bad one decodes to, its parts are not lost.
        let data = receiver.receive().unwrap().unwrap().data;
        assert_eq!(receiver.handlers().encode(&data).unwrap(), message(parts), "{data:?}");
        match receiver.receive().unwrap().unwrap().data {
            Data::Raw(raw) => assert_eq!(raw.data, [&b"good"[..]]),
            other => panic!("{other:?}"),
        }
    }
}

// ---- sending ----

#[test]
fn parts_sent_one_by_one_arrive_as_one_message() {
    let (mut sender, mut receiver) = pair();
    sender.send_part(&b"one"[..], More::Follows).unwrap();
    sender.send_part(&b""[..], More::Follows).unwrap();
    sender.send_part(vec![3; 5000], More::Last).unwrap();
    sender.send_part(&b"alone"[..], More::Last).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"one", b"", &[3; 5000]])));
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"alone"])));
}

#[test]
fn what_was_received_is_forwarded_byte_for_byte() {
    let (mut sender, mut middle) = pair();
    let (mut forwarder, mut receiver) = pair();
    let messages: [&[&[u8]]; 4] = [
        &[ARRAY.as_bytes(), b"abc"],
        &[br#"{"htype":"unheard-of-1.0"}"#, b"x"],
        &[br#"{"htype":"dimage-1.0"}"#],
        &[b""],
    ];
    for parts in messages {
        sender.send(frames(parts)).unwrap();
        forwarder.forward(&middle.receive().unwrap().unwrap().data).unwrap();
        assert_eq!(receiver.receive_raw().unwrap(), Some(message(parts)));
    }
}

#[test]
fn forwarding_what_nobody_can_encode_is_an_error_and_sends_nothing() {
    let (mut sender, mut receiver) = pair();
    let error = sender.forward(&Data::custom(1)).unwrap_err();
    assert!(matches!(error.get(), Some(stream::Error::Encode { .. })), "{error}");
    sender.send([&b"next"[..]]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"next"])));
}

#[test]
fn a_message_without_parts_is_refused() {
    for mode in [Mode::Push, Mode::Pub] {
        let mut sender = connect("tcp://127.0.0.1:*", Options::new(mode).bind()).unwrap();
        let error = sender.send(Frames::new()).unwrap_err();
        assert!(matches!(error.get(), Some(endpoint::Error::NoParts { .. })), "{error}");
        assert_eq!(error.to_string(), "a message for 'tcp://127.0.0.1:*' has no parts");
    }
}

#[test]
fn a_stream_refuses_the_other_direction() {
    for (mode, verb) in
        [(Mode::Push, "receive"), (Mode::Pub, "receive"), (Mode::Pull, "send"), (Mode::Sub, "send")]
    {
        let mut stream = connect("tcp://127.0.0.1:*", Options::new(mode).bind()).unwrap();
        let error = match mode.sends() {
            true => stream.receive().unwrap_err(),
            false => stream.send([&b"x"[..]]).unwrap_err(),
        };
        let expected = format!("'tcp://127.0.0.1:*' is a {mode} stream, which cannot {verb}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_message_that_nobody_takes_is_given_up_at_the_send_timeout() {
    let timeout = Duration::from_millis(20);
    let mut sender = lonely(Options::push().send_timeout(timeout));
    let start = Instant::now();
    let error = sender.send([&b"x"[..], b"y"]).unwrap_err();
    assert!(matches!(error.get(), Some(stream::Error::NotTaken { .. })), "{error}");
    assert!(start.elapsed() >= timeout);
    // Nothing of it was left behind: the next message is whole.
    let mut receiver = connect(sender.endpoint(), Options::pull().timeout(PATIENCE)).unwrap();
    until(|| sender.send([&b"next"[..], b"one"]).is_ok());
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"next", b"one"])));
}

#[test]
fn a_full_queue_refuses_and_takes_again_once_it_was_read() {
    let options = Options::push().queue_size(1).send_timeout(Duration::from_millis(5));
    let (mut sender, mut receiver) =
        pair_at("tcp://127.0.0.1:*", options, Options::pull().queue_size(1));
    let large = vec![7; 4 << 20];
    let mut send = |number: u32| sender.send([&number.to_le_bytes()[..], &large]).is_ok();
    until(|| send(0));
    let taken = (1..).find(|number| !send(*number)).unwrap();
    for number in 0..taken {
        let received = receiver.receive_raw().unwrap().unwrap();
        assert_eq!(received.parts()[0], number.to_le_bytes()[..]);
        assert_eq!(received.parts()[1].len(), large.len());
    }
    until(|| send(taken));
    assert_eq!(receiver.receive_raw().unwrap().unwrap().parts()[0], taken.to_le_bytes()[..]);
}

// ---- stopping ----

#[test]
fn a_stop_ends_a_blocked_receive() {
    let stop = Stop::new().unwrap();
    let mut receiver = connect("tcp://127.0.0.1:*", Options::pull().bind().stop(&stop)).unwrap();
    let receiving = thread::spawn(move || receiver.receive_raw().unwrap());
    stop.request();
    assert_eq!(receiving.join().unwrap(), None);
}

#[test]
fn a_stop_ends_a_blocked_send() {
    let stop = Stop::new().unwrap();
    let mut sender = lonely(Options::push().stop(&stop));
    let sending = thread::spawn(move || sender.send([&b"x"[..]]).unwrap_err());
    stop.request();
    assert!(matches!(sending.join().unwrap().get(), Some(stream::Error::NotTaken { .. })));
}

#[test]
fn a_stop_ends_an_iteration_though_messages_keep_coming() {
    let stop = Stop::new().unwrap();
    let (mut sender, mut receiver) = pair_at(
        "tcp://127.0.0.1:*",
        Options::push().send_timeout(Duration::from_millis(10)),
        Options::pull().stop(&stop),
    );
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                // No peer accepts it in the end.
                let _ = sender.send([&b"x"[..]]);
            }
        });
        let request = |_: &_| assert!(stop.request() > 0);
        let seen = receiver.messages().inspect(request).take(10).count();
        // What is there can still be taken one by one.
        until(|| receiver.receive_raw().unwrap().is_some());
        ended.store(true, Ordering::Release);
        assert_eq!(seen, 1);
    });
}

// ---- transports ----

#[test]
fn a_subscriber_receives_what_starts_with_its_prefixes_only() {
    let mut publisher = connect("tcp://127.0.0.1:*", Options::publish().bind()).unwrap();
    let options = Options::sub().subscribe("a").subscribe("go").timeout(PATIENCE);
    let mut subscriber = connect(publisher.endpoint(), options).unwrap();
    // A subscription takes a while to arrive: messages published before are lost.
    subscriber.set_timeout(Duration::from_millis(5));
    until(|| {
        publisher.send([&b"go"[..]]).unwrap();
        subscriber.receive_raw().unwrap().is_some()
    });
    for first in ["b", "", "abc", "c", "a", "end", "go on"] {
        publisher.send([first.as_bytes(), b"a second part"]).unwrap();
    }
    subscriber.set_timeout(PATIENCE);
    let mut received = Vec::new();
    loop {
        let message = subscriber.receive_raw().unwrap().unwrap();
        let first = String::from_utf8(message.parts()[0].to_vec()).unwrap();
        match first.as_str() {
            "go" => {}
            "go on" => break,
            _ => {
                assert_eq!(message.len(), 2);
                received.push(first);
            }
        }
    }
    assert_eq!(received, ["abc", "a"]);
}

#[test]
fn a_publisher_without_subscribers_never_waits() {
    let mut publisher = connect("tcp://127.0.0.1:*", Options::publish().bind()).unwrap();
    for _ in 0..1000 {
        publisher.send([&b"x"[..], b"y"]).unwrap();
    }
}

#[test]
fn a_pull_that_is_bound_hears_all_that_connect() {
    let options = Options::pull().bind().timeout(PATIENCE);
    let mut receiver = connect("tcp://127.0.0.1:*", options).unwrap();
    let mut senders: Vec<_> =
        (0..3).map(|_| connect(receiver.endpoint(), Options::push()).unwrap()).collect();
    for (number, sender) in (0_u8..).zip(&mut senders) {
        sender.send([&[number][..]]).unwrap();
    }
    let mut received: Vec<_> =
        (0..3).map(|_| receiver.receive_raw().unwrap().unwrap().parts()[0][0]).collect();
    received.sort_unstable();
    assert_eq!(received, [0, 1, 2]);
}

#[test]
fn a_zone_of_ipv6_is_the_name_or_the_number_of_an_interface() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    for zone in ["lo", "1"] {
        let address = format!("tcp://[fe80::1%{zone}]:9999");
        assert_eq!(connect(&address, Options::pull()).unwrap().endpoint(), address);
    }
    let unknown = connect("tcp://[fe80::1%nowhere]:9999", Options::pull());
    assert!(matches!(unknown.err().unwrap().get(), Some(stream::Error::Resolve { .. })));
}

#[test]
fn streams_speak_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no ::1");
        return;
    }
    let (mut sender, mut receiver) = pair_at("tcp://[::1]:*", Options::push(), Options::pull());
    assert!(sender.endpoint().starts_with("tcp://[::1]:"), "{}", sender.endpoint());
    sender.send([&b"six"[..]]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"six"])));
}

#[test]
fn streams_speak_ipc() {
    // The name of such a socket has to be short: not in the folder of the tests.
    let path = std::env::temp_dir().join(format!("mflow-stream-{}", std::process::id()));
    let address = format!("ipc://{}", path.display());
    let (mut sender, mut receiver) = pair_at(&address, Options::push(), Options::pull());
    assert_eq!(sender.endpoint(), address);
    sender.send([&b"local"[..]]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"local"])));
    drop(sender);
    let _ = std::fs::remove_file(path);
}

#[test]
fn streams_speak_inproc_in_a_context_they_share() {
    let context = zmq::Context::new();
    let (mut sender, mut receiver) = pair_at(
        "inproc://stream",
        Options::push().context(&context),
        Options::pull().context(&context),
    );
    sender.send([&b"inside"[..], b"x"]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"inside", b"x"])));
}

#[test]
fn a_large_message_arrives_whole() {
    let (mut sender, mut receiver) = pair();
    let large: Vec<u8> = (0..=250).cycle().take(64 << 20).collect();
    sender.send([RAW.as_bytes().to_vec(), large.clone(), b"end".to_vec()]).unwrap();
    let received = receiver.receive_raw().unwrap().unwrap();
    // Not by assert_eq, which would print all of it.
    assert!(received == message(&[RAW.as_bytes(), &large, b"end"]));
}

#[test]
fn a_message_of_a_thousand_parts_arrives_whole() {
    let (mut sender, mut receiver) = pair();
    let parts: Vec<Vec<u8>> = (0..1000).map(|part: usize| vec![b'x'; part * 7 % 500]).collect();
    let expected = Message::from(Frames::from(parts.clone()));
    for _ in 0..20 {
        sender.send(parts.clone()).unwrap();
    }
    for _ in 0..20 {
        assert_eq!(receiver.receive_raw().unwrap().unwrap(), expected);
    }
}

// ---- coming and going ----

#[test]
fn a_closing_stream_lingers_until_its_messages_are_read() {
    let (mut sender, mut receiver) =
        pair_at("tcp://127.0.0.1:*", Options::push().linger(None).queue_size(0), Options::pull());
    for number in 0..1000_u32 {
        sender.send([&number.to_le_bytes()[..]]).unwrap();
    }
    let closing = thread::spawn(move || sender.disconnect());
    for number in 0..1000_u32 {
        assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[&number.to_le_bytes()])));
    }
    closing.join().unwrap();
}

#[test]
fn a_connected_receiver_finds_a_sender_that_comes_back() {
    let (mut sender, mut receiver) = pair();
    let endpoint = sender.endpoint().to_owned();
    sender.send([&b"one"[..]]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"one"])));
    sender.disconnect();
    let mut sender = connect(&endpoint, Options::push().bind()).unwrap();
    sender.send([&b"two"[..]]).unwrap();
    assert_eq!(receiver.receive_raw().unwrap(), Some(message(&[b"two"])));
}

#[test]
fn an_interface_is_bound_by_its_name() {
    let (mut sender, mut receiver) = pair_at("tcp://lo:*", Options::push(), Options::pull());
    assert!(sender.endpoint().starts_with("tcp://127.0.0.1:"), "{}", sender.endpoint());
    sender.send(message(&[RAW.as_bytes()])).unwrap();
    assert_eq!(receiver.receive_raw().unwrap().unwrap(), message(&[RAW.as_bytes()]));
}

/// One end of a connection, as /proc/net/tcp shows it.
struct End {
    is_bound: bool,
    unsent: u64,
    timer: String,
    ticks: u64,
}

/// Returns the ends of all connections to a stream that is bound at 127.0.0.1.
fn connections(bound: &Stream) -> Vec<End> {
    let port: u16 = bound.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let end = format!("0100007F:{port:04X}");
    let established = "01";
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    rows.filter(|row| row[3] == established && (row[1] == end || row[2] == end))
        .map(|row| {
            let (timer, ticks) = row[5].split_once(':').unwrap();
            let (unsent, _unread) = row[4].split_once(':').unwrap();
            let (timer, is_bound) = (timer.to_owned(), row[1] == end);
            End { is_bound, unsent: number(unsent), timer, ticks: number(ticks) }
        })
        .collect()
}

#[test]
fn both_ends_of_a_silent_connection_ask_after_the_other() {
    let (mut sender, mut receiver) = pair();
    sender.send(message(&[RAW.as_bytes()])).unwrap();
    receiver.receive_raw().unwrap().unwrap();
    // The timer of a keepalive is of kind 2; a tick is a hundredth of a second.
    until(|| {
        let ends = connections(&sender);
        ends.len() == 2 && ends.iter().all(|end| end.timer == "02" && end.ticks <= 3000)
    });
}

#[test]
fn the_system_holds_no_more_than_the_send_buffer() {
    let fill = |options: Options| {
        let options = options.send_timeout(Duration::from_millis(50));
        let (mut sender, mut receiver) =
            pair_at("tcp://127.0.0.1:*", options, Options::pull().queue_size(1));
        let mebibyte = message(&[&[0; 1 << 20]]);
        until(|| sender.send(mebibyte.clone()).is_ok());
        receiver.receive_raw().unwrap().unwrap();
        while sender.send(mebibyte.clone()).is_ok() {}
        (sender, receiver)
    };
    let held = |(sender, _): &(Stream, Stream)| {
        connections(sender).into_iter().find(|end| end.is_bound).unwrap().unsent
    };
    // Linux doubles what is asked for, and a write in progress may go beyond it once.
    let small = fill(Options::push().queue_size(1).send_buffer(64 << 10));
    let large = fill(Options::push().queue_size(1).send_buffer(1 << 20));
    until(|| held(&large) > 256 << 10);
    assert!(held(&small) <= 256 << 10, "{}", held(&small));
}

#[test]
fn an_address_in_use_unknown_or_not_of_this_machine_is_an_error_with_its_cause() {
    let bound = lonely(Options::push());
    let cause = |error: Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        (error.to_string(), cause.unwrap_or_default())
    };
    let taken = cause(connect(bound.endpoint(), Options::pull().bind()).err().unwrap());
    let expected = format!("cannot bind '{}'", bound.endpoint());
    assert_eq!(taken, (expected, "Address already in use".to_owned()));
    // 192.0.2.0/24 is kept free for documentation.
    let foreign = connect("tcp://192.0.2.1:9999", Options::push().bind()).err().unwrap();
    assert!(matches!(foreign.get(), Some(stream::Error::Bind { .. })), "{foreign}");
    let interface = connect("tcp://no-such-interface:9", Options::push().bind()).err().unwrap();
    assert!(matches!(interface.get(), Some(stream::Error::Bind { .. })), "{interface}");
    let unknown = connect("tcp://no-such-host.invalid:9", Options::pull()).err().unwrap();
    assert!(matches!(unknown.get(), Some(stream::Error::Resolve { .. })), "{unknown}");
}

#[test]
fn binding_a_path_takes_nothing_away_from_anybody() {
    let path = std::env::temp_dir().join(format!("mflow-taken-{}", std::process::id()));
    let address = format!("ipc://{}", path.display());
    std::fs::write(&path, "somebody's").unwrap();
    let file = connect(&address, Options::push().bind()).err().unwrap();
    assert_eq!(file.to_string(), format!("cannot bind '{}'", path.display()));
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody's");
    std::fs::remove_file(&path).unwrap();
    // A socket at which a program listens is in use; one that is left over is not.
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let used = connect(&address, Options::push().bind()).err().unwrap();
    assert!(
        matches!(used.get(), Some(stream::Error::Bind { source: zmq::Error::EADDRINUSE, .. })),
        "{used}"
    );
    drop(listener);
    connect(&address, Options::push().bind()).unwrap();
    let _ = std::fs::remove_file(path);
}

#[test]
fn addresses_that_nobody_can_ever_be_at_are_errors() {
    for (address, options, reason) in [
        ("tcp://127.0.0.1:*", Options::pull(), "expected the port to connect to, not any"),
        ("tcp://127.0.0.1:0", Options::pull(), "expected the port to connect to, from 1 to 65535"),
        (
            "inproc://x",
            Options::pull(),
            "inproc:// is for streams of one program that share a context",
        ),
    ] {
        match connect(address, options).err().unwrap().get() {
            Some(endpoint::Error::Address { reason: found, .. }) => assert_eq!(found, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stream_need_not_wait_on_either_side() {
    let mut sender = lonely(Options::push());
    sender.set_send_timeout(Duration::ZERO);
    let error = sender.send([&b"x"[..]]).unwrap_err();
    assert!(matches!(error.get(), Some(stream::Error::NotTaken { .. })), "{error}");
    let mut receiver = connect(sender.endpoint(), Options::pull()).unwrap();
    assert!(receiver.try_receive().unwrap().is_none());
    sender.set_send_timeout(None);
    sender.send([&b"x"[..]]).unwrap();
    let frames = loop {
        match receiver.try_receive().unwrap() {
            Some(frames) => break frames,
            None => std::thread::yield_now(),
        }
    };
    assert_eq!(frames, Frames::from([&b"x"[..]]));
}
