//! The pieces of which a stored card is made: numbers, texts, lists. Reading takes no byte on trust: what it reads has
//! been on a disk.

use super::text::Text;
use crate::base::Cursor;

/// Words that a stored card names by number. Only ever append: the number is on the disk.
const WORDS: [&str; 44] = [
    "text",
    "plain",
    "html",
    "multipart",
    "alternative",
    "mixed",
    "related",
    "signed",
    "report",
    "application",
    "pdf",
    "octet-stream",
    "image",
    "jpeg",
    "png",
    "gif",
    "message",
    "rfc822",
    "delivery-status",
    "charset",
    "utf-8",
    "UTF-8",
    "us-ascii",
    "US-ASCII",
    "iso-8859-1",
    "ISO-8859-1",
    "windows-1252",
    "boundary",
    "format",
    "flowed",
    "name",
    "filename",
    "7bit",
    "8bit",
    "base64",
    "quoted-printable",
    "attachment",
    "inline",
    "size",
    "type",
    "delsp",
    "yes",
    "7BIT",
    "MISSING_DOMAIN",
];

pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Seven bits a byte, the lowest first.
    pub(super) fn number(&mut self, mut value: u64) {
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or(0);
            value >>= 7;
            if value == 0 {
                self.byte(low);
                return;
            }
            self.byte(low | 0x80);
        }
    }

    pub(super) fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Small numbers of either sign are short.
    pub(super) fn signed(&mut self, value: i64) {
        self.number((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    /// The lowest bit says whether it is a word's number or a length.
    pub(super) fn text(&mut self, text: &Text) {
        let word = (text.len() <= 16)
            .then(|| WORDS.iter().position(|word| word.as_bytes() == text.as_bytes()));
        if let Some(word) = word.flatten() {
            self.count(word << 1 | 1);
        } else {
            self.count(text.len() << 1);
            self.bytes.extend_from_slice(text);
        }
    }
}

pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) texts: Texts,
}

/// Are texts wanted?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    Kept,
    /// They are stepped over, unchecked, and read as empty ones.
    Passed,
}

impl Reader<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.cursor.bump()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The length of a list; each item of it takes a byte or more.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.cursor.rest().len()).then_some(count)
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn text(&mut self) -> Option<Text> {
        let tag = usize::try_from(self.number()?).ok()?;
        if tag & 1 == 1 {
            return WORDS.get(tag >> 1).copied().map(Text::word);
        }
        let bytes = self.cursor.take(tag >> 1)?;
        if self.texts == Texts::Passed {
            return Some(Text::default());
        }
        // A text goes to clients as it is: it must not be able to end a line of the protocol.
        let clean = bytes.is_ascii() && !bytes.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
        clean.then(|| Text::from(bytes))
    }
}
