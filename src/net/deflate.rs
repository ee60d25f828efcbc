//! Both directions of a connection deflated (RFC 4978, RFC 1951): what the peer sends is inflated a buffer at a time, so
//! that a bomb costs no more than its compressed bytes and one buffer; what we send is flushed when there is no more to
//! say.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;

/// The state of a connection.
#[derive(Debug)]
pub struct Deflate {
    inflate: Decompress,
    /// Came from the peer and is not inflated yet.
    coming: Vec<u8>,
    /// Made when there is something to say, given back when the connection rests: it is the larger part by far. A new one
    /// may go on where another has flushed, because a stream without header has no other state than its window.
    compress: Option<Compress>,
    /// Something was compressed since the last flush.
    unflushed: Unflushed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unflushed {
    Nothing,
    Something,
}

/// Fast is good enough: mail that is worth it compresses well at any level, and a small board has better to do.
const LEVEL: u32 = 3;
/// What the compressor is given room for at once.
const ROOM: usize = 16 * 1024;

impl Default for Deflate {
    fn default() -> Self {
        Self {
            inflate: Decompress::new(false),
            coming: Vec::new(),
            compress: None,
            unflushed: Unflushed::Nothing,
        }
    }
}

impl Deflate {
    /// Takes bytes from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.coming.extend_from_slice(bytes);
    }

    /// Inflates into a buffer what is here; 0: more must come. An error: that is not deflated.
    pub fn inflate(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let invalid =
            |error: flate2::DecompressError| io::Error::new(io::ErrorKind::InvalidData, error);
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let status =
            self.inflate.decompress(&self.coming, into, FlushDecompress::Sync).map_err(invalid)?;
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let taken = count(self.inflate.total_in(), taken);
        self.coming.drain(..taken.min(self.coming.len()));
        let given = count(self.inflate.total_out(), given);
        if given == 0 && status == Status::StreamEnd {
            let ended = "the peer ended its deflated stream";
            return Err(io::Error::new(io::ErrorKind::InvalidData, ended));
        }
        if self.coming.is_empty() {
            self.coming.shrink_to(1024);
        }
        Ok(given)
    }

    /// Compresses bytes for the peer onto the end of `out`; some may wait for `flush`.
    pub fn deflate(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.run(bytes, out, FlushCompress::None)?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        self.unflushed = Unflushed::Something;
        Ok(())
    }

    /// Everything that was compressed can be read by the peer after this.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.unflushed == Unflushed::Nothing {
            return Ok(());
        }
        loop {
            let before = out.len();
            self.run(&[], out, FlushCompress::Sync)?;
            // A flush that left room has come to its end.
            if out.len() - before < ROOM {
                break;
            }
        }
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// The connection rests: gives back what can be made again. Only after a flush.
    pub fn rest(&mut self) {
        if self.unflushed == Unflushed::Nothing {
            self.compress = None;
        }
    }

    /// Compresses into room of its own; how much of `bytes` was taken.
    fn run(&mut self, bytes: &[u8], out: &mut Vec<u8>, flush: FlushCompress) -> io::Result<usize> {
        let compress =
            self.compress.get_or_insert_with(|| Compress::new(Compression::new(LEVEL), false));
        let (taken, given) = (compress.total_in(), compress.total_out());
        let mut room = [0; ROOM];
        compress.compress(bytes, &mut room, flush).map_err(io::Error::other)?;
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let given = count(compress.total_out(), given);
        out.extend_from_slice(room.get(..given).unwrap_or_default());
        Ok(count(compress.total_in(), taken))
    }
}

#[cfg(test)]
mod tests {
    use super::Deflate;
    use flate2::{Compress, Compression, FlushCompress};

    fn inflated(deflate: &mut Deflate) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            match deflate.inflate(&mut buffer).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn what_one_says_the_other_hears_with_rests_between() {
        let (mut here, mut there) = (Deflate::default(), Deflate::default());
        for round in 0..50_usize {
            let text = format!("* {round} FETCH (FLAGS (\\Seen))\r\n").repeat(round * 40 + 1);
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(1000) {
                here.deflate(piece, &mut out).unwrap();
            }
            here.flush(&mut out).unwrap();
            let len = out.len();
            here.flush(&mut out).unwrap();
            assert_eq!(out.len(), len, "an empty flush says nothing");
            if round % 3 == 0 {
                here.rest();
            }
            // A byte at a time, as a slow line brings it.
            let mut heard = Vec::new();
            for byte in out {
                there.push(&[byte]);
                heard.extend(inflated(&mut there));
            }
            assert_eq!(heard, text.as_bytes());
        }
    }

    #[test]
    fn a_large_text_that_does_not_compress() {
        let (mut here, mut there) = (Deflate::default(), Deflate::default());
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        let noise: Vec<u8> = (0..300_000).map(|_| byte()).collect();
        let mut out = Vec::new();
        here.deflate(&noise, &mut out).unwrap();
        here.flush(&mut out).unwrap();
        there.push(&out);
        assert_eq!(inflated(&mut there), noise);
    }

    #[test]
    fn a_client_that_flushes_partially_is_heard() {
        // RFC 1951 blocks without the empty stored one that a sync flush adds: what is whole is heard at once.
        let mut there = Deflate::default();
        let mut client = Compress::new(Compression::best(), false);
        for text in ["a NOOP\r\n", "b SELECT INBOX\r\n", "c IDLE\r\n"] {
            let mut out = Vec::with_capacity(1000);
            client.compress_vec(text.as_bytes(), &mut out, FlushCompress::Partial).unwrap();
            there.push(&out);
            assert_eq!(inflated(&mut there), text.as_bytes());
        }
    }

    #[test]
    fn noise_is_an_error_and_a_bomb_comes_by_the_buffer() {
        let mut noise = Deflate::default();
        noise.push(b"\xff\xff\xff\xff NOOP\r\n");
        assert!(noise.inflate(&mut [0; 100]).is_err());
        let mut bomb = Vec::with_capacity(1 << 20);
        let mut maker = Compress::new(Compression::best(), false);
        let zeros = vec![0; 50 << 20];
        let mut from = 0;
        while from < zeros.len() {
            let before = maker.total_in();
            bomb.reserve(1 << 16);
            maker.compress_vec(&zeros[from..], &mut bomb, FlushCompress::Sync).unwrap();
            from += usize::try_from(maker.total_in() - before).unwrap();
        }
        let mut deflate = Deflate::default();
        deflate.push(&bomb);
        let mut buffer = vec![0; 16 * 1024];
        assert_eq!(deflate.inflate(&mut buffer).unwrap(), buffer.len());
    }
}
