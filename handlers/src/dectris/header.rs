//! [`DetectorHeader`]: dheader-1.0, sent when the detector is armed.
//!
//! ```text
//! part 1   {"htype": "dheader-1.0", "series": 4, "header_detail": "none" | "basic" | "all"}
//! part 2   the configuration of the detector, an object            basic and all
//! part 3   {"htype": "dflatfield-1.0", "shape": [w, h], "type": "float32"}           all
//! part 4   the flat field                                                            all
//! part 5   {"htype": "dpixelmask-1.0", "shape": [w, h], "type": "uint32"}            all
//! part 6   the pixel mask                                                            all
//! part 7   {"htype": "dcountrate_table-1.0", "shape": [2, 1000], "type": "float32"}  all
//! part 8   the count-rate table                                                      all
//! last     the appendix, if the user set one: any text
//! ```
//!
//! Tables are little endian and never compressed. Source: public readers of the stream, and
//! simulators. Simulators name the tables otherwise, so their position decides what they are.

use bytes::Bytes;
use serde_json::Value;

use super::free_text::FreeText;
use super::part::{in_order, no_array, tail, unexpected_htype};
use crate::array::{Array, ArrayError, ByteOrder};
use crate::header::{Axes, Json};
use crate::message::{DecodeError, EncodeError, Message, Parts, Place, Warning, warning};
use crate::walk::{Read, ReadError, Shown, Unread, Visitor};

/// The htype of this format, for errors.
pub(crate) const HTYPE: &str = "dheader-1.0";

/// A message dheader-1.0: how the detector was configured when the series began.
///
/// `header_detail` in the header says which parts there are. After editing, both must agree, or the
/// value cannot be encoded.
///
/// ```
/// use mflow_handlers::{Message, Parts};
/// use mflow_handlers::dectris::DetectorHeader;
///
/// let message = Message::from(vec![
///     r#"{"htype":"dheader-1.0","series":4,"header_detail":"basic"}"#.into(),
///     r#"{"photon_energy":12400.0}"#.into(),
/// ]);
/// let header = DetectorHeader::decode(&mut Parts::new(&message))?;
/// assert_eq!(header.config.unwrap().get("photon_energy").unwrap(), 12400.0);
/// # Ok::<(), mflow_handlers::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorHeader {
    /// Part 1: series and detail.
    pub header: Json,
    /// Part 2: the configuration of the detector, whose keys vary with model and firmware.
    pub config: Option<Json>,
    /// Parts 3 to 8: the tables.
    pub tables: Option<Tables>,
    /// What the user wanted to be sent with the header.
    pub appendix: Option<FreeText>,
    /// Parts that the format does not know.
    pub extra: Vec<Bytes>,
}

/// The tables of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    /// The factors by which pixels are multiplied.
    pub flatfield: Table,
    /// What is wrong with each pixel, a set of bits; 0 for a good one.
    pub pixel_mask: Table,
    /// Pairs of counted and corrected rate.
    pub countrate_table: Table,
}

/// A table of a detector: what it says it is, and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Shape (fastest dimension first) and type. If the part is no JSON, it reads as null.
    pub description: Json,
    /// The bytes of the table.
    pub blob: Bytes,
}

impl Table {
    /// Returns the table as an array, its shape in C order.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Absent`] if the detector has no such table; others if the description is
    /// incomplete or does not fit the bytes.
    pub fn array(&self) -> Result<Array, ArrayError> {
        if self.is_absent() {
            return Err(ArrayError::Absent);
        }
        self.description.outline().array(Axes::FastFirst, ByteOrder::Little, self.blob.clone())
    }

    /// Returns whether the detector has no such table: then it sends no bytes, and describes none.
    pub fn is_absent(&self) -> bool {
        self.blob.is_empty() && self.description.outline().is_empty()
    }

    /// Returns what was tolerated in the description. An absent table may have none.
    fn warnings(&self, part: usize, htype: &'static str) -> Vec<Warning> {
        if self.is_absent() && self.description.is_nothing() {
            return Vec::new();
        }
        match self.description.warning(part) {
            Some(warning @ Warning::NotJson { .. }) => vec![warning],
            tolerated => {
                let unexpected = unexpected_htype(&self.description, part, htype);
                tolerated.into_iter().chain(unexpected).collect()
            }
        }
    }

    fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Ok(Self { description: parts.next_json_or_bytes()?, blob: parts.next_part()? })
    }
}

/// A table, whose array has the table's name alone.
struct NamedTable<'d> {
    name: &'static str,
    table: &'d Table,
}

