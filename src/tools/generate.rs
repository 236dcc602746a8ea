//! m_generate: messages to measure a link with.
//!
//! Each is a `raw-1.0` message of two parts: a header that counts, and zeros that are never copied.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::report::{Report, Reporter};
use super::run::Run;
use super::{
    Ending, Failure, Findings, Limits, Missed, Observer, endpoint, local_send_buffer,
    show_departures, sum_up,
};
use crate::endpoint::{
    Origin, Received, Sink, Stop, Timestamp, Unconfirmed, WaitSet, offer_waiting,
};
use crate::error::{Result, SystemError};
use crate::frame::{Frame, Frames};
use crate::measure::Throughput;

/// How often rates are reported where nobody says.
const INTERVAL: Duration = Duration::from_millis(200);

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of the second part; 1 MiB by default.
    pub bytes: usize,
    /// Messages per second, as fast as it goes by default.
    pub rate: Option<f64>,
    /// How often to report rates: 0.2 s by default, as the original does.
    pub interval: Duration,
    /// When to end.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes: 1 << 20, rate: None, interval: INTERVAL, limits: Limits::default() }
    }
}

/// Returns a good [`queue_size`](crate::stream::Options::queue_size) for messages of so many bytes.
///
/// ```
/// use mflow::tools::generate::queue_size;
/// assert_eq!((queue_size(512), queue_size(513)), (200, 100));
/// ```
#[must_use]
pub fn queue_size(bytes: usize) -> u32 {
    match bytes {
        ..=512 => crate::stream::Options::SMALL_MESSAGES_QUEUE_SIZE,
        _ => crate::stream::Options::DEFAULT_QUEUE_SIZE,
    }
}

/// Returns a good [`send_buffer`](crate::stream::Options::send_buffer) for messages of so many bytes to an
/// address: a small one for 1 MiB and more to the loopback interface, otherwise the system's
/// choice.
///
/// ```
/// use mflow::tools::generate::send_buffer;
/// assert!(send_buffer("tcp://127.0.0.1:9999", 8 << 20).is_some());
/// assert_eq!(send_buffer("tcp://*:9999", 8 << 20), None);
/// assert_eq!(send_buffer("tcp://127.0.0.1:9999", 64 << 10), None);
/// ```
#[must_use]
pub fn send_buffer(address: &str, bytes: usize) -> Option<usize> {
    local_send_buffer(address, bytes, 1 << 20)
}

/// What was generated.
#[derive(Debug)]
pub struct Summary {
    /// What was found.
    pub findings: Findings,
    /// Everything that was sent: the payload alone.
    pub total: Throughput,
}

/// Generates messages into a sink, reporting rates as the original does, and waits at the end
/// until everything has left, at most `linger` without progress.
///
/// # Errors
/// If the sink or the reporter fails.
pub fn run(
    mut sink: Box<dyn Sink>,
    options: &Options,
    linger: Duration,
    stop: &Stop,
    out: &mut dyn Reporter,
    observer: &mut dyn Observer,
) -> Result<Summary, Failure<Summary>> {
    let payload = zeros(options.bytes)?;
    let endpoint = endpoint(sink.as_ref());
    let mut report = Report::new(options.interval);
    let mut run = Run::new(options.limits, stop);
    observer.started(run.meters());
    let ended = generate(sink.as_mut(), payload, options, &mut run, &mut report, out);
    show_departures(sink.name(), sink.report().departures, observer);
    let (total, ended) = report.finish(ended, run.latest(), out);
    let is_unheard = sink.report().is_unheard;
    observer.leaving();
    let unconfirmed = sink.finish(linger);
    observer.left();
    let (unconfirmed, ended) = match unconfirmed {
        Ok(unconfirmed) => (unconfirmed, ended),
        Err(error) => (Unconfirmed::Unknown, ended.and(Err(error))),
    };
    sum_up(ended, |ending| {
        let sent = total.messages;
        let unheard = (is_unheard && sent > 0).then_some(Missed::Subscriber);
        let missed = Missed::messages(&options.limits, sent, ending).or(unheard);
        let unconfirmed = vec![(endpoint, unconfirmed)];
        Summary { findings: Findings { sent, unconfirmed, missed, ..Findings::new(ending) }, total }
    })
}

