//! Recordings as MCAP files, which open in `mcap`, Foxglove, Python, C++ and Go without any code
//! of ours.
//!
//! ```text
//! magic, header (library "mflow/x.y.z"), metadata "mflow.session" and "mflow.user"
//! data      schema                            mflow.Message, ahead of all else
//!           channel, …                        /<source>/<htype>, ahead of its first chunk
//!           chunk [message, …], message index, …    in the order of arrival
//!           attachment "series-<id>-header"   the start message of a series, again
//!           metadata "mflow.summary", data end      if the writer closed the file
//! summary   schema, channels, statistics, chunk indexes, attachment indexes, metadata indexes
//!           summary offsets, footer, magic
//! ```
//!
//! Chunks are not compressed. A message of [`OWN_CHUNK`] bytes has one of its own, smaller ones are
//! batched to [`BATCH_BYTES`] or [`BATCH_TIME`]: what a killed writer loses at most. The data of a
//! message are its parts, drawn in `format/parts.rs`; `log_time` is when it was received, and rises
//! strictly, so that the order of times is the order of recording; `publish_time` is the sender's
//! own time, if its format has one in Unix time, else the same. `sequence` counts received
//! messages.
//!
//! ```text
//! repair ──> read ──> format     damaged files: check, save │ find and read │ layouts and names
//!        └─> write ─> format     the gathering writer
//! ```

mod format;
mod read;
mod repair;
mod write;

pub use format::metadata::{SESSION, SUMMARY, USER};
pub use format::start::{SMALL_START, START};
pub use format::topic::{OTHER, RAW};
pub use read::damage::Damage;
pub use read::info::{AttachmentInfo, ChannelInfo, Detail, Info, MetadataInfo, info};
pub use read::pipe::McapPipe;
pub use read::reader::McapReader;
pub use read::start::SeriesStart;
pub use repair::{Recovery, Verification, recover, verify};
pub use write::{BATCH_BYTES, BATCH_TIME, MAX_HTYPES, McapOptions, McapWriter, OWN_CHUNK, Written};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn each_folder_uses_only_those_below_it() {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/recording/mcap");
        let folders = ["format", "read", "write", "repair"];
        let below: [&[&str]; 4] = [&[], &["format"], &["format"], &["format", "read", "write"]];
        for (folder, below) in folders.into_iter().zip(below) {
            for file in fs::read_dir(room.join(folder)).unwrap() {
                let path = file.unwrap().path();
                if path.is_dir() {
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                    let used = line.split("recording::mcap::").skip(1);
                    let mut used = used.map(|it| it.split("::").next().unwrap());
                    let is_below = used.all(|it| it == folder || below.contains(&it));
                    assert!(is_below && !line.contains("super::super"), "{path:?}: {line}");
                }
            }
        }
    }
}
