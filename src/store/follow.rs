//! File names follow what the change log says, in batches: first what moved across folders, by a second name, a sync of
//! the targets, and only then the end of the old names; then renames within folders and unlinks. Any other order loses
//! mail in a power cut. What has no room on a full disk waits.

use super::commit::{Group, Publish};
use super::core::Core;
use super::error::StoreError;
use super::folders::{Folders, Sub};
use super::pending::FOLLOW_AFTER;
use super::row::{At, Row};
use crate::maildir::{MailboxId, ModSeq, Uid};
use std::collections::BTreeSet;
use std::io;
use std::sync::PoisonError;
use std::time::Instant;

/// At most this many names in a second, when nothing presses.
pub(super) const FOLLOW_BATCH: usize = 500;

impl Core {
    /// What has waited long enough follows, one batch.
    pub fn follow_due(&mut self) {
        if let Some(due) = Instant::now().checked_sub(FOLLOW_AFTER) {
            self.follow_some(Some(due), FOLLOW_BATCH);
        }
        self.follow.batch_done();
    }

    /// The same as `follow_all` for whoever has an open group: no name follows a line that is not on the disk. An error
    /// if a name still has to follow.
    pub fn follow_committed(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
    ) -> Result<(), StoreError> {
        if !group.is_empty() {
            self.commit(std::mem::take(group), out);
        }
        self.follow_all();
        self.caught_up()
    }

    /// Has every name followed?
    pub fn caught_up(&self) -> Result<(), StoreError> {
        self.writable()?;
        if self.follow.is_empty() { Ok(()) } else { Err(StoreError::NoSpace) }
    }

    /// Everything that waits follows now, and a new generation of the change log begins.
    pub fn follow_all(&mut self) {
        let waits = |core: &Self| !core.follow.renames.is_empty() || !core.follow.doomed.is_empty();
        let mut followed = true;
        while followed && waits(self) {
            followed = self.follow_some(None, usize::MAX);
        }
        if followed {
            self.follow_some(None, 0);
        }
        self.follow.batch_done();
        self.begin_generation();
    }

    /// A new generation of the change log, if nothing needs its lines any more.
    pub fn begin_generation(&mut self) {
        if self.broken.is_some() || self.log.is_empty() || !self.follow.is_empty() {
            return;
        }
        let reserve = ModSeq(self.next.modseq.0 + super::core::MODSEQ_BLOCK);
        match self.log.begin_generation(reserve) {
            Ok(()) => self.modseq_reserve = reserve,
            Err(error) => {
                self.break_down("change log", &error);
            }
        }
    }

