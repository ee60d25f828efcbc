//! One chunk of a message (RFC 3030 §2): so many bytes after a BDAT command, whatever they are. The peer says the size
//! and writes every byte.

/// Whether another chunk follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndMarker {
    /// More will come.
    Absent,
    /// `LAST`: this one ends the message.
    Last,
}

/// Reads a chunk out of a stream. Its bytes are kept as they come: neither a dot nor a line end means anything.
#[derive(Debug)]
pub struct Chunk {
    /// Bytes that are still to come.
    left: u64,
    /// Bytes of the message so far, those of earlier chunks included.
    received: u64,
    end_marker: EndMarker,
}

impl Chunk {
    /// As the command says; `received` counts the chunks before.
    pub const fn new(size: u64, end_marker: EndMarker, received: u64) -> Self {
        Self { left: size, received, end_marker }
    }

    /// Takes bytes up to the end of the chunk at most: what they are, and how many. The caller keeps or drops them.
    pub fn feed<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let taken = input.get(..room).unwrap_or(input);
        let count = u64::try_from(taken.len()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(count);
        self.received = self.received.saturating_add(count);
        taken
    }

    /// True once all of the chunk has come.
    pub const fn ended(&self) -> bool {
        self.left == 0
    }

    /// Whether another follows.
    pub const fn end_marker(&self) -> EndMarker {
        self.end_marker
    }

    /// Bytes of the message so far.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the message when this chunk is whole.
    pub const fn announced(&self) -> u64 {
        self.received.saturating_add(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunk, EndMarker};

    #[test]
    fn a_chunk_takes_its_bytes_and_no_more() {
        let mut chunk = Chunk::new(5, EndMarker::Last, 10);
        assert_eq!(
            (chunk.announced(), chunk.feed(b"a\0"), chunk.ended()),
            (15, &b"a\0"[..], false)
        );
        assert_eq!((chunk.feed(b"\r\n.\r\nNOOP"), chunk.ended()), (&b"\r\n."[..], true));
        assert_eq!((chunk.feed(b"\r\n"), chunk.received()), (&b""[..], 15));
        let endless = Chunk::new(u64::MAX, EndMarker::Absent, 7);
        assert_eq!(endless.announced(), u64::MAX);
    }
}
