//! A running command.

use std::fmt;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::PATIENCE;

/// A command that was started; it is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    /// What is killed at the end: the process, or its group.
    target: String,
    record: Arc<Record>,
    ended: bool,
}

/// The receiver of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// The process alone.
    Single,
    /// All that it has started too.
    Group,
}

/// What became of a command.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// Its exit code; none if a signal has ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote on stdout.
    pub(crate) stdout: String,
    /// What it wrote on stderr.
    pub(crate) stderr: String,
}

/// What a command has written so far.
pub(crate) struct Record {
    command: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stdout: Output,
    stderr: Output,
    code: Option<Option<i32>>,
}

#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    closed: bool,
}

impl Output {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Process {
    pub(super) fn start(mut command: Command, family: Family) -> Self {
        let text = format!("{command:?}");
        command.stdin(Stdio::null());
        if family == Family::Group {
            command.process_group(0);
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{text}: {error}"));
        let record =
            Arc::new(Record { command: text, state: Mutex::default(), changed: Condvar::new() });
        match child.stdout.take() {
            Some(stdout) => record.read(stdout, |state| &mut state.stdout),
            None => record.lock().stdout.closed = true,
        }
        match child.stderr.take() {
            Some(stderr) => record.read(stderr, |state| &mut state.stderr),
            None => record.lock().stderr.closed = true,
        }
        let sign = if family == Family::Group { "-" } else { "" };
        let target = format!("{sign}{}", child.id());
        Self { child, target, record, ended: false }
    }

    pub(super) fn record(&self) -> Arc<Record> {
        Arc::clone(&self.record)
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it listens, and returns the endpoint to connect to.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoints(1).remove(0)
    }

    /// Waits until it listens on this many endpoints, and returns them in the order in which it
    /// printed them.
    pub(crate) fn endpoints(&self, count: usize) -> Vec<String> {
        self.record.wait("it to listen", |state| {
            let text = state.stderr.text();
            let endpoints: Vec<String> = whole_lines(&text)
                .filter_map(|line| line.strip_prefix("listening on "))
                .map(str::to_owned)
                .collect();
            (endpoints.len() >= count).then_some(endpoints)
        })
    }

    /// Waits for a line on stdout that contains `text`, and returns it.
    pub(crate) fn stdout_line(&self, text: &str) -> String {
        self.record.wait(&format!("'{text}' on stdout"), |state| line(&state.stdout, text))
    }

    /// Waits for a line on stdout that contains `text`, or for the end without one.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.record.wait(&format!("'{text}' on stdout, or its end"), |state| {
            let said = line(&state.stdout, text).is_some();
            (said || state.stdout.closed).then_some(said)
        })
    }

    /// Waits for a line on stderr that contains `text`, and returns it.
    pub(crate) fn stderr_line(&self, text: &str) -> String {
        self.record.wait(&format!("'{text}' on stderr"), |state| line(&state.stderr, text))
    }

    /// Waits until there are so many lines on stdout, and returns all there are.
    pub(crate) fn stdout_lines(&self, count: usize) -> Vec<String> {
        self.record.wait(&format!("{count} lines on stdout"), |state| {
            let text = state.stdout.text();
            let lines: Vec<_> = whole_lines(&text).map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Sends it a signal by its short name, such as `INT`.
    pub(crate) fn signal(&self, name: &str) -> &Self {
        kill(name, &self.id().to_string());
        self
    }

    /// Returns whether it has ended, without waiting.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Finished {
        self.record
            .wait("its end", |state| (state.stdout.closed && state.stderr.closed).then_some(()));
        if !self.has_ended() {
            // Not reaped yet, so that the number is still its own.
            let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
            let patience = PATIENCE.try_into().unwrap();
            let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience)).unwrap();
            assert_eq!(ended, 1, "{} does not end", self.record.command);
        }
        let status = self.child.wait().unwrap();
        self.ended = true;
        let mut state = self.record.lock();
        state.code = Some(status.code());
        Finished { code: status.code(), stdout: state.stdout.text(), stderr: state.stderr.text() }
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    pub(crate) fn interrupt(self) -> Finished {
        self.signal("INT");
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            // Not reaped yet, so that the number is still its own.
            kill("KILL", &self.target);
            let _ = self.child.wait();
        }
    }
}

impl Finished {
    /// Fails unless it has ended with this code; returns it for more questions.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code; stderr: {}", self.stderr);
        self
    }

    /// Returns the lines on stderr that are an error.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("error: ")).collect()
    }
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn read(
        self: &Arc<Self>,
        mut from: impl Read + Send + 'static,
        output: fn(&mut State) -> &mut Output,
    ) {
        let record = Arc::clone(self);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut state = record.lock();
                let output = output(&mut state);
                output.bytes.extend(&buffer[..count]);
                output.closed = count == 0;
                record.changed.notify_all();
                if count == 0 {
                    break;
                }
            }
        });
    }

    /// Waits until `look` finds something in what was written; fails if it can no longer be found.
    fn wait<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        let failure = loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.stdout.closed && state.stderr.closed {
                break "it has ended";
            }
            if left.is_zero() {
                break "nothing of the kind was printed in time";
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        };
        drop(state);
        panic!("waiting for {what} of {}: {failure}", self.command);
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(f, "---- {}", self.command)?;
        match state.code {
            None => writeln!(f, "has not ended by itself")?,
            Some(None) => writeln!(f, "was ended by a signal")?,
            Some(Some(code)) => writeln!(f, "exit code {code}")?,
        }
        for (name, output) in [("stdout", &state.stdout), ("stderr", &state.stderr)] {
            writeln!(f, "{name}:\n{}", output.text())?;
        }
        Ok(())
    }
}

/// Returns the complete lines.
fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'))
}

fn line(output: &Output, text: &str) -> Option<String> {
    whole_lines(&output.text()).find(|line| line.contains(text)).map(str::to_owned)
}

fn kill(signal: &str, target: &str) {
    let sent =
        Command::new("kill").args(["-s", signal, "--", target]).stderr(Stdio::null()).status();
    // One that has just ended takes no signal, which is no failure.
    sent.unwrap_or_else(|error| panic!("kill: {error}"));
}
