//! Reading a recording from a pipe: once, record by record, as they arrive.
//!
//! The indexes of an MCAP file are skipped.

mod input;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::MAX_READ;
use super::damage::Faults;
use super::definition::{Definitions, MAX_DEFINITION};
use super::info::MetadataInfo;
use super::piece::{Kind, Loaded, entries};
use super::place::NO_RECORD;
use super::unpack::{Unpacked, unpack};
use crate::counted::Counted;
use crate::endpoint::{Event, Origin, Received, Report, Source, Timestamp, WaitSet};
use crate::error::{self, Result};
use crate::os;
use crate::recording::Error;
use crate::recording::mcap::format::record::{Fields, MESSAGE_DATA, record_head};
use crate::recording::mcap::format::wire::{self, MAGIC, RECORD_HEAD, opcode};
use crate::recording::{Recording, Seek};

use input::{Filled, Input};

/// How much is skipped at most before a stop can take effect.
const MOST_AT_ONCE: u64 = 16 << 20;
/// A record to be skipped has less than a TiB.
const MAX_PASSED: u64 = 1 << 40;
/// How much is kept of the metadata ahead of the messages.
const MAX_METADATA: u64 = 16 << 20;

/// The messages of an MCAP recording from a pipe, a FIFO or another device, in the order in which
/// they arrive, with their recorded times.
///
/// A pipe is read once: its number of messages is unknown, and it cannot seek. A recording that
/// breaks off before its end, or has a bad record, ends there, and is
/// [damaged](crate::endpoint::Report::damaged_places) at this place; everything before was read.
/// Messages of other schemas are left out.
///
/// Memory: the record at hand, and its decompressed content, each at most 1 GiB.
///
/// ```no_run
/// use std::path::Path;
/// use mflow::recording::McapPipe;
/// use mflow::{Event, Source, Stop, WaitSet};
/// let mut pipe = McapPipe::open(Path::new("/dev/stdin"))?;
/// loop {
///     match pipe.poll()? {
///         Event::Message(received) => println!("{} parts", received.frames.len()),
///         Event::End => break,
///         Event::Idle => {
///             let mut set = WaitSet::new();
///             pipe.readiness(&mut set);
///             set.wait(&Stop::never(), None)?;
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct McapPipe {
    path: PathBuf,
    name: String,
    input: Input,
    state: State,
    definitions: Definitions,
    metadata: Vec<MetadataInfo>,
    /// The last chunk, or message outside of chunks, and how many of its messages were returned.
    loaded: Option<(Loaded, usize)>,
    /// How many messages of other schemas there were.
    foreign: u64,
    faults: Faults,
    /// Whether optional checksums are compared.
    checks: bool,
    /// The number of the next message.
    next: u64,
    position: u64,
    /// Whether more may be read without a wait.
    is_busy: bool,
}

/// The position of the pipe in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Data,
    Summary,
    /// This many bytes are to be skipped; and what follows then.
    Passing(u64, Section),
    /// Behind the magic at the end.
    Behind,
    Ended,
}

/// The section to which records belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Data,
    Summary,
}

impl From<Section> for State {
    fn from(section: Section) -> Self {
        match section {
            Section::Data => Self::Data,
            Section::Summary => Self::Summary,
        }
    }
}

/// What to do with a record.
enum Form {
    /// Read it as a whole, with this many bytes of fields.
    Whole(usize),
    Passed,
    /// It ends the data section.
    End,
    Bad(&'static str),
}

impl McapPipe {
    /// Opens a pipe, and waits for the beginning of the recording: up to the first record that is no
    /// metadata.
    ///
    /// # Errors
    /// If it cannot be read, or its content is no MCAP recording.
    pub fn open(path: &Path) -> Result<Self> {
        let file = os::open_to_read(path).map_err(Error::file("read", path))?;
        let name = path.display().to_string();
        let mut pipe = Self {
            path: path.to_owned(),
            faults: Faults::new(&name),
            name,
            input: Input::of(file),
            state: State::Data,
            definitions: Definitions::default(),
            metadata: Vec::new(),
            loaded: None,
            foreign: 0,
            checks: false,
            next: 0,
            position: 0,
            is_busy: false,
        };
        let fault = pipe.begin().map_err(Error::file("read", path))?;
        fault.map_or(Ok(pipe), |reason| Err(not_a_recording(path, reason)))
    }

