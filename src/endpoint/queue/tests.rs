use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::producer::RECOVERY;
use super::*;
use crate::endpoint::{self, Offer, Origin, Received, Stop, Timestamp, WaitSet};
use crate::frame::Frames;

fn message(bytes: usize) -> Received {
    let frames = Frames::from([vec![0; bytes]]);
    Received { frames, time: Timestamp::from_nanos(1), origin: Origin::new("x") }
}

fn cost(bytes: usize) -> usize {
    Queued::cost_of(&message(bytes))
}

fn blocking(bytes: usize) -> Queue {
    Queue::new(Capacity::bytes(bytes), WhenFull::Block).unwrap()
}

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut set = WaitSet::new();
    set.readable(descriptor);
    set.wait(&Stop::never(), Some(Duration::from_millis(1))).unwrap()
}

fn has_room(queue: &Queue) -> bool {
    is_readable(queue.room.descriptor())
}

fn take_all(queue: &Queue) -> Vec<Queued> {
    let mut taken = Taken::default();
    queue.try_take(&mut taken);
    taken.messages.into()
}

fn numbers(queued: &[Queued]) -> Vec<u64> {
    queued.iter().map(|queued| queued.number).collect()
}

#[test]
fn messages_are_taken_in_order_and_their_room_is_freed() {
    let queue = blocking(1 << 20);
    for _ in 0..3 {
        assert_eq!(queue.offer(&message(100)), Offer::Taken);
    }
    let mut taken = Taken::default();
    queue.take(&mut taken, None);
    assert_eq!(numbers(taken.messages.make_contiguous()), [0, 1, 2]);
    let bytes = 3 * cost(100);
    let level =
        Level { depth: 3, bytes, high_water: 3, high_water_bytes: bytes, ..Level::default() };
    assert_eq!(queue.level(), level);
    assert_eq!(queue.release(3, bytes), Level { depth: 0, bytes: 0, released: 3, ..level });
}

#[test]
fn one_message_larger_than_the_capacity_is_queued_if_there_is_no_other() {
    let queue = blocking(1000);
    assert_eq!(queue.offer(&message(5000)), Offer::Taken);
    assert_eq!(queue.offer(&message(1)), Offer::Full);
}

#[test]
fn room_is_signalled_once_after_a_message_was_refused() {
    let queue = blocking(1000);
    queue.offer(&message(5000));
    assert!(!has_room(&queue));
    assert_eq!(queue.offer(&message(5000)), Offer::Full);
    assert!(!has_room(&queue));
    let taken = take_all(&queue);
    queue.release(1, taken[0].cost());
    assert!(has_room(&queue));
    assert_eq!(queue.offer(&message(5000)), Offer::Taken);
    assert!(!has_room(&queue));
}

#[test]
fn room_is_signalled_only_if_the_refused_message_fits() {
    let queue = blocking(3 * cost(100));
    for _ in 0..3 {
        assert_eq!(queue.offer(&message(100)), Offer::Taken);
    }
    assert_eq!(queue.offer(&message(10_000)), Offer::Full);
    let taken = take_all(&queue);
    queue.release(2, 2 * taken[0].cost());
    assert!(!has_room(&queue));
    queue.release(1, taken[0].cost());
    assert!(has_room(&queue));
}

#[test]
fn room_is_not_signalled_to_a_producer_that_waits_for_none() {
    let queue = blocking(1000);
    queue.offer(&message(5000));
    assert_eq!(queue.offer(&message(5000)), Offer::Full);
    let taken = take_all(&queue);
    queue.release(1, taken[0].cost());
    queue.await_nothing();
    assert!(!has_room(&queue));
    queue.fail(endpoint::Error::NoParts { address: "x".into() }.into());
    queue.await_nothing();
    assert!(has_room(&queue));
}

#[test]
fn a_failure_wakes_the_producer_and_all_that_arrives_is_refused() {
    for when_full in [WhenFull::Block, WhenFull::DropNewest, WhenFull::Latest] {
        let queue = Queue::new(Capacity::bytes(1), when_full).unwrap();
        queue.offer(&message(1));
        assert!(!has_room(&queue));
        queue.fail(endpoint::Error::NoParts { address: "x".into() }.into());
        assert!(has_room(&queue));
        assert_eq!(queue.offer(&message(1)), Offer::Full);
        assert_eq!(queue.level().dropped, 0);
    }
}

#[test]
fn a_consumer_that_found_nothing_is_woken_by_a_message_and_by_the_end() {
    let queue = blocking(1 << 20);
    let mut taken = Taken::default();
    assert!(!queue.try_take(&mut taken));
    assert!(!is_readable(queue.filled()));
    queue.offer(&message(1));
    queue.offer(&message(1));
    assert!(is_readable(queue.filled()));
    assert!(queue.try_take(&mut taken));
    assert_eq!(taken.messages.len(), 2);
    assert!(!is_readable(queue.filled()));
    taken.messages.clear();
    assert!(!queue.try_take(&mut taken));
    queue.close();
    assert!(is_readable(queue.filled()));
    assert!(queue.try_take(&mut taken) && taken.is_closed);
}

