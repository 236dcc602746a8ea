//! The thread that reads what libzmq reports of a stream's connections.
//!
//! libzmq reports to a socket of its own, and stalls the whole stream if that is not read. So this
//! thread reads it as long as the stream lives.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::connections::{Connections, Meaning};
use super::flood::Floodgate;
use super::reopening::Reopening;
use super::report::{Failure, Next, Report, Reports};
use super::stranger::{Subject, Warner};
use super::{Monitor, MonitorOptions, PeerEvent, PeerEventKind};
use crate::endpoint::{Stop, WaitSet};
use crate::stream::{Attach, Mode};

/// The thread of one stream.
pub(crate) struct MonitorThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread shares with its callers.
pub(super) struct Shared {
    peers: AtomicUsize,
    most_peers: AtomicUsize,
    departures: AtomicUsize,
    most_connections: AtomicUsize,
    strangers: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
    /// Wakes the thread with a byte whenever a request is made.
    wake: PipeWriter,
    /// Set if the stream has a connection that may have to be reopened.
    reopen: Option<Reopen>,
}

/// How the thread asks the stream to reopen its connection: only the stream may use the socket.
struct Reopen {
    is_due: AtomicBool,
    /// Whether there is a byte in the pipe, which wakes the stream.
    has_rung: AtomicBool,
    bell: PipeWriter,
    heard: PipeReader,
}

impl Reopen {
    fn new() -> io::Result<Self> {
        let (heard, bell) = io::pipe()?;
        Ok(Self { is_due: false.into(), has_rung: false.into(), bell, heard })
    }

    /// Asks the stream.
    fn ask(&self) {
        self.is_due.store(true, Ordering::Release);
        if !self.has_rung.load(Ordering::Acquire) && (&self.bell).write(&[1]).is_ok() {
            self.has_rung.store(true, Ordering::Release);
        }
    }

    /// Returns whether the stream was asked since the last call.
    fn take(&self) -> bool {
        if !self.has_rung.load(Ordering::Relaxed) || !self.has_rung.swap(false, Ordering::AcqRel) {
            return false;
        }
        // There is a byte.
        let _ = (&self.heard).read(&mut [0]);
        self.is_due.swap(false, Ordering::AcqRel)
    }
}

#[derive(Default)]
struct State {
    /// How many monitors there were; also the number of the latest.
    monitors: u64,
    /// The callbacks to work with next.
    request: Option<MonitorOptions>,
    /// How many requests were made, and how many are in force.
    requested: u64,
    served: u64,
    thread: Option<ThreadId>,
    ended: bool,
}

impl Shared {
    /// Returns how many peers are connected.
    pub(super) fn peers(&self) -> usize {
        self.peers.load(Ordering::Acquire)
    }

    pub(super) fn wait_for_peers(&self, count: usize, timeout: Duration) -> bool {
        let missing = |state: &mut State| !state.ended && self.peers() < count;
        drop(self.changed.wait_timeout_while(self.lock(), timeout, missing));
        self.peers() >= count
    }

    /// Has the thread work for a new monitor.
    fn watch(&self, options: MonitorOptions) -> u64 {
        let mut state = self.lock();
        state.monitors += 1;
        self.request(&mut state, options);
        state.monitors
    }

    /// Has the thread drop the callbacks of a monitor, and waits until it has.
    pub(super) fn forget(&self, number: u64) {
        let mut state = self.lock();
        if number == state.monitors {
            self.request(&mut state, MonitorOptions::default());
        }
        let request = state.requested;
        if state.thread != Some(thread::current().id()) {
            let pending = |state: &mut State| state.served < request && !state.ended;
            drop(self.changed.wait_while(state, pending));
        }
    }

    fn request(&self, state: &mut State, options: MonitorOptions) {
        state.requested += 1;
        if state.request.replace(options).is_none() {
            // There is no other byte in the pipe, so this does not wait.
            let _ = (&self.wake).write(&[1]);
        }
    }

    /// Records how many connections there are, peers or not.
    fn set_connections(&self, connections: usize) {
        self.most_connections.fetch_max(connections, Ordering::Relaxed);
    }

