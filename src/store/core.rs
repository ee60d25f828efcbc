//! What the committer of one account owns: the open Maildir, the change log, the index, the newest state, and what
//! must still follow. Only one thread at a time has it, so nothing here is locked.

use super::array::{Array, Entry};
use super::cards::Cards;
use super::columns::FolderRow;
use super::error::StoreError;
use super::folders::{Folders, Sub, find_name};
use super::index::Index;
use super::mailbox::{Mailbox, Mailboxes};
use super::pending::{Dirty, Follow, Pending};
use super::row::{At, Row};
use super::watcher::Expected;
use crate::base::{AccountId, Timestamp};
use crate::maildir::{
    AccountText, ChangeLog, Dir, FolderText, MailboxId, ModSeq, Uid, UidSet, UidValidity,
    UniqueSource,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// UIDs are made durable ahead in blocks of this many.
pub(super) const UID_BLOCK: u32 = 256;
/// MODSEQs likewise.
pub(super) const MODSEQ_BLOCK: u64 = 1000;

pub(super) const ACCOUNT_TEXT: &[u8] = b"pillarbox-account";
pub(super) const FOLDER_TEXT: &[u8] = b"pillarbox-folder";
pub(super) const SUBSCRIPTIONS: &[u8] = b"subscriptions";

/// Shared between an account's committer and those who read.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// Open folders; a handle outlives a rename.
    folders: Mutex<HashMap<MailboxId, Folders>>,
    /// Rows that the index does not have yet.
    pub pending: Mutex<Pending>,
    /// The first UID of each mailbox that no session has had as `\Recent`.
    pub recent: Mutex<HashMap<MailboxId, Uid>>,
    /// What this program does itself in watched folders.
    pub expected: Arc<Expected>,
}

impl Common {
    /// The open folders of a mailbox.
    pub fn folders(&self, maildir: &Dir, mailbox: &Mailbox) -> io::Result<Folders> {
        let mut open = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folders) = open.get(&mailbox.id) {
            return Ok(folders.clone());
        }
        let folders = Folders::open(maildir, &mailbox.name)?;
        open.insert(mailbox.id, folders.clone());
        Ok(folders)
    }

    /// A mailbox is gone.
    pub fn forget(&self, mailbox: MailboxId) {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).remove(&mailbox);
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).forget_mailbox(mailbox);
        self.expected.remove(mailbox);
    }
}

pub(super) struct Core {
    pub id: AccountId,
    pub path: PathBuf,
    pub maildir: Dir,
    pub tmp: Dir,
    pub log: ChangeLog,
    pub index: Index,
    /// The state with everything that is being committed; sessions see it after the sync.
    pub next: Mailboxes,
    pub modseq_reserve: ModSeq,
    pub common: Arc<Common>,
    pub unique: Arc<Mutex<UniqueSource>>,
    pub cards: Arc<Cards>,
    pub follow: Follow,
    pub dirty: Dirty,
    /// Why the account takes no changes any more.
    pub broken: Option<Arc<str>>,
}

/// The clock of the store.
pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}

impl Core {
    /// A disk that failed once is not believed again: no more changes until a restart.
    pub fn break_down(&mut self, what: &str, error: &dyn std::fmt::Display) -> StoreError {
        let why: Arc<str> = format!("{what}: {error}").into();
        log::error!(
            "account={} read-only=\"{why}\" mail is refused and nothing can be changed until the disk is mended and the \
             server started again; what was acknowledged before is safe",
            self.id
        );
        self.broken = Some(why.clone());
        StoreError::ReadOnly(why)
    }

    /// Refuses when the account is read-only.
    pub fn writable(&self) -> Result<(), StoreError> {
        self.broken.clone().map_or(Ok(()), |why| Err(StoreError::ReadOnly(why)))
    }

    /// Refuses too when the change log cannot be emptied because the disk is full: the rest of it is kept for what is
    /// under way.
    pub fn takes_changes(&self) -> Result<(), StoreError> {
        self.writable()?;
        if self.follow.no_room && self.log.is_half_full() {
            return Err(StoreError::NoSpace);
        }
        Ok(())
    }

    /// The open folders of a mailbox.
    pub fn folders(&self, id: MailboxId) -> Result<Folders, StoreError> {
        let mailbox = self.next.get(id).ok_or(StoreError::NoMailbox)?;
        let open = self.common.folders(&self.maildir, mailbox);
        open.map_err(|error| StoreError::io(&format!("open mailbox {}", mailbox.name), &error))
    }

