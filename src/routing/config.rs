//! The configuration of a split: JSON, as the original m_split reads it.
//!
//! ```json
//! {
//!   "source": {"address": "tcp://sf-lc:9999", "mode": "PULL", "queue_size": 100},
//!   "streams": [
//!     {"address": "tcp://*:9998", "mode": "PUSH", "queue_size": 100},
//!     {"address": "tcp://*:9997", "mode": "PUB", "modulo": 10}
//!   ]
//! }
//! ```
//!
//! `tcp://*:PORT` binds and everything else connects, unless `"bind": true` or `false` says so. A
//! SUB source may `subscribe` to a list of prefixes. `modulo: k` sends every k-th message. Whole
//! numbers may be in quotes, as in psi-mflow. `send_buffer` is how many bytes the system holds for
//! each peer: 409600 suits large frames that stay on this machine. `on_full` says what to do when
//! an output accepts nothing: `"block"`, `"drop"`, or a number of seconds to wait for it before
//! messages are dropped.
//!
//! [`Config::read`] is strict; [`Config::read_tolerantly`] also reads configurations for psi-mflow.

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use mflow_handlers::without_byte_order_mark;
use serde::Deserialize;
use serde_json::Value;

use super::clash::Clash;
use super::tolerant::tolerated;
use crate::endpoint::WhenFull;
use crate::error::{self};
use crate::location::Location;
use crate::routing::Error;
use crate::stream::{Attach, Mode, Options};

/// What to split, and to where.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where messages come from.
    pub source: SourceConfig,
    /// Where they go, at least one.
    pub streams: Vec<OutputConfig>,
}

/// Where messages come from.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// The address, or the path of a recording.
    pub address: Location,
    /// PULL or SUB.
    pub mode: Mode,
    /// Bind or connect.
    pub attach: Attach,
    /// How many messages wait at most.
    pub queue_size: u32,
    /// The subscriptions of a SUB: messages that start with one of these; all messages if there are
    /// none.
    pub subscribe: Vec<String>,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputConfig {
    /// The address, or the path of a recording.
    pub address: Location,
    /// PUSH or PUB.
    pub mode: Mode,
    /// Bind or connect.
    pub attach: Attach,
    /// How many messages wait at most for each peer.
    pub queue_size: u32,
    /// How many bytes the system holds for each peer; its own choice by default.
    pub send_buffer: Option<NonZeroUsize>,
    /// Sends the k-th, 2k-th, … message only.
    pub modulo: NonZeroU64,
    /// What to do with messages for an output that accepts nothing: its queue is full, or a PUSH
    /// has no receiver. [`WhenFull::Block`] waits for it, and all other outputs with it. Two
    /// seconds by default, to connect or to catch up.
    pub when_full: WhenFull,
}

impl SourceConfig {
    /// Makes the configuration of a source that the command line names.
    #[must_use]
    pub fn new(address: Location) -> Self {
        let attach = address.usual_attach();
        Self {
            address,
            mode: Mode::Pull,
            attach,
            queue_size: Options::DEFAULT_QUEUE_SIZE,
            subscribe: Vec::new(),
        }
    }

    /// Returns what a recording notes of how its messages are received.
    #[must_use]
    pub fn session(&self) -> Vec<(String, String)> {
        let mut session = vec![("address".to_owned(), self.address.to_string())];
        if self.address.address().is_some() {
            session.push(("mode".to_owned(), self.mode.to_string()));
            session.push(("queue_size".to_owned(), self.queue_size.to_string()));
            if !self.subscribe.is_empty() {
                session.push(("subscribe".to_owned(), self.subscribe.join(", ")));
            }
        }
        session
    }

    /// Returns how to open it, if it is a stream.
    #[must_use]
    pub fn options(&self) -> Options {
        let options = Options::new(self.mode).attach(self.attach).queue_size(self.queue_size);
        self.subscribe.iter().fold(options, |options, prefix| options.subscribe(prefix.as_str()))
    }
}

