//! The machine that a bench runs on.

use std::fs;
use std::thread::available_parallelism;

/// Prints what decides how fast streams are here, besides the programs.
///
/// How TCP finds its pace matters on the loopback interface too: `bbr`, which spreads what it sends
/// over time, costs large messages much more than `cubic`, which Linux takes by itself.
pub(crate) fn describe() -> String {
    let read = |path| fs::read_to_string(path).map_or("?".into(), |text| text.trim().to_owned());
    let processors = available_parallelism().map_or(1, usize::from);
    let linux = read("/proc/sys/kernel/osrelease");
    let tcp = read("/proc/sys/net/ipv4/tcp_congestion_control");
    format!("{processors} processors, Linux {linux}, TCP congestion control {tcp}")
}