    /// The mailbox's messages; from rows if nobody has needed them yet.
    pub fn load(&mut self, id: MailboxId) -> Result<Array, StoreError> {
        let mailbox = self.next.get(id).ok_or(StoreError::NoMailbox)?;
        if let Some(array) = mailbox.loaded() {
            return Ok(array);
        }
        let cell = mailbox.cell.clone();
        let mut entries = self.index.entries(id).map_err(StoreError::from)?;
        let pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let shadow = self.follow.shadow(id, &pending);
        if let Some(removed) = self.dirty.removed.get(&id) {
            entries.retain(|entry| !removed.contains(entry.uid));
        }
        if let Some(flags) = self.dirty.flags.get(&id) {
            for entry in &mut entries {
                if let Some(newer) = flags.get(&entry.uid) {
                    *entry = *newer;
                }
            }
        }
        let fresh: Vec<Entry> = pending
            .of(id)
            .map(|row| Entry { uid: row.uid, flags: row.flags, modseq: row.modseq })
            .collect();
        drop(pending);
        let array: Array = if fresh.is_empty() {
            entries.into_iter().filter(|entry| !shadow.contains(&entry.uid)).collect()
        } else {
            let all: BTreeMap<Uid, Entry> =
                entries.into_iter().chain(fresh).map(|entry| (entry.uid, entry)).collect();
            all.into_values().filter(|entry| !shadow.contains(&entry.uid)).collect()
        };
        // Somebody else cannot have filled it: only the committer does.
        let _ = cell.set(array.clone());
        Ok(array)
    }

    /// What was expunged after this change; `None` if that is not known so far back.
    pub fn expunged_since(
        &self,
        id: MailboxId,
        since: ModSeq,
    ) -> Result<Option<UidSet>, StoreError> {
        let mailbox = self.next.get(id).ok_or(StoreError::NoMailbox)?;
        if since < mailbox.known_since {
            return Ok(None);
        }
        let mut uids = self.index.expunged_since(id, since).map_err(StoreError::from)?;
        let new =
            |(mailbox, _, modseq): &&(MailboxId, UidSet, ModSeq)| *mailbox == id && *modseq > since;
        for (_, gone, _) in self.dirty.expunged.iter().filter(new) {
            gone.ranges().for_each(|(first, last)| uids.insert_range(first..=last));
        }
        Ok(Some(uids))
    }

    /// Changes a mailbox's messages.
    pub fn edit_array(
        &mut self,
        id: MailboxId,
        edit: impl FnOnce(&mut Array),
    ) -> Result<(), StoreError> {
        let mut array = self.load(id)?;
        edit(&mut array);
        self.next.edit(id)?.set_array(array);
        self.dirty.folder(id);
        Ok(())
    }

    /// A row, wherever it is.
    pub fn row(&self, id: MailboxId, uid: Uid) -> Result<Option<Row>, StoreError> {
        let pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = pending.row(id, uid) {
            return Ok(Some(row.clone()));
        }
        drop(pending);
        let row = self.index.rows(id, uid, uid, 1).map_err(StoreError::from)?.pop();
        Ok(row.and_then(|row| self.dirty.newest(id, row)))
    }

    /// The rows of a set, one by one; in no order.
    pub fn each_row(
        &self,
        id: MailboxId,
        uids: &UidSet,
        mut take: impl FnMut(Row),
    ) -> Result<(), StoreError> {
        let pending: BTreeMap<Uid, Row> = {
            let pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let rows = pending.of(id).filter(|row| uids.contains(row.uid));
            rows.map(|row| (row.uid, row.clone())).collect()
        };
        for (first, last) in uids.ranges() {
            self.index
                .each_row(id, first, last, usize::MAX, |row| {
                    if !pending.contains_key(&row.uid)
                        && let Some(row) = self.dirty.newest(id, row)
                    {
                        take(row);
                    }
                })
                .map_err(StoreError::from)?;
        }
        pending.into_values().for_each(take);
        Ok(())
    }

