//! [`Peek`]: what the first part of a message says about it, read in one pass and without
//! allocation.

use std::borrow::Cow;

use super::outline::Outline;
use super::stage::Stage;
use super::stream2;

/// What the first part of a message says about it: enough to route, count and find a decoder.
///
/// Reading is tolerant, as it is done to messages of any kind: what is not there, or not of the
/// right type, is `None`; what was read before a fault in the JSON still counts. Whether the part is
/// valid is for the decoder to say.
///
/// ```
/// use mflow_handlers::Peek;
///
/// let peek = Peek::of(br#"{"htype":"dimage-1.0","series":4,"frame":17}"#);
/// assert_eq!(peek.htype.as_deref(), Some("dimage-1.0"));
/// assert_eq!((peek.series, peek.frame), (Some(4), Some(17)));
///
/// let peek = Peek::of(b"\xd9\xd9\xf7\xa2\x69series_id\x04\x68image_id\x11");
/// assert_eq!(peek.htype.as_deref(), Some("stream2"));
/// assert_eq!((peek.series, peek.frame), (Some(4), Some(17)));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peek<'a> {
    /// The type of the message; `stream2` for a message of DECTRIS in CBOR, which has none. Where
    /// the header has a list, as old senders write it, its first element.
    pub htype: Option<Cow<'a, str>>,
    /// The number of the series.
    pub series: Option<u64>,
    /// The number of the frame.
    pub frame: Option<u64>,
    /// The number of the pulse, for a message of bsread.
    pub pulse: Option<u64>,
    /// When the data were taken, if the sender gives it as absolute time: the global
    /// timestamp of bsread, the begin of the exposure of the stream V2. Nanoseconds since 1970.
    pub time: Option<u64>,
    /// What the message is to its series, for a message of a DECTRIS detector.
    pub stage: Option<Stage>,
}

impl<'a> Peek<'a> {
    /// Reads the first part of a message.
    pub fn of(part: &'a [u8]) -> Self {
        if stream2::is_stream2(part) {
            let stream2::Glance { series, image, time, stage } = stream2::peek(part);
            let htype = Some(Cow::Borrowed(stream2::HTYPE));
            return Self { htype, series, frame: image, pulse: None, time, stage };
        }
        Outline::of(part).0.into()
    }
}

/// Whether a message of this htype, in any version, is about a pulse.
fn is_pulse(htype: &str) -> bool {
    htype.rsplit_once('-').is_some_and(|(name, _)| name == "bsr_m")
}

