//! [`JoinedReader`]: several recordings as one.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Recording, Seek, is_pipe, open_recording};
use crate::endpoint::{Event, Origin, Received, Report, Source, Timestamp, WaitSet};
use crate::error::Result;
use crate::recording::Error;

/// The messages of several recordings in the order of their times: the files of one that was divided,
/// or those of several recorders.
///
/// Messages are counted through all of them. Sources keep their labels; if recordings have `s0` and
/// the like from different addresses, they get the next such labels that are free.
///
/// Memory: what each recording takes that is open, and a message of each whose times overlap; the
/// others are not read before it is their turn. Each takes a descriptor.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("mflow-joined-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use mflow::recording::{JoinedReader, McapOptions, McapWriter, Recording};
/// use mflow::{Event, Frames, Origin, Received, Source, Timestamp};
/// let paths = [folder.join("b.mcap"), folder.join("a.mcap")];
/// for (path, time) in paths.iter().zip([2, 1]) {
///     let mut writer = McapWriter::create(path, McapOptions::default())?;
///     let (frames, time) = (Frames::from([&b"data"[..]]), Timestamp::from_nanos(time));
///     writer.write(&Received { frames, time, origin: Origin::new("tcp://detector:1") })?;
///     writer.finish()?;
/// }
/// let mut joined = JoinedReader::open(&paths)?;
/// assert_eq!(joined.messages(), Some(2));
/// assert!(matches!(joined.poll()?, Event::Message(first) if first.time.as_nanos() == 1));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub struct JoinedReader {
    name: String,
    /// In the order of their first messages.
    parts: Vec<Part>,
    origins: Vec<Arc<Origin>>,
    /// The same, as they are in their recordings.
    as_recorded: Vec<Arc<Origin>>,
    position: u64,
}

/// One of the recordings.
struct Part {
    recording: Box<dyn Recording>,
    /// The times of its first and its last message, as far as there were some when it was looked at;
    /// the end of time if there was none.
    span: (Timestamp, Timestamp),
    next: Next,
    /// How many of its messages come before the next one.
    done: u64,
}

/// The next message of a recording.
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each message")]
enum Next {
    /// It was not looked at, and is not before this time.
    Unread(Timestamp),
    Message(Received),
    None,
}

impl Part {
    fn of(path: &Path) -> Result<Self> {
        if is_pipe(path) {
            return Err(Error::Pipe {
                path: path.to_owned(),
                what: "sort messages of others into",
            }
            .into());
        }
        let recording = open_recording(path)?;
        if !recording.is_timed() {
            return Err(Error::NoTimes { path: recording.name().into() }.into());
        }
        let span = span(recording.as_ref());
        Ok(Self { recording, span, next: Next::Unread(span.0), done: 0 })
    }

    /// Counts its messages, as many as there are by now.
    fn count(&mut self) -> Result<u64> {
        if let Some(messages) = self.recording.messages() {
            return Ok(messages);
        }
        self.recording.seek(Seek::Message(u64::MAX))?;
        self.span = span(self.recording.as_ref());
        Ok(self.recording.position())
    }

    /// Returns when the next message was received, or the time that it is not before.
    fn time(&self) -> Option<Timestamp> {
        match &self.next {
            Next::Unread(time) => Some(*time),
            Next::Message(received) => Some(received.time),
            Next::None => None,
        }
    }

    /// Looks at the next message.
    fn read(&mut self) -> Result<()> {
        self.next = match self.recording.poll()? {
            Event::Message(received) => {
                self.done = self.recording.position();
                Next::Message(received)
            }
            // No recording idles; what does has none at present either.
            Event::End | Event::Idle => {
                let to_its_end = self.recording.messages().unwrap_or(0);
                self.done = self.done.max(to_its_end);
                Next::None
            }
        };
        Ok(())
    }

    /// Takes the next message, if it was looked at.
    fn take(&mut self) -> Option<Received> {
        let Next::Message(received) = std::mem::replace(&mut self.next, Next::None) else {
            return None;
        };
        self.next = Next::Unread(received.time);
        self.done += 1;
        Some(received)
    }

    /// Goes to a place, and looks at what is there unless that is the beginning.
    fn seek(&mut self, to: Seek) -> Result<()> {
        self.recording.seek(to)?;
        (self.next, self.done) = (Next::Unread(self.span.0), 0);
        if to != Seek::Message(0) {
            self.done = self.recording.position();
            self.read()?;
        }
        Ok(())
    }
}

