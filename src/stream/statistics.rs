//! [`Statistics`]: what a stream has received.

/// What a stream has received so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes of the latest message, all its parts together.
    pub bytes_received: u64,
    /// Bytes of all messages.
    pub total_bytes_received: u64,
    /// Number of messages.
    pub messages_received: u64,
}

impl Statistics {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes_received = bytes as u64;
        self.total_bytes_received += bytes as u64;
        self.messages_received += 1;
    }
}
