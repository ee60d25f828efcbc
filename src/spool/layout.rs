//! The first line of a queue file: how long its parts are, which follow it in this order (envelope, message, fields that
//! go before the message when it leaves, history), and the sum of what must not have changed. All of one length, so that
//! it can be written when the rest is known.

use std::ops::Range;

/// Where the parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the envelope.
    pub envelope: u64,
    /// Bytes of the message.
    pub message: u64,
    /// Bytes of the fields that go before it: what could be said only when all of the message was there.
    pub fields: u64,
    /// CRC-32 of message and fields.
    pub sum: u32,
    /// Which bytes are in the message.
    pub bytes: Bytes,
    /// May it be tried?
    pub stage: Stage,
}

/// Which bytes are in a message, whatever its sender said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// ASCII.
    Seven,
    /// Some above 127.
    Eight,
}

/// What a queue file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Being written: nobody was promised anything.
    Draft,
    /// Whole.
    Whole(Hold),
}

/// May it be tried?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// When its time has come.
    No,
    /// Not until somebody says so.
    ByHand,
}

/// Bytes of the line.
pub const HEAD_LEN: u64 = 105;
/// Where its letter for the stage is.
pub const STAGE_AT: u64 = HEAD_LEN - 2;

impl Stage {
    pub const fn letter(self) -> u8 {
        match self {
            Self::Draft => b'd',
            Self::Whole(Hold::No) => b'.',
            Self::Whole(Hold::ByHand) => b'h',
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "d" => Some(Self::Draft),
            "." => Some(Self::Whole(Hold::No)),
            "h" => Some(Self::Whole(Hold::ByHand)),
            _ => None,
        }
    }
}

impl Layout {
    /// The line.
    pub fn text(&self) -> String {
        format!(
            "pillarbox-queue 1 ENVELOPE={:010} MESSAGE={:014} FIELDS={:07} SUM={:08x} BYTES={} STAGE={}\n",
            self.envelope,
            self.message,
            self.fields,
            self.sum,
            if self.bytes == Bytes::Eight { 8 } else { 7 },
            char::from(self.stage.letter())
        )
    }

    /// Reads the line.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        if (words.next()?, words.next()?) != ("pillarbox-queue", "1") {
            return None;
        }
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let layout = Self {
            envelope: value("ENVELOPE")?.parse().ok()?,
            message: value("MESSAGE")?.parse().ok()?,
            fields: value("FIELDS")?.parse().ok()?,
            sum: u32::from_str_radix(value("SUM")?, 16).ok()?,
            bytes: if value("BYTES")? == "8" { Bytes::Eight } else { Bytes::Seven },
            stage: Stage::parse(value("STAGE")?)?,
        };
        // As we write it, and so of sizes that can be added.
        (layout.text() == text).then_some(layout)
    }

    /// Where the envelope is.
    pub const fn envelope(&self) -> Range<u64> {
        HEAD_LEN..HEAD_LEN + self.envelope
    }

    /// Where the message is.
    pub const fn message(&self) -> Range<u64> {
        let start = self.envelope().end;
        start..start + self.message
    }

    /// Where the fields are.
    pub const fn fields(&self) -> Range<u64> {
        let start = self.message().end;
        start..start + self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, HEAD_LEN, Hold, Layout, STAGE_AT, Stage};

    #[test]
    fn it_is_of_one_length_and_reads_back() {
        for stage in [Stage::Draft, Stage::Whole(Hold::No), Stage::Whole(Hold::ByHand)] {
            let layout = Layout {
                envelope: 70,
                message: 52_428_800,
                fields: 900,
                sum: 0xa1b2,
                bytes: Bytes::Eight,
                stage,
            };
            let text = layout.text();
            assert_eq!(text.len() as u64, HEAD_LEN);
            assert_eq!(text.as_bytes()[usize::try_from(STAGE_AT).unwrap()], stage.letter());
            assert_eq!(Layout::parse(&text), Some(layout));
            assert_eq!(layout.fields(), 52_428_975..52_429_875);
            for damaged in [text.replace("MESSAGE=0", "MESSAGE=+"), text.replace(" 1 ", " 2 ")] {
                assert_eq!(Layout::parse(&damaged), None);
            }
        }
    }
}
