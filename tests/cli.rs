//! The command lines: options, outputs, exit codes.

mod harness;

use harness::Dir;

#[test]
fn a_generator_feeds_a_counter() {
    let dir = Dir::new();
    let generate = dir.start("m_generate", ["-a", "tcp://127.0.0.1:*", "-s", "1KiB", "-n", "10"]);
    let stats = dir.run("m_stats", [generate.endpoint().as_str(), "-n", "10"]).expect(0);
    assert!(stats.stdout.contains("Messages received:            10 messages\n"));
    generate.end().expect(0);
}
