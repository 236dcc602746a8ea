//! Which messages to accept, by their first parts alone.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use crate::frame::Frames;
use mflow_handlers::{Peek, Stage};

/// How many series are remembered that have started; messages of older ones count as strays.
const REMEMBERED: usize = 64;

/// Which messages to accept; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterOptions {
    /// Of these htypes, or of any if there are none. One without its version, such as `dimage`,
    /// stands for every version; `raw` also stands for messages without htype.
    pub htypes: Vec<String>,
    /// Of which series.
    pub series: Series,
    /// The first of every so many messages. All starts and ends of series are accepted, and
    /// counting begins again with each start.
    pub every: Option<NonZeroU64>,
    /// How much of each message.
    pub content: Content,
}

impl FilterOptions {
    /// Returns what a recording notes about the messages that this leaves out; nothing if it leaves
    /// out none.
    #[must_use]
    pub fn session(&self) -> Vec<(String, String)> {
        let Self { htypes, series, every, content } = self;
        let htypes = (!htypes.is_empty()).then(|| htypes.join(", "));
        let series = match series {
            Series::Any => None,
            Series::New => Some("new".to_owned()),
            Series::Number(number) => Some(number.to_string()),
        };
        let every = every.map(|every| every.to_string());
        let parts = match content {
            Content::Whole => None,
            Content::First(parts) => Some(parts.to_string()),
            Content::Header => Some("header".to_owned()),
        };
        let notes = [("htype", htypes), ("series", series), ("every", every), ("parts", parts)];
        notes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// The series whose messages are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Series {
    /// Any, and messages that belong to none.
    #[default]
    Any,
    /// Those whose start has been seen: the rest of an older series is not accepted. Messages
    /// without a series are.
    New,
    /// This one alone.
    Number(u64),
}

/// How much of a message to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// All parts.
    #[default]
    Whole,
    /// This many parts, from the first; with zero, messages without parts.
    First(usize),
    /// The first part alone. An image of the stream V2 has its pixels in it, and is not accepted.
    Header,
}

/// Accepts messages as its options say.
///
/// Memory: the numbers of the series that have started last, 64 at most.
///
/// ```
/// use mflow::Frames;
/// use mflow::routing::{Filter, FilterOptions};
/// let htypes = vec!["dimage".to_owned()];
/// let mut filter = Filter::new(FilterOptions { htypes, ..FilterOptions::default() });
/// let message = |text: &str| Frames::from([text.as_bytes()]);
/// assert!(filter.accepts(&message(r#"{"htype":"dimage-1.0"}"#)));
/// assert!(!filter.accepts(&message(r#"{"htype":"dheader-1.0"}"#)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    options: FilterOptions,
    /// The series that have started, the latest last.
    started: VecDeque<u64>,
    /// How many messages were counted for `every`.
    counted: u64,
}

impl Filter {
    /// Makes a filter that has seen nothing yet.
    #[must_use]
    pub fn new(options: FilterOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Returns whether every message is accepted whole, so that no message needs a check.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.options == FilterOptions::default()
    }

    /// Returns whether to accept a message; call it once for each message, in order.
    pub fn accepts(&mut self, frames: &Frames) -> bool {
        if self.is_open() {
            return true;
        }
        let peek = frames.peek();
        self.accepts_series(&peek)
            && self.accepts_htype(peek.htype.as_deref())
            && self.accepts_content(&peek)
            && self.accepts_number(peek.stage)
    }

    /// Returns a share of a message, or of its wanted parts; none if the message is not accepted.
    #[must_use]
    pub fn apply(&mut self, frames: &Frames) -> Option<Frames> {
        if !self.accepts(frames) {
            return None;
        }
        Some(match self.options.content {
            Content::Whole => frames.clone(),
            Content::First(parts) => frames.first_parts(parts),
            Content::Header => frames.first_parts(1),
        })
    }

    fn accepts_series(&mut self, peek: &Peek<'_>) -> bool {
        match (self.options.series, peek.series) {
            (Series::Any, _) | (Series::New, None) => true,
            (Series::Number(wanted), series) => series == Some(wanted),
            (Series::New, Some(series)) => {
                let is_known = self.started.contains(&series);
                if peek.stage == Some(Stage::Start) && !is_known {
                    self.started.push_back(series);
                    if self.started.len() > REMEMBERED {
                        self.started.pop_front();
                    }
                }
                is_known || peek.stage == Some(Stage::Start)
            }
        }
    }

    fn accepts_htype(&self, htype: Option<&str>) -> bool {
        let htype = htype.unwrap_or("raw");
        let name = without_version(htype);
        let mut wanted = self.options.htypes.iter();
        self.options.htypes.is_empty() || wanted.any(|wanted| wanted == htype || wanted == name)
    }

