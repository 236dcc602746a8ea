//! Groups of options that several programs have.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use tracing::level_filters::LevelFilter;

use super::report::Notation;
use super::{parse_count, parse_duration, parse_size};
use crate::endpoint::Stop;
use crate::error::Result;
use crate::location::Location;
use crate::routing::SourceConfig;
use crate::stream::{Attach, Mode, Options, Stream};
use crate::tools::Limits;

/// How a program receives.
#[derive(Clone, Debug)]
pub struct Receiving(ReceivingOptions);

/// The options of a receiver, each as it is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
struct ReceivingOptions {
    /// How to receive: pull shares the messages of a push with its other receivers, sub gets all of
    /// a pub
    #[arg(short, long, value_name = "pull|sub", default_value = "pull", value_parser = parse_receiving)]
    mode: Mode,
    /// Receive only messages that start with this (sub mode; may be repeated)
    #[arg(long, value_name = "PREFIX")]
    subscribe: Vec<String>,
    #[command(flatten)]
    socket: Socket,
}

impl Receiving {
    /// Sets how many messages wait at most for each peer, if the command line does not.
    #[must_use]
    pub fn usual_queue_size(mut self, messages: u32) -> Self {
        self.0.socket.queue_size.get_or_insert(messages);
        self
    }

    /// Returns how to open a source; ignored for a recording.
    #[must_use]
    pub fn options(&self, location: &Location, stop: &Stop) -> Options {
        self.tune(self.source(location.clone()).options(), stop)
    }

    /// Returns the mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Returns what a recording notes of the options.
    #[must_use]
    pub fn session(&self) -> Vec<(String, String)> {
        let ReceivingOptions { mode, subscribe, socket } = &self.0;
        let mut session = vec![
            ("mode".to_owned(), mode.to_string()),
            ("queue_size".to_owned(), socket.queue_size().to_string()),
            ("io_threads".to_owned(), socket.io_threads.to_string()),
        ];
        if !subscribe.is_empty() {
            session.push(("subscribe".to_owned(), subscribe.join(", ")));
        }
        session
    }

    /// Returns the source as a configuration.
    #[must_use]
    pub fn source(&self, address: Location) -> SourceConfig {
        SourceConfig {
            mode: self.0.mode,
            attach: self.0.socket.attach(address.usual_attach()),
            queue_size: self.0.socket.queue_size(),
            subscribe: self.0.subscribe.clone(),
            address,
        }
    }

    /// Adds what is the same for all streams of a program.
    #[must_use]
    pub fn tune(&self, options: Options, stop: &Stop) -> Options {
        options.io_threads(self.0.socket.io_threads).stop(stop)
    }
}

impl Args for Receiving {
    fn augment_args(command: Command) -> Command {
        ReceivingOptions::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ReceivingOptions::augment_args_for_update(command)
    }
}

impl FromArgMatches for Receiving {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let options = ReceivingOptions::from_arg_matches(matches)?;
        if !options.subscribe.is_empty() && options.mode != Mode::Sub {
            return Err(conflict("--subscribe <PREFIX>", &format!("--mode {}", options.mode)));
        }
        Ok(Self(options))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Makes the error of two options that exclude each other.
fn conflict(one: &str, other: &str) -> clap::Error {
    let mut error = clap::Error::new(ErrorKind::ArgumentConflict);
    error.insert(ContextKind::InvalidArg, ContextValue::String(one.to_owned()));
    error.insert(ContextKind::PriorArg, ContextValue::String(other.to_lowercase()));
    error
}

/// How a program sends.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub struct Sending {
    /// Address to send to; it is bound unless --connect is given [default: tcp://*:9999]
    #[arg(short, long)]
    address: Option<String>,
    /// How to send: push gives each message to one receiver and waits for it, pub to all there are
    #[arg(short, long, value_name = "push|pub", default_value = "push", value_parser = parse_sending)]
    mode: Mode,
    /// Bytes the system holds for each peer [default: its own choice, or 400KiB for messages to the
    /// loopback interface that are generated and 1 MiB or more, or replayed and 2 MiB or more]
    #[arg(long = "sndbuf", value_name = "SIZE", value_parser = parse_buffer)]
    send_buffer: Option<usize>,
    #[command(flatten)]
    lingering: Lingering,
    #[command(flatten)]
    socket: Socket,
}

impl Sending {
    /// Opens the stream: binds by default.
    ///
    /// # Errors
    /// As [`connect`](crate::connect).
    pub fn open(&self, stop: &Stop) -> Result<Stream> {
        self.open_at(self.address_or_usual(), stop)
    }

    /// Sets how many messages wait at most for each peer, if the command line does not.
    #[must_use]
    pub fn usual_queue_size(mut self, messages: u32) -> Self {
        self.socket.queue_size.get_or_insert(messages);
        self
    }

