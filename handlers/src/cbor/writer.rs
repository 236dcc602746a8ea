//! Writing CBOR: definite lengths and the shortest heads, as RFC 8949 prefers.

/// The major types, in the upper three bits of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Major {
    Unsigned = 0x00,
    Negative = 0x20,
    Bytes = 0x40,
    Text = 0x60,
    Array = 0x80,
    Map = 0xa0,
    Tag = 0xc0,
}

/// Bytes to which values are added.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: Major, argument: u64) {
        let major = major as u8;
        let [.., b3, b2, b1, b0] = argument.to_be_bytes();
        match argument {
            0..=0x17 => self.0.push(major | b0),
            0x18..=0xff => self.0.extend([major | 0x18, b0]),
            0x100..=0xffff => self.0.extend([major | 0x19, b1, b0]),
            0x1_0000..=0xffff_ffff => self.0.extend([major | 0x1a, b3, b2, b1, b0]),
            _ => {
                self.0.push(major | 0x1b);
                self.0.extend(argument.to_be_bytes());
            }
        }
    }

    pub(crate) fn unsigned(&mut self, number: u64) {
        self.head(Major::Unsigned, number);
    }

    /// Adds a whole number; as a bignum if no integer of CBOR can hold it.
    pub(crate) fn integer(&mut self, number: i128) {
        let (major, tag, argument) = match number {
            0.. => (Major::Unsigned, 2, number),
            _ => (Major::Negative, 3, -1 - number),
        };
        match u64::try_from(argument) {
            Ok(argument) => self.head(major, argument),
            Err(_) => {
                let bytes = argument.to_be_bytes();
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                self.tag(tag);
                self.bytes(&bytes[zeros..]);
            }
        }
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.0.push(0xfb);
        self.0.extend(number.to_be_bytes());
    }

    pub(crate) fn simple(&mut self, value: u8) {
        match value {
            0..=23 => self.0.push(0xe0 | value),
            _ => self.0.extend([0xf8, value]),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(Major::Bytes, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(Major::Text, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn array(&mut self, items: usize) {
        self.head(Major::Array, items as u64);
    }

    pub(crate) fn map(&mut self, pairs: usize) {
        self.head(Major::Map, pairs as u64);
    }

    pub(crate) fn tag(&mut self, tag: u64) {
        self.head(Major::Tag, tag);
    }

    /// Adds a value that is CBOR already.
    pub(crate) fn encoded(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }
}
