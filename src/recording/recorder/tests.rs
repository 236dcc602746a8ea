use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::endpoint::{Event, Source, Stop, Timestamp};
use crate::frame::{Frame, Frames};
use crate::recording::{FolderWriter, McapOptions};

/// What a [`Told`] writer was asked.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Begin(Fsync),
    Record(u64),
    Drop(Option<String>, u64),
    Flush,
    Sync,
    Close,
}

/// A writer that reports its calls, and returns only when the test lets it.
struct Told {
    asked: Sender<Asked>,
    go: Option<Receiver<Result<()>>>,
    due: Option<Instant>,
}

impl RecordWriter for Told {
    fn name(&self) -> String {
        "test".into()
    }

    fn begin(&mut self, fsync: Fsync) {
        if fsync != Fsync::Never {
            self.asked.send(Asked::Begin(fsync)).unwrap();
        }
    }

    fn record(&mut self, _message: Received, number: u64) -> Result<()> {
        self.asked.send(Asked::Record(number)).unwrap();
        self.due = Some(Instant::now());
        self.go.as_ref().map_or(Ok(()), |go| go.recv().unwrap_or(Ok(())))
    }

    fn count_dropped(&mut self, _origin: &Arc<Origin>, htype: Option<&str>, messages: u64) {
        self.asked.send(Asked::Drop(htype.map(str::to_owned), messages)).unwrap();
    }

    fn flush_due(&self) -> Option<Instant> {
        self.due
    }

    fn flush(&mut self) -> Result<()> {
        self.due = None;
        self.asked.send(Asked::Flush).unwrap();
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.asked.send(Asked::Sync).unwrap();
        Ok(())
    }

    fn close(&mut self, _fsync: Fsync) -> Result<()> {
        self.asked.send(Asked::Close).unwrap();
        Ok(())
    }
}

fn message() -> Received {
    let frames = Frames::from([br#"{"htype":"x-1.0"}"#.to_vec(), vec![0; 10_000]]);
    Received { frames, time: Timestamp::from_nanos(1), origin: Origin::new("x") }
}

/// Room for one message and not for two.
const ONE: usize = 15_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn start(options: RecorderOptions) -> (Box<Recorder>, Sender<Result<()>>, Receiver<Asked>) {
    let ((asked, calls), (go, let_go)) = (channel(), channel());
    let writer = Told { asked, go: Some(let_go), due: None };
    (Box::new(Recorder::start(writer, options).unwrap()), go, calls)
}

fn fresh(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("mflow-recorder-{name}-{}", std::process::id()))
}

#[test]
fn a_full_queue_refuses_and_tells_when_there_is_room() {
    let options = RecorderOptions { max_memory: ONE, ..RecorderOptions::default() };
    let (mut recorder, go, calls) = start(options);
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    assert_eq!(calls.recv().unwrap(), Asked::Record(0));
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Full);
    go.send(Ok(())).unwrap();
    let mut set = WaitSet::new();
    recorder.readiness(&mut set);
    assert!(set.wait(&Stop::never(), Some(PATIENCE)).unwrap());
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    let gauge = recorder.gauge();
    assert!((10_000..ONE).contains(&gauge.peak()));
    drop(go);
    assert_eq!(recorder.finish(PATIENCE).unwrap(), Unconfirmed::Count(0));
    assert_eq!((gauge.messages(), gauge.bytes(), gauge.written()), (0, 0, 2));
    let rest: Vec<_> = calls.iter().filter(|asked| *asked != Asked::Flush).collect();
    assert_eq!(rest, [Asked::Record(1), Asked::Close]);
}

