//! [`Registry`]: which [`Handler`] decodes and encodes the messages of which htype.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::bsread;
use crate::data::{Broken, Data};
use crate::format::Format;
use crate::handler::Handler;
use crate::header::begins_object;
use crate::message::{DecodeError, EncodeError, Message, Parts};

/// Decodes and encodes messages by their htype.
///
/// [`Registry::default`] knows every [`Format`] of this crate; handlers can be added, replaced and
/// removed. A clone shares the handlers.
///
/// ```
/// use mflow_handlers::{Data, Json, Message, Registry};
///
/// struct MyMessage { header: Json, data: Vec<bytes::Bytes> }
///
/// let mut registry = Registry::default();
/// registry.register("my_htype-1.0", |parts| {
///     let header = parts.next_json()?;
///     Ok(Data::custom(MyMessage { header, data: parts.rest().collect() }))
/// });
///
/// let data = registry.decode(Message::new([r#"{"htype":"my_htype-1.0"}"#.into(), "abc".into()]));
/// let mine = data.downcast_ref::<MyMessage>().unwrap();
/// assert_eq!(mine.header.get("htype").unwrap(), "my_htype-1.0");
/// assert_eq!(mine.data, ["abc"]);
/// ```
#[derive(Clone)]
pub struct Registry {
    handlers: Arc<BTreeMap<Box<str>, Arc<dyn Handler>>>,
}

impl Registry {
    /// Makes a registry that knows nothing.
    pub fn empty() -> Self {
        Self { handlers: Arc::default() }
    }

