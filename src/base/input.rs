//! What a machine has received and not yet parsed. Finding the end of a line costs each byte one look however
//! small the pieces it comes in, and a line has a limit.

/// Bytes from the peer, in order.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    /// Where the unparsed part begins; the part before it is dropped on the next `push`.
    start: usize,
    /// How far a search for a line feed has come, from `start`.
    searched: usize,
    closed: bool,
}

/// What `Input::line` found.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its line feed; a carriage return before it is still there.
    Whole(Vec<u8>),
    /// No line feed yet, and not too long yet.
    Partial,
    /// More bytes than the limit without a line feed. Nothing was taken.
    TooLong,
}

impl Input {
    /// Appends what the peer sent; empty means that it closed its side.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.closed = true;
        }
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// True once the peer has closed its side; what it sent before may still be here.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// What is here and not yet taken.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Takes the first `count` bytes away, or all if there are fewer.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.bytes.len());
        self.searched = 0;
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Takes at most `count` bytes.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.rest();
        let taken = rest.get(..count).unwrap_or(rest).to_vec();
        self.consume(taken.len());
        taken
    }

    /// Takes the next line if it is whole. `max` counts the bytes before the line feed.
    pub fn line(&mut self, max: usize) -> Line {
        let rest = self.rest();
        let fresh = rest.get(self.searched..).unwrap_or_default();
        match fresh.iter().position(|&b| b == b'\n').map(|at| self.searched + at) {
            Some(end) if end <= max => {
                let line = rest.get(..end).unwrap_or_default().to_vec();
                self.consume(end + 1);
                Line::Whole(line)
            }
            None if rest.len() <= max => {
                self.searched = rest.len();
                Line::Partial
            }
            Some(_) | None => Line::TooLong,
        }
    }

    /// Throws everything away: a line that was too long, or what was pipelined before TLS.
    pub fn clear(&mut self) {
        self.consume(usize::MAX);
    }

    /// Gives the memory of an idle session back.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Line};

    #[test]
    fn a_line_is_whole_partial_or_too_long() {
        let mut input = Input::default();
        for byte in b"NOOP\r" {
            input.push(&[*byte]);
            assert_eq!(input.line(8), Line::Partial);
        }
        input.push(b"\nQUIT\r\n12345678901234");
        assert_eq!(input.line(8), Line::Whole(b"NOOP\r".to_vec()));
        assert_eq!(input.line(8), Line::Whole(b"QUIT\r".to_vec()));
        assert_eq!(input.line(8), Line::TooLong);
        assert_eq!(input.take(3), b"123");
        input.clear();
        assert_eq!(input.rest(), b"");
    }
}