#[test]
fn a_full_queue_drops_where_that_is_asked_for_and_counts_what_it_drops() {
    let options = RecorderOptions {
        max_memory: ONE,
        when_full: WhenFull::DropNewest,
        ..RecorderOptions::default()
    };
    let (mut recorder, go, calls) = start(options);
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    assert_eq!(calls.recv().unwrap(), Asked::Record(0));
    for _ in 0..2 {
        assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    }
    let gauge = recorder.gauge();
    assert_eq!(gauge.dropped(), [("x".to_owned(), Some("x-1.0".to_owned()), 2)]);
    drop(go);
    assert_eq!(recorder.finish(PATIENCE).unwrap(), Unconfirmed::Count(0));
    let rest: Vec<_> = calls.iter().filter(|asked| *asked != Asked::Flush).collect();
    let dropped = Asked::Drop(Some("x-1.0".into()), 2);
    assert_eq!(rest, [dropped, Asked::Close]);
}

#[test]
fn a_message_without_parts_is_refused_and_the_next_one_written() {
    let (mut recorder, go, calls) = start(RecorderOptions::default());
    let nothing = Received { frames: Frames::new(), ..message() };
    let error = recorder.offer(&nothing).unwrap_err();
    assert!(matches!(error.get(), Some(endpoint::Error::NoParts { address }) if address == "test"));
    drop(go);
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    recorder.finish(PATIENCE).unwrap();
    assert_eq!(calls.recv().unwrap(), Asked::Record(0));
}

#[test]
fn a_writer_knows_ahead_of_all_when_the_disk_is_to_keep_what_it_writes() {
    let options = RecorderOptions { fsync: Fsync::Close, ..RecorderOptions::default() };
    let (mut recorder, go, calls) = start(options);
    drop(go);
    recorder.offer(&message()).unwrap();
    recorder.finish(PATIENCE).unwrap();
    let asked: Vec<_> = calls.iter().filter(|asked| *asked != Asked::Flush).collect();
    assert_eq!(asked, [Asked::Begin(Fsync::Close), Asked::Record(0), Asked::Close]);
}

#[test]
fn a_failed_write_is_reported_at_the_next_offer_and_at_the_end_and_the_rest_is_dropped() {
    let (mut recorder, go, calls) = start(RecorderOptions::default());
    recorder.offer(&message()).unwrap();
    recorder.offer(&message()).unwrap();
    let full = || std::io::Error::from_raw_os_error(28);
    go.send(Err(Error::file("write", Path::new("test"))(full()))).unwrap();
    assert_eq!(calls.recv().unwrap(), Asked::Record(0));
    assert_eq!(calls.recv().unwrap(), Asked::Drop(Some("x-1.0".into()), 1));
    let error = recorder.offer(&message()).unwrap_err();
    assert_eq!(error.to_string(), "cannot write 'test'");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, full().to_string());
    assert_eq!(recorder.finish(PATIENCE).unwrap_err().to_string(), "cannot write 'test'");
    assert_eq!(calls.recv().unwrap(), Asked::Close);
}

#[test]
fn a_writer_that_hangs_is_left_after_the_patience() {
    let (mut recorder, go, calls) = start(RecorderOptions::default());
    recorder.offer(&message()).unwrap();
    assert_eq!(calls.recv().unwrap(), Asked::Record(0));
    assert_eq!(recorder.finish(Duration::from_millis(1)).unwrap(), Unconfirmed::Count(1));
    drop(go);
}

#[test]
fn what_waits_is_flushed_and_synced_in_time_though_nothing_comes() {
    let (asked, calls) = channel();
    let writer = Told { asked, go: None, due: None };
    let fsync = Fsync::Every(Duration::from_millis(1));
    let options = RecorderOptions { fsync, ..RecorderOptions::default() };
    let mut recorder = Recorder::start(writer, options).unwrap();
    recorder.offer(&message()).unwrap();
    let (mut flushes, mut syncs) = (0, 0);
    while flushes < 1 || syncs < 2 {
        match calls.recv_timeout(PATIENCE).unwrap() {
            Asked::Flush => flushes += 1,
            Asked::Sync => syncs += 1,
            _ => {}
        }
    }
}