#[test]
fn waiting_for_an_empty_queue_ends_at_the_deadline_and_when_it_is_closed() {
    let queue = blocking(1);
    let mut taken = Taken::default();
    queue.take(&mut taken, Some(Instant::now()));
    assert!(!taken.is_closed);
    queue.close();
    queue.take(&mut taken, None);
    assert!(taken.is_closed);
    assert!(!queue.wait_for_end(Duration::ZERO));
    queue.end();
    assert!(queue.wait_for_end(Duration::ZERO));
}

#[test]
fn a_producer_that_ran_out_of_patience_waits_again_after_ten_messages_in_a_row() {
    let patience = Duration::from_secs(2);
    let queue = Queue::new(Capacity::messages(1), WhenFull::Wait(patience)).unwrap();
    let start = Instant::now();
    let offer = |seconds| queue.offer_at(&message(1), || start + Duration::from_secs(seconds));
    let take = || queue.release(take_all(&queue).len(), cost(1)).depth;
    assert_eq!(offer(0), Offer::Taken);
    assert_eq!((offer(0), offer(1)), (Offer::Full, Offer::Full));
    assert_eq!((offer(2), queue.level().dropped), (Offer::Taken, 1));
    assert_eq!((offer(2), queue.level().dropped), (Offer::Taken, 2));
    for _ in 0..RECOVERY {
        assert_eq!(take(), 0);
        assert_eq!((offer(3), queue.level().dropped), (Offer::Taken, 2));
    }
    assert_eq!((offer(3), offer(4), offer(5)), (Offer::Full, Offer::Full, Offer::Taken));
    assert_eq!(queue.level().dropped, 3);
}

#[test]
fn losses_say_what_was_dropped() {
    let of = |htype: &str| {
        let frames = Frames::from([format!(r#"{{"htype":"{htype}"}}"#).into_bytes()]);
        Received { frames, ..message(0) }
    };
    let queue = Queue::new(Capacity::messages(2), WhenFull::DropOldest).unwrap();
    for htype in ["a-1.0", "b-1.0", "a-1.0"] {
        queue.offer(&of(htype));
    }
    let held = take_all(&queue);
    assert_eq!(numbers(&held), [1, 2]);
    // What the consumer holds cannot make room.
    queue.offer(&of("b-1.0"));
    let kind = |htype: &str, newest, oldest| {
        let (origin, htype) = (Origin::new("x"), Some(htype.to_owned()));
        Dropped { origin, htype, newest, oldest }
    };
    assert_eq!(queue.dropped(), [kind("a-1.0", 0, 1), kind("b-1.0", 1, 0)]);
    let mut taken = Taken::default();
    assert!(queue.try_take(&mut taken));
    assert_eq!(taken.dropped, [kind("b-1.0", 1, 0)]);
    assert!(!queue.try_take(&mut taken));
}

#[test]
fn one_thread_takes_everything_that_another_queues() {
    let queue = Arc::new(Queue::new(Capacity::messages(100), WhenFull::Block).unwrap());
    let producer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            let message = message(10);
            for _ in 0..50_000 {
                while queue.offer(&message) == Offer::Full {
                    let mut set = WaitSet::new();
                    queue.readiness(&mut set);
                    set.wait(&Stop::never(), None).unwrap();
                }
            }
            queue.close();
        })
    };
    let (mut taken, mut next) = (Taken::default(), 0);
    while !(taken.is_closed && taken.messages.is_empty()) {
        queue.take(&mut taken, None);
        for queued in taken.messages.drain(..) {
            assert_eq!(queued.number, next);
            next += 1;
            queue.release(1, queued.cost());
        }
    }
    producer.join().unwrap();
    assert_eq!(next, 50_000);
    assert!(queue.level().high_water <= 100);
}

/// A step of the test.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Offers a message of this many bytes.
    Offer(usize),
    Take,
    /// Releases this many of the messages that were taken.
    Release(usize),
    /// Lets this many seconds pass.
    Pass(u64),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..500_usize).prop_map(Step::Offer),
        1 => (500..5000_usize).prop_map(Step::Offer),
        3 => Just(Step::Take),
        4 => (1..6_usize).prop_map(Step::Release),
        2 => (0..3_u64).prop_map(Step::Pass),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    (vec(step(), 0..80), any::<bool>()).prop_map(|(mut steps, closes)| {
        if closes {
            steps.insert(steps.len() * 3 / 4, Step::Close);
        }
        steps
    })
}

fn when_full() -> impl Strategy<Value = WhenFull> {
    prop_oneof![
        Just(WhenFull::Block),
        Just(WhenFull::DropNewest),
        Just(WhenFull::DropOldest),
        Just(WhenFull::Latest),
        (0..5_u64).prop_map(|seconds| WhenFull::Wait(Duration::from_secs(seconds))),
    ]
}

