//! Builds libzmq 4.3.5 and links it, with CURVE by libsodium.
//!
//! With `ZMQ_SYS_USE_PKG_CONFIG` set, the system's libzmq is linked instead.

use std::env;

/// What libzmq's own build asks of the system, and the crate `zeromq-src` does not: these are the
/// answers of Linux. Without them libzmq knows no network interface by its name, sends no TCP
/// keepalives, lets child processes inherit its descriptors, uses a clock that may be set, and
/// spreads its messages over cache lines.
///
/// `ZMQ_HAVE_EVENTFD` is left out: it makes small messages no faster, and a PUSH of mflow relies on
/// the pairs of sockets that libzmq uses instead (`stream/hold.rs`).
const LINUX: &[&str] = &[
    "-DZMQ_HAVE_SOCK_CLOEXEC=1",
    "-DZMQ_HAVE_O_CLOEXEC=1",
    "-DHAVE_ACCEPT4=1",
    "-DZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC=1",
    "-DZMQ_HAVE_IFADDRS=1",
    "-DHAVE_IF_NAMETOINDEX=1",
    "-DZMQ_HAVE_SO_KEEPALIVE=1",
    "-DZMQ_HAVE_TCP_KEEPCNT=1",
    "-DZMQ_HAVE_TCP_KEEPIDLE=1",
    "-DZMQ_HAVE_TCP_KEEPINTVL=1",
    "-DZMQ_HAVE_PTHREAD_SETNAME_2=1",
    "-DHAVE_CLOCK_GETTIME=1",
    "-DHAVE_MKDTEMP=1",
    "-DHAVE_POSIX_MEMALIGN=1",
    "-DZMQ_CACHELINE_SIZE=64",
];

/// Lets the compiler inline calls within libzmq.
const INLINE: &[&str] = &["-fno-semantic-interposition", "-fvisibility=hidden"];

const SYSTEM: &str = "ZMQ_SYS_USE_PKG_CONFIG";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={SYSTEM}");
    if env::var_os(SYSTEM).is_some() {
        link_system();
        return;
    }
    let target = variable("TARGET");
    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        add_cxx_flags(&target, LINUX);
    }
    add_cxx_flags(&target, INLINE);
    zeromq_src::Build::new().with_libsodium(libsodium()).build();
}

/// Links the system's libzmq, and what mflow calls of libzmq that a shared one does not export.
fn link_system() {
    let found = pkg_config::Config::new().atleast_version("4.3").probe("libzmq");
    let library = found.unwrap_or_else(|error| {
        eprintln!("error: {SYSTEM} is set, but the system has no libzmq 4.3 or later: {error}");
        std::process::exit(1);
    });
    println!("cargo:rerun-if-changed=src/system.cpp");
    let mut build = cc::Build::new();
    build.cpp(true).includes(&library.include_paths).file("src/system.cpp").compile("zmq_system");
}

/// Returns where libsodium was built: its build script says so.
fn libsodium() -> Option<zeromq_src::LibLocation> {
    env::var_os("CARGO_FEATURE_CURVE")?;
    let [lib, include] = ["DEP_SODIUM_LIB", "DEP_SODIUM_INCLUDE"].map(variable);
    Some(zeromq_src::LibLocation::new(lib, include))
}

/// Adds flags to those that the compiler of C++ is called with. The first variable of these that is
/// set counts, so the flags of the user stay in force.
fn add_cxx_flags(target: &str, flags: &[&str]) {
    let name = format!("CXXFLAGS_{}", target.replace('-', "_"));
    let names =
        [format!("CXXFLAGS_{target}"), name.clone(), "TARGET_CXXFLAGS".into(), "CXXFLAGS".into()];
    let users = names.iter().find_map(|name| env::var(name).ok()).unwrap_or_default();
    env::remove_var(&names[0]);
    env::set_var(name, format!("{users} {}", flags.join(" ")));
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for this build script"))
}