impl OutputConfig {
    /// What to do when an output is full, by default: to wait two seconds, and then to drop.
    pub const WHEN_FULL: WhenFull = WhenFull::Wait(Duration::from_secs(2));

    /// Returns what a recording notes about the messages that this leaves out; nothing if it leaves
    /// out none.
    #[must_use]
    pub fn session(&self) -> Vec<(String, String)> {
        let modulo = self.modulo.get();
        (modulo > 1).then(|| ("modulo".to_owned(), modulo.to_string())).into_iter().collect()
    }

    /// Makes the configuration of an output that the command line names: it binds.
    #[must_use]
    pub fn new(address: Location) -> Self {
        Self {
            address,
            mode: Mode::Push,
            attach: Attach::Bind,
            queue_size: Options::DEFAULT_QUEUE_SIZE,
            send_buffer: None,
            modulo: NonZeroU64::MIN,
            when_full: Self::WHEN_FULL,
        }
    }

    /// Returns how to open it, if it is a stream.
    #[must_use]
    pub fn options(&self) -> Options {
        Options::new(self.mode)
            .attach(self.attach)
            .queue_size(self.queue_size)
            .send_buffer(self.send_buffer.map(NonZeroUsize::get))
    }
}

/// The byte order mark, with which some editors begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A key, and what is wrong with it.
pub(super) type Problem = (String, String);

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// If the file cannot be read, is not JSON, or is not valid: an unknown key, a bad address or
    /// mode, modulo 0, an address twice, or a port that is bound twice, whatever its addresses are
    /// called.
    pub fn read(file: &Path) -> crate::error::Result<Self> {
        Self::read_with(file, Self::parse)
    }

    /// Reads a configuration file that may have been written for psi-mflow, and returns its
    /// warnings too. If it has only keys of psi-mflow and unknown ones, then unknown keys, keys
    /// given twice and whole numbers such as `10.0` are warnings, not errors.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_tolerantly(file: &Path) -> crate::error::Result<(Self, Vec<String>)> {
        let (config, ignored) = Self::read_with(file, Self::parse_tolerantly)?;
        let notices = ignored.into_iter().map(|(key, reason)| {
            let file = file.to_owned();
            Error::Config { file, key, reason }.to_string()
        });
        Ok((config, notices.collect()))
    }

    fn read_with<T>(
        file: &Path,
        parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
    ) -> crate::error::Result<T> {
        let text = fs::read(file).map_err(|error| (String::new(), error.to_string()));
        let parse = |text: Vec<u8>| parse(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text));
        text.and_then(parse).map_err(|(key, reason)| {
            let file = file.to_owned();
            Error::Config { file, key, reason }.into()
        })
    }

    fn parse_tolerantly(text: &[u8]) -> Result<(Self, Vec<Problem>), Problem> {
        let strict = Self::parse(text);
        match (strict, tolerated(text)) {
            (Ok(config), _) => Ok((config, Vec::new())),
            (Err(_), Some((json, ignored))) if !ignored.is_empty() => {
                Self::parse(json.to_string().as_bytes()).map(|config| (config, ignored))
            }
            (Err(problem), _) => Err(problem),
        }
    }

    fn parse(text: &[u8]) -> Result<Self, Problem> {
        let text = without_byte_order_mark(text);
        expect_objects(text)?;
        let json = &mut serde_json::Deserializer::from_slice(text);
        let raw: RawConfig = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
            // It writes `.` for the whole, and `?` for an incomplete key.
            let path = error.path().to_string();
            let key = path.trim_end_matches(['.', '?']).to_owned();
            (key, error.into_inner().to_string())
        })?;
        json.end().map_err(|error| (String::new(), error.to_string()))?;
        let config = Self {
            source: raw.source.check("source")?,
            streams: raw
                .streams
                .into_iter()
                .enumerate()
                .map(|(index, stream)| stream.check(&format!("streams[{index}]")))
                .collect::<Result<_, _>>()?,
        };
        config.check()?;
        Ok(config)
    }

    /// Checks what concerns several streams.
    fn check(&self) -> Result<(), Problem> {
        if self.streams.is_empty() {
            return Err(("streams".into(), "expected at least one stream".into()));
        }
        let source = ("source".to_owned(), &self.source.address, self.source.attach);
        let mut seen = vec![source];
        for (index, stream) in self.streams.iter().enumerate() {
            let (key, address) = (format!("streams[{index}]"), &stream.address);
            for (other, taken, attach) in &seen {
                let clash = Clash::of((address, stream.attach), (taken, *attach));
                let Some(reason) = clash.map(|clash| clash.describe(address, other, taken)) else {
                    continue;
                };
                return Err((format!("{key}.address"), reason));
            }
            seen.push((key, address, stream.attach));
        }
        Ok(())
    }
}

