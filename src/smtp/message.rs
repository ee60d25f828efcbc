//! A message that is coming in: its framing, the piece that is being filled, and whether it is still wanted.

use super::chunk::{Chunk, EndMarker};
use super::data::{Flaw, Framing};
use super::reply::{Enhanced, Reply};

/// A piece is handed on when it has this many bytes. One more round of input may double it to 64 KB.
const PIECE_LEN: usize = 32 * 1024;

/// From 354 to the end, or from the first BDAT to the last.
#[derive(Debug)]
pub struct Message {
    reading: Reading,
    piece: Vec<u8>,
    /// Why it is not wanted any more; the rest is drained, then this is said.
    refused: Option<Reply>,
}

/// How it comes.
#[derive(Debug)]
enum Reading {
    /// After DATA.
    Lines(Framing),
    /// After BDAT.
    Chunk(Chunk),
}

/// What is to be done with it next.
#[derive(Debug)]
pub enum Progress {
    /// Hand this on.
    Piece(Vec<u8>),
    /// All was handed on.
    Ended,
    /// A chunk has ended, and it was not the last.
    ChunkEnded,
    /// It is refused from now on and what was handed on is to be forgotten.
    Spoilt,
    /// A refused message or chunk has ended: say why.
    Refused(Reply),
    /// A refused message that does not end: say why and close.
    Endless(Reply),
    /// More bytes are needed.
    Hungry,
}

impl Message {
    /// After DATA, at its first byte.
    pub const fn lines() -> Self {
        Self { reading: Reading::Lines(Framing::new()), piece: Vec::new(), refused: None }
    }

    /// After the first BDAT, at its first byte.
    pub const fn chunk(size: u64, end_marker: EndMarker) -> Self {
        let chunk = Chunk::new(size, end_marker, 0);
        Self { reading: Reading::Chunk(chunk), piece: Vec::new(), refused: None }
    }

    /// After the next BDAT.
    #[must_use]
    pub fn next_chunk(mut self, size: u64, end_marker: EndMarker) -> Self {
        self.reading = Reading::Chunk(Chunk::new(size, end_marker, self.received()));
        self
    }

    /// Refuses it; the rest is drained.
    pub fn refuse(&mut self, reply: Reply) {
        if let Reading::Lines(framing) = &mut self.reading {
            framing.drop_text();
        }
        self.piece = Vec::new();
        self.refused = Some(reply);
    }

    /// True if what was handed on must be forgotten when the session breaks.
    pub const fn is_wanted(&self) -> bool {
        self.refused.is_none()
    }

    /// True if it comes in chunks: BDAT has no reply of its own before them.
    pub const fn is_chunked(&self) -> bool {
        matches!(self.reading, Reading::Chunk(_))
    }

    /// True unless another chunk is to follow the one that is being read.
    pub fn is_final(&self) -> bool {
        match &self.reading {
            Reading::Lines(_) => true,
            Reading::Chunk(chunk) => chunk.end_marker() == EndMarker::Last,
        }
    }

    /// Bytes so far.
    pub const fn received(&self) -> u64 {
        match &self.reading {
            Reading::Lines(framing) => framing.size(),
            Reading::Chunk(chunk) => chunk.received(),
        }
    }

    /// Changes with every 32 KB. The clock starts again with it and not with every byte: who trickles is given up.
    pub fn milestone(&self) -> u64 {
        self.received() / 32_768
    }

    /// Takes input once and says what to do; the number of bytes taken comes with it.
    pub fn advance(&mut self, input: &[u8], size_max: u64) -> (usize, Progress) {
        let mut taken = 0;
        if !self.ended() && self.piece.len() < PIECE_LEN {
            let room = PIECE_LEN / 2;
            let input = input.get(..room).unwrap_or(input);
            taken = match &mut self.reading {
                Reading::Lines(framing) => framing.feed(input, &mut self.piece),
                Reading::Chunk(chunk) => {
                    let bytes = chunk.feed(input);
                    if self.refused.is_none() {
                        self.piece.extend_from_slice(bytes);
                    }
                    bytes.len()
                }
            };
        }
        (taken, self.progress(size_max))
    }

    /// All of it has come, or all of the chunk.
    const fn ended(&self) -> bool {
        match &self.reading {
            Reading::Lines(framing) => framing.ended(),
            Reading::Chunk(chunk) => chunk.ended(),
        }
    }

    fn progress(&mut self, size_max: u64) -> Progress {
        if let Some(reply) = &self.refused {
            return if self.ended() {
                Progress::Refused(reply.clone())
            } else if self.received() > size_max.saturating_mul(2) {
                Progress::Endless(reply.clone())
            } else {
                Progress::Hungry
            };
        }
        let (flaw, size) = match &self.reading {
            Reading::Lines(framing) => (framing.flaw(), framing.size()),
            // RFC 3030 §3: all bits are kept, and a binary message is taken even if BODY did not say that it is one.
            Reading::Chunk(chunk) => (None, chunk.announced()),
        };
        if let Some(flaw) = flaw {
            self.refuse(flawed(flaw));
            return Progress::Spoilt;
        }
        if size > size_max {
            self.refuse(too_big(size_max));
            return Progress::Spoilt;
        }
        let whole = self.ended() && self.is_final();
        if self.piece.len() >= PIECE_LEN || (whole && !self.piece.is_empty()) {
            return Progress::Piece(std::mem::take(&mut self.piece));
        }
        match (whole, self.ended()) {
            (true, _) => Progress::Ended,
            (false, true) => Progress::ChunkEnded,
            (false, false) => Progress::Hungry,
        }
    }
}

/// What a message over the limit is told, at MAIL or at its end (RFC 1870 §6.1).
pub fn too_big(size_max: u64) -> Reply {
    let text = format!("Message too big; at most {size_max} bytes are taken here");
    Reply::new(552, Enhanced(5, 3, 4), text)
}

fn flawed(flaw: Flaw) -> Reply {
    let text = match flaw {
        Flaw::BareCarriageReturn => {
            "Message refused: it has a carriage return without a line feed (RFC 5321 section 2.3.8)"
        }
        Flaw::Nul => "Message refused: it has a NUL byte (RFC 5322 section 2.2)",
    };
    Reply::new(554, Enhanced(5, 6, 0), text)
}
