//! A message as DATA carries it (RFC 5321 §4.5.2, §2.3.8): lines that begin with a dot get another, and a line with one
//! dot ends it. Whatever the text is, no CR or LF stands alone in what leaves: no two servers shall see different ends.

/// Where in a line the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
    AfterCr,
}

/// A message that is being sent.
#[derive(Debug)]
pub struct Dots {
    place: Place,
}

impl Dots {
    /// At its first byte.
    pub const fn new() -> Self {
        Self { place: Place::Start }
    }

    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len() + piece.len() / 32);
        for run in piece.split_inclusive(|&b| matches!(b, b'\r' | b'\n')) {
            let (text, end) = match run.split_last() {
                Some((end @ (b'\r' | b'\n'), text)) => (text, Some(end)),
                _ => (run, None),
            };
            if self.place == Place::AfterCr {
                // A CR has been held back until what follows it was known.
                out.extend_from_slice(b"\r\n");
                self.place = Place::Start;
                if text.is_empty() && end == Some(&b'\n') {
                    continue;
                }
            }
            if let Some(first) = text.first() {
                if self.place == Place::Start && *first == b'.' {
                    out.push(b'.');
                }
                out.extend_from_slice(text);
                self.place = Place::Within;
            }
            match end {
                Some(b'\n') => {
                    out.extend_from_slice(b"\r\n");
                    self.place = Place::Start;
                }
                Some(_) => self.place = Place::AfterCr,
                None => {}
            }
        }
    }

    /// The end of the message.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.place {
            Place::Start => b".\r\n",
            Place::Within | Place::AfterCr => b"\r\n.\r\n",
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
