//! [`Fields`]: what the messages have in common, and what is kept of them as it was sent.

use std::fmt;

use bytes::Bytes;

use super::typed_array::TypedArray;
use crate::cbor::{Cbor, Item, Key, Writer, text};

/// The part that a message was decoded from: it is encoded to the same bytes unless it was edited.
///
/// It is no part of what the message says: any two are equal.
#[derive(Clone, Default)]
pub struct Received(pub(super) Option<Bytes>);

impl Received {
    /// Returns the bytes, if the message was received and not built.
    pub fn bytes(&self) -> Option<&Bytes> {
        self.0.as_ref()
    }
}

impl PartialEq for Received {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({:?})", self.0.as_ref().map(Bytes::len))
    }
}

/// Keys and values in the order they were sent. Keys can be anything and can be there twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries(pub Vec<(Cbor, Cbor)>);

impl Entries {
    /// Returns the value of a key that is a text; the last if there are several.
    pub fn get(&self, key: &str) -> Option<&Cbor> {
        let is_key = |entry: &&(Cbor, Cbor)| text(entry.0.item()).as_deref() == Some(key);
        self.0.iter().rfind(is_key).map(|(_, value)| value)
    }

    /// Adds a value under a key that is a text.
    pub fn push(&mut self, key: &str, value: Cbor) {
        self.0.push((Cbor::write(|writer| writer.text(key)), value));
    }

    pub(super) fn keep(&mut self, key: Item<'_>, value: Item<'_>) {
        self.0.push((key.keep(), value.keep()));
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for (key, value) in &self.0 {
            writer.encoded(key.bytes());
            writer.encoded(value.bytes());
        }
    }
}

/// What the messages have in common: fields that are filled and written.
pub(super) trait Fields: Default {
    /// Reads a key and its value.
    fn fill(&mut self, key: &Key<'_>, value: Item<'_>);

    /// Returns how many pairs are written.
    fn count(&self) -> usize;

    /// Writes the pairs.
    fn write(&self, writer: &mut Writer);

    /// Returns whether two say the same.
    fn is_same(&self, other: &Self) -> bool;

    fn extra(&self) -> &Entries;

    /// Returns what is expected under a key, if it is that of a field.
    fn expected(key: &str) -> Option<&'static str>;

    /// Returns the number of levels of maps around the arrays under a key, if arrays are expected
    /// there.
    fn levels(key: &str) -> Option<usize>;

    /// Visits the arrays, each with its name.
    fn arrays(&self, visit: &mut dyn FnMut(&str, &TypedArray));
}

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
     $({ $($(#[$own_doc:meta])* $own:ident: $own_type:ty,)* })?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
            /// What the format does not know, and what is of another type than it should be.
            pub extra: Entries,
            $($($(#[$own_doc])* pub $own: $own_type,)*)?
        }

        impl Fields for $name {
            fn fill(&mut self, key: &Key<'_>, value: Item<'_>) {
                let is_read = match key.name() {
                    $(Some(stringify!($field)) => {
                        let read = Field::read(value);
                        let is_read = read.is_some();
                        if is_read {
                            self.$field = read;
                        }
                        is_read
                    })*
                    _ => false,
                };
                if !is_read {
                    self.extra.keep(key.item, value);
                }
            }

            fn count(&self) -> usize {
                self.extra.0.len() $(+ usize::from(self.$field.is_some()))*
            }

            fn write(&self, writer: &mut Writer) {
                $(if let Some(value) = &self.$field {
                    writer.text(stringify!($field));
                    value.write(writer);
                })*
                self.extra.write(writer);
            }

            fn is_same(&self, other: &Self) -> bool {
                let is_same = [$(match (&self.$field, &other.$field) {
                    (Some(value), Some(other)) => value.is_same(other),
                    (None, None) => true,
                    _ => false,
                }),*];
                !is_same.contains(&false) && self.extra == other.extra
            }

            fn extra(&self) -> &Entries {
                &self.extra
            }

            fn expected(key: &str) -> Option<&'static str> {
                match key {
                    $(stringify!($field) => Some(<$type>::EXPECTED),)*
                    _ => None,
                }
            }

            fn levels(key: &str) -> Option<usize> {
                match key {
                    $(stringify!($field) => <$type>::LEVELS,)*
                    _ => None,
                }
            }

            fn arrays(&self, visit: &mut dyn FnMut(&str, &TypedArray)) {
                $(if let Some(value) = &self.$field {
                    value.arrays(stringify!($field), visit);
                })*
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Fields::is_same(self, other) $($(&& self.$own == other.$own)*)?
            }
        }
    };
}

pub(super) use fields;
