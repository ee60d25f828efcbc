//! BINARY (RFC 3516 §4, RFC 9051 §6.4.5): a part with its transfer encoding undone, or the size of that. What the part
//! holds a stranger wrote.
//!
//! Nothing of it stands in memory as a whole but a short part: a longer one is decoded in pieces of 64 KB into a file
//! without a name, and that goes out. A range, and the size, cost reading the part from its beginning.

use super::fetch_fault::Fault;
use super::fetch_section::Partial;
use crate::imap::writer::Writer;
use crate::mail::{Card, PartKind, SectionPart, TransferDecoder};
use crate::store::{Account, Scratch, StoreError, Text};
use std::ops::{ControlFlow, Range};

/// A part that is being decoded.
pub struct Binary<'a> {
    text: &'a Text,
    range: Range<u64>,
    /// `None`: the bytes are as they are.
    encoding: Option<&'a [u8]>,
}

/// What is longer goes by a file.
const MEMORY_MAX: usize = 256 * 1024;

impl<'a> Binary<'a> {
    /// The part of this number, or the whole message; `None` if there is no such part. Of a message, and of parts that
    /// hold others, there is no encoding to undo (RFC 2045 §6.4).
    pub fn find(text: &'a Text, card: &'a Card, number: &[u32]) -> Result<Option<Self>, Fault> {
        if number.is_empty() {
            return Ok(Some(Self { text, range: 0..text.size(), encoding: None }));
        }
        let (Some(part), Some(range)) =
            (card.part(number), card.section(number, SectionPart::Body))
        else {
            return Ok(None);
        };
        let encoding = match part.kind {
            PartKind::Leaf => Some(part.encoding.as_bytes()),
            PartKind::Multipart(_) | PartKind::Message(..) => None,
        };
        if encoding.is_some_and(|encoding| TransferDecoder::known(encoding).is_none()) {
            return Err(Fault::UnknownEncoding);
        }
        Ok(Some(Self { text, range, encoding }))
    }

    /// Bytes of it once it is decoded.
    pub fn size(&self) -> Result<u64, Fault> {
        if self.decoder().is_none() {
            return Ok(self.range.end.min(self.text.size()).saturating_sub(self.range.start));
        }
        let mut size = 0;
        self.each_piece(|piece| {
            size += piece.len() as u64;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(size)
    }

    /// Writes the part or a range of it: as a `literal8` if there is a NUL in what is written, else as a string.
    pub fn write(
        &self,
        account: &Account,
        out: &mut Writer,
        partial: Option<Partial>,
    ) -> Result<Written, Fault> {
        let (first, len) = partial.map_or((0, u64::MAX), |Partial { start, len }| (start, len));
        let last = first.saturating_add(len);
        let mut memory = Vec::new();
        let (mut at, mut nul, mut file) = (0, false, None::<Scratch>);
        self.each_piece(|piece| {
            let offset = |place: u64| {
                usize::try_from(place.saturating_sub(at).min(piece.len() as u64)).unwrap_or(0)
            };
            let wanted = piece.get(offset(first)..offset(last)).unwrap_or_default();
            at += piece.len() as u64;
            nul |= wanted.contains(&0);
            if file.is_none() && memory.len() + wanted.len() > MEMORY_MAX {
                let mut made = account.scratch(self.range.end.saturating_sub(self.range.start))?;
                made.write(&std::mem::take(&mut memory))?;
                file = Some(made);
            }
            match &mut file {
                Some(file) => file.write(wanted)?,
                None => memory.extend_from_slice(wanted),
            }
            Ok(if at >= last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        out.text(if nul { "~" } else { "" });
        Ok(match file {
            Some(file) => {
                let (file, size) = file.done();
                out.file(&file, 0..size);
                Written::ByFile
            }
            None => {
                out.literal(&memory);
                Written::FromMemory
            }
        })
    }

    fn decoder(&self) -> Option<TransferDecoder> {
        self.encoding.and_then(TransferDecoder::known)
    }

    /// Hands on what is decoded, piece by piece.
    fn each_piece(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(mut decoder) = self.decoder() else { return self.text.walk(&self.range, each) };
        let (mut plain, mut enough) = (Vec::new(), false);
        self.text.walk(&self.range, |piece| {
            plain.clear();
            decoder.push(piece, &mut plain);
            let go = each(&plain)?;
            enough = go.is_break();
            Ok(go)
        })?;
        if !enough {
            plain.clear();
            decoder.finish(&mut plain);
            let _ = each(&plain)?;
        }
        Ok(())
    }
}

/// How a part was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It holds no file open.
    FromMemory,
    /// It holds one.
    ByFile,
}
