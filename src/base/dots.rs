//! Lines with an end that cannot stand among them (RFC 5321 §4.5.2, RFC 1939 §3): one that begins with a dot gets another,
//! and a line with one dot follows the last.

/// A text that is being sent.
#[derive(Debug)]
pub struct Dots {
    place: Place,
}

/// Where in a line the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
    AfterCr,
}

impl Default for Dots {
    fn default() -> Self {
        Self { place: Place::Start }
    }
}

impl Dots {
    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for line in piece.split_inclusive(|&b| b == b'\n') {
            if self.place == Place::Start && line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            self.place = match line {
                [.., b'\n'] => Place::Start,
                [.., b'\r'] => Place::AfterCr,
                _ => Place::Within,
            };
        }
    }

    /// Is the next byte the first of a line?
    pub fn is_at_line_start(&self) -> bool {
        self.place == Place::Start
    }

    /// The end; a line that has none gets its own first.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.place {
            Place::Start => b".\r\n",
            Place::Within => b"\r\n.\r\n",
            Place::AfterCr => b"\n.\r\n",
        });
    }
}
