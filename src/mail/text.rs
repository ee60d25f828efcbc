//! A short piece of a header as a card holds it. Words that stand in most messages (`text`, `charset`, `7bit`) are
//! static, so that reading a card from the disk allocates only for what is the message's own.

use crate::base::Quoted;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// Bytes of a header: unfolded, without NUL, CR and LF, and 7-bit where a card holds them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text(Cow<'static, [u8]>);

impl Text {
    /// A static word.
    pub const fn word(word: &'static str) -> Self {
        Self(Cow::Borrowed(word.as_bytes()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Equal but for the case of ASCII letters.
    pub fn is(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word.as_bytes())
    }
}

impl Deref for Text {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(Cow::Owned(bytes.to_vec()))
    }
}

impl From<&'static str> for Text {
    fn from(word: &'static str) -> Self {
        Self::word(word)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(&self.0))
    }
}