    /// Sets how many bytes the system holds for each peer, if the command line does not.
    #[must_use]
    pub fn usual_send_buffer(mut self, bytes: Option<usize>) -> Self {
        self.send_buffer = self.send_buffer.or(bytes);
        self
    }

    /// Opens a stream as these options say, but at another address.
    ///
    /// # Errors
    /// As [`connect`](crate::connect).
    pub fn open_at(&self, address: &str, stop: &Stop) -> Result<Stream> {
        let options = Options::new(self.mode)
            .attach(self.socket.attach(Attach::Bind))
            .queue_size(self.socket.queue_size())
            .send_buffer(self.send_buffer)
            .io_threads(self.socket.io_threads)
            .stop(stop);
        Stream::open(address, options)
    }

    /// Returns the address, if one was given.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Returns the given address, or the default.
    #[must_use]
    pub fn address_or_usual(&self) -> &str {
        self.address().unwrap_or("tcp://*:9999")
    }

    /// Returns the mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns how long to wait at the end for messages to leave.
    #[must_use]
    pub fn linger(&self) -> Duration {
        self.lingering.linger
    }
}

/// Reads the size of a buffer.
fn parse_buffer(text: &str) -> Result<usize, String> {
    match parse_size(text)?.bytes {
        0 => Err("expected more than nothing".to_owned()),
        bytes => Ok(bytes),
    }
}

/// How long a sender may take to end.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub struct Lingering {
    /// Longest wait at the end for messages to leave, without any progress
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub linger: Duration,
}

/// The options of every socket.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
struct Socket {
    /// Messages that wait at most for each peer; 0 is no limit [default: 100]
    #[arg(short, long, value_name = "MESSAGES")]
    queue_size: Option<u32>,
    /// Bind the address: others connect
    #[arg(long, conflicts_with = "connect")]
    bind: bool,
    /// Connect to the address: another program binds it
    #[arg(long)]
    connect: bool,
    /// Threads for the network
    #[arg(long, value_name = "THREADS", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    io_threads: u16,
}

impl Socket {
    fn queue_size(&self) -> u32 {
        self.queue_size.unwrap_or(Options::DEFAULT_QUEUE_SIZE)
    }

    fn attach(&self, usual: Attach) -> Attach {
        match (self.bind, self.connect) {
            (true, _) => Attach::Bind,
            (_, true) => Attach::Connect,
            _ => usual,
        }
    }
}

/// In which form a program prints rates.
#[derive(Args, Clone, Copy, Debug)]
pub struct Reporting {
    /// How to print rates and summary
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
    /// Same as --format json
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
}

/// A form of rates and summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people
    Text,
    /// A line of JSON for each interval, and one for the summary
    Json,
}

impl Reporting {
    /// Returns the form.
    #[must_use]
    pub fn notation(&self) -> Notation {
        if self.json || self.format == Format::Json { Notation::Json } else { Notation::Text }
    }
}

/// When a program ends by itself.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "When to end")]
pub struct Limiting {
    /// End after this many messages
    #[arg(short = 'n', long, value_name = "MESSAGES", value_parser = parse_count::<NonZeroU64>)]
    count: Option<NonZeroU64>,
    /// End after this time, such as 500ms, 10s or 2m
    #[arg(short, long, value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// End when no message arrived or left for this long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

impl Limiting {
    /// Returns the limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            count: self.count.map(NonZeroU64::get),
            duration: self.duration,
            timeout: self.timeout,
        }
    }
}

/// How much a program prints.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Messages")]
pub struct Verbosity {
    /// Print more; twice, print everything
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Print nothing but results and errors
    #[arg(long)]
    quiet: bool,
}

impl Verbosity {
    /// Returns whether nothing but results and errors are wanted.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns whether more is wanted.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    pub(super) fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (_, 0) => LevelFilter::WARN,
            (_, 1) => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        }
    }
}

/// Reads the mode of a stream that receives.
///
/// # Errors
/// If it is none of these.
pub fn parse_receiving(text: &str) -> Result<Mode, String> {
    parse_mode(text, [Mode::Pull, Mode::Sub])
}

/// Reads the mode of a stream that sends.
///
/// # Errors
/// If it is none of these.
pub fn parse_sending(text: &str) -> Result<Mode, String> {
    parse_mode(text, [Mode::Push, Mode::Pub])
}

fn parse_mode(text: &str, modes: [Mode; 2]) -> Result<Mode, String> {
    let [one, other] = modes.map(|mode| mode.to_string().to_lowercase());
    match text.parse() {
        Ok(mode) if modes.contains(&mode) => Ok(mode),
        _ => Err(format!("expected {one} or {other}")),
    }
}