#[test]
fn a_writer_that_panics_is_a_failure() {
    struct Panics;
    impl RecordWriter for Panics {
        fn name(&self) -> String {
            "panics".into()
        }
        fn record(&mut self, _message: Received, _number: u64) -> Result<()> {
            panic!("as this test wants it");
        }
        fn sync(&mut self) -> Result<()> {
            Ok(())
        }
        fn close(&mut self, _fsync: Fsync) -> Result<()> {
            Ok(())
        }
    }
    let mut recorder = Box::new(Recorder::start(Panics, RecorderOptions::default()).unwrap());
    recorder.offer(&message()).unwrap();
    let error = recorder.finish(PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "cannot write 'panics'");
}

#[test]
fn everything_is_in_the_file_after_finishing_or_dropping() {
    for end in ["finished", "dropped"] {
        let path = fresh(end).with_extension("mcap");
        let _ = std::fs::remove_file(&path);
        let writer = McapWriter::create(&path, McapOptions::default()).unwrap();
        let mut recorder = Box::new(Recorder::start(writer, RecorderOptions::default()).unwrap());
        for _ in 0..1000 {
            recorder.offer(&message()).unwrap();
        }
        match end {
            "finished" => assert!(recorder.finish(PATIENCE).is_ok()),
            _ => drop(recorder),
        }
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(mcap::MessageStream::new(&bytes).unwrap().count(), 1000);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_folder_is_written_by_a_thread_too() {
    let path = fresh("folder");
    let _ = std::fs::remove_dir_all(&path);
    let writer = FolderWriter::create(&path).unwrap();
    let mut recorder = Box::new(Recorder::start(writer, RecorderOptions::default()).unwrap());
    let small: Frames = [&b"{}"[..], &[7; 100]].into_iter().map(Frame::from).collect();
    let received = Received { frames: small.clone(), ..message() };
    recorder.offer(&received).unwrap();
    recorder.finish(PATIENCE).unwrap();
    let mut reader = crate::recording::FolderReader::open(&path).unwrap();
    let Event::Message(read) = reader.poll().unwrap() else { panic!() };
    assert_eq!(read.frames, small);
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn what_a_writer_puts_off_waits_until_it_is_settled() {
    /// Puts off every message, and writes one when it is let.
    struct PutsOff(usize, Receiver<()>);

    impl RecordWriter for PutsOff {
        fn name(&self) -> String {
            "puts off".into()
        }
        fn record(&mut self, _message: Received, _number: u64) -> Result<()> {
            self.0 += 1;
            Ok(())
        }
        fn put_off(&self) -> usize {
            self.0
        }
        fn settle(&mut self) -> Result<()> {
            // Who has dropped the other end lets everything be written.
            let _ = self.1.recv();
            self.0 -= 1;
            Ok(())
        }
        fn sync(&mut self) -> Result<()> {
            Ok(())
        }
        fn close(&mut self, _fsync: Fsync) -> Result<()> {
            assert_eq!(self.0, 0);
            Ok(())
        }
    }

    let (go, let_go) = channel();
    let options = RecorderOptions { max_memory: ONE, ..RecorderOptions::default() };
    let mut recorder = Box::new(Recorder::start(PutsOff(0, let_go), options).unwrap());
    let gauge = recorder.gauge();
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Full);
    assert_eq!((gauge.messages(), gauge.written()), (1, 0));
    go.send(()).unwrap();
    let mut set = WaitSet::new();
    recorder.readiness(&mut set);
    assert!(set.wait(&Stop::never(), Some(PATIENCE)).unwrap());
    assert_eq!((gauge.messages(), gauge.written()), (0, 1));
    assert_eq!(recorder.offer(&message()).unwrap(), Offer::Taken);
    drop(go);
    assert_eq!(recorder.finish(PATIENCE).unwrap(), Unconfirmed::Count(0));
    assert_eq!((gauge.messages(), gauge.written()), (0, 2));
}
