//! Reading a recording: messages in the order of their times, found by number and time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::Store;
use super::damage::Faults;
use super::index::Contents;
use super::open::Opened;
use super::order::Order;
use super::piece::{self, Piece};
use super::scan::Scan;
use super::start::{self, SeriesStart, StartPlace};
use crate::counted::Counted;
use crate::endpoint::{Event, Origin, Received, Report, Source, Timestamp, WaitSet};
use crate::error::{self, Result};
use crate::frame::Frames;
use crate::recording::Error;
use crate::recording::{Recording, Seek};

/// The messages of an MCAP file that have the schema of ours, in the order of `log_time`.
///
/// A file that its writer has closed is mapped, and large parts of messages are slices of the map,
/// if the system grants a lease of it: a program that wants to write the file then waits (a tenth
/// of a second, or longer if much has to be copied) until the messages in flight are in memory.
/// From then on the file is read instead of mapped, and so are files without a lease: those of
/// other users, and those on most network file systems. A file without an end, whose writer is
/// still writing or has died, is read as far as it is whole; each poll at its end checks for more.
///
/// Damaged chunks and messages are left out and counted. The checksums of compressed chunks are
/// compared; the others only [on request](Recording::look_at_checksums). A closed file whose
/// summary is damaged, or that has no summary and damaged records, is searched as a whole when it
/// is opened, and read as [`recover`](crate::recording::mcap::recover()) would save it. Messages of
/// other schemas are left out.
///
/// Memory: some 100 bytes for each chunk in the file; the chunk at hand if it is compressed (at
/// most 1 GiB) or the file not mapped (the same, and larger ones are not read); if times of chunks
/// overlap, 256 MiB of chunks and 32 bytes for each message in them. Mapped bytes in use count once
/// a program wants to write the file: messages in flight, and chunks that overlap.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("mflow-read-{}.mcap", std::process::id()));
/// use mflow::recording::{McapOptions, McapReader, McapWriter, Recording};
/// use mflow::{Event, Frames, Origin, Received, Source, Timestamp};
/// let mut writer = McapWriter::create(&path, McapOptions::default())?;
/// let (frames, origin) = (Frames::from([&b"{}"[..], b"data"]), Origin::new("tcp://detector:1"));
/// writer.write(&Received { frames, time: Timestamp::from_nanos(7), origin })?;
/// writer.finish()?;
/// let mut reader = McapReader::open(&path)?;
/// assert_eq!(reader.messages(), Some(1));
/// while let Event::Message(received) = reader.poll()? {
///     assert_eq!((received.time.as_nanos(), received.frames.len()), (7, 2));
/// }
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct McapReader {
    path: PathBuf,
    name: String,
    store: Store,
    contents: Contents,
    /// How far a file without an end was read; none if it has one.
    scan: Option<Scan>,
    order: Order,
    position: u64,
    /// The end of the messages whose damage is counted: reading them again counts none twice.
    counted: u64,
    faults: Faults,
    /// Why the file was read as one without a summary.
    no_summary: Option<&'static str>,
    ended: bool,
}

impl McapReader {
    /// Opens a file: reads its summary, or walks through it where there is none.
    ///
    /// # Errors
    /// If the file cannot be read, is no MCAP file, or has channels and none of them is ours.
    pub fn open(path: &Path) -> Result<Self> {
        let Opened { store, contents, scan, no_summary, damages } = Opened::of(path)?;
        let mut reader = Self { scan, no_summary, ..Self::of(path, store, contents) };
        reader.faults.pass_over(damages);
        Ok(reader)
    }

    /// Reads what is known to be in a file.
    pub(crate) fn of(path: &Path, store: Store, mut contents: Contents) -> Self {
        contents.pieces.sort_unstable_by_key(Piece::key);
        let name = path.display().to_string();
        Self {
            path: path.to_owned(),
            faults: Faults::new(&name),
            name,
            store,
            contents,
            scan: None,
            order: Order::default(),
            position: 0,
            counted: 0,
            no_summary: None,
            ended: false,
        }
    }

    /// Gives what is in the file, and the file.
    pub(crate) fn contents(&mut self) -> (&mut Store, &mut Contents) {
        (&mut self.store, &mut self.contents)
    }

    /// Returns where the last piece begins that was read.
    pub(crate) fn place(&self) -> u64 {
        let last = self.order.admitted().checked_sub(1);
        last.and_then(|last| self.contents.pieces.get(last)).map_or(0, |piece| piece.start)
    }

