//! [`Kind`]: the type of a channel's values, by the names of every version.

use std::fmt;
use std::str::FromStr;

use crate::array::{Dtype, UnknownType};

macro_rules! kinds {
    ($($kind:ident $name:literal $doc:literal: $($old:literal)*;)*) => {
        /// The type of a channel's values.
        ///
        /// ```
        /// use mflow_handlers::bsread::Kind;
        ///
        /// assert_eq!("uint16".parse(), Ok(Kind::Uint16));
        /// assert_eq!("UShort".parse(), Ok(Kind::Uint16));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = $doc] $kind,)*
            /// A text in UTF-8.
            Text,
        }

        impl Kind {
            /// Every type there is.
            pub const ALL: &[Self] = &[$(Self::$kind,)* Self::Text];

            /// Returns the name that data headers use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* Self::Text => "string" }
            }

            /// Returns the type of the elements; a text has none.
            pub const fn dtype(self) -> Option<Dtype> {
                match self { $(Self::$kind => Some(Dtype::$kind),)* Self::Text => None }
            }
        }

        /// Reads the names of version 1.1 and those of 1.0, in any case.
        impl FromStr for Kind {
            type Err = UnknownType;

            fn from_str(name: &str) -> Result<Self, UnknownType> {
                match &*name.to_ascii_lowercase() {
                    $($name $(| $old)* => Ok(Self::$kind),)*
                    "string" => Ok(Self::Text),
                    _ => Err(UnknownType(name.into())),
                }
            }
        }
    };
}

kinds! {
    Bool "bool" "True or false, one byte each.":;
    Int8 "int8" "Signed, 8 bits.":;
    Int16 "int16" "Signed, 16 bits; `Short` in version 1.0.": "short";
    Int32 "int32" "Signed, 32 bits; `Integer` and `Long` in version 1.0.": "integer" "long";
    Int64 "int64" "Signed, 64 bits.":;
    Uint8 "uint8" "Unsigned, 8 bits.":;
    Uint16 "uint16" "Unsigned, 16 bits; `UShort` in version 1.0.": "ushort";
    Uint32 "uint32" "Unsigned, 32 bits; `ULong` in version 1.0.": "ulong";
    Uint64 "uint64" "Unsigned, 64 bits.":;
    Float32 "float32" "IEEE single precision; `Float` in version 1.0.": "float";
    Float64 "float64" "IEEE double precision; `Double` in version 1.0.": "double";
}

impl Kind {
    /// Returns the size of an element in bytes, 1 for text.
    pub const fn size(self) -> usize {
        match self.dtype() {
            Some(dtype) => dtype.size(),
            None => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_its_own_name_in_any_case() {
        for &kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.name().to_uppercase().parse(), Ok(kind));
        }
    }

    #[test]
    fn the_names_of_version_1_0_are_those_of_epics() {
        let old = ["Double", "Float", "Integer", "Long", "ULong", "Short", "UShort", "String"];
        let read = old.map(|name| name.parse::<Kind>().unwrap().name());
        let expected =
            ["float64", "float32", "int32", "int32", "uint32", "int16", "uint16", "string"];
        assert_eq!(read, expected);
        assert_eq!("mystery".parse::<Kind>(), Err(UnknownType("mystery".into())));
    }
}