    /// Reads the records ahead of the first definition; returns why this is no recording, if it is
    /// none.
    fn begin(&mut self) -> io::Result<Option<&'static str>> {
        self.input.wait_for(MAGIC.len())?;
        if self.input.held().is_empty() {
            return Ok(Some("it is empty"));
        }
        if !self.input.held().starts_with(&MAGIC) {
            return Ok(Some("it does not begin as an MCAP file does"));
        }
        self.input.skip(MAGIC.len() as u64);
        while self.input.wait_for(RECORD_HEAD)?
            && let Some((opcode::HEADER | opcode::METADATA, length)) =
                record_head(self.input.held())
            && self.input.position() <= MAX_METADATA
            && length <= MAX_DEFINITION
            && let Ok(length) = usize::try_from(length)
            && self.input.wait_for(RECORD_HEAD + length)?
        {
            let record = self.input.take(RECORD_HEAD + length);
            if record.bytes()[0] == opcode::METADATA {
                self.metadata.extend(metadata(&record.bytes()[RECORD_HEAD..]));
            }
        }
        Ok(None)
    }

    /// Returns the next message of the last chunk.
    fn next_loaded(&mut self) -> Option<Received> {
        let (loaded, done) = self.loaded.as_mut()?;
        while let Some(entry) = loaded.entries.get(*done) {
            *done += 1;
            self.position = self.next;
            self.next += 1;
            let frames = loaded.records.frames(entry.data..entry.data.saturating_add(entry.length));
            let channel = self.definitions.ours(entry.channel);
            if let Some((frames, channel)) = frames.zip(channel) {
                let (time, origin) =
                    (Timestamp::from_nanos(entry.time), Arc::clone(&channel.origin));
                return Some(Received { frames, time, origin });
            }
            let (position, name) = (self.position, &self.name);
            tracing::info!(%name, "message {position} has no readable parts: skipped");
            self.faults.damaged += 1;
        }
        self.loaded = None;
        None
    }

    /// Advances by a record, or by the bytes of one that have arrived; returns whether more can be
    /// read without a wait.
    fn advance(&mut self) -> io::Result<bool> {
        match self.state {
            State::Ended => {}
            State::Data => return self.record(Section::Data),
            State::Summary => return self.record(Section::Summary),
            State::Passing(0, section) => self.state = section.into(),
            State::Passing(left, section) => match self.input.fill(1)? {
                Filled::Waiting => return Ok(false),
                Filled::Ended => self.break_off("a record is cut off"),
                Filled::Enough => {
                    self.state = State::Passing(left - self.input.skip(left), section);
                }
            },
            State::Behind => match self.input.fill(1)? {
                Filled::Waiting => return Ok(false),
                Filled::Ended => self.state = State::Ended,
                Filled::Enough => self.break_off("there is more behind the end of the recording"),
            },
        }
        Ok(true)
    }

    /// Reads a record, if the needed bytes have arrived.
    fn record(&mut self, section: Section) -> io::Result<bool> {
        match self.input.fill(RECORD_HEAD)? {
            Filled::Waiting => return Ok(false),
            Filled::Ended => {
                self.break_off(match (self.input.held().is_empty(), section) {
                    (_, Section::Summary) => "its summary is cut off",
                    (true, Section::Data) => "it breaks off before its end",
                    (false, Section::Data) => "a record is cut off",
                });
                return Ok(true);
            }
            Filled::Enough => {}
        }
        let Some((opcode, length)) = record_head(self.input.held()) else { return Ok(false) };
        if (opcode, section) == (opcode::FOOTER, Section::Summary) {
            return self.footer(length);
        }
        match form(opcode, length, section) {
            Form::Bad(fault) => self.break_off(fault),
            Form::End => self.state = State::Passing(RECORD_HEAD as u64 + length, Section::Summary),
            Form::Passed => self.state = State::Passing(RECORD_HEAD as u64 + length, section),
            Form::Whole(length) => match self.input.fill(RECORD_HEAD + length)? {
                Filled::Waiting => return Ok(false),
                Filled::Ended => self.break_off("a record is cut off"),
                Filled::Enough => self.read(opcode, RECORD_HEAD + length),
            },
        }
        Ok(true)
    }

    /// Reads a record that has arrived as a whole.
    fn read(&mut self, opcode: u8, length: usize) {
        let at = self.input.position();
        let record = self.input.take(length);
        let (unpacked, kind) = match opcode {
            opcode::CHUNK => (unpack(record.behind(RECORD_HEAD), self.checks), Kind::Chunk),
            _ => (Unpacked { records: record, fault: None }, Kind::Loose),
        };
        let loaded = entries(unpacked, kind, &mut self.definitions);
        self.foreign = self.foreign.saturating_add(loaded.foreign);
        if let Some(fault) = loaded.fault {
            self.faults.add(at, fault, 0);
        }
        self.loaded = Some((loaded, 0));
    }

