//! The command line of m_split.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use mflow::cli::{self, Limiting, Lingering, Receiving, Verbosity};
use mflow::endpoint::WhenFull;
use mflow::routing::{Config, OutputConfig};
use mflow::{Mode, Result};

/// Split one stream to many: each output gets every message
///
/// If an output accepts nothing for 2 s, its messages are dropped and counted until it accepts ten
/// in a row. --on-full and the configuration can change that.
#[derive(Parser)]
#[command(
    name = "m_split",
    mut_arg("bind", |arg| arg.help("Bind the source's address: others connect")),
    mut_arg("connect", |arg| arg.help("Connect to the source's address: another program binds it")),
)]
pub(crate) struct Cli {
    /// Configuration file (JSON)
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "source", "streams", "mode", "queue_size", "subscribe", "bind", "connect", "output_mode", "on_full",
    ])]
    config: Option<PathBuf>,
    /// Check the configuration file, also for entries that only give a warning in a run, and exit
    #[arg(long, conflicts_with_all = ["source", "streams"])]
    check: bool,
    /// Address of the source, connected to except that tcp://*:PORT is bound, or a recording
    #[arg(required_unless_present_any = ["config", "check"])]
    source: Option<OsString>,
    /// Addresses to send to, which are bound, or recordings to write: x.mcap, ./folder
    #[arg(required_unless_present_any = ["config", "check"])]
    streams: Vec<OsString>,
    /// Communication mode of the outputs
    #[arg(long, value_name = "push|pub", default_value = "push", value_parser = cli::parse_sending)]
    output_mode: Mode,
    /// What to do when an output accepts nothing: block, drop, or wait this long before dropping
    #[arg(long, value_name = "block|drop|DURATION", default_value = "2s", value_parser = parse_when_full)]
    on_full: WhenFull,
    #[command(flatten)]
    pub(crate) lingering: Lingering,
    #[command(flatten)]
    pub(crate) receiving: Receiving,
    #[command(flatten)]
    pub(crate) limiting: Limiting,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

impl Cli {
    /// Returns the configuration file, if it should only be checked.
    pub(crate) fn checked(&self) -> Option<&Path> {
        self.config.as_deref().filter(|_| self.check)
    }

    /// Reads the configuration file, or makes a configuration from the command line; also returns
    /// its warnings.
    pub(crate) fn configuration(&self) -> Result<(Config, Vec<String>)> {
        match &self.config {
            Some(file) if self.check => return Ok((Config::read(file)?, Vec::new())),
            Some(file) => return Config::read_tolerantly(file),
            None => {}
        }
        if self.check {
            let reason = "--check is for a configuration: --config <FILE> is missing";
            cli::reject::<Self>(ErrorKind::MissingRequiredArgument, reason);
        }
        // Without a configuration, the command line has a source.
        let source = self.source.as_deref().unwrap_or(OsStr::new(""));
        let mut config =
            Config { source: self.receiving.source(source.try_into()?), streams: Vec::new() };
        for address in &self.streams {
            config.streams.push(OutputConfig {
                mode: self.output_mode,
                queue_size: config.source.queue_size,
                when_full: self.on_full,
                ..OutputConfig::new(address.as_os_str().try_into()?)
            });
        }
        Ok((config, Vec::new()))
    }
}

fn parse_when_full(text: &str) -> Result<WhenFull, String> {
    match text {
        "block" => Ok(WhenFull::Block),
        "drop" => Ok(WhenFull::DropNewest),
        _ => cli::parse_duration(text).map(WhenFull::Wait),
    }
}
