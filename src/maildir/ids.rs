//! The numbers that name a message and a mailbox, as newtypes; each says how it is written on the disk.

use std::fmt;

/// A unique identifier within one mailbox (RFC 3501 §2.3.1.1), 1 to 2³²-1, given in rising order and never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u32);

/// The value that makes a mailbox's UIDs valid (RFC 3501 §2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidValidity(pub u32);

/// A modification sequence (RFC 7162 §3.1), one rising count for the whole account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ModSeq(pub u64);

/// 64 bits that this box gives once: the middle of a file name, an EMAILID, a MAILBOXID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unique(pub u64);

/// A mailbox's id (RFC 8474 MAILBOXID); it outlives a rename. Written `m` and 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub Unique);

impl Uid {
    /// The one after; `None` after the last that there is.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl UidValidity {
    /// Base 36, lower case: how `P=` in a file name writes it.
    pub fn base36(self) -> String {
        let mut digits = Vec::new();
        let mut rest = self.0;
        loop {
            digits.push(char::from_digit(rest % 36, 36).unwrap_or('0'));
            rest /= 36;
            if rest == 0 {
                return digits.into_iter().rev().collect();
            }
        }
    }

    /// Reads base 36 as `base36` writes it: no leading zero, no upper case.
    pub fn from_base36(text: &str) -> Option<Self> {
        let value = Self(u32::from_str_radix(text, 36).ok()?);
        (value.base36() == text).then_some(value)
    }
}

impl Unique {
    /// Sixteen lower-case hex digits.
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Reads exactly sixteen lower-case hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let plain = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 16 && text.bytes().all(plain))
            .then(|| u64::from_str_radix(text, 16).ok().map(Self))
            .flatten()
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0.hex())
    }
}

impl MailboxId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        Unique::from_hex(text.strip_prefix('m')?).map(Self)
    }
}
