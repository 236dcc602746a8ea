//! [`Glance`]: what the first part says about a message, kept beside the message.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use mflow_handlers::{Peek, Stage};

/// The fields of the first part, once they were read: filters, series watches, counters and writers
/// share them instead of reading the part again.
///
/// It borrows nothing, because a part moves with its message. So the htype is kept as a range in
/// the part.
#[derive(Clone, Debug, Default)]
pub(super) struct Glance(OnceCell<Read>);

#[derive(Clone, Debug)]
struct Read {
    htype: Option<Htype>,
    series: Option<u64>,
    frame: Option<u64>,
    pulse: Option<u64>,
    time: Option<u64>,
    stage: Option<Stage>,
}

#[derive(Clone, Debug)]
enum Htype {
    /// Its range in the part.
    At(Range<usize>),
    /// An htype that is not a plain text in the part, such as that of a CBOR message.
    Other(Box<str>),
}

impl Glance {
    /// Returns what the first part says, and reads it the first time.
    pub(super) fn peek<'a>(&self, part: &'a [u8]) -> Peek<'a> {
        let Some(read) = self.0.get() else {
            let peek = Peek::of(part);
            // The cell is empty.
            let _ = self.0.set(Read::of(&peek, part));
            return peek;
        };
        let htype = read.htype.as_ref().map(|htype| match htype {
            Htype::At(range) => String::from_utf8_lossy(&part[range.clone()]),
            Htype::Other(htype) => Cow::Owned(htype.to_string()),
        });
        let Read { series, frame, pulse, time, stage, .. } = *read;
        Peek { htype, series, frame, pulse, time, stage }
    }
}

impl Read {
    fn of(peek: &Peek<'_>, part: &[u8]) -> Self {
        let htype = peek.htype.as_deref().map(|htype| Htype::of(htype, part));
        let Peek { series, frame, pulse, time, stage, .. } = *peek;
        Self { htype, series, frame, pulse, time, stage }
    }
}

impl Htype {
    fn of(htype: &str, part: &[u8]) -> Self {
        let start = (htype.as_ptr() as usize).wrapping_sub(part.as_ptr() as usize);
        match start.checked_add(htype.len()) {
            Some(end) if end <= part.len() => Self::At(start..end),
            _ => Self::Other(htype.into()),
        }
    }
}
