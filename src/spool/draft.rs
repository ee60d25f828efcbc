//! A message on its way into the queue.

use super::envelope::Envelope;
use super::error::SpoolError;
use super::folder::Spool;
use super::layout::{Bytes, HEAD_LEN, Hold, Layout, Stage};
use super::queued::{MessageId, Queued};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A message that is being written. Dropped unfinished, its file goes.
#[derive(Debug)]
pub struct Draft {
    spool: Arc<Spool>,
    id: MessageId,
    envelope: Envelope,
    places: Vec<u64>,
    layout: Layout,
    sum: crc32fast::Hasher,
    /// `None` once it is finished.
    file: Option<BufWriter<File>>,
}

const BUFFER_LEN: usize = 64 * 1024;

impl Spool {
    /// Begins a message. Blocks.
    pub fn begin(self: &Arc<Self>, envelope: Envelope) -> Result<Draft, SpoolError> {
        let (id, file) = self.create(envelope.arrived)?;
        Draft::new(self.clone(), id, envelope, file)
    }
}

impl Draft {
    fn new(
        spool: Arc<Spool>,
        id: MessageId,
        envelope: Envelope,
        file: File,
    ) -> Result<Self, SpoolError> {
        let (text, places) = envelope.text();
        let places = places.into_iter().map(|place| HEAD_LEN + place).collect();
        let layout = Layout {
            envelope: text.len() as u64,
            message: 0,
            fields: 0,
            sum: 0,
            bytes: Bytes::Seven,
            stage: Stage::Draft,
        };
        let file = Some(BufWriter::with_capacity(BUFFER_LEN, file));
        let sum = crc32fast::Hasher::new();
        let mut draft = Self { spool, id, envelope, places, layout, sum, file };
        draft.append(layout.text().as_bytes())?;
        draft.append(text.as_bytes())?;
        Ok(draft)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let file = self.file.as_mut().ok_or(SpoolError::Gone)?;
        file.write_all(bytes).map_err(SpoolError::io("write a message"))
    }

    /// The name that it will have.
    pub const fn id(&self) -> &MessageId {
        &self.id
    }

    /// Appends a piece of the message. Blocks.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.append(bytes)?;
        self.sum.update(bytes);
        self.layout.message += bytes.len() as u64;
        if !bytes.is_ascii() {
            self.layout.bytes = Bytes::Eight;
        }
        Ok(())
    }

    /// Finishes it; `fields` go before the message when it leaves. It is safe on the disk when this returns. Blocks.
    pub fn finish(mut self, fields: &[u8]) -> Result<Queued, SpoolError> {
        self.append(fields)?;
        self.sum.update(fields);
        self.layout.fields = fields.len() as u64;
        self.layout.sum = self.sum.clone().finalize();
        self.layout.stage = Stage::Whole(Hold::No);
        let file = self.file.as_mut().ok_or(SpoolError::Gone)?;
        let failed = SpoolError::io("write a message");
        file.flush().map_err(&failed)?;
        file.get_ref().write_all_at(self.layout.text().as_bytes(), 0).map_err(&failed)?;
        file.get_ref().sync_data().map_err(SpoolError::io("sync a message"))?;
        self.spool.sync_folder()?;
        self.file = None;
        let places = std::mem::take(&mut self.places);
        Ok(Queued::new(self.id.clone(), self.envelope.clone(), Hold::No, self.layout, places))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.is_some() {
            self.spool.forget(&self.id);
        }
    }
}
