//! A message's text as clients see it. Our own files go out byte for byte; another program's may end lines by LF alone,
//! and are read as if every line ended by CRLF.

use super::error::StoreError;
use rustix::buffer::spare_capacity;
use rustix::io::pread;
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How line ends are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Byte for byte.
    AsTheyAre,
    /// A LF without CR before it becomes CRLF.
    Crlf,
}

const PIECE: usize = 64 * 1024;

/// Reads a file in pieces.
pub(super) struct Reader {
    file: File,
    lines: Lines,
    at: u64,
    raw: Vec<u8>,
    cooked: Vec<u8>,
    last: u8,
    ended: bool,
}

impl Reader {
    pub fn new(file: File, lines: Lines) -> Self {
        Self { file, lines, at: 0, raw: Vec::new(), cooked: Vec::new(), last: 0, ended: false }
    }

    /// Bytes of the file read so far.
    pub const fn file_bytes(&self) -> u64 {
        self.at
    }

    pub fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        self.raw.clear();
        self.raw.reserve(PIECE);
        while !self.ended && self.raw.len() < PIECE {
            let count = pread(&self.file, spare_capacity(&mut self.raw), self.at)?;
            self.ended = count == 0;
            self.at += count as u64;
        }
        if self.raw.is_empty() {
            return Ok(None);
        }
        if self.lines == Lines::AsTheyAre {
            return Ok(Some(&self.raw));
        }
        self.cooked.clear();
        for &byte in &self.raw {
            if byte == b'\n' && self.last != b'\r' {
                self.cooked.push(b'\r');
            }
            self.cooked.push(byte);
            self.last = byte;
        }
        Ok(Some(&self.cooked))
    }
}

/// An open message. Its offsets are those of the text that clients see.
#[derive(Debug, Clone)]
pub struct Text {
    file: Arc<File>,
    lines: Lines,
    size: u64,
}

impl Text {
    pub(super) fn new(file: File, size: u64, file_size: u64) -> io::Result<Self> {
        let true_size = file.metadata()?.len();
        let lines = if size == file_size { Lines::AsTheyAre } else { Lines::Crlf };
        let size = if lines == Lines::AsTheyAre { true_size } else { size };
        Ok(Self { file: Arc::new(file), lines, size })
    }

    /// A file that is read byte for byte.
    pub(super) const fn whole(file: Arc<File>, size: u64) -> Self {
        Self { file, lines: Lines::AsTheyAre, size }
    }

    /// Bytes as clients count them.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The file itself, if a range of it can go out unchanged.
    pub fn as_file(&self) -> Option<&Arc<File>> {
        (self.lines == Lines::AsTheyAre).then_some(&self.file)
    }

    /// Hands on a range of the text, cut at its end, in pieces of at most 128 KB and in one walk over the file, until
    /// `each` has enough.
    pub fn walk(
        &self,
        range: &Range<u64>,
        mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::io("read a message", &error);
        let mut reader = Reader::new(self.file.try_clone().map_err(failed)?, self.lines);
        let mut at = match self.lines {
            Lines::AsTheyAre => range.start,
            // Where a line end is made is known only from the beginning.
            Lines::Crlf => 0,
        };
        reader.at = at;
        while at < range.end
            && let Some(piece) = reader.next_piece().map_err(failed)?
        {
            let len = piece.len() as u64;
            let offset =
                |place: u64| usize::try_from(place.saturating_sub(at).min(len)).unwrap_or(0);
            let wanted = piece.get(offset(range.start)..offset(range.end)).unwrap_or_default();
            if each(wanted)?.is_break() {
                break;
            }
            at += len;
        }
        Ok(())
    }

    /// A range of the text, cut at its end.
    pub fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let range = range.start.min(self.size)..range.end.min(self.size);
        let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if self.lines == Lines::AsTheyAre {
            let mut bytes = vec![0; len];
            let mut filled = 0;
            while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match self.file.read_at(rest, range.start + filled as u64)? {
                    0 => break,
                    count => filled += count,
                }
            }
            bytes.truncate(filled);
            return Ok(bytes);
        }
        let mut reader = Reader::new(self.file.try_clone()?, Lines::Crlf);
        let (mut at, mut bytes) = (0_u64, Vec::with_capacity(len));
        while let Some(piece) = reader.next_piece()? {
            let skip = usize::try_from(range.start.saturating_sub(at)).unwrap_or(usize::MAX);
            at += piece.len() as u64;
            if let Some(rest) = piece.get(skip..) {
                bytes.extend(rest.iter().take(len - bytes.len()));
            }
            if bytes.len() >= len {
                break;
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use std::ops::ControlFlow;

    #[test]
    fn bare_line_feeds_are_read_as_crlf_at_any_offset() {
        let path = std::env::temp_dir().join(format!("pillarbox-text-{}", std::process::id()));
        let raw = "a: b\n\nline\r\nlast\n".repeat(9000);
        let cooked = raw.replace("\r\n", "\n").replace('\n', "\r\n");
        std::fs::write(&path, &raw).unwrap();
        let open = |size: usize| {
            Text::new(std::fs::File::open(&path).unwrap(), size as u64, raw.len() as u64).unwrap()
        };
        let text = open(cooked.len());
        assert!(text.as_file().is_none());
        let all = text.read(0..u64::MAX).unwrap();
        assert_eq!(all, cooked.as_bytes());
        for start in [0_u32, 5, 65_530, 65_536, 131_071] {
            let (from, at) = (u64::from(start), start as usize);
            assert_eq!(text.read(from..from + 7).unwrap(), &all[at..at + 7]);
        }
        let walked = |text: &Text, range: std::ops::Range<u64>| {
            let mut found = Vec::new();
            let walked = text.walk(&range, |piece| {
                assert!(piece.len() <= 128 * 1024);
                found.extend_from_slice(piece);
                Ok(ControlFlow::Continue(()))
            });
            walked.unwrap();
            found
        };
        assert_eq!(walked(&text, 65_530..131_080), all[65_530..131_080]);
        assert_eq!(walked(&text, 0..u64::MAX), all);
        let plain = open(raw.len());
        assert_eq!(plain.read(3..9).unwrap(), &raw.as_bytes()[3..9]);
        assert_eq!(walked(&plain, 65_530..70_000), &raw.as_bytes()[65_530..70_000]);
        std::fs::remove_file(path).unwrap();
    }
}
