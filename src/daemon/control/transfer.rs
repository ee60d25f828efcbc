//! What goes over the control socket after `import` and `export` were answered: lines of JSON, and messages in chunks
//! (4 bytes of length, the most significant first, then so many bytes). Both ends are this program, perhaps in two
//! versions; neither holds more than a chunk of a message.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What an import sends. Each but `Message` is answered by a line; a message's chunks follow its line at once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportStep {
    /// What follows goes into this mailbox, levels parted by `/`. Answer: `Named`.
    Mailbox(String),
    /// Subscribe to it. Answer: `Named`.
    Subscribe(String),
    /// A message.
    Message(Marked),
    /// Make what came safe. Answer: a list of `MessageOutcome`, one a message, in order.
    Commit,
}

/// What is known of a message beside its text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct Marked {
    /// INTERNALDATE, seconds since 1970.
    pub date: i64,
    /// Its zone, minutes east.
    pub zone: i16,
    /// System flags as letters of a Maildir name.
    pub flags: String,
    pub keywords: Vec<String>,
}

/// How a mailbox is called here, or why it cannot be.
pub type Named = Result<String, String>;

/// What has come of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageOutcome {
    /// It is safe, without these of its keywords.
    Taken(Vec<String>),
    /// It was there, or had been imported before.
    There,
    /// Why it is not taken.
    Refused(String),
}

/// An answer to a step: what was asked for, or why the import cannot go on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said<T> {
    /// As the step says.
    Done(T),
    /// Nothing more can be done; what was acknowledged before is safe.
    Failed(String),
}

/// The first answer to an export.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct ExportHead {
    pub account: u32,
    pub address: String,
    pub messages: u64,
    /// Keyword letters, `a` is 0, and their names.
    pub keywords: BTreeMap<u8, String>,
    pub subscriptions: Vec<String>,
}

/// What an export sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportStep {
    /// A mailbox begins.
    Mailbox(MailboxHead),
    /// Messages of it, by rising UID; answered by a list of the UIDs whose text is wanted, rising too. Their chunks
    /// follow, one after another.
    Rows(Vec<MessageRow>),
    /// All was sent.
    End,
    /// It cannot go on.
    Failed(String),
}

/// A mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct MailboxHead {
    pub name: String,
    pub uidvalidity: u32,
    pub uidnext: u32,
}

/// A message of a mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct MessageRow {
    pub uid: u32,
    /// EMAILID, 16 hex digits.
    pub id: String,
    /// INTERNALDATE, seconds since 1970.
    pub date: i64,
    /// Bytes.
    pub size: u64,
    /// Letters of a Maildir name, keywords as well.
    pub flags: String,
}

/// A chunk of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Its bytes are in the buffer.
    Piece,
    /// The message is whole.
    End,
    /// It could not be read to its end: it is to be forgotten.
    Broken,
}

/// Bytes of a chunk at most.
pub const CHUNK_LEN_MAX: usize = 64 * 1024;
const LINE_LEN_MAX: u64 = 1 << 20;
const END: u32 = 0;
const BROKEN: u32 = u32::MAX;
/// Longer than a disk that is asleep, and than a batch takes.
const SILENCE_MAX: Duration = Duration::from_mins(10);

/// One end of a transfer. Blocks.
#[derive(Debug)]
pub struct Transfer {
    reader: BufReader<UnixStream>,
    writer: BufWriter<UnixStream>,
}

impl Transfer {
    /// Over this connection, from which nothing was read ahead.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        let writer = BufWriter::with_capacity(CHUNK_LEN_MAX, stream.try_clone()?);
        Ok(Self { reader: BufReader::with_capacity(CHUNK_LEN_MAX, stream), writer })
    }

    /// Says a line; it goes out at the next `flush`, or when there is much.
    pub fn say(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.writer.write_all(&line)
    }

    /// All that was said goes out.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// The next line; `None` if the other end has closed.
    pub fn hear<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        (&mut self.reader).take(LINE_LEN_MAX).read_until(b'\n', &mut line)?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
            Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A piece of a message, of any length.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(CHUNK_LEN_MAX) {
            let len = u32::try_from(piece.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
            self.writer.write_all(&len.to_be_bytes())?;
            self.writer.write_all(piece)?;
        }
        Ok(())
    }

    /// The message is whole.
    pub fn send_end(&mut self) -> io::Result<()> {
        self.writer.write_all(&END.to_be_bytes())
    }

    /// The message cannot be read any further.
    pub fn send_broken(&mut self) -> io::Result<()> {
        self.writer.write_all(&BROKEN.to_be_bytes())
    }

    /// The next chunk of a message.
    pub fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<Chunk> {
        let mut len = [0; 4];
        self.reader.read_exact(&mut len)?;
        match u32::from_be_bytes(len) {
            END => Ok(Chunk::End),
            BROKEN => Ok(Chunk::Broken),
            len => {
                let len = usize::try_from(len).ok().filter(|len| *len <= CHUNK_LEN_MAX);
                buffer.resize(len.ok_or(io::ErrorKind::InvalidData)?, 0);
                self.reader.read_exact(buffer)?;
                Ok(Chunk::Piece)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_LEN_MAX, Chunk, ImportStep, Transfer};
    use std::os::unix::net::UnixStream;

    #[test]
    fn lines_and_chunks_come_as_they_were_sent() {
        let (one, two) = UnixStream::pair().unwrap();
        let (mut one, mut two) = (Transfer::new(one).unwrap(), Transfer::new(two).unwrap());
        let text: Vec<u8> = (0..CHUNK_LEN_MAX + 5).map(|n| n.to_le_bytes()[0]).collect();
        let sent = text.clone();
        let sender = std::thread::spawn(move || {
            one.say(&ImportStep::Commit).unwrap();
            one.send(&sent).unwrap();
            one.send_end().unwrap();
            one.send_broken().unwrap();
            one.flush().unwrap();
        });
        assert!(matches!(two.hear().unwrap(), Some(ImportStep::Commit)));
        let (mut came, mut buffer) = (Vec::new(), Vec::new());
        while two.receive(&mut buffer).unwrap() == Chunk::Piece {
            came.extend_from_slice(&buffer);
        }
        assert!(came == text);
        assert_eq!(two.receive(&mut buffer).unwrap(), Chunk::Broken);
        sender.join().unwrap();
        assert!(two.hear::<ImportStep>().unwrap().is_none());
    }
}
