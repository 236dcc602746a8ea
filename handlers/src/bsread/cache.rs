//! [`Decoder`]: the handler of bsr_m-1.x, which remembers the data headers it read.
//!
//! Nearly all messages of a stream have the same data header. The hash in the main header finds it
//! in the cache. Some senders send a constant as the hash, so the bytes are compared too.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::codec::Compression;
use super::data_header::{DataHeader, DataHeaderError};
use super::message::Bsread;
use crate::message::{DecodeError, Parts};

/// The most data headers that are remembered.
const ENTRIES: usize = 8;

/// The most bytes of a hash; MD5 has 32.
const LONGEST_HASH: usize = 64;

/// The most bytes of JSON in a data header that is remembered.
const LONGEST: usize = 1 << 20;

/// The handler of bsr_m-1.x that a [`Registry`](crate::Registry) has from the start. It remembers the
/// last 8 data headers of up to 1 MiB of JSON, so that messages which share one share what was read
/// of it; a clone shares them, too.
///
/// ```
/// use mflow_handlers::{Message, Registry, bsread::Decoder};
///
/// let mut registry = Registry::empty();
/// registry.insert("bsr_m-1.1", Decoder::default());
/// let main_header = r#"{"htype":"bsr_m-1.1","pulse_id":5,"hash":"90ff"}"#;
/// registry.decode(Message::new([main_header.into(), r#"{"channels":[]}"#.into()]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    cache: Arc<RwLock<Cache>>,
}

#[derive(Debug, Default)]
struct Cache {
    entries: Vec<(Box<str>, DataHeader)>,
    /// The entry that is replaced next.
    oldest: usize,
}

impl Decoder {
    /// Returns the data header in a part: the one that was read before, or a new one.
    fn data_header(
        &self,
        part: Bytes,
        compression: Compression,
        hash: Option<&str>,
    ) -> Result<DataHeader, DataHeaderError> {
        let Some(hash) = hash.filter(|hash| is_hash(hash)) else {
            return DataHeader::decode(part, compression);
        };
        let found = {
            let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
            let mut entries = cache.entries.iter();
            entries
                .find(|(key, header)| &**key == hash && header.is_of(&part, compression))
                .map(|(_, header)| header.clone())
        };
        if let Some(header) = found {
            return Ok(header);
        }
        // A copy: what is remembered keeps no buffer of the receiver.
        let header = DataHeader::decode(Bytes::copy_from_slice(&part), compression)?;
        if header.text_length() <= LONGEST && header.part().len() <= LONGEST {
            let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
            cache.insert(hash, header.clone());
        }
        Ok(header)
    }
}

/// Returns whether this is a hash, and not a placeholder.
fn is_hash(hash: &str) -> bool {
    !matches!(hash, "" | "0") && hash.len() <= LONGEST_HASH
}

impl Cache {
    /// Adds a data header, in place of one with the same hash, or of the oldest.
    fn insert(&mut self, hash: &str, header: DataHeader) {
        if let Some(same) = self.entries.iter_mut().find(|(key, _)| &**key == hash) {
            same.1 = header;
        } else if self.entries.len() < ENTRIES {
            self.entries.push((hash.into(), header));
        } else {
            self.entries[self.oldest] = (hash.into(), header);
            self.oldest = (self.oldest + 1) % ENTRIES;
        }
    }
}

impl Decoder {
    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// As [`Bsread::decode`].
    pub fn read(&self, parts: &mut Parts<'_>) -> Result<Bsread, DecodeError> {
        let read =
            |part, compression, hash: Option<&str>| self.data_header(part, compression, hash);
        Bsread::decode_with(parts, read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(decoder: &Decoder, hash: Option<&str>, name: &str) -> DataHeader {
        let part = format!(r#"{{"channels":[{{"name":"{name}"}}]}}"#);
        let header = decoder.data_header(part.into(), Compression::None, hash).unwrap();
        assert_eq!(header.definitions()[0].name(), name);
        header
    }

    #[test]
    fn messages_of_one_hash_share_their_data_header() {
        let decoder = Decoder::default();
        let first = read(&decoder, Some("a"), "X");
        assert!(read(&decoder, Some("a"), "X").is_shared_with(&first));
        assert!(read(&decoder.clone(), Some("a"), "X").is_shared_with(&first));
        assert!(!read(&Decoder::default(), Some("a"), "X").is_shared_with(&first));
    }

    #[test]
    fn a_hash_that_lies_does_no_harm() {
        let decoder = Decoder::default();
        read(&decoder, Some("a"), "X");
        let second = read(&decoder, Some("a"), "Y");
        assert!(read(&decoder, Some("a"), "Y").is_shared_with(&second));
        let part = Bytes::from_static(br#"{"channels":[{"name":"Y"}]}"#);
        assert!(decoder.data_header(part, Compression::Lz4, Some("a")).is_err());
    }

    #[test]
    fn no_hash_is_not_remembered() {
        for hash in [None, Some(""), Some("0")] {
            let decoder = Decoder::default();
            let first = read(&decoder, hash, "X");
            assert!(!read(&decoder, hash, "X").is_shared_with(&first));
            assert_eq!(decoder.cache.read().unwrap().entries.len(), 0);
        }
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let decoder = Decoder::default();
        let names: Vec<String> = (0..2 * ENTRIES + 1).map(|index| format!("N{index}")).collect();
        let headers: Vec<_> = names.iter().map(|name| read(&decoder, Some(name), name)).collect();
        assert_eq!(decoder.cache.read().unwrap().entries.len(), ENTRIES);
        for (name, header) in names.iter().zip(&headers).skip(ENTRIES + 1) {
            assert!(read(&decoder, Some(name), name).is_shared_with(header), "{name}");
        }
        let long = "X".repeat(LONGEST);
        let first = read(&decoder, Some("long"), &long);
        assert!(!read(&decoder, Some("long"), &long).is_shared_with(&first));
    }
}
