//! How recordings are opened by their path.

use std::ffi::OsStr;
use std::path::Path;

use super::{
    FolderWriter, McapOptions, McapWriter, Recorder, RecorderOptions, is_mcap, is_pipe,
    open_recording,
};
use crate::endpoint::{Opener, Opening, Sink, Source};
use crate::error::Result;

/// Opens paths: MCAP files with [`McapOptions`], pipes, and folders. A new one is written by a
/// [`Recorder`] with [`RecorderOptions`].
#[derive(Debug)]
pub(crate) struct RecordingOpener;

impl Opener for RecordingOpener {
    fn check(&self, _path: &OsStr) -> Result<()> {
        Ok(())
    }

    fn open_source(&self, path: &OsStr, _opening: &Opening) -> Result<Box<dyn Source>> {
        Ok(open_recording(Path::new(path))?)
    }

    fn open_sink(&self, path: &OsStr, opening: &Opening) -> Result<Box<dyn Sink>> {
        let path = Path::new(path);
        let options = opening.given::<RecorderOptions>();
        Ok(Box::new(if is_mcap(path) || is_pipe(path) {
            let writer = McapWriter::create(path, opening.options::<McapOptions>())?;
            Recorder::start(writer, options.unwrap_or_default())?
        } else {
            let max_memory = FolderWriter::MAX_MEMORY;
            let usual = RecorderOptions { max_memory, ..RecorderOptions::default() };
            Recorder::start(FolderWriter::create(path)?, options.unwrap_or(usual))?
        }))
    }
}
