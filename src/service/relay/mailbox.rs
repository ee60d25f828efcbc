//! A message is put into a mailbox here: a notice, or one that waited in the queue.

use super::queue::Queue;
use crate::base::AccountId;
use crate::maildir::Flags;
use crate::net;
use crate::spool::Outgoing;
use crate::store::{Cause, Incoming, Placement, StoreError, Target};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A text that goes into mailboxes.
#[derive(Debug, Clone)]
pub enum Text {
    /// In memory.
    Bytes(Arc<Vec<u8>>),
    /// In a file, behind some fields.
    File(Outgoing),
}

const PIECE_LEN: u64 = 64 * 1024;

impl Text {
    fn write(&self, incoming: &mut Incoming) -> Result<(), StoreError> {
        match self {
            Self::Bytes(bytes) => incoming.write(bytes),
            Self::File(Outgoing { fields, file, range }) => {
                incoming.write(fields)?;
                let mut at = range.start;
                while at < range.end {
                    let len = (range.end - at).min(PIECE_LEN);
                    incoming.write(&read(file, at, len)?)?;
                    at += len;
                }
                Ok(())
            }
        }
    }
}

fn read(file: &File, at: u64, len: u64) -> Result<Vec<u8>, StoreError> {
    let mut piece = vec![0; usize::try_from(len).unwrap_or(0)];
    let failed = |error| StoreError::io("read a message of the queue", &error);
    file.read_exact_at(&mut piece, at).map_err(failed)?;
    Ok(piece)
}

impl Queue {
    /// Into one mailbox; safe when this returns.
    pub(super) async fn put(
        &self,
        account: AccountId,
        trace: &str,
        text: &Text,
    ) -> Result<(), StoreError> {
        let account = self.store.account(account);
        let (begun, trace, text) = (account.clone(), trace.to_owned(), text.clone());
        let written = move || {
            let mut incoming = begun.begin()?;
            incoming.write(trace.as_bytes())?;
            text.write(&mut incoming)?;
            let placement =
                Placement { target: Target::Inbox, flags: Flags::default(), keywords: Vec::new() };
            Ok::<_, StoreError>(incoming.finish(net::now(), 0, vec![placement]))
        };
        let arrival = self.store.run(written).await.ok_or(StoreError::Closed)??;
        let committed = account.commit(vec![arrival], Cause::Delivery).await;
        committed.ok_or(StoreError::Closed)??;
        Ok(())
    }
}
