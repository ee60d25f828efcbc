//! A message as DATA carries it (RFC 5321 §4.5.2, §2.3.8): lines that begin with a dot get another, and a line with one
//! dot ends it. Whatever the text is, no CR or LF stands alone in what leaves: no two servers shall see different ends.

use crate::mail::LineEnds;

/// A message that is being sent.
#[derive(Debug)]
pub struct Dots {
    ends: LineEnds,
    place: Place,
}

/// Where in a line the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
}

impl Dots {
    /// At its first byte.
    pub fn new() -> Self {
        Self { ends: LineEnds::default(), place: Place::Start }
    }

    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.ends.push(piece, &mut text);
        self.stuff(&text, out);
    }

    fn stuff(&mut self, text: &[u8], out: &mut Vec<u8>) {
        out.reserve(text.len());
        for line in text.split_inclusive(|&b| b == b'\n') {
            if self.place == Place::Start && line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            self.place = if line.ends_with(b"\n") { Place::Start } else { Place::Within };
        }
    }

    /// The end of the message.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        std::mem::take(&mut self.ends).finish(&mut text);
        self.stuff(&text, out);
        out.extend_from_slice(match self.place {
            Place::Start => b".\r\n",
            Place::Within => b"\r\n.\r\n",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Dots;

    #[test]
    fn dots_are_doubled_and_no_cr_or_lf_stands_alone() {
        for (text, expected) in [
            ("a\r\n.\r\n..b\r\nc.\r\n", "a\r\n..\r\n...b\r\nc.\r\n.\r\n"),
            ("", ".\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\nb\n\n", "a\r\n\r\nb\r\n\r\n.\r\n"),
            ("a\n\r.\r\n", "a\r\n\r\n..\r\n.\r\n"),
        ] {
            for size in [1, 2, 3, 1000] {
                let (mut dots, mut out) = (Dots::new(), Vec::new());
                text.as_bytes().chunks(size).for_each(|piece| dots.push(piece, &mut out));
                dots.finish(&mut out);
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?} by {size}");
            }
        }
    }
}
