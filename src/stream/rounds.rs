//! Rounds through the threads of libzmq: what it had to do before one is done after it.

use super::uninterrupted;

/// How many milliseconds a thread of libzmq may take: one that is starved of its processor is late.
const PATIENCE: i32 = 1000;

/// Two sockets in a pair for each of the threads that libzmq does its work on.
///
/// A message from one to the other passes their thread behind everything that it was told before.
pub(super) struct Rounds {
    context: zmq::Context,
    pairs: Vec<[zmq::Socket; 2]>,
}

impl Rounds {
    /// Makes no sockets yet: most streams need none.
    pub(super) fn new(context: &zmq::Context) -> Self {
        Self { context: context.clone(), pairs: Vec::new() }
    }

    /// Waits until each thread has done what it was told before.
    pub(super) fn wait(&mut self) -> Result<(), zmq::Error> {
        // What a pair that has failed still carries would be taken for what comes later.
        let pairs = match std::mem::take(&mut self.pairs) {
            pairs if pairs.is_empty() => self.open()?,
            pairs => pairs,
        };
        for [from, _] in &pairs {
            uninterrupted(|| from.send("", 0))?;
        }
        for [_, to] in &pairs {
            uninterrupted(|| to.recv_msg(0))?;
        }
        self.pairs = pairs;
        Ok(())
    }

    fn open(&self) -> Result<Vec<[zmq::Socket; 2]>, zmq::Error> {
        let threads = u32::try_from(self.context.get_io_threads()?).unwrap_or(0);
        (0..threads).map(|thread| self.open_pair(thread)).collect()
    }

    fn open_pair(&self, thread: u32) -> Result<[zmq::Socket; 2], zmq::Error> {
        let [from, to] = [self.context.socket(zmq::PAIR)?, self.context.socket(zmq::PAIR)?];
        for socket in [&from, &to] {
            socket.set_affinity(1_u64.checked_shl(thread).unwrap_or(0))?;
            socket.set_linger(0)?;
            socket.set_sndtimeo(PATIENCE)?;
            socket.set_rcvtimeo(PATIENCE)?;
        }
        to.bind("tcp://127.0.0.1:*")?;
        let endpoint = to.get_last_endpoint()?.map_err(|_| zmq::Error::EINVAL)?;
        from.connect(&endpoint)?;
        Ok([from, to])
    }
}