fn capacity() -> impl Strategy<Value = Capacity> {
    prop_oneof![
        (1..8_usize).prop_map(Capacity::messages),
        (1..5000_usize).prop_map(Capacity::bytes),
        (1..8_usize, 1..5000_usize)
            .prop_map(|(most, bytes)| Capacity::messages(most).and_bytes(bytes)),
    ]
}

/// A simple model of the queue: numbers of messages and their costs.
struct Model {
    capacity: Capacity,
    when_full: WhenFull,
    waiting: VecDeque<(u64, usize)>,
    held: VecDeque<(u64, usize)>,
    arrived: u64,
    /// How many were dropped as they arrived, and how many later.
    newest: u64,
    oldest: u64,
    is_closed: bool,
    full_since: Option<u64>,
    recovery: u32,
}

impl Model {
    fn new(capacity: Capacity, when_full: WhenFull) -> Self {
        Self {
            capacity,
            when_full,
            waiting: VecDeque::new(),
            held: VecDeque::new(),
            arrived: 0,
            newest: 0,
            oldest: 0,
            is_closed: false,
            full_since: None,
            recovery: 0,
        }
    }

    fn bytes(&self) -> usize {
        self.waiting.iter().chain(&self.held).map(|(_, cost)| cost).sum()
    }

    fn fits(&self, cost: usize) -> bool {
        let messages = self.waiting.len() + self.held.len();
        messages == 0
            || messages < self.capacity.most_messages()
                && self.bytes() + cost <= self.capacity.most_bytes()
    }

    fn offer(&mut self, cost: usize, now: u64) -> Offer {
        if self.is_closed {
            return Offer::Full;
        }
        if self.when_full == WhenFull::Latest {
            self.oldest += self.waiting.len() as u64;
            self.waiting.clear();
        } else if !self.fits(cost) {
            match self.when_full {
                WhenFull::Block => return Offer::Full,
                WhenFull::Wait(patience) if self.recovery == 0 => {
                    let since = *self.full_since.get_or_insert(now);
                    if now - since < patience.as_secs() {
                        return Offer::Full;
                    }
                }
                WhenFull::DropOldest => {
                    let before = self.waiting.clone();
                    while !self.fits(cost) && self.waiting.pop_front().is_some() {}
                    if self.fits(cost) {
                        self.oldest += (before.len() - self.waiting.len()) as u64;
                    } else {
                        self.waiting = before;
                    }
                }
                _ => {}
            }
            if !self.fits(cost) {
                self.newest += 1;
                self.arrived += 1;
                (self.recovery, self.full_since) = (RECOVERY, None);
                return Offer::Taken;
            }
        }
        self.waiting.push_back((self.arrived, cost));
        self.arrived += 1;
        (self.recovery, self.full_since) = (self.recovery.saturating_sub(1), None);
        Offer::Taken
    }
}

proptest! {
    #[test]
    fn a_queue_does_what_a_plain_model_does(
        capacity in capacity(),
        when_full in when_full(),
        steps in steps(),
    ) {
        let queue = Queue::new(capacity, when_full).unwrap();
        let mut model = Model::new(capacity, when_full);
        let (start, mut now) = (Instant::now(), 0);
        let (mut held, mut released) = (VecDeque::new(), 0);
        for step in steps {
            match step {
                Step::Offer(bytes) => {
                    let time = || start + Duration::from_secs(now);
                    let offer = queue.offer_at(&message(bytes), time);
                    prop_assert_eq!(offer, model.offer(cost(bytes), now));
                }
                Step::Take => {
                    held.extend(take_all(&queue));
                    model.held.append(&mut model.waiting);
                }
                Step::Release(most) => {
                    for queued in held.drain(..most.min(held.len())) {
                        queue.release(1, queued.cost());
                        prop_assert_eq!(model.held.pop_front(), Some((queued.number, queued.cost)));
                        released += 1;
                    }
                }
                Step::Pass(seconds) => now += seconds,
                Step::Close => {
                    queue.close();
                    model.is_closed = true;
                }
            }
            let level = queue.level();
            let depth = model.waiting.len() + model.held.len();
            prop_assert_eq!((level.depth, level.bytes), (depth, model.bytes()));
            prop_assert_eq!(level.released, released);
            prop_assert_eq!(level.dropped, model.newest + model.oldest);
            // Every accepted message is released, dropped or still queued.
            prop_assert_eq!(model.arrived, level.released + level.dropped + level.depth as u64);
            if when_full == WhenFull::Latest {
                prop_assert!(model.waiting.len() <= 1);
            } else if depth > 1 {
                prop_assert!(level.depth <= capacity.most_messages());
                prop_assert!(level.bytes <= capacity.most_bytes());
            }
        }
        let dropped = queue.dropped();
        let sum = |of: fn(&Dropped) -> u64| dropped.iter().map(of).sum::<u64>();
        prop_assert_eq!((sum(|it| it.newest), sum(|it| it.oldest)), (model.newest, model.oldest));
        held.extend(take_all(&queue));
        model.held.append(&mut model.waiting);
        let left: Vec<_> = held.iter().map(|queued| (queued.number, queued.cost)).collect();
        prop_assert_eq!(left, Vec::from(model.held));
    }
}
