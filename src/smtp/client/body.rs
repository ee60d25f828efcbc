//! A message as DATA carries it (RFC 5321 §4.5.2, §2.3.8): lines that begin with a dot get another, and a line with one
//! dot ends it. Whatever the text is, no CR or LF stands alone in what leaves: no two servers shall see different ends.

use crate::base::Dots;
use crate::mail::LineEnds;

/// A message that is being sent.
#[derive(Debug, Default)]
pub struct Text {
    ends: LineEnds,
    dots: Dots,
}

impl Text {
    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut repaired = Vec::new();
        self.ends.push(piece, &mut repaired);
        self.dots.push(&repaired, out);
    }

    /// The end of the message.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        let mut repaired = Vec::new();
        self.ends.finish(&mut repaired);
        self.dots.push(&repaired, out);
        self.dots.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

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
                let (mut sent, mut out) = (Text::default(), Vec::new());
                text.as_bytes().chunks(size).for_each(|piece| sent.push(piece, &mut out));
                sent.finish(&mut out);
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?} by {size}");
            }
        }
    }
}
