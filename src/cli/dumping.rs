//! The names of the formats of m_dump on a command line.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::tools::dump::Format;

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Raw, Self::Text, Self::Json, Self::Npy, Self::Png]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Raw => ("raw", "A recording: an MCAP file, or a file for each part"),
            Self::Text => ("text", "A line for each part, on the screen"),
            Self::Json => ("json", "A line of JSON for each message, on the screen"),
            Self::Npy => ("npy", "A file of NumPy for each array"),
            Self::Png => (
                "png",
                "A picture for each array of two dimensions, or for the first plane of three",
            ),
        };
        Some(PossibleValue::new(name).help(help))
    }
}
