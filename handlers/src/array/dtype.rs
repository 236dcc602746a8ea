//! [`Dtype`] and [`ByteOrder`]: the type of an array's elements, and how their bytes lie.

use std::fmt;
use std::str::FromStr;

/// The order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of the machine this runs on.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };

    /// Returns the name that headers use, `little` or `big`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Big => "big",
        }
    }
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is neither `little` nor `big`, nor `<` nor `>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the byte order 'little' or 'big', found '{0}'")]
pub struct UnknownByteOrder(pub Box<str>);

/// Reads `little` or `<`, `big` or `>`, in any case.
impl FromStr for ByteOrder {
    type Err = UnknownByteOrder;

    fn from_str(name: &str) -> Result<Self, UnknownByteOrder> {
        match name {
            "<" => Ok(Self::Little),
            ">" => Ok(Self::Big),
            _ if name.eq_ignore_ascii_case("little") => Ok(Self::Little),
            _ if name.eq_ignore_ascii_case("big") => Ok(Self::Big),
            _ => Err(UnknownByteOrder(name.into())),
        }
    }
}

macro_rules! dtypes {
    ($($dtype:ident $name:literal $size:literal $doc:literal: $($alias:literal)*;)*) => {
        /// The type of the elements of an [`Array`](crate::Array), named as numpy does.
        ///
        /// ```
        /// use mflow_handlers::Dtype;
        ///
        /// assert_eq!("u2".parse(), Ok(Dtype::Uint16));
        /// assert_eq!((Dtype::Uint16.name(), Dtype::Uint16.size()), ("uint16", 2));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Dtype {
            $(#[doc = $doc] $dtype,)*
        }

        impl Dtype {
            /// Every type there is.
            pub const ALL: &[Self] = &[$(Self::$dtype),*];

            /// Returns the size of one element in bytes.
            pub const fn size(self) -> usize {
                match self { $(Self::$dtype => $size,)* }
            }

            /// Returns numpy's name, without byte order.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$dtype => $name,)* }
            }
        }

        /// Reads the names and codes that numpy takes, without byte order.
        impl FromStr for Dtype {
            type Err = UnknownType;

            fn from_str(name: &str) -> Result<Self, UnknownType> {
                match name {
                    $($name $(| $alias)* => Ok(Self::$dtype),)*
                    _ => Err(UnknownType(name.into())),
                }
            }
        }
    };
}

dtypes! {
    Bool "bool" 1 "True or false, one byte each.": "b1" "?" "bool_" "bool8";
    Int8 "int8" 1 "Signed, 8 bits.": "i1" "b" "byte";
    Int16 "int16" 2 "Signed, 16 bits.": "i2" "h" "short";
    Int32 "int32" 4 "Signed, 32 bits.": "i4" "i" "intc";
    Int64 "int64" 8 "Signed, 64 bits.": "i8" "q" "l" "int" "long" "longlong";
    Uint8 "uint8" 1 "Unsigned, 8 bits.": "u1" "B" "ubyte";
    Uint16 "uint16" 2 "Unsigned, 16 bits.": "u2" "H" "ushort";
    Uint32 "uint32" 4 "Unsigned, 32 bits.": "u4" "I" "uintc";
    Uint64 "uint64" 8 "Unsigned, 64 bits.": "u8" "Q" "L" "uint" "ulong" "ulonglong";
    Float16 "float16" 2 "IEEE half precision.": "f2" "e" "half";
    Float32 "float32" 4 "IEEE single precision.": "f4" "f" "single";
    Float64 "float64" 8 "IEEE double precision.": "f8" "d" "float" "double";
    Complex64 "complex64" 8 "Two floats of single precision, the real one first.": "c8" "F" "csingle";
    Complex128 "complex128" 16 "Two floats of double precision, the real one first.": "c16" "D" "complex" "cdouble";
}

impl Dtype {
    /// Returns the size of the number whose bytes have an order: an element, or half of a complex one.
    pub const fn word(self) -> usize {
        match self {
            Self::Complex64 | Self::Complex128 => self.size() / 2,
            _ => self.size(),
        }
    }

    /// Reads a type that may begin with its byte order, as `<u2` does. `=` (native) and `|` (none)
    /// have no order.
    ///
    /// # Errors
    ///
    /// [`UnknownType`], with the whole name, if there is no such type.
    pub fn parse_ordered(name: &str) -> Result<(Self, Option<ByteOrder>), UnknownType> {
        let (bare, order) = match name.as_bytes().first() {
            Some(b'<') => (&name[1..], Some(ByteOrder::Little)),
            Some(b'>') => (&name[1..], Some(ByteOrder::Big)),
            Some(b'=' | b'|') => (&name[1..], None),
            _ => (name, None),
        };
        bare.parse().map(|dtype| (dtype, order)).map_err(|_| UnknownType(name.into()))
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not that of a type of elements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of an element type, found '{0}'")]
pub struct UnknownType(pub Box<str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_its_own_name() {
        for &dtype in Dtype::ALL {
            assert_eq!(dtype.name().parse(), Ok(dtype));
        }
    }

    #[test]
    fn a_type_may_begin_with_its_byte_order() {
        assert_eq!(Dtype::parse_ordered("<u2"), Ok((Dtype::Uint16, Some(ByteOrder::Little))));
        assert_eq!(Dtype::parse_ordered(">f8"), Ok((Dtype::Float64, Some(ByteOrder::Big))));
        assert_eq!(Dtype::parse_ordered("|u1"), Ok((Dtype::Uint8, None)));
        assert_eq!(Dtype::parse_ordered("=i4"), Ok((Dtype::Int32, None)));
        assert_eq!(Dtype::parse_ordered("c16"), Ok((Dtype::Complex128, None)));
        assert_eq!(Dtype::parse_ordered(">x9"), Err(UnknownType(">x9".into())));
        assert_eq!(Dtype::parse_ordered("é"), Err(UnknownType("é".into())));
        assert_eq!(Dtype::parse_ordered(""), Err(UnknownType("".into())));
    }

    #[test]
    fn byte_orders_have_words_and_signs() {
        assert_eq!("BIG".parse(), Ok(ByteOrder::Big));
        assert_eq!("<".parse(), Ok(ByteOrder::Little));
        assert_eq!("middle".parse::<ByteOrder>(), Err(UnknownByteOrder("middle".into())));
    }
}