/// Checks that there are objects where objects are needed: reading would accept lists of values
/// too.
fn expect_objects(text: &[u8]) -> Result<(), Problem> {
    // Text that is no JSON at all is reported later, with its place.
    let Ok(json) = serde_json::from_slice::<Value>(text) else { return Ok(()) };
    let streams = json.get("streams").and_then(Value::as_array).into_iter().flatten();
    let streams = streams.enumerate().map(|(index, json)| (format!("streams[{index}]"), json));
    let source = json.get("source").map(|source| ("source".to_owned(), source));
    let mut values = [(String::new(), &json)].into_iter().chain(source).chain(streams);
    match values.find(|(_, value)| !value.is_object()) {
        Some((key, value)) => Err((key, format!("expected an object, found {value}"))),
        None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    source: RawSource,
    streams: Vec<RawStream>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    address: String,
    mode: Option<String>,
    queue_size: Option<Value>,
    bind: Option<bool>,
    #[serde(default)]
    subscribe: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStream {
    address: String,
    mode: Option<String>,
    queue_size: Option<Value>,
    bind: Option<bool>,
    send_buffer: Option<Value>,
    modulo: Option<Value>,
    on_full: Option<Value>,
}

impl RawSource {
    fn check(self, key: &str) -> Result<SourceConfig, Problem> {
        let address = check_address(&self.address, key)?;
        let mode = check_mode(self.mode, key, [Mode::Pull, Mode::Sub])?;
        if mode != Mode::Sub && !self.subscribe.is_empty() {
            return Err((format!("{key}.subscribe"), format!("is for SUB, not for {mode}")));
        }
        Ok(SourceConfig {
            attach: check_attach(self.bind, &address, key)?,
            mode,
            queue_size: check_queue_size(self.queue_size.as_ref(), key)?,
            subscribe: self.subscribe,
            address,
        })
    }
}

impl RawStream {
    fn check(self, key: &str) -> Result<OutputConfig, Problem> {
        let address = check_address(&self.address, key)?;
        let modulo = check_number(self.modulo.as_ref(), key, "modulo", 1..=u64::MAX)?;
        let most = u64::try_from(i32::MAX).unwrap_or(u64::MAX);
        let send_buffer = check_number(self.send_buffer.as_ref(), key, "send_buffer", 1..=most)?;
        let send_buffer = send_buffer.and_then(|bytes| usize::try_from(bytes).ok());
        Ok(OutputConfig {
            attach: check_attach(self.bind, &address, key)?,
            mode: check_mode(self.mode, key, [Mode::Push, Mode::Pub])?,
            queue_size: check_queue_size(self.queue_size.as_ref(), key)?,
            send_buffer: send_buffer.and_then(NonZeroUsize::new),
            modulo: modulo.and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN),
            when_full: self.on_full.map_or(Ok(OutputConfig::WHEN_FULL), |value| {
                check_when_full(&value).ok_or_else(|| {
                    let reason = format!("expected \"block\", \"drop\" or seconds, found {value}");
                    (format!("{key}.on_full"), reason)
                })
            })?,
            address,
        })
    }
}

fn check_address(text: &str, key: &str) -> Result<Location, Problem> {
    text.parse().map_err(|error: error::Error| (format!("{key}.address"), error.to_string()))
}

fn check_attach(bind: Option<bool>, address: &Location, key: &str) -> Result<Attach, Problem> {
    let attach = match bind {
        Some(true) => Attach::Bind,
        Some(false) => Attach::Connect,
        None => address.usual_attach(),
    };
    let checked = address.address().map_or(Ok(()), |address| address.check(attach, false));
    checked.map_err(|error| (format!("{key}.address"), error.to_string()))?;
    Ok(attach)
}

/// Reads how many messages wait at most; 0 is no limit.
fn check_queue_size(value: Option<&Value>, key: &str) -> Result<u32, Problem> {
    let number = check_number(value, key, "queue_size", 0..=u64::from(u32::MAX))?;
    Ok(number.and_then(|number| number.try_into().ok()).unwrap_or(Options::DEFAULT_QUEUE_SIZE))
}

/// Reads a whole number within a range, in quotes or without.
fn check_number(
    value: Option<&Value>,
    key: &str,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    match number.filter(|number| range.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let least = range.start();
            let reason = format!("expected a whole number, {least} or more, found {value}");
            Err((format!("{key}.{name}"), reason))
        }
    }
}

