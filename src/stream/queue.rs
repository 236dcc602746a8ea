//! The length of a queue: where nobody has said what it is, it follows the messages.
//!
//! Who fills a queue of libzmq sleeps where it is full, and is woken whenever half of its length
//! was read. Where messages are small, that costs more than they do: at 100 bytes, queues of 200
//! messages carry a fifth more than queues of 100 do; at 1 KiB no more. What waits is little then,
//! next to what the system holds for a connection.

use crate::{Address, Options};

/// Bytes of the largest message that is small.
const SMALL: usize = 512;
/// How many small messages in a row make a queue long. It is made so again after as many, for a
/// peer that has come since.
const ROW: u32 = 4096;

/// How many messages wait at most for each peer, as libzmq was told.
pub(super) struct Queue {
    length: i32,
    /// Somebody has said so. Or there is only one queue, whose length two sockets have a say in.
    fixed: bool,
    long: bool,
    row: u32,
}

impl Queue {
    pub(super) fn new(length: Option<u32>, address: &Address) -> Self {
        let fixed = length.is_some() || address.is_inproc();
        let length = length.unwrap_or(Options::DEFAULT_QUEUE_SIZE);
        Self { length: i32::try_from(length).unwrap_or(i32::MAX), fixed, long: false, row: 0 }
    }

    /// Tells libzmq how long the queues of a socket are.
    ///
    /// Of queues in use, it is told no more than the double, and back: who reads a queue and who
    /// fills it learn of it at different times, and who sleeps at its end is not woken where the
    /// other takes half of its length for more than the whole.
    pub(super) fn tell(&self, socket: &zmq::Socket) -> Result<(), zmq::Error> {
        let length = if self.long { self.length * 2 } else { self.length };
        socket.set_sndhwm(length)?;
        socket.set_rcvhwm(length)
    }

    /// Has the queues of a socket follow a message of so many bytes.
    pub(super) fn follow(&mut self, bytes: usize, socket: &zmq::Socket) {
        if self.fixed {
            return;
        }
        let small = bytes <= SMALL;
        self.row = if small { self.row + 1 } else { 0 };
        if self.row == ROW || self.long && !small {
            self.long = small;
            self.row = 0;
            // Where it fails, whatever the socket is asked next tells why.
            let _ = self.tell(socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(length: Option<u32>, address: &str, sizes: &[usize]) -> (i32, i32) {
        let socket = zmq::Context::new().socket(zmq::PUSH).unwrap();
        let mut queue = Queue::new(length, &address.parse().unwrap());
        queue.tell(&socket).unwrap();
        sizes.iter().for_each(|bytes| queue.follow(*bytes, &socket));
        (socket.get_sndhwm().unwrap(), socket.get_rcvhwm().unwrap())
    }

    #[test]
    fn the_queue_of_small_messages_is_longer_until_there_is_a_large_one() {
        let row = vec![SMALL; ROW as usize];
        let of = |sizes: &[usize]| lengths(None, "tcp://*:1", sizes);
        assert_eq!(of(&[]), (100, 100));
        assert_eq!(of(&row), (200, 200));
        assert_eq!(of(&[&row[1..], &[SMALL + 1], &row[1..]].concat()), (100, 100));
        assert_eq!(of(&[&row[..], &[SMALL + 1]].concat()), (100, 100));
        assert_eq!(of(&[&row[..], &[SMALL + 1], &row].concat()), (200, 200));
    }

    #[test]
    fn a_length_that_was_given_and_that_inside_a_process_stay() {
        let row = vec![SMALL; ROW as usize];
        assert_eq!(lengths(Some(100), "tcp://*:1", &row), (100, 100));
        assert_eq!(lengths(Some(u32::MAX), "tcp://*:1", &row), (i32::MAX, i32::MAX));
        assert_eq!(lengths(None, "inproc://here", &row), (100, 100));
    }
}
