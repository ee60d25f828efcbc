//! The framing of DATA (RFC 5321 §4.1.1.4, §4.5.2): finds CRLF.CRLF, which alone ends a message, takes the stuffed
//! dots out, and makes a bare line feed a line end of the text, never of the message: servers that differ about that
//! let one message smuggle another. The peer writes every byte.

/// What no message may have (RFC 5321 §2.3.8, RFC 5322 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A carriage return without a line feed.
    BareCarriageReturn,
    /// A byte of zero.
    Nul,
}

/// Where the last byte has left us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After CRLF, or at the start.
    LineStart,
    /// Within a line, or after a bare line feed.
    Text,
    /// After a carriage return.
    Return,
    /// After the dot that begins a line; it is not in the text.
    Dot,
    /// After that dot and a carriage return.
    DotReturn,
}

/// Reads one message out of a stream.
#[derive(Debug)]
pub struct Framing {
    place: Place,
    size: u64,
    flaw: Option<Flaw>,
    ended: bool,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Dropped,
}

impl Framing {
    /// At the first byte after the 354.
    pub const fn new() -> Self {
        let (place, fate) = (Place::LineStart, Fate::Kept);
        Self { place, size: 0, flaw: None, ended: false, fate }
    }

    /// Takes bytes up to the end of the message at most, appends the text that they make (twice as much at most), and
    /// says how many it took.
    pub fn feed(&mut self, input: &[u8], text: &mut Vec<u8>) -> usize {
        let before = text.len();
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            if self.ended {
                break;
            }
            rest = after;
            self.byte(byte, text);
            if self.place == Place::Text {
                let plain = rest.iter().position(|b| matches!(b, 0 | b'\r' | b'\n'));
                let (run, after) = rest.split_at(plain.unwrap_or(rest.len()));
                text.extend_from_slice(run);
                rest = after;
            }
        }
        self.size += u64::try_from(text.len() - before).unwrap_or(u64::MAX);
        if self.fate == Fate::Dropped {
            text.truncate(before);
        }
        input.len() - rest.len()
    }

    fn byte(&mut self, byte: u8, text: &mut Vec<u8>) {
        if byte == 0 {
            self.flaw.get_or_insert(Flaw::Nul);
        }
        self.place = match (self.place, byte) {
            (Place::Return, b'\n') => {
                text.extend_from_slice(b"\r\n");
                Place::LineStart
            }
            (Place::DotReturn, b'\n') => {
                self.ended = true;
                Place::LineStart
            }
            (Place::Return | Place::DotReturn, _) => {
                self.flaw.get_or_insert(Flaw::BareCarriageReturn);
                text.push(b'\r');
                within(byte, text)
            }
            (Place::LineStart, b'.') => Place::Dot,
            (Place::Dot, b'\r') => Place::DotReturn,
            (Place::LineStart | Place::Text | Place::Dot, _) => within(byte, text),
        };
    }

    /// True once CRLF.CRLF has come.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Bytes of text so far, dropped ones included.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The first flaw so far.
    pub const fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// From here on the text is thrown away; only its end is looked for.
    pub const fn drop_text(&mut self) {
        self.fate = Fate::Dropped;
    }
}

/// A byte where nothing but line ends means anything.
fn within(byte: u8, text: &mut Vec<u8>) -> Place {
    match byte {
        b'\r' => return Place::Return,
        b'\n' => text.extend_from_slice(b"\r\n"),
        _ => text.push(byte),
    }
    Place::Text
}

#[cfg(test)]
mod tests {
    use super::{Flaw, Framing};

    /// The text, the flaw, whether it ended and what is left, the same for every way to cut the input.
    fn read(input: &[u8]) -> (Vec<u8>, Option<Flaw>, bool, usize) {
        let mut results = (1..=input.len()).map(|step| {
            let (mut framing, mut text, mut taken) = (Framing::new(), Vec::new(), 0);
            for piece in input.chunks(step) {
                taken += framing.feed(piece, &mut text);
            }
            assert_eq!(framing.size(), text.len() as u64);
            (text, framing.flaw(), framing.ended(), input.len() - taken)
        });
        let first = results.next().unwrap();
        assert!(results.all(|result| result == first));
        first
    }

    #[test]
    fn dots_are_unstuffed_and_the_end_is_found() {
        let (text, flaw, ended, left) = read(b"a\r\n..\r\n.b\r\n...c\r\nx.y\r\n.\r\nQUIT\r\n");
        assert_eq!(text, b"a\r\n.\r\nb\r\n..c\r\nx.y\r\n");
        assert_eq!((flaw, ended, left), (None, true, 6));
        assert_eq!(read(b".\r\n"), (vec![], None, true, 0));
        assert_eq!(read(b"a\r\n."), (b"a\r\n".to_vec(), None, false, 0));
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        for (input, text) in [
            (b"a\n.\nb".as_slice(), b"a\r\n.\r\nb".as_slice()),
            (b"a\n.\r\nb", b"a\r\n.\r\nb"),
            (b"a\r\n.\nb", b"a\r\n\r\nb"),
            (b"a\n..\r\nb", b"a\r\n..\r\nb"),
            (b"\n.\r\nb", b"\r\n.\r\nb"),
        ] {
            assert_eq!(read(input), (text.to_vec(), None, false, 0), "{input:?}");
        }
        for input in
            [b"a\r.\rb".as_slice(), b"a\r.\r\nb", b"a\r\n.\rb", b"a\r\r\n.x", b"\r\n.\r\r\nb"]
        {
            let (_, flaw, ended, _) = read(input);
            assert_eq!((flaw, ended), (Some(Flaw::BareCarriageReturn), false), "{input:?}");
        }
        assert_eq!(read(b"a\0b").1, Some(Flaw::Nul));
        assert_eq!(read(b"\r\0").1, Some(Flaw::Nul));
    }

    #[test]
    fn dropped_text_is_counted_and_its_end_found() {
        let (mut framing, mut text) = (Framing::new(), Vec::new());
        framing.drop_text();
        assert_eq!(framing.feed(b"abc\r\n.\r\nNOOP", &mut text), 8);
        assert_eq!((text.len(), framing.size(), framing.ended()), (0, 5, true));
    }
}