    /// Lets names follow that have waited since before `due` (all if `None`), at most `most`. False if the disk
    /// refused.
    pub fn follow_some(&mut self, due: Option<Instant>, most: usize) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let waited = |at: &Instant| due.is_none_or(|due| *at <= due);
        let renames: Vec<(MailboxId, Uid)> = (self.follow.renames.iter())
            .filter(|(_, at)| waited(at))
            .map(|(&key, _)| key)
            .take(most)
            .collect();
        let doomed: Vec<(MailboxId, Uid)> = (self.follow.doomed.iter())
            .filter(|(_, at)| waited(at))
            .map(|(&key, _)| key)
            .take(most - renames.len().min(most))
            .collect();
        let followed = self.follow_these(&renames, &doomed);
        let full = matches!(followed, Err(StoreError::NoSpace));
        if full && !self.follow.no_room {
            log::warn!(
                "account={} the disk is full: file names follow when there is room",
                self.id
            );
        }
        self.follow.no_room = full;
        match followed {
            Ok(()) => {
                self.flush();
                true
            }
            // The second has been said.
            Err(StoreError::NoSpace | StoreError::ReadOnly(_)) => false,
            Err(error) => {
                self.break_down("rename of messages", &error);
                false
            }
        }
    }

    /// `NoSpace`: what could not follow still waits, everything else has followed.
    fn follow_these(
        &mut self,
        renames: &[(MailboxId, Uid)],
        doomed: &[(MailboxId, Uid)],
    ) -> Result<(), StoreError> {
        let mut waiting = BTreeSet::new();
        // a) Across folders, and links of copies. A folder may be the target of one move and the source of another, so
        // no old name goes before all targets are synced.
        let mut targets = self.take_unsynced();
        let (mut old_names, mut within) = (Vec::new(), Vec::new());
        for &(mailbox, uid) in renames {
            let Some(row) = self.row(mailbox, uid)? else { continue };
            match row.at {
                At::Elsewhere(there, there_uid) => {
                    match self.link_moved(mailbox, &row, (there, there_uid)) {
                        Ok(old) => old_names.extend(old),
                        Err(StoreError::NoSpace) => {
                            waiting.insert((mailbox, uid));
                            continue;
                        }
                        Err(error) => return Err(error),
                    }
                    targets.insert(mailbox);
                }
                At::New | At::Cur => within.push((mailbox, row)),
            }
        }
        for mailbox in targets {
            self.sync_folders(mailbox)?;
        }
        let sources: BTreeSet<MailboxId> = old_names.iter().map(|old| old.0).collect();
        for (mailbox, sub, name) in old_names {
            self.unlink_own(mailbox, sub, &name)?;
        }
        for mailbox in sources {
            self.sync_folders(mailbox)?;
        }
        // b) Within folders, and unlinks.
        let mut touched = BTreeSet::new();
        for (mailbox, row) in within {
            match self.rename_file(mailbox, &row) {
                Err(StoreError::NoSpace) => {
                    waiting.insert((mailbox, row.uid));
                }
                other => other?,
            }
            touched.insert(mailbox);
        }
        for &(mailbox, uid) in doomed {
            if let Some(row) = self.row(mailbox, uid)? {
                self.unlink_file(mailbox, &row)?;
                touched.insert(mailbox);
            }
        }
        for mailbox in touched {
            self.sync_folders(mailbox)?;
        }
        for key in renames.iter().filter(|&key| !waiting.contains(key)) {
            self.follow.renames.remove(key);
        }
        for key in doomed {
            self.follow.doomed.remove(key);
        }
        if waiting.is_empty() { Ok(()) } else { Err(StoreError::NoSpace) }
    }

    fn sync_folders(&mut self, mailbox: MailboxId) -> Result<(), StoreError> {
        // A mailbox that was deleted in the meantime has nothing to sync.
        let Ok(folders) = self.folders(mailbox) else { return Ok(()) };
        let synced = folders.cur.sync().and_then(|()| folders.new.sync());
        // Whatever it says, also that the disk is full: what it was for may be lost, and the next would not say so.
        synced.map_err(|error| self.break_down("sync of a folder", &error))
    }

    /// Gives a moved message its new name. What its old one is: that goes when the new one is durable.
    fn link_moved(
        &mut self,
        mailbox: MailboxId,
        row: &Row,
        from: (MailboxId, Uid),
    ) -> Result<Option<(MailboxId, Sub, Vec<u8>)>, StoreError> {
        let validity = self.next.get(mailbox).ok_or(StoreError::NoMailbox)?.validity;
        let target = self.folders(mailbox)?;
        let flags = row.flags;
        let name = row.cur_name(validity, flags);
        let mut old_name = None;
        if let Some(there) = self.row(from.0, from.1)?
            && let Some((sub, old)) = self.find_file(from.0, &there)?
        {
            let source = self.folders(from.0)?;
            self.common.expected.came(mailbox, Sub::Cur, &name);
            match source.sub(sub).link(&old, &target.cur, &name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // Another program took it: a look will find out.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("move a message", &error)),
            }
            old_name = Some((from.0, sub, old));
        } else if !target.cur.has(&name) {
            log::warn!(
                "account={} mailbox={mailbox} uid={} the file of a moved message is gone",
                self.id,
                row.uid
            );
        }
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.remove(from.0, from.1);
        if let Some(row) = pending.row_mut(mailbox, row.uid) {
            (row.at, row.name_flags) = (At::Cur, flags);
        }
        drop(pending);
        self.dirty.removed.entry(from.0).or_default().insert(from.1);
        self.dirty.folder(mailbox);
        Ok(old_name)
    }

    fn rename_file(&mut self, mailbox: MailboxId, row: &Row) -> Result<(), StoreError> {
        let validity = self.next.get(mailbox).ok_or(StoreError::NoMailbox)?.validity;
        let folders = self.folders(mailbox)?;
        let flags = row.flags;
        let name = row.cur_name(validity, flags);
        match self.find_file(mailbox, row)? {
            Some((Sub::Cur, old)) if old == name => {}
            Some((sub, old)) => {
                self.rename_own((mailbox, sub, &folders, &old), (mailbox, &folders, &name))?;
            }
            // Another program took it: a look will find out.
            None => return Ok(()),
        }
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.row_mut(mailbox, row.uid) {
            Some(row) => (row.at, row.name_flags) = (At::Cur, flags),
            None => {
                self.dirty.named.entry(mailbox).or_default().insert(row.uid, flags);
            }
        }
        drop(pending);
        self.dirty.folder(mailbox);
        Ok(())
    }

    fn unlink_file(&mut self, mailbox: MailboxId, row: &Row) -> Result<(), StoreError> {
        if let Some((sub, name)) = self.find_file(mailbox, row)? {
            self.unlink_own(mailbox, sub, &name)?;
        }
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.remove(mailbox, row.uid);
        drop(pending);
        self.dirty.removed.entry(mailbox).or_default().insert(row.uid);
        self.dirty.folder(mailbox);
        Ok(())
    }

    /// Takes a name away, and notes that it is us.
    fn unlink_own(&mut self, mailbox: MailboxId, sub: Sub, name: &[u8]) -> Result<(), StoreError> {
        let folders = self.folders(mailbox)?;
        self.common.expected.went(mailbox, sub, name);
        match folders.sub(sub).unlink(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // What was to go with it is no longer known: it cannot be tried again as if for want of room.
                Err(self.break_down("removal of a message's old name", &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Renames into a `cur/`, and notes that it is us.
    pub fn rename_own(
        &mut self,
        (source_id, source_sub, source, old): (MailboxId, Sub, &Folders, &[u8]),
        (target_id, target, name): (MailboxId, &Folders, &[u8]),
    ) -> Result<(), StoreError> {
        self.common.expected.went(source_id, source_sub, old);
        self.common.expected.came(target_id, Sub::Cur, name);
        match source.sub(source_sub).rename(old, &target.cur, name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("rename a message", &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