    fn accepts_content(&self, peek: &Peek<'_>) -> bool {
        let is_pixels =
            peek.stage == Some(Stage::Image) && peek.htype.as_deref() == Some("stream2");
        self.options.content != Content::Header || !is_pixels
    }

    fn accepts_number(&mut self, stage: Option<Stage>) -> bool {
        let Some(every) = self.options.every else { return true };
        match stage {
            Some(Stage::Start) => self.counted = 0,
            Some(Stage::End) => {}
            Some(Stage::Image) | None => {
                let number = self.counted;
                self.counted += 1;
                return number.is_multiple_of(every.get());
            }
        }
        true
    }
}

/// Returns an htype without the numbers of its version, `dimage` of `dimage-1.0`.
fn without_version(htype: &str) -> &str {
    let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match htype.rsplit_once('-') {
        Some((name, version)) if is_version(version) => name,
        _ => htype,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(htype: &str, series: u64) -> Frames {
        let header = format!(r#"{{"htype":"{htype}","series":{series}}}"#);
        Frames::from([header.as_bytes(), b"data"])
    }

    fn taken(options: FilterOptions, messages: &[(&str, u64)]) -> Vec<usize> {
        let mut filter = Filter::new(options);
        let numbered = messages.iter().enumerate();
        numbered
            .filter(|(_, (htype, series))| filter.accepts(&message(htype, *series)))
            .map(|(number, _)| number)
            .collect()
    }

    const SERIES: [(&str, u64); 8] = [
        ("dimage-1.0", 3),
        ("dseries_end-1.0", 3),
        ("dheader-1.0", 4),
        ("dimage-1.0", 4),
        ("dimage-1.0", 3),
        ("dimage-1.0", 4),
        ("dimage-1.0", 4),
        ("dseries_end-1.0", 4),
    ];

    #[test]
    fn an_htype_is_wanted_by_its_name_with_or_without_a_version() {
        let of = |htype: &str| FilterOptions {
            htypes: vec![htype.to_owned()],
            ..FilterOptions::default()
        };
        assert_eq!(taken(of("dheader-1.0"), &SERIES), [2]);
        assert_eq!(taken(of("dseries_end"), &SERIES), [1, 7]);
        assert_eq!(taken(of("dheader-2.0"), &SERIES), [0; 0]);
        let mut raw = Filter::new(of("raw"));
        assert!(raw.accepts(&Frames::from([&b"no header"[..]])));
        assert!(raw.accepts(&message("raw-1.0", 0)));
        assert!(!raw.accepts(&message("raw-extra", 0)));
    }

    #[test]
    fn of_new_series_everything_from_its_start_on_is_taken_and_nothing_of_older_ones() {
        let options = FilterOptions { series: Series::New, ..FilterOptions::default() };
        assert_eq!(taken(options.clone(), &SERIES), [2, 3, 5, 6, 7]);
        let mut filter = Filter::new(options);
        assert!(filter.accepts(&Frames::from([&br#"{"htype":"array-1.0"}"#[..]])));
        for series in 0..1000 {
            assert!(filter.accepts(&message("dheader-1.0", series)));
        }
        assert_eq!(filter.started.len(), REMEMBERED);
        assert!(!filter.accepts(&message("dimage-1.0", 0)));
    }

    #[test]
    fn one_series_is_taken_alone() {
        let options = FilterOptions { series: Series::Number(3), ..FilterOptions::default() };
        assert_eq!(taken(options, &SERIES), [0, 1, 4]);
    }

    #[test]
    fn of_every_two_images_the_first_is_taken_and_all_starts_and_ends() {
        let every = NonZeroU64::new(2);
        let options =
            FilterOptions { every, series: Series::Number(4), ..FilterOptions::default() };
        assert_eq!(taken(options, &SERIES), [2, 3, 6, 7]);
        let options = FilterOptions { every, ..FilterOptions::default() };
        assert_eq!(taken(options, &[("array-1.0", 0); 5]), [0, 2, 4]);
    }

    #[test]
    fn a_header_is_the_first_part_and_pixels_are_none() {
        let options = FilterOptions { content: Content::Header, ..FilterOptions::default() };
        let mut filter = Filter::new(options);
        let header = filter.apply(&message("dimage-1.0", 1)).unwrap();
        assert_eq!(header, Frames::from([&br#"{"htype":"dimage-1.0","series":1}"#[..]]));
        let image = &b"\xa3\x64type\x65image\x69series_id\x04\x68image_id\x18\x2a"[..];
        assert_eq!(filter.apply(&Frames::from([image])), None);
    }
}
