//! m_dump's looks at a recording: what is in it, whether it is whole, and what can be saved of it.
//!
//! What they find is told as text for people or as JSON for programs.

mod text;

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::Result;
use crate::recording::mcap::{self, Detail};

/// How a look at a recording is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Tables for people.
    #[default]
    Text,
    /// One object of JSON.
    Json,
}

/// Tells what is in the MCAP file at a path.
///
/// # Errors
/// Where it cannot be read, is no recording, or the output fails.
pub fn info(path: &Path, detail: Detail, form: Form, out: &mut dyn Write) -> Result<()> {
    let info = mcap::info(path, detail)?;
    match form {
        Form::Text => text::info(path, &info, out),
        Form::Json => json(&info, out),
    }
}

/// Reads a whole MCAP file and tells what is wrong with it; returns whether that is nothing.
///
/// # Errors
/// Where it cannot be read, is no MCAP file, or the output fails.
pub fn verify(path: &Path, form: Form, out: &mut dyn Write) -> Result<bool> {
    let verification = mcap::verify(path)?;
    match form {
        Form::Text => text::verification(path, &verification, out)?,
        Form::Json => json(&verification, out)?,
    }
    Ok(verification.is_sound())
}

/// Writes what can be read of an MCAP file into a new one, and tells what could not; returns whether
/// that is nothing.
///
/// # Errors
/// Where a file cannot be read or written, nothing was found, or the output fails.
pub fn recover(path: &Path, to: &Path, form: Form, out: &mut dyn Write) -> Result<bool> {
    let recovery = mcap::recover(path, to)?;
    match form {
        Form::Text => text::recovery(path, to, &recovery, out)?,
        Form::Json => json(&recovery, out)?,
    }
    Ok(recovery.damaged == 0 && recovery.damaged_places == 0)
}

fn json(report: &impl Serialize, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, report).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}