    /// Reads the footer and the magic behind it.
    fn footer(&mut self, length: u64) -> io::Result<bool> {
        let whole = wire::FOOTER + MAGIC.len();
        if length != (wire::FOOTER - RECORD_HEAD) as u64 {
            self.break_off(NO_RECORD);
            return Ok(true);
        }
        match self.input.fill(whole)? {
            Filled::Waiting => return Ok(false),
            Filled::Enough if self.input.held()[wire::FOOTER..].starts_with(&MAGIC) => {
                self.input.skip(whole as u64);
                self.state = State::Behind;
            }
            Filled::Enough | Filled::Ended => self.break_off("its summary is cut off"),
        }
        Ok(true)
    }

    /// Ends at the place where the recording is damaged: the rest cannot be interpreted.
    fn break_off(&mut self, fault: &'static str) {
        self.faults.add(self.input.position(), fault, 0);
        self.state = State::Ended;
    }

    /// Ends, with an error if there were only messages of other schemas.
    fn end(&mut self) -> Result<Event> {
        let foreign = std::mem::take(&mut self.foreign);
        if foreign > 0 {
            let schemas = self.definitions.foreign_schemas();
            if self.definitions.all_foreign() {
                let reason =
                    format!("its messages have other schemas than mflow.Message: {schemas}");
                return Err(not_a_recording(&self.path, reason));
            }
            let (name, left_out) = (&self.name, Counted(foreign, "message"));
            tracing::warn!("'{name}': left out {left_out} of other schemas: {schemas}");
        }
        Ok(Event::End)
    }
}

/// Returns what can be done with a record.
fn form(opcode: u8, length: u64, section: Section) -> Form {
    let whole = |most| match usize::try_from(length) {
        Ok(whole) if length <= most => Form::Whole(whole),
        _ if most == MAX_READ => Form::Bad("a record has more than 1 GiB, and is not in a file"),
        _ => Form::Bad(NO_RECORD),
    };
    match (opcode, section) {
        (0, _) => Form::Bad(NO_RECORD),
        _ if length >= MAX_PASSED => Form::Bad(NO_RECORD),
        (_, Section::Summary) => Form::Passed,
        (opcode::SCHEMA | opcode::CHANNEL, _) => whole(MAX_DEFINITION),
        (opcode::MESSAGE, _) if length < MESSAGE_DATA as u64 => Form::Bad("a message is too short"),
        (opcode::MESSAGE | opcode::CHUNK, _) => whole(MAX_READ),
        (opcode::DATA_END, _) if length == 4 => Form::End,
        (opcode::HEADER | opcode::METADATA, _) if length <= MAX_DEFINITION => Form::Passed,
        (opcode::MESSAGE_INDEX | opcode::ATTACHMENT | 0x10.., _) => Form::Passed,
        // All others belong in the summary.
        _ => Form::Bad(NO_RECORD),
    }
}

/// Reads metadata; none if they are damaged.
fn metadata(fields: &[u8]) -> Option<MetadataInfo> {
    let mut fields = Fields(fields);
    let name = fields.text()?.to_owned();
    Some(MetadataInfo { name, entries: fields.map()?.into_iter().collect() })
}

fn not_a_recording(path: &Path, reason: impl Into<String>) -> error::Error {
    Error::NotARecording { path: path.to_owned(), reason: reason.into() }.into()
}

impl Source for McapPipe {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self) -> Result<Event> {
        let start = self.input.position();
        self.is_busy = false;
        loop {
            if let Some(received) = self.next_loaded() {
                return Ok(Event::Message(received));
            }
            if self.state == State::Ended {
                return self.end();
            }
            let has_more = self.advance().map_err(|error| {
                self.state = State::Ended;
                Error::file("read", &self.path)(error)
            })?;
            self.is_busy = has_more && self.input.position() - start >= MOST_AT_ONCE;
            if !has_more || self.is_busy && self.loaded.is_none() {
                return Ok(Event::Idle);
            }
        }
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        if self.is_busy || self.state == State::Ended {
            set.ready();
        }
        set.readable(self.input.descriptor());
    }

    fn report(&self) -> Report {
        Report {
            is_live: false,
            // The ones known by now.
            sources: self.definitions.origins().len().max(1),
            damaged: self.faults.damaged,
            damaged_places: self.faults.damaged_places,
            ..Report::default()
        }
    }
}

impl Recording for McapPipe {
    fn messages(&self) -> Option<u64> {
        None
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_timed(&self) -> bool {
        true
    }

    /// Does not seek.
    ///
    /// # Errors
    /// [`Error::Pipe`] unless the place is that of the next message.
    fn seek(&mut self, to: Seek) -> Result<()> {
        if to == Seek::Message(self.next) {
            return Ok(());
        }
        Err(Error::Pipe { path: self.path.clone(), what: "seek in" }.into())
    }

    /// Returns the sources that are known by now.
    fn origins(&self) -> &[Arc<Origin>] {
        self.definitions.origins()
    }

    fn metadata(&self) -> &[MetadataInfo] {
        &self.metadata
    }

    fn look_at_checksums(&mut self) {
        self.checks = true;
    }
}
