//! A message's bytes on their way: is it mail at all, and line ends as mail has them.

/// Makes every line end a CRLF, piece by piece.
#[derive(Debug, Default)]
pub struct LineEnds {
    last: u8,
    out: Vec<u8>,
}

impl LineEnds {
    /// The next piece with its line ends made.
    pub fn mend(&mut self, piece: &[u8]) -> &[u8] {
        self.out.clear();
        for &byte in piece {
            if byte == b'\n' && self.last != b'\r' {
                self.out.push(b'\r');
            }
            self.out.push(byte);
            self.last = byte;
        }
        &self.out
    }
}

/// Why this beginning of a text is no mail's; `None` if it begins with a header field.
pub fn no_mail(beginning: &[u8]) -> Option<&'static str> {
    if beginning.is_empty() {
        return Some("it is empty");
    }
    let line = beginning.split(|&b| b == b'\n').next().unwrap_or_default();
    let name = line.split(|&b| b == b':').next().unwrap_or_default().trim_ascii_end();
    let is_field = name.len() < line.len()
        && !name.is_empty()
        && name.iter().all(|b| b.is_ascii_graphic() && *b != b':')
        && line.contains(&b':');
    if is_field { None } else { Some("it is no mail: it does not begin with a header field") }
}

#[cfg(test)]
mod tests {
    use super::{LineEnds, no_mail};

    #[test]
    fn line_ends_are_made_across_pieces() {
        let mut ends = LineEnds::default();
        let mut all = Vec::new();
        for piece in [&b"a\nb\r"[..], b"\nc\n", b"\n\rd"] {
            all.extend_from_slice(ends.mend(piece));
        }
        assert_eq!(all, b"a\r\nb\r\nc\r\n\r\n\rd");
    }

    #[test]
    fn mail_begins_with_a_field() {
        for good in [&b"Subject: x\r\n"[..], b"X-A : y\n", b"Return-Path:\n"] {
            assert_eq!(no_mail(good), None, "{good:?}");
        }
        for bad in
            [&b""[..], b"\0\0\0\0", b"hello there\n", b"\nSubject: x\n", b": x\n", b"a b: c\n"]
        {
            assert!(no_mail(bad).is_some(), "{bad:?}");
        }
    }
}