impl Unread for NamedTable<'_> {
    fn name(&self) -> Option<String> {
        Some(self.name.to_owned())
    }

    fn read(&self) -> Result<Read, ReadError> {
        match self.table.array() {
            Ok(array) => Ok(Read::Array(array)),
            Err(ArrayError::Absent) => Ok(Read::Absent),
            Err(error) => Err(ReadError::new(error)),
        }
    }

    fn show(&self, read: Result<Read, ReadError>) -> Shown {
        read.map_or_else(|_| Shown::beside(&self.table.blob), Shown::from)
    }
}

impl Tables {
    /// Returns the tables in the order of their parts, each with the number of its first part and
    /// the htype it should have.
    fn in_order(&self) -> [(&Table, usize, &'static str); 3] {
        [
            (&self.flatfield, 3, "dflatfield-1.0"),
            (&self.pixel_mask, 5, "dpixelmask-1.0"),
            (&self.countrate_table, 7, "dcountrate_table-1.0"),
        ]
    }

    fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            flatfield: Table::decode(parts)?,
            pixel_mask: Table::decode(parts)?,
            countrate_table: Table::decode(parts)?,
        })
    }
}

/// Which parts a header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    None,
    Basic,
    All,
}

impl Detail {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::All => "all",
        }
    }

    /// Reads the detail in the header.
    fn of_header(header: &Json) -> Option<Self> {
        let name = header.get("header_detail")?.as_str()?;
        [Self::None, Self::Basic, Self::All].into_iter().find(|detail| detail.name() == name)
    }

    /// Guesses from the number of parts after the first, if the header does not say.
    fn guessed(parts: usize) -> Self {
        match parts {
            0 => Self::None,
            1..=6 => Self::Basic,
            _ => Self::All,
        }
    }

    /// The number of parts without appendix.
    const fn parts(self) -> usize {
        match self {
            Self::None => 1,
            Self::Basic => 2,
            Self::All => 8,
        }
    }
}

impl DetectorHeader {
    /// Returns the number of the series.
    pub fn series(&self) -> Option<u64> {
        self.header.peek().series
    }

    /// Reads the parts of a message.
    ///
    /// # Errors
    ///
    /// If a part that the detail asks for is missing, or one of the first two is not a JSON object.
    pub fn decode(parts: &mut Parts<'_>) -> Result<Self, DecodeError> {
        let header = parts.next_object()?;
        let detail =
            Detail::of_header(&header).unwrap_or_else(|| Detail::guessed(parts.remaining()));
        Ok(Self {
            header,
            config: (detail != Detail::None).then(|| parts.next_object()).transpose()?,
            tables: (detail == Detail::All).then(|| Tables::decode(parts)).transpose()?,
            appendix: parts.next().map(FreeText::from),
            extra: parts.rest().collect(),
        })
    }