    /// Returns whether the writer of the file has closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.scan.is_none()
    }

    /// Returns the start messages of series, the latest first: of the series that begin in the
    /// file, and of those that began in another file before its first message.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn starts(&self) -> Result<Vec<SeriesStart>> {
        let by = Timestamp::from_nanos(u64::MAX);
        let found = start::find(&self.store, &self.contents, None, by);
        found.map_err(Error::file("read", &self.path))
    }

    /// Reads the parts of a start message that this file has; none if they are damaged.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_start(&self, start: &SeriesStart) -> Result<Option<Frames>> {
        match start.place {
            StartPlace::Attachment(place) => {
                start::read(&self.store, place).map_err(Error::file("read", &self.path))
            }
            StartPlace::Message => {
                let mut beside = Self::open(&self.path)?;
                let found = beside.message_at(start.time, |it| start.is(&it.frames))?;
                Ok(found.map(|message| message.frames))
            }
        }
    }

    /// Reads the wanted message of a given time; none if it is not there.
    fn message_at(
        &mut self,
        time: Timestamp,
        is_wanted: impl Fn(&Received) -> bool,
    ) -> Result<Option<Received>> {
        self.seek(Seek::Time(time))?;
        while let Event::Message(received) = self.poll()?
            && received.time == time
        {
            if is_wanted(&received) {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    /// Looks for more in a file without an end; returns whether there was some.
    fn look_for_more(&mut self) -> io::Result<bool> {
        let Some(scan) = &mut self.scan else { return Ok(false) };
        let before = self.contents.pieces.len();
        scan.advance(&mut self.store, &mut self.contents)?;
        let rest = self.contents.pieces.get_mut(self.order.admitted()..);
        rest.unwrap_or_default().sort_unstable_by_key(Piece::key);
        Ok(self.contents.pieces.len() > before)
    }

    /// Returns the time of the next message.
    fn next_time(&mut self) -> io::Result<Option<u64>> {
        loop {
            let time = self.order.time(&self.store, &mut self.contents, &mut self.faults)?;
            if time.is_some() || !self.look_for_more()? {
                return Ok(time);
            }
        }
    }

    /// Reads the next message whose parts are whole, with its channel and sequence.
    pub(crate) fn read_next(&mut self) -> io::Result<Option<(Received, u16, u32)>> {
        while let Some(time) = self.next_time()? {
            self.position = self.order.number();
            let taken = self.order.take(&self.store, &self.contents)?;
            let read = taken.as_ref().and_then(|(entry, records)| {
                let channel = self.contents.definitions.ours(entry.channel)?;
                let frames = records.frames(entry.data..entry.data + entry.length)?;
                let origin = Arc::clone(&channel.origin);
                let received = Received { frames, time: Timestamp::from_nanos(time), origin };
                Some((received, entry.channel, entry.sequence(records)))
            });
            if read.is_some() {
                return Ok(read);
            }
            if self.position >= self.counted {
                self.counted = self.position.saturating_add(1);
                let (position, name) = (self.position, &self.name);
                tracing::info!(%name, "message {position} has no readable parts: skipped");
                self.faults.damaged += 1;
            }
        }
        Ok(None)
    }

    /// Returns how many messages a piece has, reading it where that is not known.
    fn count(&mut self, index: usize) -> io::Result<u64> {
        let piece = &mut self.contents.pieces[index];
        if let Some(messages) = piece.messages {
            return Ok(messages);
        }
        let loaded = piece::load(&self.store, piece, &mut self.contents.definitions)?;
        piece.learn(&loaded);
        Ok(loaded.entries.len() as u64)
    }

    /// Goes to the start of the last pieces that overlap in time with none before them and do not
    /// end before the place.
    fn seek_pieces(&mut self, to: Seek) -> io::Result<()> {
        let (mut start, mut before, mut messages, mut end) = (0, 0_u64, 0_u64, None::<u64>);
        for index in 0..self.contents.pieces.len() {
            let (first, last) =
                (self.contents.pieces[index].first, self.contents.pieces[index].last);
            if end.is_none_or(|end| first > end) {
                let found = match to {
                    Seek::Message(number) => number < before.saturating_add(messages),
                    Seek::Time(time) => end.is_some_and(|end| time.as_nanos() <= end),
                };
                if found {
                    break;
                }
                (start, before, messages) = (index, before.saturating_add(messages), 0);
            }
            end = Some(end.map_or(last, |end| end.max(last)));
            messages = messages.saturating_add(self.count(index)?);
        }
        self.order = Order::at(start, before);
        Ok(())
    }

    fn seek_message(&mut self, to: Seek) -> io::Result<()> {
        self.look_for_more()?;
        self.seek_pieces(to)?;
        while let Some(time) = self.next_time()? {
            let there = match to {
                Seek::Message(number) => self.order.number() >= number,
                Seek::Time(wanted) => time >= wanted.as_nanos(),
            };
            if there {
                break;
            }
            self.order.skip();
        }
        Ok(())
    }

    fn failed(&mut self, error: io::Error) -> error::Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            self.ended = true;
        }
        Error::file("read", &self.path)(error)
    }
}

