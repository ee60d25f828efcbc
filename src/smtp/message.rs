//! A message that is coming in: its framing, the piece that is being filled, and whether it is still wanted.

use super::data::{Flaw, Framing};
use super::reply::{Enhanced, Reply};

/// A piece is handed on when it has this many bytes. One more round of input may double it to 64 KB.
const PIECE_LEN: usize = 32 * 1024;

/// From 354 to the end.
#[derive(Debug)]
pub struct Message {
    framing: Framing,
    piece: Vec<u8>,
    /// Why it is not wanted any more; the rest is drained, then this is said.
    refused: Option<Reply>,
}

/// What is to be done with it next.
#[derive(Debug)]
pub enum Progress {
    /// Hand this on.
    Piece(Vec<u8>),
    /// All was handed on.
    Ended,
    /// It is refused from now on and what was handed on is to be forgotten.
    Spoilt,
    /// A refused message has ended: say why.
    Refused(Reply),
    /// A refused message that does not end: say why and close.
    Endless(Reply),
    /// More bytes are needed.
    Hungry,
}

impl Message {
    /// At its first byte.
    pub const fn new() -> Self {
        Self { framing: Framing::new(), piece: Vec::new(), refused: None }
    }

    /// Refuses it; the rest is drained.
    pub fn refuse(&mut self, reply: Reply) {
        self.framing.drop_text();
        self.piece = Vec::new();
        self.refused = Some(reply);
    }

    /// True if what was handed on must be forgotten when the session breaks.
    pub const fn is_wanted(&self) -> bool {
        self.refused.is_none()
    }

    /// Changes with every 32 KB. The clock starts again with it and not with every byte: who trickles is given up.
    pub fn milestone(&self) -> u64 {
        self.framing.size() / 32_768
    }

    /// Takes input once and says what to do; the number of bytes taken comes with it.
    pub fn advance(&mut self, input: &[u8], size_max: u64) -> (usize, Progress) {
        let mut taken = 0;
        if !self.framing.ended() && self.piece.len() < PIECE_LEN {
            let room = PIECE_LEN / 2;
            let input = input.get(..room).unwrap_or(input);
            taken = self.framing.feed(input, &mut self.piece);
        }
        (taken, self.progress(size_max))
    }

    fn progress(&mut self, size_max: u64) -> Progress {
        if let Some(reply) = &self.refused {
            return if self.framing.ended() {
                Progress::Refused(reply.clone())
            } else if self.framing.size() > size_max.saturating_mul(2) {
                Progress::Endless(reply.clone())
            } else {
                Progress::Hungry
            };
        }
        if let Some(flaw) = self.framing.flaw() {
            self.refuse(flawed(flaw));
            return Progress::Spoilt;
        }
        if self.framing.size() > size_max {
            self.refuse(too_big(size_max));
            return Progress::Spoilt;
        }
        if self.piece.len() >= PIECE_LEN || (self.framing.ended() && !self.piece.is_empty()) {
            return Progress::Piece(std::mem::take(&mut self.piece));
        }
        if self.framing.ended() { Progress::Ended } else { Progress::Hungry }
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
