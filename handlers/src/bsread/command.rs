//! [`Stop`] and [`Reconnect`]: commands that senders in Java send to their receivers, one part
//! each.
//!
//! ```text
//! part 1   {"htype": "bsr_stop-1.0", "sentMessages": 1000}      -1 if it is not known
//! part 1   {"htype": "bsr_reconnect-1.0", "address": "tcp://…"}
//! ```

use bytes::Bytes;
use serde_json::json;

use super::timestamp::integer;
use crate::header::Json;
use crate::message::{DecodeError, EncodeError, Message, Parts, Warning, warning};
use crate::walk::{Visitor, extra_parts};

macro_rules! commands {
    ($($command:ident $htype:literal $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq)]
        pub struct $command {
            /// The header, with every key the sender put there.
            pub header: Json,
            /// Parts that the format does not know.
            pub extra: Vec<Bytes>,
        }

        impl $command {
            /// Reads the parts of a message.
            ///
            /// # Errors
            ///
            /// If the header is missing or not a JSON object.
            pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
                Ok(Self { header: parts.next_object()?, extra: parts.rest().collect() })
            }

            /// Visits the values of the message.
            pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
                visitor.part("header", &self.header);
                extra_parts(&self.extra, visitor);
            }

            /// Makes the parts of the message.
            ///
            /// # Errors
            ///
            /// [`EncodeError::NotAnObject`] if the header is not an object.
            pub fn encode(&self) -> Result<Message, EncodeError> {
                let header = self.header.encode($htype, 1)?;
                Ok(std::iter::once(header).chain(self.extra.iter().cloned()).collect())
            }

            /// Returns what was tolerated in the message.
            pub fn warnings(&self) -> Vec<Warning> {
                warning::extra_parts(1, self.extra.len()).into_iter().collect()
            }
        }
    )*};
}

commands! {
    Stop "bsr_stop-1.0" "A message bsr_stop-1.0: the sender stops.";
    Reconnect "bsr_reconnect-1.0" "A message bsr_reconnect-1.0: the stream goes on at another address.";
}

impl Stop {
    /// Makes the message, with the number of messages that were sent if it is known.
    pub fn new(sent_messages: Option<u64>) -> Self {
        let sent = sent_messages.map_or(json!(-1), |sent| json!(sent));
        let header = json!({"htype": "bsr_stop-1.0", "sentMessages": sent});
        Self { header: header.into(), extra: Vec::new() }
    }

    /// Returns the number of messages that were sent, if the sender knows it.
    pub fn sent_messages(&self) -> Option<u64> {
        integer(self.header.get("sentMessages")?)?.try_into().ok()
    }
}

impl Reconnect {
    /// Makes the message.
    pub fn new(address: &str) -> Self {
        let header = json!({"htype": "bsr_reconnect-1.0", "address": address});
        Self { header: header.into(), extra: Vec::new() }
    }

    /// Returns the address at which the stream goes on.
    pub fn address(&self) -> Option<&str> {
        self.header.get("address")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::canonical;
    use crate::data::Data;
    use crate::registry::Registry;

    #[test]
    fn a_stop_tells_how_many_messages_were_sent() {
        let registry = Registry::default();
        for sent in [None, Some(1000)] {
            let stop = Stop::new(sent);
            let data = registry.decode(registry.encode(&stop.clone().into()).unwrap());
            assert_eq!(data, Data::BsreadStop(stop.clone()));
            assert_eq!(stop.sent_messages(), sent);
        }
    }

    #[test]
    fn a_reconnect_tells_an_address() {
        let registry = Registry::default();
        let reconnect = Reconnect::new("tcp://host:9999");
        let mut message = registry.encode(&reconnect.clone().into()).unwrap();
        assert_eq!(registry.decode(message.clone()), Data::BsreadReconnect(reconnect.clone()));
        assert_eq!(reconnect.address(), Some("tcp://host:9999"));

        message.extend([Bytes::from_static(b"more")]);
        assert_eq!(
            canonical(&registry.decode(message)),
            json!({
                "header": {"htype": "bsr_reconnect-1.0", "address": "tcp://host:9999"},
                "extra": [{"bytes_hex": "6d6f7265"}],
                "warnings": ["expected at most 1 parts, found 2"],
            })
        );
    }
}