impl Source for McapReader {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self) -> Result<Event> {
        if self.ended {
            return Ok(Event::End);
        }
        let read = self.read_next().map_err(|error| self.failed(error))?;
        Ok(read.map_or(Event::End, |(received, ..)| Event::Message(received)))
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.ready();
    }

    fn report(&self) -> Report {
        Report {
            is_live: false,
            sources: self.contents.definitions.origins().len().max(1),
            notices: self.notices(),
            damaged: self.faults.damaged,
            damaged_places: self.faults.damaged_places,
            ..Report::default()
        }
    }
}

impl McapReader {
    /// Returns the notices for people about the file.
    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.scan.as_ref().is_some_and(|scan| !scan.is_finished()) {
            notices.push("it has no end: its writer is still at it, or died".to_owned());
        }
        let rest = self.scan.as_ref().zip(self.store.length().ok());
        let rest = rest.map_or(0, |(scan, length)| scan.rest(length));
        if rest > 0 {
            let rest = Counted(rest, "byte");
            notices.push(format!("its last {rest} are no whole record: --recover may save more"));
        }
        if let Some(reason) = self.no_summary {
            notices.push(format!("{reason}: it was read through"));
        }
        let foreign: u64 =
            self.contents.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.foreign));
        if foreign > 0 {
            let schemas = self.contents.definitions.foreign_schemas();
            let left_out = Counted(foreign, "message");
            notices.push(format!("leaving out {left_out} of other schemas: {schemas}"));
        }
        let places = self.faults.places.iter();
        notices.extend(places.map(|(at, what)| format!("at byte {at}: {what}")));
        notices
    }
}

impl Recording for McapReader {
    fn look_at_checksums(&mut self) {
        self.store.check();
    }

    fn messages(&self) -> Option<u64> {
        if self.scan.is_some() {
            return None;
        }
        let counted = self.contents.pieces.iter().try_fold(0_u64, |sum, piece| {
            piece.messages.map(|messages| sum.saturating_add(messages))
        });
        counted.or_else(|| self.contents.messages())
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_timed(&self) -> bool {
        true
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let pieces = || self.contents.pieces.iter().filter(|piece| piece.messages != Some(0));
        let first = pieces().map(|piece| piece.first).min()?;
        let last = pieces().map(|piece| piece.last).max()?;
        Some((Timestamp::from_nanos(first), Timestamp::from_nanos(last)))
    }

    fn seek(&mut self, to: Seek) -> Result<()> {
        self.seek_message(to).map_err(|error| self.failed(error))?;
        self.position = self.order.number();
        Ok(())
    }

    fn origins(&self) -> &[Arc<Origin>] {
        self.contents.definitions.origins()
    }

    /// Searches the attachments, and the messages to which the file points. An attachment has no
    /// source: if there are several sources, the message itself decides, if it is in the file.
    fn series_start(
        &mut self,
        origin: &Arc<Origin>,
        series: u64,
        by: Timestamp,
    ) -> Result<Option<Received>> {
        let failed = |error| Error::file("read", &self.path)(error);
        let found = start::find(&self.store, &self.contents, Some(series), by).map_err(failed)?;
        let is_alone = self.origins().len() < 2;
        let mut beside = None;
        for start in found {
            let frames = match start.place {
                StartPlace::Message => None,
                StartPlace::Attachment(place) => {
                    let Some(frames) = start::read(&self.store, place).map_err(failed)? else {
                        continue;
                    };
                    if is_alone {
                        let origin = Arc::clone(origin);
                        return Ok(Some(Received { frames, time: start.time, origin }));
                    }
                    Some(frames)
                }
            };
            let beside = match &mut beside {
                Some(beside) => beside,
                None => beside.insert(Self::open(&self.path)?),
            };
            let found = beside.message_at(start.time, |message| {
                let is_it = match &frames {
                    Some(frames) => message.frames == *frames,
                    None => start.is(&message.frames),
                };
                is_it && message.origin == *origin
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
