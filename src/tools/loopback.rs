//! m_stats --loopback: measures what this machine can do, without other programs.

use std::time::Duration;

use super::{Failure, Observer, Reporter, Silent, generate, stats};
use crate::endpoint::{Source, Stop};
use crate::error::{Error, Result, SystemError};
use crate::stream::{Options, Stream};

/// Measures this machine: a generator sends messages of `size` bytes to a free port of the
/// loopback interface, and they are measured as [`stats::run`] does.
///
/// # Errors
/// If there is no loopback interface, or the reporter fails.
pub fn run(
    options: &stats::Options,
    size: usize,
    stop: &Stop,
    reporter: &mut dyn Reporter,
    observer: &mut dyn Observer,
) -> Result<stats::Summary, Failure<stats::Summary>> {
    // Reported before the wait for the first message.
    drop(generate::zeros(size)?);
    let failed =
        |source| Error::from(SystemError::SetUp { what: "the loopback generator", source });
    let measured = Stop::new().map_err(failed)?;
    let address = "tcp://127.0.0.1:*";
    let sending = Options::push()
        .bind()
        .queue_size(generate::queue_size(size))
        .send_buffer(generate::send_buffer(address, size))
        .stop(&measured)
        .linger(Duration::ZERO);
    let sender = Stream::open(address, sending)?;
    observer.listening(sender.endpoint());
    let receiving = Options::pull().queue_size(stats::QUEUE_SIZE);
    let mut source = Box::<dyn Source>::from(Stream::open(sender.endpoint(), receiving)?);
    let generate = generate::Options { bytes: size, ..generate::Options::default() };
    std::thread::scope(|scope| {
        let generator = scope.spawn(|| {
            let (reporter, observer) = (&mut Silent, &mut Silent);
            let sender = Box::new(sender);
            generate::run(sender, &generate, Duration::ZERO, &measured, reporter, observer)
        });
        let summary = stats::run(source.as_mut(), options, stop, reporter, observer);
        measured.request();
        match generator.join() {
            Ok(Ok(_)) => summary,
            Ok(Err(Failure { error, .. })) => {
                let done = summary.ok().map(Box::new);
                Err(Failure { error, done })
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
