//! Numbers of things as people write them.

use std::fmt;

/// So many things of a kind: `1 message`, `12,345 messages`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted(pub(crate) u64, pub(crate) &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, kind) = self;
        let digits = number.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, " {kind}{}", if *number == 1 { "" } else { "s" })
    }
}

impl Counted {
    /// Returns the beginning of a sentence: `1 message was`, `2 messages were`.
    pub(crate) fn were(self) -> String {
        format!("{self} {}", if self.0 == 1 { "was" } else { "were" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural_and_thousands_stand_apart() {
        for (number, text) in [
            (0, "0 messages"),
            (1, "1 message"),
            (999, "999 messages"),
            (1000, "1,000 messages"),
            (1_234_567, "1,234,567 messages"),
        ] {
            assert_eq!(Counted(number, "message").to_string(), text);
        }
        assert_eq!(Counted(1, "file").were(), "1 file was");
        assert_eq!(Counted(2, "file").were(), "2 files were");
    }
}
