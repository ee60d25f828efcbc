//! A message as a multi-line answer (RFC 1939 §3): lines that begin with a dot get another, the last line ends, and a line
//! with one dot follows. TOP sends the header and some lines of the body.

use crate::base::Dots;

/// A message that is being sent.
#[derive(Debug)]
pub struct Stuffing {
    dots: Dots,
    /// Lines of the body that may still be sent, for TOP; all, for RETR.
    lines_left: Option<u64>,
    part: Part,
    life: Life,
}

/// Has anything been sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Fresh,
    Begun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    /// Of the header, a line without anything so far.
    EmptyLine,
    Body,
    /// TOP has sent enough.
    Enough,
}

impl Stuffing {
    /// All of a message, or its header and so many lines.
    pub fn new(lines: Option<u64>) -> Self {
        Self { dots: Dots::default(), lines_left: lines, part: Part::EmptyLine, life: Life::Fresh }
    }

    /// Has nothing been pushed yet?
    pub fn is_fresh(&self) -> bool {
        self.life == Life::Fresh
    }

    /// Has TOP enough?
    pub fn has_enough(&self) -> bool {
        self.part == Part::Enough
    }

    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.life = Life::Begun;
        if self.lines_left.is_none() {
            self.dots.push(piece, out);
            return;
        }
        for &byte in piece {
            if self.is_through() || self.part == Part::Enough {
                self.part = Part::Enough;
                return;
            }
            self.dots.push(&[byte], out);
            match (self.part, byte) {
                (Part::EmptyLine, b'\n') => self.part = Part::Body,
                (Part::EmptyLine, b'\r') => {}
                (Part::EmptyLine, _) => self.part = Part::Header,
                (Part::Header, b'\n') => self.part = Part::EmptyLine,
                (Part::Body, b'\n') => self.lines_left = self.lines_left.map(|left| left - 1),
                (Part::Header | Part::Body | Part::Enough, _) => {}
            }
        }
        if self.is_through() {
            self.part = Part::Enough;
        }
    }

    fn is_through(&self) -> bool {
        self.part == Part::Body && self.dots.is_at_line_start() && self.lines_left == Some(0)
    }

    /// The end of the answer.
    pub fn finish(self, out: &mut Vec<u8>) {
        self.dots.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use super::Stuffing;

    fn sent(message: &str, lines: Option<u64>, piece: usize) -> String {
        let (mut stuffing, mut out) = (Stuffing::new(lines), Vec::new());
        message.as_bytes().chunks(piece).for_each(|piece| stuffing.push(piece, &mut out));
        stuffing.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_are_stuffed_and_the_end_is_a_line() {
        for (message, expected) in [
            ("a: b\r\n\r\n.\r\n..x\r\ny.\r\n", "a: b\r\n\r\n..\r\n...x\r\ny.\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\r", "a\r\n.\r\n"),
            ("", ".\r\n"),
        ] {
            for piece in [1, 3, 1000] {
                assert_eq!(sent(message, None, piece), expected, "{message:?} by {piece}");
            }
        }
    }

    #[test]
    fn top_is_the_header_and_some_lines() {
        let message = "a: b\r\nc: d\r\n\r\n.one\r\ntwo\r\nthree";
        for piece in [1, 5, 1000] {
            let top = |lines| sent(message, Some(lines), piece);
            assert_eq!(top(0), "a: b\r\nc: d\r\n\r\n.\r\n");
            assert_eq!(top(1), "a: b\r\nc: d\r\n\r\n..one\r\n.\r\n");
            assert_eq!(top(9), "a: b\r\nc: d\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n");
        }
        assert_eq!(sent("\r\nbody\r\n", Some(0), 1), "\r\n.\r\n");
    }
}