/// Reads one of two modes; the first is the default.
fn check_mode(text: Option<String>, key: &str, modes: [Mode; 2]) -> Result<Mode, Problem> {
    let Some(text) = text else {
        return Ok(modes[0]);
    };
    text.parse().ok().filter(|mode| modes.contains(mode)).ok_or_else(|| {
        let reason = format!("expected {} or {}, found '{text}'", modes[0], modes[1]);
        (format!("{key}.mode"), reason)
    })
}

fn check_when_full(value: &Value) -> Option<WhenFull> {
    match value {
        Value::String(text) if text == "block" => Some(WhenFull::Block),
        Value::String(text) if text == "drop" => Some(WhenFull::DropNewest),
        Value::Number(seconds) => {
            Duration::try_from_secs_f64(seconds.as_f64()?).ok().map(WhenFull::Wait)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let (key, reason) = Config::parse(text.as_bytes()).unwrap_err();
        let error = Error::Config { file: "split.json".into(), key, reason }.to_string();
        error.strip_prefix("split.json: ").unwrap().to_owned()
    }

    #[test]
    fn what_is_not_said_is_as_in_the_original() {
        let config = Config::parse(
            br#"{"source": {"address": "tcp://sf-lc:9999"},
                 "streams": [{"address": "tcp://*:9998"}, {"address": "tcp://host:9997"}]}"#,
        )
        .unwrap();
        let source = SourceConfig::new("tcp://sf-lc:9999".parse().unwrap());
        let bound = OutputConfig::new("tcp://*:9998".parse().unwrap());
        let connected = OutputConfig {
            attach: Attach::Connect,
            ..OutputConfig::new("tcp://host:9997".parse().unwrap())
        };
        assert_eq!(config, Config { source, streams: vec![bound, connected] });
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let text = r#"{"source": {"address": "tcp://h:1"}, "streams": [{"address": "tcp://*:2"}]}"#;
        let marked = Config::parse(format!("\u{feff}{text}").as_bytes());
        assert_eq!(marked, Config::parse(text.as_bytes()));
        assert!(marked.is_ok(), "{marked:?}");
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let config = Config::parse(
            br#"{"source": {"address": "tcp://*:9", "mode": "sub", "queue_size": 7, "bind": false,
                            "subscribe": ["{"]},
                 "streams": [{"address": "tcp://h:1", "mode": "PUB", "queue_size": 3, "bind": true,
                              "send_buffer": 409600, "modulo": 5, "on_full": "block"},
                             {"address": "tcp://h:2", "on_full": 0.5}]}"#,
        )
        .unwrap();
        let source = SourceConfig {
            address: "tcp://*:9".parse().unwrap(),
            mode: Mode::Sub,
            attach: Attach::Connect,
            queue_size: 7,
            subscribe: vec!["{".into()],
        };
        let first = OutputConfig {
            address: "tcp://h:1".parse().unwrap(),
            mode: Mode::Pub,
            attach: Attach::Bind,
            queue_size: 3,
            send_buffer: NonZeroUsize::new(Options::LOCAL_SEND_BUFFER),
            modulo: NonZeroU64::new(5).unwrap(),
            when_full: WhenFull::Block,
        };
        let second = OutputConfig {
            attach: Attach::Connect,
            when_full: WhenFull::Wait(Duration::from_millis(500)),
            ..OutputConfig::new("tcp://h:2".parse().unwrap())
        };
        assert_eq!(config, Config { source, streams: vec![first, second] });
    }

    #[test]
    fn each_problem_names_its_key() {
        let stream = |text: &str| {
            format!(
                r#"{{"source": {{"address": "tcp://h:1"}}, "streams": [{{"address": "tcp://*:2"}}, {text}]}}"#
            )
        };
        let cases = [
            (
                stream(r#"{"address": "tcp://*:3", "modulo": 0}"#),
                "streams[1].modulo: expected a whole number, 1 or more, found 0",
            ),
            (
                stream(r#"{"address": "tcp://*:3", "send_buffer": 0}"#),
                "streams[1].send_buffer: expected a whole number, 1 or more, found 0",
            ),
            (
                stream(r#"{"address": "tcp://*:3", "mode": "PULL"}"#),
                "streams[1].mode: expected PUSH or PUB, found 'PULL'",
            ),
            (
                stream(r#"{"address": "tcp://*:2"}"#),
                "streams[1].address: 'tcp://*:2' is the address of streams[0] too",
            ),
            (
                stream(r#"{"address": "tcp://h:1"}"#),
                "streams[1].address: 'tcp://h:1' is the address of source too",
            ),
            (
                stream(r#"{"address": "tcp://0.0.0.0:2", "bind": true}"#),
                "streams[1].address: 'tcp://0.0.0.0:2' is bound by streams[0] already, as \
                 'tcp://*:2'",
            ),
            (
                stream(r#"{"address": "tcp://127.0.0.1:3", "bind": true}"#).replace("h:1", "*:3"),
                "streams[1].address: 'tcp://127.0.0.1:3' is bound by source already, as \
                 'tcp://*:3'",
            ),
            (
                stream(r#"{"address": "tcp://*:1"}"#).replace("h:1", "localhost:1"),
                "streams[1].address: 'tcp://*:1' would send to source, which connects to \
                 'tcp://localhost:1'",
            ),
            (
                stream(r#"{"address": "./out.mcap"}, {"address": "out.mcap"}"#),
                "streams[2].address: 'out.mcap' is the address of streams[1] too, as './out.mcap'",
            ),
            (
                stream(r#"{"address": "ipc:///tmp/x"}, {"address": "ipc:///tmp/./x"}"#),
                "streams[2].address: 'ipc:///tmp/./x' is the address of streams[1] too, as \
                 'ipc:///tmp/x'",
            ),
            (
                stream(r#"{"address": "tcp://h:0"}"#),
                "streams[1].address: 'tcp://h:0' is not an address: expected the port to connect \
                 to, from 1 to 65535",
            ),
            (
                stream(r#"{"address": "tcp://*:3", "modulo": "ten"}"#),
                "streams[1].modulo: expected a whole number, 1 or more, found \"ten\"",
            ),
            (stream("[3]"), "streams[1]: expected an object, found [3]"),
            ("[]".to_owned(), "expected an object, found []"),
            (
                r#"{"source": {"address": "tcp://h:1", "subscribe": ["x"]}, "streams": []}"#.into(),
                "source.subscribe: is for SUB, not for PULL",
            ),
            (
                stream(r#"{"address": "h:1"}"#),
                "streams[1].address: 'h:1' is not an address: expected tcp://host:port, ipc://path, \
                 or a path such as x.mcap or ./folder",
            ),
            (
                stream(r#"{"address": "tcp://*:3", "on_full": "stop"}"#),
                "streams[1].on_full: expected \"block\", \"drop\" or seconds, found \"stop\"",
            ),
            (
                r#"{"source": {"address": "tcp://h:1"}, "streams": []}"#.into(),
                "streams: expected at least one stream",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(problem(&text), expected);
        }
    }

    #[test]
    fn configurations_for_psi_mflow_are_read_and_ignored_values_are_reported() {
        let text = |source: &str, stream: &str| {
            format!(
                r#"{{"comment": {{"by": "me"}}, "source": {{"address": "tcp://h:1"{source}}},
                    "streams": [{{"address": "tcp://*:2"{stream}}}]}}"#
            )
        };
        let given = text(r#", "queue_size": 7.0"#, r#", "modulo": 3, "modulo": 10.0, "name": "x""#);
        let (config, ignored) = Config::parse_tolerantly(given.as_bytes()).unwrap();
        assert_eq!((config.source.queue_size, config.streams[0].modulo.get()), (7, 10));
        let expected = [
            ("comment", "ignored an unknown key"),
            ("source.queue_size", "expected a whole number, read 7.0 as 7"),
            ("streams[0].modulo", "the key is there again: the last one counts"),
            ("streams[0].name", "ignored an unknown key"),
            ("streams[0].modulo", "expected a whole number, read 10.0 as 10"),
        ];
        let expected = expected.map(|(key, reason)| (key.to_owned(), reason.to_owned()));
        assert_eq!(ignored, expected);
        // A check finds each of these.
        for (given, expected) in [
            (text("", ""), "comment: unknown field `comment`"),
            (text("", "").replace("comment", "source"), "source"),
        ] {
            let (key, reason) = Config::parse(given.as_bytes()).unwrap_err();
            assert!(format!("{key}: {reason}").starts_with(expected), "{key}: {reason}");
        }
        // A configuration that psi-mflow cannot read is an error, and so is any of these with a key
        // of ours.
        for (source, stream) in [
            (r#", "mode": "PUSH""#, ""),
            ("", r#", "modulo": 0.5"#),
            ("", r#", "on_full": "drop""#),
            ("", r#", "on_ful": "drop""#),
            (r#", "bind": false"#, ""),
        ] {
            assert!(Config::parse_tolerantly(text(source, stream).as_bytes()).is_err(), "{stream}");
        }
    }

    #[test]
    fn an_address_that_is_connected_to_excludes_none_that_is_bound() {
        let text = br#"{"source": {"address": "tcp://10.0.0.1:2"},
                        "streams": [{"address": "tcp://*:2"}, {"address": "tcp://0.0.0.0:2"}]}"#;
        assert_eq!(Config::parse(text).unwrap().streams.len(), 2);
    }

    #[test]
    fn unknown_and_missing_keys_and_broken_json_name_their_place() {
        let unknown = problem(r#"{"source": {"adress": "tcp://h:1"}, "streams": []}"#);
        assert!(unknown.starts_with("source.adress: unknown field `adress`"), "{unknown}");
        let missing = problem(r#"{"source": {"address": "tcp://h:1"}}"#);
        assert!(missing.starts_with("missing field `streams`"), "{missing}");
        let broken = problem("{");
        assert!(broken.contains("line 1 column 1"), "{broken}");
    }
}
