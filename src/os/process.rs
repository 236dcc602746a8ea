//! What the programs set for their own process; a library never does that to its host.

#![allow(unsafe_code, reason = "the scheduler's policies have no safe binding")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has this process open as many files as it may: usual is a limit far below, for old programs.
pub(crate) fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it may not, the usual limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Has the calling thread wait for a processor rather than take it from a thread that is at work. So
/// have those that it starts from then on; if there are processors enough, nothing changes.
#[cfg(target_os = "linux")]
pub fn give_way() {
    // SAFETY: all zeros is a parameter, the only one that this policy takes.
    let parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the parameter is read before the call returns.
    let status = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter) };
    if status != 0 {
        // If the system has no such policy, or does not allow it, nothing changes.
        tracing::debug!(error = %std::io::Error::last_os_error(), "no batch scheduling");
    }
}

/// Other systems have no such policy.
#[cfg(not(target_os = "linux"))]
pub fn give_way() {}
