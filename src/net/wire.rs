//! A connection as the driver uses it: clear or TLS, deflated or not, with a buffer that it gives back when it rests.

use super::deflate::Deflate;
use super::stream::Stream;
use smol::future;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;

/// A connection.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    deflate: Option<Box<Deflate>>,
    /// What was read last, for the machine.
    buffer: Vec<u8>,
    /// What was read last and is still deflated.
    raw: Vec<u8>,
    end: End,
}

/// Has the peer closed its side? Then nothing more is read; an answer may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Gone,
}

const READ_LEN: usize = 16 * 1024;
/// What a connection that rests reads into.
const REST_LEN: usize = 64;
/// Deflated bytes are written when there are so many.
const WRITE_LEN: usize = 32 * 1024;
/// Deflating is slow: so much of it, and others have their turn.
const DEFLATE_LEN: usize = 4 * 1024;

impl Wire {
    /// Nothing is deflated yet.
    pub const fn new(stream: Stream) -> Self {
        Self { stream, deflate: None, buffer: Vec::new(), raw: Vec::new(), end: End::Open }
    }

    /// The connection alone.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// From here on both directions are deflated.
    pub fn compress(&mut self) {
        self.deflate = Some(Box::default());
    }

    /// Nothing has happened for a while.
    pub fn rest(&mut self) {
        self.buffer = vec![0; REST_LEN];
        self.raw = Vec::new();
        if let Some(deflate) = &mut self.deflate {
            deflate.rest();
        }
    }

    /// What `read` has read.
    pub fn heard(&self, count: usize) -> &[u8] {
        self.buffer.get(..count).unwrap_or_default()
    }

    /// Reads something; 0 once: the peer has closed its side. May be dropped and called again: nothing is lost.
    pub async fn read(&mut self) -> io::Result<usize> {
        if self.end == End::Gone {
            return future::pending().await;
        }
        if self.buffer.is_empty() || self.buffer.len() == REST_LEN && self.deflate.is_some() {
            self.buffer.resize(READ_LEN, 0);
        }
        let Self { stream, deflate, buffer, raw, end } = self;
        let count = match deflate {
            None => stream.read(buffer).await?,
            Some(deflate) => loop {
                let count = deflate.inflate(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
                raw.resize(READ_LEN, 0);
                match stream.read(raw).await? {
                    0 => break 0,
                    count => deflate.push(raw.get(..count).unwrap_or_default()),
                }
            },
        };
        match count {
            0 => *end = End::Gone,
            // It was small because the connection rested.
            count if count == buffer.len() => buffer.resize(READ_LEN, 0),
            _ => {}
        }
        Ok(count)
    }

    /// Writes, or keeps for `flush`.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else { return self.stream.write_all(bytes).await };
        let mut out = Vec::new();
        for piece in bytes.chunks(DEFLATE_LEN) {
            deflate.deflate(piece, &mut out)?;
            if out.len() >= WRITE_LEN {
                self.stream.write_all(&out).await?;
                out.clear();
            }
            future::yield_now().await;
        }
        self.stream.write_all(&out).await
    }

    /// Everything that was written can be read by the peer.
    pub async fn flush(&mut self) -> io::Result<()> {
        if let Some(deflate) = &mut self.deflate {
            let mut out = Vec::new();
            deflate.flush(&mut out)?;
            self.stream.write_all(&out).await?;
        }
        self.stream.flush().await
    }

    /// Flushes and closes.
    pub async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::Wire;
    use crate::net::Stream;
    use smol::LocalExecutor;
    use smol::net::unix::UnixStream;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn others_have_their_turn_while_a_large_answer_is_deflated() {
        let executor = LocalExecutor::new();
        let written_first = smol::block_on(executor.run(async {
            let (here, _there) = UnixStream::pair().unwrap();
            let written = Rc::new(Cell::new(false));
            let done = written.clone();
            let writing = executor.spawn(async move {
                let mut wire = Wire::new(Stream::Local(here));
                wire.compress();
                wire.write(&vec![b'x'; 64 * 1024]).await.unwrap();
                done.set(true);
            });
            let another = executor.spawn(async move { written.get() }).await;
            writing.await;
            another
        }));
        assert!(!written_first);
    }
}
