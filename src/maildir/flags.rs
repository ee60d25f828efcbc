//! A message's flags as 32 bits, and the letters that a Maildir file name writes them with.
//! Upper-case letters are the Maildir's own; `a` to `z` are keywords by the account's table.

/// Flags and keywords of one message. `\Recent` is not among them: it belongs to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Flags(pub u32);

impl Flags {
    /// `\Draft`, letter D.
    pub const DRAFT: Self = Self(1);
    /// `\Flagged`, letter F.
    pub const FLAGGED: Self = Self(1 << 1);
    /// Passed on, letter P: the keyword `$Forwarded`, which needs no letter of the table.
    pub const FORWARDED: Self = Self(1 << 2);
    /// `\Answered`, letter R.
    pub const ANSWERED: Self = Self(1 << 3);
    /// `\Seen`, letter S.
    pub const SEEN: Self = Self(1 << 4);
    /// `\Deleted`, letter T.
    pub const DELETED: Self = Self(1 << 5);

    const LETTERS: &'static [u8; 32] = b"DFPRSTabcdefghijklmnopqrstuvwxyz";

    /// The flag of a letter; `None` for a character that is no flag letter.
    pub fn from_letter(letter: u8) -> Option<Self> {
        let bit = Self::LETTERS.iter().position(|&l| l == letter)?;
        Some(Self(1 << bit))
    }

    /// Every letter that is one; others are passed over.
    pub fn from_letters(letters: &[u8]) -> Self {
        letters.iter().filter_map(|&l| Self::from_letter(l)).fold(Self::default(), Self::union)
    }

    /// The letters in ASCII order, as a Maildir name wants them.
    pub fn letters(self) -> String {
        let set =
            |(bit, &letter): (usize, &u8)| (self.0 & (1 << bit) != 0).then_some(char::from(letter));
        Self::LETTERS.iter().enumerate().filter_map(set).collect()
    }

    /// The flag of keyword number `index` of the account's table, 0 (letter a) to 25.
    pub fn keyword(index: u8) -> Self {
        if index < 26 { Self(1 << (6 + index)) } else { Self(0) }
    }

    /// All in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in `self` and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Are all of `other` in?
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// No flag?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn letters_are_sorted_and_strangers_passed_over() {
        assert_eq!(Flags::from_letters(b"TzSa,SX").letters(), "STaz");
        assert_eq!(Flags::keyword(25).letters(), "z");
        assert!(Flags::from_letters(b"S").contains(Flags::SEEN));
    }
}
