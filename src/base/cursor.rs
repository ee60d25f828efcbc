//! A place in a byte slice that a hand-written parser moves forward. It never panics and never goes back by itself;
//! a parser that wants to try again keeps a copy.

/// A borrowed slice and what is left of it.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    /// At the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// Bytes already passed.
    pub const fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// What is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True at the end.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, not taken.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes the next byte.
    pub fn bump(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes the next byte if it is this one.
    pub fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        if hit {
            self.bump();
        }
        hit
    }

    /// Takes these bytes if they come next, letters in any case.
    pub fn eat_ignore_case(&mut self, word: &[u8]) -> bool {
        match self.rest.split_at_checked(word.len()) {
            Some((head, rest)) if head.eq_ignore_ascii_case(word) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes bytes while they satisfy `wanted`; may be none.
    pub fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !wanted(b)).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest;
        head
    }

    /// Takes `count` bytes, or none if there are fewer.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// Takes a decimal number without sign; `None` (and nothing taken) if there is none or it is over `u64`.
    pub fn number(&mut self) -> Option<u64> {
        let mut ahead = *self;
        let digits = ahead.take_while(|b| b.is_ascii_digit());
        let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
        *self = ahead;
        Some(value)
    }
}