    /// Registers a closure that decodes the messages of an htype, in place of any handler before.
    pub fn register<F>(&mut self, htype: &str, decode: F)
    where
        F: Fn(&mut Parts<'_>) -> Result<Data, DecodeError> + Send + Sync + 'static,
    {
        self.insert(htype, decode);
    }

    /// Registers a handler for an htype, in place of any handler before.
    pub fn insert(&mut self, htype: &str, handler: impl Handler + 'static) {
        Arc::make_mut(&mut self.handlers).insert(htype.into(), Arc::new(handler));
    }

    /// Forgets the handler of an htype: its messages are [`Data::Unknown`] from then on. Returns
    /// whether there was one.
    pub fn remove(&mut self, htype: &str) -> bool {
        Arc::make_mut(&mut self.handlers).remove(htype).is_some()
    }

    /// Returns whether there is a handler for an htype.
    pub fn contains(&self, htype: &str) -> bool {
        self.handlers.contains_key(htype)
    }

    /// Returns the htypes that have a handler, in alphabetical order.
    pub fn htypes(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(|htype| &**htype)
    }

    /// Decodes a message by the handler of its htype.
    ///
    /// Every message gives a value: [`Data::Unknown`] if its htype is not registered or missing,
    /// [`Data::Broken`] if the handler fails, if there are no parts, or if the first one begins
    /// like a JSON object and has no htype because it is not valid JSON.
    pub fn decode(&self, message: Message) -> Data {
        let parts = Parts::new(&message);
        let result = match parts.htype().map(|htype| self.handlers.get(htype)) {
            Some(Some(handler)) => run(&**handler, parts),
            Some(None) => return Data::Unknown(message),
            None => match unreadable(&message) {
                Some(error) => Err(error),
                None => return Data::Unknown(message),
            },
        };
        result.unwrap_or_else(|error| Broken::new(message, error).into())
    }

    /// Encodes a value by the handler of its htype. What could not be decoded is encoded to the
    /// parts it came from.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoHtype`] or [`EncodeError::NoHandler`] if no handler can be found, and the
    /// errors of the handler.
    pub fn encode(&self, data: &Data) -> Result<Message, EncodeError> {
        if let Data::Unknown(message) | Data::Broken(Broken { message, .. }) = data {
            return Ok(message.clone());
        }
        let htype = data.htype().ok_or(EncodeError::NoHtype)?;
        match self.handlers.get(&*htype) {
            Some(handler) => handler.encode(data),
            None => Err(EncodeError::NoHandler { htype: htype.into() }),
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Self::empty();
        let bsread = bsread::Decoder::default();
        for &(htype, format) in Format::BY_HTYPE {
            match format {
                Format::Bsread => registry.insert(htype, bsread.clone()),
                format => registry.insert(htype, format),
            }
        }
        registry
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.htypes()).finish()
    }
}

/// Decodes a message by a handler, whatever its htype.
///
/// As with [`Registry::decode`] every message gives a value, [`Data::Broken`] if the handler fails.
///
/// ```
/// use mflow_handlers::{Data, Format, Message, decode_with};
///
/// let message = Message::new(["{}".into(), "abc".into()]);
/// assert!(matches!(decode_with(&Format::Raw, message), Data::Raw(_)));
/// ```
pub fn decode_with(handler: &dyn Handler, message: Message) -> Data {
    run(handler, Parts::new(&message)).unwrap_or_else(|error| Broken::new(message, error).into())
}

fn run(handler: &dyn Handler, mut parts: Parts<'_>) -> Result<Data, DecodeError> {
    if !parts.has_more() {
        return Err(DecodeError::NoParts);
    }
    match handler.decode(&mut parts)? {
        Data::Custom(custom) => Ok(Data::Custom(custom.with_htype(parts.htype()))),
        data => Ok(data),
    }
}

/// Returns what is wrong with a message without htype, if it should have one.
fn unreadable(message: &Message) -> Option<DecodeError> {
    match message.parts().first() {
        None => Some(DecodeError::NoParts),
        Some(part) if begins_object(part) => Parts::new(message).next_json().err(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(parts: &[&str]) -> Message {
        parts.iter().map(|part| Bytes::from((*part).to_owned())).collect()
    }

    fn error(data: &Data) -> String {
        match data {
            Data::Broken(broken) => broken.error.to_string(),
            other => panic!("expected a broken message, found {other:?}"),
        }
    }

    #[test]
    fn the_default_knows_every_format() {
        let htypes: Vec<_> = Registry::default().htypes().map(str::to_owned).collect();
        let expected = [
            "array-1.0",
            "bsr_m-1.0",
            "bsr_m-1.1",
            "bsr_reconnect-1.0",
            "bsr_stop-1.0",
            "chunk-1.0",
            "dheader-1.0",
            "dimage-1.0",
            "dseries_end-1.0",
            "pilatus-1.0",
            "raw-1.0",
            "stream2",
        ];
        assert_eq!(htypes, expected);
    }

    #[test]
    fn an_htype_nobody_registered_is_unknown_and_keeps_its_parts() {
        let message = message(&[r#"{"htype":"x-1.0"}"#, "abc"]);
        let registry = Registry::default();
        let data = registry.decode(message.clone());
        assert_eq!(data, Data::Unknown(message.clone()));
        assert_eq!(data.htype().as_deref(), Some("x-1.0"));
        assert_eq!(registry.encode(&data).unwrap(), message);
    }

    #[test]
    fn a_message_without_htype_is_unknown() {
        for part in
            ["", "hello", "{}", "[1]", "7", r#"{"htype":7}"#, r#"{"htype":[]}"#, "\u{d9}\u{d9}"]
        {
            let message = message(&[part]);
            assert_eq!(
                Registry::default().decode(message.clone()),
                Data::Unknown(message),
                "{part}"
            );
        }
        let message = Message::new([Bytes::from_static(b"\xff\xfe")]);
        assert_eq!(Registry::default().decode(message.clone()), Data::Unknown(message));
    }

    #[test]
    fn a_message_that_cannot_be_decoded_is_broken_and_keeps_its_parts() {
        let registry = Registry::default();
        let cases: [(&[&str], &str); 6] = [
            (&[], "the message has no parts"),
            (&["{"], "part 1 is not valid JSON"),
            (&[r#" {"htype" "raw-1.0"}"#], "part 1 is not valid JSON"),
            (&[r#"{"htype":"raw-1.0","x":}"#], "part 1 of 'raw-1.0' is not valid JSON"),
            (&[r#"{"htype":"dimage-1.0"}"#], "part 2 of 'dimage-1.0' is missing"),
            (&[r#"{"htype":"dimage-1.0"}"#, "x"], "part 2 of 'dimage-1.0' is not valid JSON"),
        ];
        for (parts, expected) in cases {
            let message = message(parts);
            let data = registry.decode(message.clone());
            assert_eq!(error(&data), expected);
            assert_eq!(registry.encode(&data).unwrap(), message);
        }
    }

    #[test]
    fn a_header_that_is_not_utf8_is_broken() {
        let parts = [
            Bytes::from_static(b"{\"htype\":\"\xff\"}"),
            Bytes::from_static(b"{\"\xff\":1,\"htype\":\"raw-1.0\"}"),
        ];
        for part in parts {
            let data = Registry::default().decode(Message::new([part]));
            assert_eq!(error(&data), "part 1 is not valid JSON");
        }
    }

    #[test]
    fn a_header_with_a_byte_order_mark_is_read_as_without() {
        let registry = Registry::default();
        let header = r#"{"htype":"array-1.0","type":"int32","shape":[2],"frame":0}"#;
        let marked = message(&[&format!("\u{feff}{header}"), "abcdefgh"]);
        let data = registry.decode(marked.clone());
        assert_eq!(data, registry.decode(message(&[header, "abcdefgh"])));
        assert!(matches!(data, Data::Array(_)), "{data:?}");
        assert_eq!(registry.encode(&data).unwrap(), marked);
        assert_eq!(error(&registry.decode(message(&["\u{feff}{"]))), "part 1 is not valid JSON");
    }

    #[test]
    fn an_htype_in_a_list_finds_its_handler() {
        let data = Registry::default().decode(message(&[r#"{"htype":["raw-1.0","x"]}"#]));
        assert!(matches!(data, Data::Raw(_)), "{data:?}");
    }

    #[test]
    fn a_handler_replaces_a_built_in_one_and_can_be_removed() {
        let mut registry = Registry::default();
        let before = registry.clone();
        registry.register("raw-1.0", |parts| Ok(Data::custom(parts.remaining())));
        let message = message(&[r#"{"htype":"raw-1.0"}"#, "a", "b"]);
        let data = registry.decode(message.clone());
        assert_eq!(data.downcast_ref(), Some(&3_usize));
        assert_eq!(data.htype().as_deref(), Some("raw-1.0"));
        assert!(matches!(before.decode(message.clone()), Data::Raw(_)));

        assert!(registry.remove("raw-1.0"));
        assert!(!registry.remove("raw-1.0"));
        assert!(!registry.contains("raw-1.0"));
        assert!(matches!(registry.decode(message), Data::Unknown(_)));
    }

    #[test]
    fn a_closure_only_decodes() {
        let mut registry = Registry::empty();
        registry.register("my-1.0", |_| Ok(Data::custom(())));
        let data = registry.decode(message(&[r#"{"htype":"my-1.0"}"#]));
        let error = registry.encode(&data).unwrap_err();
        assert_eq!(error.to_string(), "the handler of 'my-1.0' does not encode Data::Custom");
    }

    #[test]
    fn what_names_no_known_htype_is_not_encoded() {
        let registry = Registry::default();
        assert!(matches!(registry.encode(&Data::custom(1)), Err(EncodeError::NoHtype)));
        let data = Data::Custom(crate::data::Custom::new("my-1.0", 1));
        assert_eq!(
            registry.encode(&data).unwrap_err().to_string(),
            "no handler is registered for 'my-1.0'"
        );
    }

    #[test]
    fn a_value_of_one_format_is_not_sent_as_another() {
        let registry = Registry::default();
        let mut data = registry.decode(message(&[r#"{"htype":"raw-1.0"}"#, "a"]));
        if let Data::Raw(raw) = &mut data {
            raw.header.value_mut()["htype"] = "array-1.0".into();
        }
        let error = registry.encode(&data).unwrap_err();
        assert_eq!(error.to_string(), "the handler of 'array-1.0' does not encode Data::Raw");
    }

    #[test]
    fn an_error_of_a_closure_is_kept() {
        let mut registry = Registry::empty();
        registry.register("my-1.0", |_| Err(DecodeError::other("too hot")));
        assert_eq!(error(&registry.decode(message(&[r#"{"htype":"my-1.0"}"#]))), "too hot");
    }
}
