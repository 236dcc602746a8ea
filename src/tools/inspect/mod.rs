//! m_dump's looks at a recording: what is in it, whether it is whole, and what can be saved of it.
//!
//! The results are printed as text for people or as JSON for programs.

mod text;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{self, Result, WithCauses};
use crate::printable::printable_json;
use crate::recording::mcap::{self, Detail};
use crate::recording::{self, FolderInfo};
use crate::tools::Error;

/// The form in which the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Tables for people.
    Text {
        /// How many characters fit into a line, if there is a limit.
        columns: Option<u16>,
    },
    /// One object of JSON, the path in it.
    Json,
    /// The same in one line, for a look at several.
    JsonLine,
}

/// What to look at in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// What is in it.
    Info(Detail),
    /// What is wrong with it.
    Verify,
    /// What of it can be written into a new file.
    Recover(PathBuf),
}

/// Looks at recordings, one after the other, also after one that is damaged. Returns whether all
/// that could be read are sound. `failed` is called for each that cannot be read, in order.
///
/// # Errors
/// If the output fails.
pub fn look(
    paths: &[&Path],
    look: &Look,
    form: Form,
    out: &mut dyn Write,
    mut failed: impl FnMut(&error::Error),
) -> Result<bool> {
    let mut is_sound = true;
    let mut gap = "";
    for path in paths {
        let mut text = gap.as_bytes().to_vec();
        let looked = match look {
            Look::Info(detail) => info(path, *detail, form, &mut text).map(|()| true),
            Look::Verify => verify(path, form, &mut text),
            Look::Recover(to) => recover(path, to, form, &mut text),
        };
        match looked {
            Ok(sound) => is_sound &= sound,
            Err(error) => {
                failed(&error);
                if form != Form::JsonLine || failure(path, &error, &mut text).is_err() {
                    continue;
                }
            }
        }
        out.write_all(&text).and_then(|()| out.flush()).map_err(Error::output)?;
        gap = if matches!(form, Form::Text { .. }) { "\n" } else { "" };
    }
    Ok(is_sound)
}

/// Prints what is in the recording at a path: an MCAP file, or a folder, by the names and sizes of
/// its files.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("mflow-inspect-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use mflow::recording::mcap::Detail;
/// use mflow::tools::inspect::{Form, info};
/// std::fs::write(folder.join("000000_000.raw"), b"{}")?;
/// let mut out = Vec::new();
/// info(&folder, Detail::Index, Form::Text { columns: Some(80) }, &mut out)?;
/// assert!(String::from_utf8(out)?.ends_with(": 1 message in 1 file, 2 B\n"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If it cannot be read, is no recording, or the output fails.
pub fn info(path: &Path, detail: Detail, form: Form, out: &mut dyn Write) -> Result<()> {
    if path.is_dir() {
        let info = FolderInfo::of(path)?;
        return match form {
            Form::Text { .. } => text::folder_info(path, &info, out),
            _ => json(path, &info, form, out),
        }
        .map_err(Error::output);
    }
    let info = mcap::info(path, detail)?;
    match form {
        Form::Text { columns } => text::info(path, &info, columns, out),
        _ => json(path, &info, form, out),
    }
    .map_err(Error::output)
}

/// Reads a whole MCAP file and prints what is wrong with it; returns whether it is sound.
///
/// # Errors
/// If it cannot be read, is no MCAP file, or the output fails.
pub fn verify(path: &Path, form: Form, out: &mut dyn Write) -> Result<bool> {
    expect_file(path)?;
    let verification = mcap::verify(path)?;
    match form {
        Form::Text { .. } => text::verification(path, &verification, out),
        _ => json(path, &verification, form, out),
    }
    .map_err(Error::output)?;
    Ok(verification.is_sound())
}

/// Writes what can be read of an MCAP file into a new one, and prints what could not be read;
/// returns whether all could.
///
/// # Errors
/// If a file cannot be read or written, nothing was found, or the output fails.
pub fn recover(path: &Path, to: &Path, form: Form, out: &mut dyn Write) -> Result<bool> {
    expect_file(path)?;
    let recovery = mcap::recover(path, to)?;
    match form {
        Form::Text { .. } => text::recovery(path, to, &recovery, out),
        _ => json(path, &recovery, form, out),
    }
    .map_err(Error::output)?;
    Ok(recovery.damaged == 0 && recovery.damaged_places == 0)
}

/// Makes the error for a folder, with the options that accept one.
fn expect_file(path: &Path) -> Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    let reason = "it is a folder: --info prints what is in it, --convert makes a file of it";
    Err(recording::Error::NotARecording { path: path.to_owned(), reason: reason.to_owned() }.into())
}

/// Prints a line of JSON with the error of one of several recordings.
///
/// # Errors
/// If the output fails.
pub fn failure(path: &Path, error: &error::Error, out: &mut dyn Write) -> Result<()> {
    let report = BTreeMap::from([("error", WithCauses(error).to_string())]);
    json(path, &report, Form::JsonLine, out).map_err(Error::output)
}

fn json(path: &Path, report: &impl Serialize, form: Form, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Printed<'a, R> {
        path: &'a str,
        #[serde(flatten)]
        report: &'a R,
    }
    let path = &path.to_string_lossy();
    let printed = Printed { path, report };
    let json = match form {
        Form::JsonLine => serde_json::to_string(&printed)?,
        _ => serde_json::to_string_pretty(&printed)?,
    };
    writeln!(out, "{}", printable_json(json))
}