impl<'a> From<Outline<'a>> for Peek<'a> {
    fn from(Outline { htype, series, frame, pulse, time, stage, .. }: Outline<'a>) -> Self {
        let is_bsread = htype.as_deref().is_some_and(is_pulse);
        Self { htype, series, frame, pulse: pulse.filter(|_| is_bsread), time, stage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn htype(part: &[u8]) -> Option<String> {
        Peek::of(part).htype.map(Cow::into_owned)
    }

    #[test]
    fn an_htype_without_escapes_is_borrowed() {
        assert!(matches!(Peek::of(br#"{"htype":"a"}"#).htype, Some(Cow::Borrowed("a"))));
    }

    #[test]
    fn the_time_of_bsread_is_told_in_nanoseconds() {
        let time = |text: &str| Peek::of(text.as_bytes()).time;
        let header = r#"{"global_timestamp":{"sec":1700000000,"ns":5},"htype":"bsr_m-1.1"}"#;
        assert_eq!(time(header), Some(1_700_000_000_000_000_005));
        let old = r#"{"global_timestamp":{"epoch":1427960013647,"ns":5}}"#;
        assert_eq!(time(old), Some(1_427_960_013_647_000_005));
        for other in ["7", "{}", r#"{"sec":-1}"#, r#"{"sec":"7"}"#, r#"{"ns":7}"#, "[1,2]"] {
            let header = format!(r#"{{"global_timestamp":{other},"frame":3}}"#);
            assert_eq!((time(&header), Peek::of(header.as_bytes()).frame), (None, Some(3)));
        }
    }

    #[test]
    fn what_a_message_is_to_its_series_is_known() {
        for (htype, stage) in [
            ("dheader-1.0", Some(Stage::Start)),
            ("dimage-1.0", Some(Stage::Image)),
            ("dseries_end-1.0", Some(Stage::End)),
            ("dimage_d-1.0", None),
            ("dimage", None),
            ("raw-1.0", None),
        ] {
            assert_eq!(Peek::of(format!(r#"{{"htype":"{htype}"}}"#).as_bytes()).stage, stage);
        }
        let stage = |part: &[u8]| Peek::of(part).stage;
        assert_eq!(stage(b"\xa2\x64type\x65start\x69series_id\x04"), Some(Stage::Start));
        assert_eq!(stage(b"\xd9\xd9\xf7\xa2\x64type\x63end\x69series_id\x04"), Some(Stage::End));
        assert_eq!(stage(b"\xa1\x64type\x65other"), None);
    }

    #[test]
    fn the_begin_of_an_exposure_is_told_in_nanoseconds() {
        let mut part =
            b"\xd9\xd9\xf7\xa5\x64type\x65image\x69series_id\x04\x68image_id\x02".to_vec();
        part.extend(b"\x6bseries_date\xc0\x78\x1d2023-10-03T17:47:49.434+02:00");
        part.extend(b"\x6astart_time\x82\x01\x18\x64");
        let peek = Peek::of(&part);
        assert_eq!((peek.series, peek.frame), (Some(4), Some(2)));
        assert_eq!(peek.time, Some(1_696_348_069_444_000_000));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let header = br#"{"htype":"dimage-1.0","series":4,"frame":17,"x":NaN}"#;
        let marked = [b"\xef\xbb\xbf", &header[..]].concat();
        assert_eq!(Peek::of(&marked), Peek::of(header));
        assert_eq!(Peek::of(&marked).frame, Some(17));
    }

    #[test]
    fn the_pulse_of_a_message_of_bsread_is_known() {
        let pulse = |htype| {
            let header = format!(r#"{{"pulse_id":7,"htype":"{htype}"}}"#);
            Peek::of(header.as_bytes()).pulse
        };
        assert_eq!(["bsr_m-1.0", "bsr_m-1.1"].map(pulse), [Some(7); 2]);
        assert_eq!(["array-1.0", "bsr_d-1.1", "bsr_m"].map(pulse), [None; 3]);
    }

    #[test]
    fn escapes_in_keys_and_texts_are_read() {
        assert_eq!(htype(br#"{"htype":"a\u002d1.0"}"#), Some("a-1.0".into()));
    }

    #[test]
    fn the_first_element_of_a_list_is_the_htype() {
        assert_eq!(htype(br#"{"htype":["array-1.0","x"]}"#), Some("array-1.0".into()));
        assert_eq!(htype(br#"{"htype":[]}"#), None);
        assert_eq!(htype(br#"{"htype":[7,"x"]}"#), None);
    }

    #[test]
    fn what_is_no_header_has_no_htype() {
        for part in [&b""[..], b"{", b"\xff", b"[]", b"7", b"null", b"{}", br#"{"htype":7}"#, b"x"]
        {
            assert_eq!(Peek::of(part), Peek::default(), "{part:?}");
        }
    }

    #[test]
    fn what_comes_before_a_fault_counts() {
        assert_eq!(htype(br#"{"htype":"a","x":nan}"#), Some("a".into()));
        assert_eq!(htype(br#"{"htype":"a","x":"#), Some("a".into()));
    }

    #[test]
    fn floats_that_are_no_numbers_are_no_fault() {
        let peek =
            Peek::of(br#"{"x":NaN,"htype":"a","y":[-Infinity],"frame":3,"series":Infinity}"#);
        assert_eq!(peek, Peek { htype: Some("a".into()), frame: Some(3), ..Peek::default() });
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        assert_eq!(Peek::of(br#"{"frame":1,"frame":2}"#).frame, Some(2));
    }

    #[test]
    fn numbers_may_be_whole_floats_and_nothing_else() {
        assert_eq!(Peek::of(br#"{"frame":3.0}"#).frame, Some(3));
        assert_eq!(Peek::of(br#"{"frame":18446744073709551615}"#).frame, Some(u64::MAX));
        for other in ["-1", "1.5", "1e300", "\"3\"", "[3]", "{}", "true", "null"] {
            assert_eq!(
                Peek::of(format!(r#"{{"frame":{other}}}"#).as_bytes()).frame,
                None,
                "{other}"
            );
        }
    }

    #[test]
    fn deep_nesting_does_no_harm() {
        let deep = format!(r#"{{"htype":"a","x":{}"#, "[".repeat(1_000_000));
        assert_eq!(htype(deep.as_bytes()), Some("a".into()));
        let deep = format!(r#"{{"htype":{}"#, "[".repeat(1_000_000));
        assert_eq!(htype(deep.as_bytes()), None);
    }
}