impl JoinedReader {
    /// Opens recordings.
    ///
    /// # Errors
    /// [`Error::NoTimes`] if one has no times, as folders have none; [`Error::Pipe`] if one is a
    /// pipe; if one cannot be read.
    ///
    /// # Panics
    /// If there are none.
    pub fn open(paths: &[impl AsRef<Path>]) -> Result<Self> {
        assert!(!paths.is_empty(), "there are recordings");
        let mut parts =
            paths.iter().map(|path| Part::of(path.as_ref())).collect::<Result<Vec<_>>>()?;
        parts.sort_by_key(|part| part.span);
        let name = match parts.as_slice() {
            [first, _, ..] => format!("{} and {} more", first.recording.name(), parts.len() - 1),
            parts => parts.iter().map(|part| part.recording.name()).collect(),
        };
        let mut as_recorded: Vec<Arc<Origin>> = Vec::new();
        for origin in parts.iter().flat_map(|part| part.recording.origins()) {
            if !as_recorded.contains(origin) {
                as_recorded.push(Arc::clone(origin));
            }
        }
        let origins = distinct(&as_recorded);
        Ok(Self { name, parts, origins, as_recorded, position: 0 })
    }

    /// Looks for the part that has the next message, and returns its place.
    fn next_part(&mut self) -> Result<Option<usize>> {
        loop {
            let times = self.parts.iter().map(Part::time).enumerate();
            let next = times.filter_map(|(place, time)| Some((time?, place))).min();
            match next {
                Some((_, place)) => match self.parts[place].next {
                    Next::Message(_) => return Ok(Some(place)),
                    _ => self.parts[place].read()?,
                },
                // One that grows may have more by now.
                None => {
                    self.parts.iter_mut().try_for_each(Part::read)?;
                    if self.parts.iter().all(|part| part.time().is_none()) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Returns the number of the message that is next.
    fn number(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.done))
    }

    /// Goes to a number: over the parts that are before it as a whole, and through those together
    /// that it may be in.
    fn seek_message(&mut self, number: u64) -> Result<()> {
        let (mut together, mut before) = (0..0, 0);
        if number > 0 {
            let counts = self.parts.iter_mut().map(Part::count).collect::<Result<Vec<_>>>()?;
            (together, before) = self.parts_with(number, &counts);
        }
        for (place, part) in self.parts.iter_mut().enumerate() {
            part.seek(Seek::Message(match place {
                _ if place < together.start => u64::MAX,
                _ if place == together.start && together.len() == 1 => {
                    number.saturating_sub(before)
                }
                _ => 0,
            }))?;
        }
        while self.number() < number
            && let Some(place) = self.next_part()?
            && self.number() < number
        {
            self.parts[place].take();
        }
        Ok(())
    }

    /// Returns the parts, of which the times overlap, that may have a message of a number, and how
    /// many messages are before them, given how many are in each.
    fn parts_with(&self, number: u64, counts: &[u64]) -> (Range<usize>, u64) {
        let (mut start, mut before) = (0, 0_u64);
        loop {
            let mut last = self.parts[start].span.1;
            let rest = self.parts[start..].iter().take_while(|part| {
                let overlaps = part.span.0 <= last;
                last = last.max(part.span.1);
                overlaps
            });
            let together = start..start + rest.count();
            let here = counts[together.clone()].iter();
            let end = here.fold(before, |sum, count| sum.saturating_add(*count));
            if end > number || together.end == self.parts.len() {
                return (together, before);
            }
            (start, before) = (together.end, end);
        }
    }
}

impl Source for JoinedReader {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self) -> Result<Event> {
        let Some(place) = self.next_part()? else { return Ok(Event::End) };
        let number = self.number();
        let Some(mut received) = self.parts[place].take() else { return Ok(Event::Idle) };
        self.position = number;
        if let Some(place) = self.as_recorded.iter().position(|known| *known == received.origin) {
            received.origin = Arc::clone(&self.origins[place]);
        }
        Ok(Event::Message(received))
    }

    fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        set.ready();
    }

    fn report(&self) -> Report {
        let parts = self.parts.iter().map(|part| (part.recording.name(), part.recording.report()));
        Report { sources: self.origins.len().max(1), ..Report::join(parts) }
    }
}

