//! The index and the cards are told what has happened: one transaction for many changes, never synced for an answer.

use super::columns::CleanMark;
use super::core::Core;
use super::mailbox::Mailbox;
use super::pending::Dirty;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Changes wait at most so long,
pub(super) const FLUSH_AFTER: Duration = Duration::from_secs(5);
/// and at most so many: a transaction writes whole pages, so fewer and larger ones spare the card.
pub(super) const FLUSH_COUNT: usize = 512;
/// A folder time this young may hide a change within the same tick of the file system's clock.
const MTIME_SURE: Duration = Duration::from_secs(2);

impl Core {
    /// When the index must be told at the latest.
    pub fn flush_due(&self) -> Option<Instant> {
        self.dirty.since.map(|since| since + FLUSH_AFTER)
    }

    /// Tells the index all that it does not know. A failure is logged: the index can be made anew.
    pub fn flush(&mut self) {
        if self.dirty.is_empty() {
            return;
        }
        let dirty = std::mem::take(&mut self.dirty);
        if !dirty.cards.is_empty() {
            self.cards.write(self.id, &dirty.cards);
        }
        let settled = {
            let pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.settled()
        };
        let rows: Vec<_> = (dirty.folders.iter().chain(settled.keys()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|&id| self.next.get(id))
            .map(|mailbox| self.folder_row(mailbox, (0, 0)))
            .collect();
        let generation = self.log.generation();
        let there = |id: &crate::maildir::MailboxId| self.next.get(*id).is_some();
        let mut pruned = Vec::new();
        let written = self.index.write(|writer| {
            writer.clean_mark(None)?;
            writer.generation(generation)?;
            for &id in &dirty.deleted {
                writer.remove_folder(id)?;
            }
            for row in &rows {
                writer.folder(row)?;
            }
            for (id, rows) in settled.iter().filter(|(id, _)| there(id)) {
                writer.messages(*id, rows)?;
            }
            for (id, entries) in dirty.flags.iter().filter(|(id, _)| there(id)) {
                writer.flags(*id, &entries.values().copied().collect::<Vec<_>>())?;
            }
            for (id, names) in dirty.named.iter().filter(|(id, _)| there(id)) {
                writer.named(*id, names)?;
            }
            for (id, uids) in dirty.removed.iter().filter(|(id, _)| there(id)) {
                writer.remove(*id, uids)?;
            }
            for (id, uids, modseq) in dirty.expunged.iter().filter(|(id, ..)| there(id)) {
                writer.expunged(*id, uids, *modseq)?;
            }
            for &id in dirty.expunged.iter().map(|(id, ..)| id).collect::<BTreeSet<_>>() {
                if let Some(known_since) = writer.prune_expunged(id)? {
                    pruned.push((id, known_since));
                }
            }
            Ok(())
        });
        match written {
            Ok(()) => {
                for (id, known_since) in pruned {
                    if let Ok(mailbox) = self.next.edit(id) {
                        mailbox.known_since = known_since;
                    }
                }
                let mut pending =
                    self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
                pending.forget_settled();
            }
            Err(error) => {
                log::warn!("account={} index not written, tried again: {error}", self.id);
                // Cards are written or lost; everything else is told again.
                let count = dirty.count;
                self.dirty = Dirty {
                    cards: Vec::new(),
                    since: Some(Instant::now()),
                    count: count / 2,
                    ..dirty
                };
            }
        }
    }

    /// Leaves the mark that lets the next start list nothing: only when every name has followed.
    pub fn mark_clean(&mut self) {
        let behind = !self.dirty.is_empty() || !self.follow.is_empty() || !self.log.is_empty();
        if self.broken.is_some() || behind {
            return;
        }
        let mailboxes: Vec<Arc<Mailbox>> = self.next.iter().cloned().collect();
        let mut rows = Vec::with_capacity(mailboxes.len());
        for mailbox in mailboxes {
            let Ok(folders) = self.folders(mailbox.id) else { return };
            let sure = |mtime: std::io::Result<i64>| {
                let limit = super::core::now() - MTIME_SURE;
                mtime.ok().filter(|&mtime| mtime / 1000 < limit.micros()).unwrap_or(0)
            };
            let mtimes = (sure(folders.cur.mtime()), sure(folders.new.mtime()));
            rows.push(self.folder_row(&mailbox, mtimes));
        }
        let mark = CleanMark { generation: self.log.generation(), modseq: self.next.modseq };
        let written = self.index.write(|writer| {
            for row in &rows {
                writer.folder(row)?;
            }
            writer.generation(mark.generation)?;
            writer.clean_mark(Some(mark))
        });
        if let Err(error) = written {
            log::warn!("account={} stop not marked as clean: {error}", self.id);
        }
    }

    /// Arrays that nobody looks at are given back.
    pub fn rest(&mut self) {
        for id in self.next.ids() {
            let rests =
                |mailbox: &Arc<Mailbox>| mailbox.cell.get().is_some_and(|array| !array.is_shared());
            if self.next.get(id).is_some_and(rests)
                && let Ok(mailbox) = self.next.edit(id)
            {
                mailbox.cell = Arc::default();
            }
        }
    }
}