/// Makes a payload, which may be more than there is memory for.
pub(super) fn zeros(bytes: usize) -> Result<Frame> {
    // Nobody has to count who shares these.
    static FEW: [u8; 4096] = [0; 4096];
    if let Some(few) = FEW.get(..bytes) {
        return Ok(Frame::from_static(few));
    }
    // Only zeros that are made at once cost no memory before they are sent, and where there is no
    // room for them the process is ended. So this is a look beforehand, which must not be optimized
    // away.
    let mut room = Vec::<u8>::new();
    room.try_reserve_exact(bytes).map_err(|_| SystemError::Memory { bytes })?;
    drop(black_box(room));
    Ok(vec![0; bytes].into())
}

/// Sends messages until the run ends.
fn generate(
    sink: &mut dyn Sink,
    payload: Frame,
    options: &Options,
    run: &mut Run<'_>,
    report: &mut Report,
    out: &mut dyn Reporter,
) -> Result<Ending> {
    let mut header = Header::new(options.bytes);
    let frames = Frames::from([Frame::new(), payload]);
    let origin = Origin::new("m_generate");
    let mut message = Received { frames, time: Timestamp::now(), origin };
    let batch = batch(options);
    let mut first_sent: Option<Instant> = None;
    let mut sent = 0; // since the run was told
    loop {
        let number = run.messages() + sent;
        if let (Some(rate), Some(start)) = (options.rate, first_sent) {
            // What is due after the end of time is never due.
            let due = start.checked_add(offset(number, rate));
            if let Some(ending) = rest_until(due, sink.name(), run, report, out)? {
                return Ok(ending);
            }
        }
        message.frames[0].copy_from(header.text(number));
        let offered = offer_waiting(sink, &message, |sink| {
            // Before waiting, so that it does not count as silence.
            tell(run, report, std::mem::take(&mut sent), options, Instant::now(), out)?;
            let mut set = WaitSet::new();
            sink.readiness(&mut set);
            report.due().into_iter().for_each(|due| set.deadline(due));
            if let Some(ending) = run.wait(set, sink.name())? {
                return Ok(ControlFlow::Break(ending));
            }
            report.tick(Instant::now(), out)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if let ControlFlow::Break(ending) = offered {
            return Ok(ending);
        }
        sent += 1;
        if sent < batch.min(run.remaining()) {
            continue;
        }
        let now = Instant::now();
        message.time = Timestamp::now();
        first_sent.get_or_insert(now);
        tell(run, report, std::mem::take(&mut sent), options, now, out)?;
        if let Some(ending) = run.ending(now) {
            return Ok(ending);
        }
    }
}

/// Waits until a message is due, and reports the rates of the intervals that end before.
fn rest_until(
    due: Option<Instant>,
    name: &str,
    run: &mut Run<'_>,
    report: &mut Report,
    out: &mut dyn Reporter,
) -> Result<Option<Ending>> {
    loop {
        let mut set = WaitSet::new();
        let is_next = |at: &Instant| due.is_none_or(|due| *at < due);
        due.into_iter().chain(report.due().filter(is_next)).for_each(|at| set.deadline(at));
        if let Some(ending) = run.rest(set, name)? {
            return Ok(Some(ending));
        }
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) {
            return Ok(None);
        }
        report.tick(now, out)?;
    }
}

/// Counts messages that were sent, and reports their rate when that is due.
fn tell(
    run: &mut Run<'_>,
    report: &mut Report,
    sent: u64,
    options: &Options,
    now: Instant,
    out: &mut dyn Reporter,
) -> Result<()> {
    if sent == 0 {
        return Ok(());
    }
    let bytes = sent * options.bytes as u64;
    run.count(sent, bytes, now);
    report.record(sent, bytes, now, out)
}

/// Returns how many messages to send before looking at the clock.
fn batch(options: &Options) -> u64 {
    match (options.rate, options.bytes) {
        _ if options.interval.is_zero() => 1,
        (None, 0..=1023) => 64,
        (None, 1024..=65_535) => 8,
        _ => 1,
    }
}

/// Returns when a message is due, counted from the first one.
fn offset(number: u64, rate: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "exact for longer than anybody generates")]
    let seconds = number as f64 / rate;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// The header of the messages, as that of the original (with a whole number in the shape). All but
/// the number of the message is written once.
struct Header {
    text: String,
    common: usize,
    digits: itoa::Buffer,
}

impl Header {
    fn new(bytes: usize) -> Self {
        let integers = bytes / 4;
        let text = format!(r#"{{"htype":"raw-1.0","type":"int32","shape":[1,{integers}],"frame":"#);
        Self { common: text.len(), text, digits: itoa::Buffer::new() }
    }

    fn text(&mut self, number: u64) -> &[u8] {
        self.text.truncate(self.common);
        self.text.push_str(self.digits.format(number));
        self.text.push('}');
        self.text.as_bytes()
    }
}
