//! The thread that reads what libzmq reports of a stream's connections.
//!
//! libzmq reports to a socket of its own, and stalls the whole stream when nobody reads that: so
//! somebody does, for as long as the stream lives.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::{Monitor, MonitorOptions, PeerEvent, PeerEventKind};
use crate::endpoint::{Stop, WaitSet};

/// The thread of one stream.
pub(crate) struct MonitorThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and those who ask it share.
pub(super) struct Shared {
    peers: AtomicUsize,
    most_peers: AtomicUsize,
    departures: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
    /// Wakes the thread with a byte whenever a request is made.
    wake: PipeWriter,
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

    /// Tells how many peers there are now.
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
    pub(crate) fn start(context: &zmq::Context, socket: &zmq::Socket) -> Result<Self, zmq::Error> {
        let address = new_address();
        let (woken, wake) = io::pipe().map_err(|_| zmq::Error::EMFILE)?;
        let reports = context.socket(zmq::PAIR)?;
        reports.set_linger(0)?;
        socket.monitor(&address, i32::from(u16::MAX))?;
        reports.connect(&address)?;
        let shared = Arc::new(Shared {
            peers: AtomicUsize::new(0),
            most_peers: AtomicUsize::new(0),
            departures: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
            wake,
        });
        let watch = Watch {
            reports,
            failed_handshakes: 0,
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

    /// Ends the watch over a socket that is about to close, and waits for the end of the thread.
    pub(crate) fn end(&mut self, socket: &zmq::Socket) {
        let Some(thread) = self.thread.take() else { return };
        // A monitor of no events takes the place of ours, which ends the reports. Closing would do
        // that too, but only after the socket has lingered.
        let replaced = socket.monitor(&new_address(), 0);
        if replaced.is_ok() && thread.thread().id() != thread::current().id() {
            // It panics in nothing but callbacks, and goes on then.
            let _ = thread.join();
        }
    }
}

/// Returns an address for the reports of one socket.
fn new_address() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("inproc://mflow-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Says that the thread has ended, whichever way it did.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

/// The thread's side.
struct Watch {
    reports: zmq::Socket,
    /// Connections that will be reported as ended although they never counted.
    failed_handshakes: usize,
    woken: PipeReader,
    options: MonitorOptions,
    /// Since when nobody has been connected, as long as that was not told.
    alone_since: Option<Instant>,
    /// Last, so that the callbacks are gone by then.
    end: End,
}

impl Watch {
    /// Counts and tells until the stream has closed.
    fn run(mut self) {
        loop {
            let event = match read(&self.reports) {
                Report::Event(kind, endpoint) => Some(self.count(kind, endpoint)),
                Report::None => None,
                Report::End => return,
            };
            // Whoever asked before something happened is told of it.
            self.take_request();
            if let Some(event) = event {
                self.tell(&event);
                continue;
            }
            self.tell_absence();
            let mut set = WaitSet::new();
            crate::stream::descriptor::watch(&self.reports, &mut set);
            set.readable(self.woken.as_fd());
            self.absence_due().into_iter().for_each(|due| set.deadline(due));
            if set.wait(&Stop::never(), None).is_err() {
                return;
            }
        }
    }

    /// Counts by handshakes, as a connection that does not get so far is no peer.
    fn count(&mut self, kind: PeerEventKind, endpoint: String) -> PeerEvent {
        let before = self.end.0.peers();
        let peers = match kind {
            PeerEventKind::HandshakeSucceeded => before + 1,
            PeerEventKind::HandshakeFailed => {
                self.failed_handshakes += 1;
                before
            }
            PeerEventKind::Disconnected if self.failed_handshakes > 0 => {
                self.failed_handshakes -= 1;
                before
            }
            PeerEventKind::Disconnected => before.saturating_sub(1),
            _ => before,
        };
        tracing::debug!(?kind, %endpoint, peers, "connection");
        if peers != before {
            let what = if peers > before { "has come" } else { "has gone" };
            tracing::info!(%endpoint, peers, "a peer {what}");
            self.end.0.set_peers(peers);
        }
        PeerEvent { kind, endpoint, peers }
    }

    /// Returns when to tell that nobody is there.
    fn absence_due(&self) -> Option<Instant> {
        let (timeout, _) = self.options.no_client.as_ref()?;
        self.alone_since?.checked_add(*timeout)
    }

    fn tell_absence(&mut self) {
        if self.absence_due().is_some_and(|due| due <= Instant::now()) {
            self.alone_since = None;
            if let Some((_, action)) = &mut self.options.no_client
                && panics(action)
            {
                self.options = MonitorOptions::default();
            }
        }
    }

    /// Works with other callbacks where that was asked for.
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

    /// Tells an event.
    fn tell(&mut self, event: &PeerEvent) {
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

/// Runs a callback and tells whether it panicked, which is no reason to stop reading: the stream
/// would stall.
fn panics(callback: impl FnOnce()) -> bool {
    panic::catch_unwind(AssertUnwindSafe(callback)).is_err()
}

/// What libzmq has reported.
enum Report {
    Event(PeerEventKind, String),
    /// Nothing is there at present.
    None,
    /// The socket has closed: nothing will come any more.
    End,
}

/// Takes one report off the socket.
fn read(reports: &zmq::Socket) -> Report {
    let parts = match reports.recv_multipart(zmq::DONTWAIT) {
        Ok(parts) => parts,
        Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => return Report::None,
        Err(_) => return Report::End,
    };
    let raw =
        parts.first().and_then(|head| head.first_chunk()).map_or(0, |raw| u16::from_ne_bytes(*raw));
    if u32::from(raw) == zmq_sys::ZMQ_EVENT_MONITOR_STOPPED {
        return Report::End;
    }
    let endpoint =
        parts.get(1).map_or_else(String::new, |text| String::from_utf8_lossy(text).into());
    Report::Event(PeerEventKind::from_raw(raw), endpoint)
}