    /// Publishes the current number of peers.
    fn set_peers(&self, peers: usize) {
        let _state = self.lock();
        let before = self.peers.swap(peers, Ordering::AcqRel);
        self.most_peers.fetch_max(peers, Ordering::Relaxed);
        self.departures.fetch_add(before.saturating_sub(peers), Ordering::Relaxed);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MonitorThread {
    /// Starts to watch a socket that is attached to nothing yet.
    pub(crate) fn start(
        context: &zmq::Context,
        socket: &mut zmq::Socket,
        subject: Subject,
    ) -> Result<Self, zmq::Error> {
        let (woken, wake) = io::pipe().map_err(|_| zmq::Error::EMFILE)?;
        let reopen = (subject.attach == Attach::Connect).then(Reopen::new).transpose();
        let reopen = reopen.map_err(|_| zmq::Error::EMFILE)?;
        let reports = Reports::of(context, socket)?;
        let shared = Arc::new(Shared {
            peers: AtomicUsize::new(0),
            most_peers: AtomicUsize::new(0),
            departures: AtomicUsize::new(0),
            most_connections: AtomicUsize::new(0),
            strangers: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
            wake,
            reopen,
        });
        let watch = Watch {
            reports,
            connections: Connections::default(),
            reopening: Reopening::default(),
            warner: Warner::new(subject),
            floodgate: (subject.mode == Mode::Push).then(Floodgate::default),
            is_bound: subject.attach == Attach::Bind,
            woken,
            options: MonitorOptions::default(),
            alone_since: None,
            end: End(Arc::clone(&shared)),
        };
        let thread = thread::Builder::new()
            .name("mflow-monitor".into())
            .spawn(move || watch.run())
            .map_err(|_| zmq::Error::EMTHREAD)?;
        shared.lock().thread = Some(thread.thread().id());
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Works for a new monitor, in place of any before.
    pub(crate) fn watch(&self, options: MonitorOptions) -> Monitor {
        Monitor { number: self.shared.watch(options), shared: Arc::clone(&self.shared) }
    }

    /// Returns the most peers that were ever connected at once.
    pub(crate) fn most_peers(&self) -> usize {
        self.shared.most_peers.load(Ordering::Relaxed)
    }

    /// Returns how many connections have ended.
    pub(crate) fn departures(&self) -> usize {
        self.shared.departures.load(Ordering::Relaxed)
    }

    /// Returns the most connections that were ever open at once, peers or not.
    pub(crate) fn most_connections(&self) -> usize {
        self.shared.most_connections.load(Ordering::Relaxed)
    }

    /// Returns how many connections have ended that never had a handshake of ZMTP 3.
    pub(crate) fn strangers(&self) -> usize {
        self.shared.strangers.load(Ordering::Relaxed)
    }

    /// Returns whether libzmq has given the connection up: true once for each time that it should
    /// be reopened.
    pub(crate) fn take_reopen(&self) -> bool {
        self.shared.reopen.as_ref().is_some_and(Reopen::take)
    }

    /// Adds the signal that the connection should be reopened.
    pub(crate) fn readiness<'a>(&'a self, set: &mut WaitSet<'a>) {
        if let Some(reopen) = &self.shared.reopen {
            set.readable(reopen.heard.as_fd());
        }
    }

    /// Ends the watch over a socket that is about to close, and waits for the end of the thread.
    pub(crate) fn end(&mut self, socket: &zmq::Socket) {
        let Some(thread) = self.thread.take() else { return };
        let replaced = Reports::end(socket);
        if replaced.is_ok() && thread.thread().id() != thread::current().id() {
            // Only callbacks can panic, and the thread continues after that.
            let _ = thread.join();
        }
    }
}

/// Reports that the thread has ended, even after a panic.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

/// The thread's side.
struct Watch {
    reports: Reports,
    connections: Connections,
    reopening: Reopening,
    warner: Warner,
    /// Set for a PUSH, which does not read what peers send.
    floodgate: Option<Floodgate>,
    is_bound: bool,
    woken: PipeReader,
    options: MonitorOptions,
    /// When the last peer disconnected, until that is reported.
    alone_since: Option<Instant>,
    /// The last field, so that the callbacks are dropped before it.
    end: End,
}

impl Watch {
    /// Counts and reports until the stream has closed.
    fn run(mut self) {
        loop {
            let report = match self.reports.next() {
                Next::Report(report) => Some(report),
                Next::None => None,
                Next::End => return,
            };
            // Requests that were made before an event get the event.
            self.take_request();
            if let Some(report) = report {
                self.deal_with(report);
                continue;
            }
            let now = Instant::now();
            if self.reopening.take(now)
                && let Some(reopen) = &self.end.0.reopen
            {
                tracing::debug!("libzmq has given a connection up: opening it again");
                reopen.ask();
            }
            if let Some(floodgate) = &mut self.floodgate {
                floodgate.look(self.connections.to_peers(), now);
            }
            self.report_absence();
            let mut set = WaitSet::new();
            crate::stream::descriptor::watch(self.reports.socket(), &mut set);
            set.readable(self.woken.as_fd());
            let due = self.absence_due().into_iter().chain(self.reopening.due());
            let due = due.chain(self.floodgate.as_ref().and_then(Floodgate::due));
            due.for_each(|due| set.deadline(due));
            if set.wait(&Stop::never(), None).is_err() {
                return;
            }
        }
    }

    /// Counts an event and reports it.
    fn deal_with(&mut self, report: Report) {
        let (before, now) = (self.connections.peers(), Instant::now());
        let meaning = self.connections.note(&report);
        let (shared, peers) = (&self.end.0, self.connections.peers());
        shared.set_connections(self.connections.open());
        if let Some(reopen) = &shared.reopen
            && self.reopening.note(report.kind, now)
        {
            reopen.is_due.store(false, Ordering::Release);
        }
        let Report { kind, remote, .. } = &report;
        let endpoint = if self.is_bound { &report.local } else { remote };
        tracing::debug!(?kind, %endpoint, %remote, peers, "connection");
        if peers != before {
            let what = if peers > before { "connected" } else { "disconnected" };
            tracing::info!(%endpoint, %remote, peers, "a peer has {what}");
            shared.set_peers(peers);
        }
        let event =
            |kind| PeerEvent { kind, endpoint: endpoint.clone(), remote: remote.clone(), peers };
        let (event, failed) = (event(*kind), event(PeerEventKind::HandshakeFailed));
        if let Meaning::Stranger(failure) = meaning {
            shared.strangers.fetch_add(1, Ordering::Relaxed);
            self.warner.warn(&report, failure, now);
            // libzmq itself does not report this.
            if failure == Failure::Unsaid {
                self.report(&failed);
            }
        }
        self.report(&event);
    }

    /// Returns when to report that no peer is connected.
    fn absence_due(&self) -> Option<Instant> {
        let (timeout, _) = self.options.no_client.as_ref()?;
        self.alone_since?.checked_add(*timeout)
    }

    fn report_absence(&mut self) {
        if self.absence_due().is_some_and(|due| due <= Instant::now()) {
            self.alone_since = None;
            if let Some((_, action)) = &mut self.options.no_client
                && panics(action)
            {
                self.options = MonitorOptions::default();
            }
        }
    }

    /// Switches to other callbacks, if requested.
    fn take_request(&mut self) {
        let shared = &self.end.0;
        let mut state = shared.lock();
        let (Some(options), request) = (state.request.take(), state.requested) else { return };
        let _ = self.woken.read(&mut [0]);
        drop(state);
        self.options = options;
        self.alone_since = (shared.peers() == 0).then(Instant::now);
        shared.lock().served = request;
        shared.changed.notify_all();
    }

    /// Reports an event.
    fn report(&mut self, event: &PeerEvent) {
        match (event.kind, event.peers) {
            (PeerEventKind::HandshakeSucceeded, _) => self.alone_since = None,
            (PeerEventKind::Disconnected, 0) if self.alone_since.is_none() => {
                self.alone_since = Some(Instant::now());
            }
            _ => {}
        }
        if let Some(on_event) = &mut self.options.on_event
            && panics(|| on_event(event))
        {
            self.options = MonitorOptions::default();
        }
    }
}

/// Runs a callback and returns whether it panicked, which is no reason to stop reading: the stream
/// would stall.
fn panics(callback: impl FnOnce()) -> bool {
    panic::catch_unwind(AssertUnwindSafe(callback)).is_err()
}
