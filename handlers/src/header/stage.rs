//! [`Stage`]: the role of a message in its series.

/// The role of a message of a DECTRIS detector in its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It starts the series: dheader-1.0, or `start` of the stream V2.
    Start,
    /// It has an image: dimage-1.0, or `image`.
    Image,
    /// It ends the series: dseries_end-1.0, or `end`.
    End,
}

impl Stage {
    /// Returns the stage of an htype of the stream V1, in any version.
    pub(crate) fn of_htype(htype: &str) -> Option<Self> {
        match htype.rsplit_once('-')?.0 {
            "dheader" => Some(Self::Start),
            "dimage" => Some(Self::Image),
            "dseries_end" => Some(Self::End),
            _ => None,
        }
    }
}