    /// The rows of a set, rising.
    pub fn rows(&self, id: MailboxId, uids: &UidSet) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.each_row(id, uids, |row| rows.push(row))?;
        rows.sort_unstable_by_key(|row| row.uid);
        Ok(rows)
    }

    /// The next MODSEQ of the account.
    pub const fn advance(&mut self) -> ModSeq {
        self.next.modseq = ModSeq(self.next.modseq.0 + 1);
        self.next.modseq
    }

    /// Makes sure that `count` UIDs may be given in a mailbox, and gives them: the first.
    pub fn give_uids(&mut self, id: MailboxId, count: u32) -> Result<Uid, StoreError> {
        let mailbox = self.next.get(id).ok_or(StoreError::NoMailbox)?;
        let first = mailbox.uidnext;
        let after = first.0.checked_add(count).ok_or(StoreError::UidsUsedUp)?;
        if after > mailbox.uid_limit.0 {
            self.raise_uid_limit(id, after)?;
        }
        self.next.edit(id)?.uidnext = Uid(after);
        Ok(first)
    }

    /// Makes a higher `uidnext-at-least` durable: two syncs.
    pub fn raise_uid_limit(&mut self, id: MailboxId, above: u32) -> Result<(), StoreError> {
        let limit = Uid(above.saturating_add(UID_BLOCK));
        let folders = self.folders(id)?;
        let mailbox = self.next.edit(id)?;
        let text = folder_text(mailbox, limit);
        let written = folders.dir.replace(FOLDER_TEXT, text.text().as_bytes());
        written.map_err(|error| StoreError::io("raise uidnext-at-least", &error))?;
        mailbox.uid_limit = limit;
        Ok(())
    }

    /// Replaces `pillarbox-account`: two syncs.
    pub fn write_account_text(&mut self, text: AccountText) -> Result<(), StoreError> {
        self.maildir
            .replace(ACCOUNT_TEXT, text.text().as_bytes())
            .map_err(|error| StoreError::io("write pillarbox-account", &error))?;
        self.next.text = Arc::new(text);
        Ok(())
    }

    /// A UIDVALIDITY that was never given, durable before it is returned.
    pub fn give_validity(&mut self) -> Result<UidValidity, StoreError> {
        let mut text = AccountText::clone(&self.next.text);
        let clock = u32::try_from(now().seconds()).unwrap_or(u32::MAX - 1);
        let validity = clock.max(text.validity_highest.saturating_add(1));
        text.validity_highest = validity;
        self.write_account_text(text)?;
        Ok(UidValidity(validity))
    }

    /// Raises `unique-at-least` when it is near: off the path of any answer.
    pub fn raise_unique_limit(&mut self) {
        let wanted = self.unique.lock().unwrap_or_else(PoisonError::into_inner).wants_limit(now());
        if let Some(limit) = wanted {
            let text =
                AccountText { unique_at_least: limit, ..AccountText::clone(&self.next.text) };
            match self.write_account_text(text) {
                Ok(()) => {
                    self.unique.lock().unwrap_or_else(PoisonError::into_inner).raised(limit);
                }
                Err(error) => log::warn!("account={} unique-at-least: {error}", self.id),
            }
        }
    }

    /// Raises what is nearly used up: off the path of any answer.
    pub fn raise_limits(&mut self) {
        self.raise_unique_limit();
        let near = |mailbox: &&Arc<Mailbox>| {
            mailbox.uid_limit.0.saturating_sub(mailbox.uidnext.0) < UID_BLOCK / 2
        };
        let low: Vec<(MailboxId, u32)> =
            self.next.iter().filter(near).map(|mailbox| (mailbox.id, mailbox.uidnext.0)).collect();
        for (id, uidnext) in low {
            if self.broken.is_none()
                && let Err(error) = self.raise_uid_limit(id, uidnext)
            {
                log::warn!("account={} mailbox={id} uidnext-at-least: {error}", self.id);
            }
        }
    }

    /// The row of a mailbox as it goes into the index. Folder times count only when nothing waits to be renamed. UIDNEXT
    /// is not above a message that has come and has no row yet: the index must never seem to have known of one that it
    /// did not.
    pub fn folder_row(&self, mailbox: &Mailbox, mtimes: (i64, i64)) -> FolderRow {
        let recent = self.common.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let without_row = pending.first_unsettled(mailbox.id);
        FolderRow {
            mailbox: mailbox.id,
            name: mailbox.name.clone(),
            validity: mailbox.validity,
            uidnext: without_row.map_or(mailbox.uidnext, |uid| uid.min(mailbox.uidnext)),
            modseq: mailbox.modseq,
            known_since: mailbox.known_since,
            count: mailbox.count,
            unseen: mailbox.unseen,
            first_unseen: mailbox.first_unseen,
            bytes: mailbox.bytes,
            recent_from: recent.get(&mailbox.id).copied().unwrap_or(mailbox.uidnext),
            cur_mtime: mtimes.0,
            new_mtime: mtimes.1,
        }
    }

    /// Where a message's file lies: the mailbox and row that its present name belongs to.
    pub fn physical(&self, id: MailboxId, row: Row) -> Result<(MailboxId, Row), StoreError> {
        match row.at {
            At::New | At::Cur => Ok((id, row)),
            At::Elsewhere(mailbox, uid) => {
                let there = self.row(mailbox, uid)?.ok_or(StoreError::NoMessage)?;
                Ok((mailbox, there))
            }
        }
    }

    /// The present name of a file by its row, and where it really is if that name does not fit any more: by the
    /// name's flags, by the row's flags, then by a list.
    pub fn find_file(
        &mut self,
        id: MailboxId,
        row: &Row,
    ) -> Result<Option<(Sub, Vec<u8>)>, StoreError> {
        let folders = self.folders(id)?;
        let validity = self.next.get(id).ok_or(StoreError::NoMailbox)?.validity;
        Ok(find_name(&folders, row, validity))
    }

    /// Every mailbox that must be synced before the lines about it may be forgotten.
    pub fn take_unsynced(&mut self) -> BTreeSet<MailboxId> {
        std::mem::take(&mut self.follow.unsynced)
    }
}

/// What `pillarbox-folder` says of a mailbox.
pub(super) fn folder_text(mailbox: &Mailbox, limit: Uid) -> FolderText {
    FolderText {
        mailbox: mailbox.id,
        validity: mailbox.validity,
        uidnext_at_least: limit,
        role: mailbox.role,
    }
}
