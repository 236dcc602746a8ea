//! [`Encoding`]: how the pixels of an image were compressed, as its `encoding` says.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::array::ByteOrder;
use crate::compression::{Codec, CompressionError, Element, encode_lz4_block};

/// How the pixels of an image lie in its part.
///
/// ```text
/// [bs BITS] [-] [lz4] ( < | > )
/// ```
///
/// Seen are `<`, `lz4<`, `bs8-lz4<`, `bs16-lz4<` and `bs32-lz4<`.
///
/// ```
/// use mflow_handlers::dectris::Encoding;
///
/// let encoding: Encoding = "bs16-lz4<".parse()?;
/// assert_eq!((encoding.bitshuffle, encoding.lz4), (Some(16), true));
/// # Ok::<(), mflow_handlers::dectris::UnknownEncoding>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The width in bits of the elements whose bits were shuffled, if they were.
    pub bitshuffle: Option<u32>,
    /// Whether the bytes were compressed with LZ4.
    pub lz4: bool,
    /// The byte order of the pixels.
    pub order: ByteOrder,
}

impl Encoding {
    /// Returns whether the pixels lie in their part as they are.
    pub fn is_plain(&self) -> bool {
        self.bitshuffle.is_none() && !self.lz4
    }

    /// Encodes the bytes of pixels, which are in the byte order of the encoding.
    pub(super) fn encode(self, pixels: &Bytes) -> Result<Bytes, CompressionError> {
        Ok(match (self.bitshuffle, self.lz4) {
            (None, false) => pixels.clone(),
            (None, true) => encode_lz4_block(pixels)?.into(),
            (Some(bits), true) => {
                Codec::BitshuffleLz4(Element::of_bits(bits)?).encode(pixels)?.into()
            }
            (Some(bits), false) => Element::of_bits(bits)?.transpose(pixels)?.into(),
        })
    }
}

/// Prints as the text that is read.
impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(bits) = self.bitshuffle {
            write!(f, "bs{bits}{}", if self.lz4 { "-" } else { "" })?;
        }
        f.write_str(if self.lz4 { "lz4" } else { "" })?;
        f.write_str(match self.order {
            ByteOrder::Little => "<",
            ByteOrder::Big => ">",
        })
    }
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        parse(name).ok_or_else(|| UnknownEncoding(name.into()))
    }
}

fn parse(name: &str) -> Option<Encoding> {
    let (codecs, order) = match name.strip_suffix('<') {
        Some(codecs) => (codecs, ByteOrder::Little),
        None => (name.strip_suffix('>')?, ByteOrder::Big),
    };
    let (codecs, lz4) = match codecs.strip_suffix("lz4") {
        Some(rest) => (rest.strip_suffix('-').unwrap_or(rest), true),
        None => (codecs, false),
    };
    let bitshuffle = match codecs {
        "" => None,
        _ => Some(codecs.strip_prefix("bs")?.parse().ok()?),
    };
    Some(Encoding { bitshuffle, lz4, order })
}

/// The encoding is unknown to this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an encoding such as '<' or 'bs16-lz4<', found '{0}'")]
pub struct UnknownEncoding(pub Box<str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_read() {
        use ByteOrder::{Big, Little};
        let cases = [
            ("<", None, false, Little),
            (">", None, false, Big),
            ("lz4<", None, true, Little),
            ("bs8-lz4<", Some(8), true, Little),
            ("bs16lz4<", Some(16), true, Little),
            ("bs32-lz4>", Some(32), true, Big),
            ("bs32<", Some(32), false, Little),
        ];
        for (name, bitshuffle, lz4, order) in cases {
            let encoding = Encoding { bitshuffle, lz4, order };
            assert_eq!(name.parse(), Ok(encoding), "{name}");
            assert_eq!(encoding.to_string().parse(), Ok(encoding), "{name}");
        }
    }

    #[test]
    fn anything_else_is_unknown() {
        for name in
            ["", "raw", "adsc", "lz4", "bs<", "bsx-lz4<", "bs-1<", "bs99999999999<", "zstd<", "é"]
        {
            assert_eq!(name.parse::<Encoding>(), Err(UnknownEncoding(name.into())));
        }
    }
}