    /// Visits the values of the message.
    pub(crate) fn walk<'d>(&'d self, visitor: &mut dyn Visitor<'d>) {
        visitor.part("header", &self.header);
        if let Some(config) = &self.config {
            visitor.part("part_2", config);
        }
        if let Some(tables) = &self.tables {
            visitor.part("part_3", &tables.flatfield.description);
            visitor.part("part_5", &tables.pixel_mask.description);
            visitor.part("part_7", &tables.countrate_table.description);
            visitor.key("tables");
            visitor.map();
            for (name, table) in [
                ("flatfield", &tables.flatfield),
                ("pixel_mask", &tables.pixel_mask),
                ("countrate_table", &tables.countrate_table),
            ] {
                visitor.key(name);
                visitor.unread(Box::new(NamedTable { name, table }));
            }
            visitor.end();
        }
        tail(self.appendix.as_ref(), &self.extra, visitor);
    }

    /// Makes the parts of the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Detail`] if the header has another detail than the parts,
    /// [`EncodeError::Gap`] if a part is left out before one that is there, and
    /// [`EncodeError::NotAnObject`].
    pub fn encode(&self) -> Result<Message, EncodeError> {
        let object = |json: &Json, part| json.encode(HTYPE, part).map(Some);
        let detail = self.detail()?;
        let mut parts = vec![object(&self.header, 1)?];
        if let Some(config) = &self.config {
            parts.push(object(config, 2)?);
        }
        if let Some(tables) = &self.tables {
            for (table, part, _) in tables.in_order() {
                let description = table.description.encode_or_keep(HTYPE, part)?;
                parts.extend([Some(description), Some(table.blob.clone())]);
            }
        }
        if self.appendix.is_some() || !self.extra.is_empty() {
            parts.push(self.appendix.as_ref().map(|appendix| appendix.bytes().clone()));
        }
        parts.extend(self.extra.iter().cloned().map(Some));

        let claimed =
            Detail::of_header(&self.header).unwrap_or_else(|| Detail::guessed(parts.len() - 1));
        if claimed != detail {
            return Err(EncodeError::Detail {
                expected: detail.name(),
                found: claimed.name().into(),
            });
        }
        in_order(HTYPE, parts)
    }

    /// Returns what was tolerated in the message, and what keeps tables from being read.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if Detail::of_header(&self.header).is_none() {
            let found = self.header.get("header_detail").and_then(Value::as_str).map(Box::from);
            warnings.push(Warning::Detail { found });
        }
        warnings.extend(self.config.as_ref().and_then(|config| config.warning(2)));
        for (table, part, htype) in self.tables.iter().flat_map(Tables::in_order) {
            warnings.extend(table.warnings(part, htype));
            match table.array() {
                Ok(_) | Err(ArrayError::Absent) => {}
                Err(error) => warnings.push(no_array(part + 1, &error)),
            }
        }
        if let Ok(detail) = self.detail() {
            let appendix = self.appendix.as_ref();
            warnings.extend(appendix.and_then(|appendix| appendix.warning(detail.parts() + 1)));
            warnings.extend(warning::extra_parts(detail.parts() + 1, self.extra.len()));
        }
        warnings
    }

    /// Returns the detail that the parts have.
    fn detail(&self) -> Result<Detail, EncodeError> {
        match (&self.config, &self.tables) {
            (None, None) => Ok(Detail::None),
            (Some(_), None) => Ok(Detail::Basic),
            (Some(_), Some(_)) => Ok(Detail::All),
            (None, Some(_)) => Err(EncodeError::Gap { place: Place::new(Some(HTYPE), 2) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(detail: &str, parts: &[&str]) -> Message {
        let header = format!(r#"{{"htype":"dheader-1.0","series":4{detail}}}"#);
        std::iter::once(header.as_str())
            .chain(parts.iter().copied())
            .map(|part| Bytes::from(part.to_owned()))
            .collect()
    }

    fn decode(message: &Message) -> Result<DetectorHeader, String> {
        DetectorHeader::decode(&mut Parts::new(message)).map_err(|error| error.to_string())
    }

    const NONE: &str = r#","header_detail":"none""#;
    const BASIC: &str = r#","header_detail":"basic""#;
    const ALL: &str = r#","header_detail":"all""#;
    const TABLE: &str = r#"{"htype":"flatfield-1.0","shape":[2,1],"type":"uint8"}"#;

    #[test]
    fn the_detail_tells_which_parts_there_are() {
        assert_eq!(decode(&message(NONE, &["hello"])).unwrap().appendix, Some("hello".into()));
        let basic = decode(&message(BASIC, &["{\"a\":1}", "hello"])).unwrap();
        assert_eq!(basic.config, Some(json!({"a": 1}).into()));
        assert_eq!(basic.appendix, Some("hello".into()));
        let all = decode(&message(ALL, &["{}", TABLE, "ab", TABLE, "cd", TABLE, "ef"])).unwrap();
        assert_eq!(all.tables.unwrap().pixel_mask.array(), Array::from_elements(b"cd", &[1, 2]));
        assert_eq!(all.appendix, None);
    }

    #[test]
    fn a_missing_or_unreadable_part_is_named() {
        assert_eq!(decode(&message(BASIC, &[])).unwrap_err(), "part 2 of 'dheader-1.0' is missing");
        assert_eq!(
            decode(&message(BASIC, &["hello"])).unwrap_err(),
            "part 2 of 'dheader-1.0' is not valid JSON"
        );
        assert_eq!(
            decode(&message(ALL, &["{}", TABLE])).unwrap_err(),
            "part 4 of 'dheader-1.0' is missing"
        );
        assert_eq!(
            decode(&message(BASIC, &["[]"])).unwrap_err(),
            "part 2 of 'dheader-1.0' is JSON, but not an object"
        );
    }

    #[test]
    fn a_detail_that_is_not_told_is_guessed() {
        let header = decode(&message("", &["{}"])).unwrap();
        assert_eq!(header.config, Some(json!({}).into()));
        assert_eq!(header.warnings(), [Warning::Detail { found: None }]);
        let header = decode(&message(r#","header_detail":"full""#, &[])).unwrap();
        assert_eq!(header.warnings(), [Warning::Detail { found: Some("full".into()) }]);
    }

    #[test]
    fn a_table_is_known_by_its_position() {
        let parts = ["{}", TABLE, "ab", TABLE, "cd?", TABLE, "ef", "appendix", "more"];
        let message = message(ALL, &parts);
        let header = decode(&message).unwrap();
        let htype =
            |part, expected| Warning::Htype { part, expected, found: Some("flatfield-1.0".into()) };
        let reason = "expected 2 bytes of uint8 in shape [1, 2], found 3".into();
        assert_eq!(
            header.warnings(),
            [
                htype(3, "dflatfield-1.0"),
                htype(5, "dpixelmask-1.0"),
                Warning::NoArray { part: 6, reason },
                htype(7, "dcountrate_table-1.0"),
                Warning::ExtraParts { expected: 9, found: 10 },
            ]
        );
        assert_eq!(header.encode().unwrap(), message);
    }

    #[test]
    fn a_table_that_is_not_described_does_not_lose_the_others() {
        let table = r#"{"htype":"dpixelmask-1.0","shape":[2,1],"type":"uint8"}"#;
        for broken in ["{\"shape\":", "[]", ""] {
            let message = message(ALL, &["{}", broken, "ab", table, "cd", broken, "ef", "{"]);
            let header = decode(&message).unwrap();
            let no_array =
                |part| Warning::NoArray { part, reason: "the header has no 'type'".into() };
            assert_eq!(
                header.warnings(),
                [
                    Warning::NotJson { part: 3 },
                    no_array(4),
                    Warning::NotJson { part: 7 },
                    no_array(8),
                    Warning::NotJson { part: 9 },
                ]
            );
            assert_eq!(header.encode().unwrap(), message);
            let mask = header.tables.unwrap().pixel_mask.array();
            assert_eq!(mask, Array::from_elements(b"cd", &[1, 2]));
        }
    }

    #[test]
    fn a_table_that_the_detector_does_not_have_is_absent() {
        for description in [
            r#"{"htype":"dflatfield-1.0","shape":[],"type":"undefined"}"#,
            r#"{"htype":"dflatfield-1.0","shape":[2,1],"type":"undefined"}"#,
            r#"{"htype":"dflatfield-1.0","shape":[],"type":"float32"}"#,
            r#"{"htype":"dflatfield-1.0","shape":[0,0],"type":"float32"}"#,
            r#"{"htype":"dflatfield-1.0","shape":null,"type":null}"#,
            r#"{"htype":"dflatfield-1.0"}"#,
            "null",
            "",
        ] {
            let mask = r#"{"htype":"dpixelmask-1.0","shape":[2,1],"type":"uint8"}"#;
            let rate = r#"{"htype":"dcountrate_table-1.0","shape":[1,1],"type":"uint8"}"#;
            let message = message(ALL, &["{}", description, "", mask, "ab", rate, "c"]);
            let header = decode(&message).unwrap();
            assert_eq!(header.warnings(), [], "{description}");
            assert_eq!(header.encode().unwrap(), message);
            let tables = header.tables.unwrap();
            assert_eq!(tables.flatfield.array(), Err(ArrayError::Absent), "{description}");
            assert_eq!(tables.pixel_mask.array(), Array::from_elements(b"ab", &[1, 2]));
        }
        // A described table needs bytes, and bytes need a description.
        for (description, blob) in [
            (r#"{"htype":"dflatfield-1.0","shape":[2,1],"type":"uint8"}"#, ""),
            (r#"{"htype":"dflatfield-1.0","shape":[],"type":"undefined"}"#, "ab"),
        ] {
            let header =
                decode(&message(ALL, &["{}", description, blob, TABLE, "ab", TABLE, "ab"]))
                    .unwrap();
            let warning = header.warnings().into_iter().next();
            assert!(matches!(warning, Some(Warning::NoArray { part: 4, .. })), "{warning:?}");
        }
    }

    #[test]
    fn parts_that_the_detail_does_not_tell_are_not_sent() {
        let mut header = decode(&message(BASIC, &["{}"])).unwrap();
        header.config = None;
        assert_eq!(
            header.encode().unwrap_err().to_string(),
            "'header_detail' is 'basic', but the parts are those of 'none'"
        );
        header.header.value_mut()["header_detail"] = json!("none");
        let encoded = header.encode().unwrap();
        assert_eq!(decode(&encoded).unwrap(), header);
        header.extra = vec!["more".into()];
        assert!(matches!(header.encode(), Err(EncodeError::Gap { .. })));
    }
}