impl Recording for JoinedReader {
    fn look_at_checksums(&mut self) {
        self.parts.iter_mut().for_each(|part| part.recording.look_at_checksums());
    }

    fn messages(&self) -> Option<u64> {
        let mut counts = self.parts.iter().map(|part| part.recording.messages());
        counts.try_fold(0_u64, |sum, messages| Some(sum.saturating_add(messages?)))
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_timed(&self) -> bool {
        true
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let spans = || self.parts.iter().filter_map(|part| part.recording.span());
        spans().map(|(first, _)| first).min().zip(spans().map(|(_, last)| last).max())
    }

    fn seek(&mut self, to: Seek) -> Result<()> {
        match to {
            Seek::Message(number) => self.seek_message(number)?,
            Seek::Time(time) => self.parts.iter_mut().try_for_each(|part| {
                let (first, _) = part.span;
                part.seek(if time <= first { Seek::Message(0) } else { to })
            })?,
        }
        self.position = self.number();
        Ok(())
    }

    fn origins(&self) -> &[Arc<Origin>] {
        &self.origins
    }

    fn series_start(
        &mut self,
        origin: &Arc<Origin>,
        series: u64,
        by: Timestamp,
    ) -> Result<Option<Received>> {
        let place = self.origins.iter().position(|known| known == origin);
        let Some(recorded) = place.map(|place| &self.as_recorded[place]) else { return Ok(None) };
        let mut latest: Option<Received> = None;
        for Part { recording, .. } in &mut self.parts {
            if recording.origins().contains(recorded) {
                let start = recording.series_start(recorded, series, by)?;
                latest = latest.into_iter().chain(start).max_by_key(|start| start.time);
            }
        }
        Ok(latest.map(|start| Received { origin: Arc::clone(origin), ..start }))
    }
}

/// Returns the times of the first and the last message of a recording.
fn span(recording: &dyn Recording) -> (Timestamp, Timestamp) {
    let never = Timestamp::from_nanos(u64::MAX);
    recording.span().unwrap_or((never, never))
}

/// Returns sources with different labels: if a label that the user did not choose is taken, the
/// source gets another one.
fn distinct(recorded: &[Arc<Origin>]) -> Vec<Arc<Origin>> {
    let mut origins: Vec<Arc<Origin>> = Vec::with_capacity(recorded.len());
    for origin in recorded {
        let has_number =
            |label: &str| label.strip_prefix('s').is_some_and(|n| n.parse::<u32>().is_ok());
        let is_free = |label: &str| {
            origins.iter().chain(recorded).all(|other| other == origin || other.label() != label)
        };
        let was_chosen = !has_number(origin.label());
        let is_taken = origins.iter().any(|other| other.label() == origin.label());
        if was_chosen || !is_taken {
            origins.push(Arc::clone(origin));
            continue;
        }
        let label = (0..).map(|number| format!("s{number}")).find(|label| is_free(label));
        origins.push(Arc::new(Origin { label, ..(**origin).clone() }));
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frames;
    use crate::recording::{McapOptions, McapWriter};
    use std::fs;
    use std::path::PathBuf;

    /// Makes recordings of these times, a file each, whose writers do not all live to their end.
    fn recordings(name: &str, files: &[(&[u64], bool)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mflow-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (number, (times, is_whole)) in files.iter().enumerate() {
            let path = folder.join(format!("{number}.mcap"));
            let mut writer = McapWriter::create(&path, McapOptions::default()).unwrap();
            let origin = Origin::new(format!("tcp://{}:1", number % 2));
            for time in *times {
                let (frames, time) = (Frames::from([&b"data"[..]]), Timestamp::from_nanos(*time));
                writer.write(&Received { frames, time, origin: origin.clone() }).unwrap();
            }
            match is_whole {
                true => drop(writer.finish().unwrap()),
                false => {
                    writer.flush().unwrap();
                    std::mem::forget(writer);
                }
            }
        }
        folder
    }

    fn open(folder: &Path, files: usize) -> JoinedReader {
        let path = |number| folder.join(format!("{number}.mcap"));
        JoinedReader::open(&(0..files).rev().map(path).collect::<Vec<_>>()).unwrap()
    }

    /// Returns the numbers and times of the following messages.
    fn rest(joined: &mut JoinedReader) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| match joined.poll().unwrap() {
            Event::Message(received) => Some((joined.position(), received.time.as_nanos())),
            _ => None,
        })
        .collect()
    }

    /// Two that follow each other, three that overlap, and a later one.
    const FILES: [(&[u64], bool); 6] = [
        (&[10, 20, 30], true),
        (&[31, 40], true),
        (&[50, 60, 70, 80, 90], true),
        (&[55, 65, 66], true),
        (&[90, 91], true),
        (&[100, 110], true),
    ];

    #[test]
    fn messages_of_several_recordings_come_in_the_order_of_their_times() {
        // Those without an end are counted as they are read.
        for (name, without_end) in
            [("joined", None), ("joined-end", Some(5)), ("joined-mid", Some(3))]
        {
            let mut files = FILES;
            without_end.into_iter().for_each(|file: usize| files[file].1 = false);
            let folder = recordings(name, &files);
            let mut times: Vec<u64> = files.iter().flat_map(|(times, _)| *times).copied().collect();
            times.sort_unstable();
            let all: Vec<(u64, u64)> = (0..).zip(times).collect();
            let mut joined = open(&folder, files.len());
            assert_eq!(joined.messages(), without_end.is_none().then_some(all.len() as u64));
            let span = (Timestamp::from_nanos(10), Timestamp::from_nanos(110));
            assert_eq!((joined.span(), joined.origins().len()), (Some(span), 2));
            assert_eq!(rest(&mut joined), all);
            assert!(rest(&mut joined).is_empty());
            for begin in 0..=all.len() {
                joined.seek(Seek::Message(begin as u64)).unwrap();
                assert_eq!(joined.position(), begin as u64);
                assert_eq!(rest(&mut joined), all[begin..], "{name}: from number {begin}");
            }
            for time in 0..=111 {
                joined.seek(Seek::Time(Timestamp::from_nanos(time))).unwrap();
                let begin = all.partition_point(|(_, of)| *of < time);
                assert_eq!(rest(&mut joined), all[begin..], "{name}: from time {time}");
            }
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn one_that_grows_goes_on_where_it_ended() {
        let folder = recordings("joined-grows", &[(&[1, 2], true)]);
        let mut writer =
            McapWriter::create(&folder.join("1.mcap"), McapOptions::default()).unwrap();
        let mut write = |time| {
            let (frames, time) = (Frames::from([&b"data"[..]]), Timestamp::from_nanos(time));
            writer.write(&Received { frames, time, origin: Origin::new("a") }).unwrap();
            writer.flush().unwrap();
        };
        write(3);
        let mut joined = open(&folder, 2);
        assert_eq!(rest(&mut joined), [(0, 1), (1, 2), (2, 3)]);
        write(4);
        assert_eq!(rest(&mut joined), [(3, 4)]);
        write(6);
        for (number, rest_of) in [(1, &[(1, 2), (2, 3), (3, 4), (4, 6)][..]), (4, &[(4, 6)])] {
            joined.seek(Seek::Message(number)).unwrap();
            assert_eq!(rest(&mut joined), rest_of);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn sources_that_only_have_the_same_number_get_different_labels() {
        let origin = |label: Option<&str>, name: &str| {
            Arc::new(Origin { label: label.map(Into::into), name: name.into(), mode: None })
        };
        let labels =
            [("s0", "a"), ("s1", "b"), ("s0", "b"), ("det", "a"), ("det", "c"), ("s0", "d")];
        let recorded: Vec<_> = labels.map(|(label, name)| origin(Some(label), name)).into();
        let labels: Vec<_> = distinct(&recorded).iter().map(|it| it.label().to_owned()).collect();
        assert_eq!(labels, ["s0", "s1", "s2", "det", "det", "s3"]);
    }

    #[test]
    fn what_has_no_times_is_not_joined() {
        let folder = recordings("joined-folder", &[(&[1], true)]);
        fs::write(folder.join("000000_000.raw"), "text").unwrap();
        let error = JoinedReader::open(&[folder.join("0.mcap"), folder.clone()]).err().unwrap();
        let expected = format!("'{}' has no times: it was recorded without them", folder.display());
        assert_eq!(error.to_string(), expected);
        fs::remove_dir_all(folder).unwrap();
    }
}
