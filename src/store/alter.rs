//! STORE, EXPUNGE, COPY and MOVE: each is decided on the newest state, becomes lines of the change log, and changes
//! the state; file names follow later.

use super::array::Entry;
use super::commit::{Group, Link, PART_MAX, Publish};
use super::core::{Core, now};
use super::error::StoreError;
use super::event::What;
use super::op::{ExpungeRequest, FlagsRequest, Mode, Stored, TransferRequest, Transferred, Way};
use super::row::{At, Row};
use crate::maildir::{
    AccountText, Change, FileName, FlagEdit, Flags, Folder, MailboxId, ModSeq, Placing, Uid, UidSet,
};
use std::sync::PoisonError;
use std::time::Instant;

impl Core {
    /// STORE.
    pub fn store_flags(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        request: &FlagsRequest,
    ) -> Result<Stored, StoreError> {
        self.takes_changes()?;
        let known = |name: &&String| {
            // What nobody has needs no letter to be taken away.
            request.mode != Mode::Remove || self.next.text.keyword(name).is_some()
        };
        let names: Vec<String> = request.keywords.iter().filter(known).cloned().collect();
        let flags = self.keyword_flags(group, out, &names, request.flags)?;
        let edit = match request.mode {
            Mode::Add => FlagEdit::Add(flags),
            Mode::Remove => FlagEdit::Remove(flags),
            Mode::Replace => FlagEdit::Set(flags),
        };
        let mut stored = Stored::default();
        for part in request.uids.pieces(PART_MAX) {
            self.make_room(group, out)?;
            let (changed, modified) =
                self.edit_flags(request.mailbox, &part, edit, request.unchanged_since)?;
            modified.ranges().for_each(|(a, b)| stored.modified.insert_range(a..=b));
            if let Some((uids, modseq)) = changed {
                uids.ranges().for_each(|(a, b)| stored.changed.insert_range(a..=b));
                let mailbox = request.mailbox;
                group.command(Change::Flags { mailbox, uids: uids.clone(), edit }, modseq);
                group.event(modseq, request.cause, What::Flags { mailbox, uids });
            }
        }
        Ok(stored)
    }

    /// Changes flags in memory; what changed with which MODSEQ, and what UNCHANGEDSINCE kept from it.
    pub fn edit_flags(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        edit: FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<(Option<(UidSet, ModSeq)>, UidSet), StoreError> {
        let known = self.next.text.known();
        let modseq = ModSeq(self.next.modseq.0 + 1);
        let (mut edited, mut modified): (Vec<Entry>, UidSet) = (Vec::new(), UidSet::default());
        let mut unseen: i64 = 0;
        let mut array = self.load(mailbox)?;
        array.edit(uids, |entry| {
            if unchanged_since.is_some_and(|since| entry.modseq > since) {
                modified.insert(entry.uid);
                return None;
            }
            let flags = edit.apply(entry.flags, known);
            (flags != entry.flags).then(|| {
                unseen += i64::from(entry.flags.contains(Flags::SEEN));
                unseen -= i64::from(flags.contains(Flags::SEEN));
                let new = Entry { flags, modseq, ..entry };
                edited.push(new);
                new
            })
        });
        if edited.is_empty() {
            return Ok((None, modified));
        }
        self.advance();
        let state = self.next.edit(mailbox)?;
        state.set_array(array);
        state.unseen = u32::try_from(i64::from(state.unseen) + unseen).unwrap_or(0);
        state.modseq = modseq;
        self.flags_are_dirty(mailbox, &edited);
        let changed = edited.iter().map(|entry| entry.uid).collect();
        Ok((Some((changed, modseq)), modified))
    }

    /// Flags that changed go into the index and into the names, later.
    fn flags_are_dirty(&mut self, mailbox: MailboxId, entries: &[Entry]) {
        let at = Instant::now();
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            match pending.row_mut(mailbox, entry.uid) {
                Some(row) => (row.flags, row.modseq) = (entry.flags, entry.modseq),
                None => {
                    self.dirty.flags.entry(mailbox).or_default().insert(entry.uid, *entry);
                }
            }
            self.follow.rename((mailbox, entry.uid), at);
        }
        drop(pending);
        self.dirty.folder(mailbox);
        self.dirty.count += entries.len();
    }

    /// Gives a keyword a letter that no file bears, durable before any line or name uses it. The letters in `taken` are
    /// about to be used.
    fn new_keyword(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        name: &str,
        taken: Flags,
    ) -> Result<Flags, StoreError> {
        let free = |text: &AccountText, used: Flags| {
            (0..26).find(|&index| {
                !text.keywords.contains_key(&index) && used.both(Flags::keyword(index)).is_empty()
            })
        };
        let mut text = AccountText::clone(&self.next.text);
        let used = self.used_flags()?.union(taken);
        let index = match free(&text, used) {
            Some(index) => index,
            None => {
                // A letter is free again when no name and no line uses it.
                self.follow_committed(group, out)?;
                let used = self.used_flags()?.union(taken);
                text.keywords.retain(|&index, _| !used.both(Flags::keyword(index)).is_empty());
                free(&text, used).ok_or(StoreError::KeywordLimit)?
            }
        };
        text.keywords.insert(index, name.to_owned());
        self.write_account_text(text)?;
        Ok(Flags::keyword(index))
    }

    /// Every flag that a message has or a file name bears.
    fn used_flags(&mut self) -> Result<Flags, StoreError> {
        let mut used = self.index.all_flags().map_err(StoreError::from)?;
        for entry in self.dirty.flags.values().flat_map(|entries| entries.values()) {
            used = used.union(entry.flags);
        }
        let pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pending.all().fold(used, |used, (_, row)| used.union(row.flags).union(row.name_flags)))
    }

    /// Keywords by name as flags, new ones with new letters, and `taken` with them: flags that the same request uses
    /// already.
    pub fn keyword_flags(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        names: &[String],
        taken: Flags,
    ) -> Result<Flags, StoreError> {
        names.iter().try_fold(taken, |taken, name| {
            let flag = match self.next.text.keyword(name) {
                Some(flag) => flag,
                None => self.new_keyword(group, out, name, taken)?,
            };
            Ok(taken.union(flag))
        })
    }

    /// EXPUNGE.
    pub fn expunge(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        request: &ExpungeRequest,
    ) -> Result<UidSet, StoreError> {
        self.takes_changes()?;
        let mailbox = request.mailbox;
        let array = self.load(mailbox)?;
        let may_go = |entry: &Entry| entry.flags.contains(request.only);
        let gone: UidSet =
            array.within(&request.uids).filter(may_go).map(|entry| entry.uid).collect();
        for uids in gone.pieces(PART_MAX) {
            self.make_room(group, out)?;
            let modseq = self.forget(mailbox, &uids)?;
            self.doom(mailbox, &uids, modseq);
            group.command(Change::Gone { mailbox, uids: uids.clone() }, modseq);
            group.event(modseq, request.cause, What::Gone { mailbox, uids });
        }
        Ok(gone)
    }

    /// Files of messages that are gone are unlinked later.
    pub fn doom(&mut self, mailbox: MailboxId, uids: &UidSet, modseq: ModSeq) {
        let at = Instant::now();
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in uids.iter() {
            self.follow.renames.remove(&(mailbox, uid));
            let place = match pending.row(mailbox, uid).map(|row| row.at) {
                Some(At::Elsewhere(there, there_uid)) => {
                    pending.remove(mailbox, uid);
                    (there, there_uid)
                }
                Some(At::New | At::Cur) | None => (mailbox, uid),
            };
            self.follow.doom(place, at);
        }
        drop(pending);
        self.dirty.expunged.push((mailbox, uids.clone(), modseq));
        self.dirty.folder(mailbox);
    }

    /// COPY and MOVE.
    pub fn transfer(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        request: &TransferRequest,
    ) -> Result<Transferred, StoreError> {
        self.folders_in_place()?;
        let validity = self.next.get(request.to).ok_or(StoreError::NoMailbox)?.validity;
        let array = self.load(request.from)?;
        let there: UidSet = array.within(&request.uids).map(|entry| entry.uid).collect();
        let mut done = Transferred { validity, from: UidSet::default(), to: UidSet::default() };
        if there.is_empty() {
            return Ok(done);
        }
        for uids in there.pieces(PART_MAX) {
            self.make_room(group, out)?;
            let to_uids = self.transfer_part(group, request, &uids)?;
            uids.ranges().for_each(|(a, b)| done.from.insert_range(a..=b));
            to_uids.ranges().for_each(|(a, b)| done.to.insert_range(a..=b));
        }
        Ok(done)
    }

    fn transfer_part(
        &mut self,
        group: &mut Group,
        request: &TransferRequest,
        uids: &UidSet,
    ) -> Result<UidSet, StoreError> {
        let TransferRequest { from, to, way, cause, .. } = *request;
        let count = u32::try_from(uids.len()).map_err(|_| StoreError::UidsUsedUp)?;
        let array = self.load(from)?;
        let rows = self.rows(from, uids)?;
        if rows.len() as u64 != uids.len() {
            return Err(StoreError::NoMessage);
        }
        let first = self.give_uids(to, count)?;
        let to_uids = UidSet::range(first, Uid(first.0 + count - 1));
        let modseq = self.advance();
        let (at, saved) = (Instant::now(), now().seconds());
        let mut arrived = Vec::with_capacity(rows.len());
        for (row, uid) in rows.into_iter().zip(to_uids.iter()) {
            let flags = array.find(row.uid).map_or(row.flags, |(_, entry)| entry.flags);
            let old_uid = row.uid;
            let place = match row.at {
                At::Elsewhere(mailbox, uid) => (mailbox, uid),
                At::New | At::Cur => (from, old_uid),
            };
            let stem = self.stem_in(to, uid, &row)?;
            let name_flags = if way == Way::Copy { flags } else { row.name_flags };
            let at_new = match way {
                Way::Copy => At::Cur,
                Way::Move => At::Elsewhere(place.0, place.1),
            };
            let new =
                Row { uid, flags, name_flags, modseq, at: at_new, saved, stem, ..row.clone() };
            match way {
                Way::Copy => {
                    let (there, physical) = self.physical(from, row)?;
                    let validity = self.next.get(to).ok_or(StoreError::NoMailbox)?.validity;
                    let name = new.cur_name(validity, flags);
                    group.link(Link { from: (there, physical), to: (to, uid), name });
                }
                Way::Move => {
                    self.follow.rename((to, uid), at);
                    self.follow.renames.remove(&(from, old_uid));
                }
            }
            arrived.push(new);
        }
        if way == Way::Move {
            self.forget(from, uids)?;
            let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
            for uid in uids.iter() {
                if pending.row(from, uid).is_some_and(|row| matches!(row.at, At::Elsewhere(..))) {
                    pending.remove(from, uid);
                }
            }
            drop(pending);
            self.dirty.expunged.push((from, uids.clone(), modseq));
            self.dirty.folder(from);
        }
        self.arrive_rows(to, arrived)?;
        let (mailbox, uids, to_uids2) = (from, uids.clone(), to_uids.clone());
        let (change, what) = match way {
            Way::Copy => (
                Change::Copy { mailbox, uids: uids.clone(), to, to_uids: to_uids2.clone() },
                What::Copied { mailbox, uids, to, to_uids: to_uids2 },
            ),
            Way::Move => (
                Change::Move { mailbox, uids: uids.clone(), to, to_uids: to_uids2.clone() },
                What::Moved { mailbox, uids, to, to_uids: to_uids2 },
            ),
        };
        let modseq = self.next.modseq;
        group.command(change, modseq);
        group.event(modseq, cause, what);
        Ok(to_uids)
    }

    /// The stem that a message gets in another place; `None` if it is just as we make it.
    pub fn stem_in(
        &self,
        to: MailboxId,
        uid: Uid,
        row: &Row,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(stem) = &row.stem else { return Ok(None) };
        let validity = self.next.get(to).ok_or(StoreError::NoMailbox)?.validity;
        let place = Placing {
            size: row.file_size(),
            uid,
            validity,
            zone: row.zone,
            nul: row.nul,
            email_id: row.email_id,
            folder: Folder::Other,
        };
        Ok(Some(FileName::new(stem.clone(), Flags::default()).stem_for(&place)))
    }

    /// New messages in memory: array, counters, rows for the index.
    pub fn arrive_rows(&mut self, mailbox: MailboxId, rows: Vec<Row>) -> Result<(), StoreError> {
        let Some(modseq) = rows.iter().map(|row| row.modseq).max() else { return Ok(()) };
        let state = self.next.edit(mailbox)?;
        if let Some(mut array) = state.cell.get().cloned() {
            for row in &rows {
                array.push(Entry { uid: row.uid, flags: row.flags, modseq: row.modseq });
            }
            let cell = std::sync::OnceLock::new();
            let _ = cell.set(array);
            state.cell = std::sync::Arc::new(cell);
        }
        for row in &rows {
            state.count += 1;
            state.bytes += row.size;
            if !row.flags.contains(Flags::SEEN) {
                state.unseen += 1;
                state.first_unseen.get_or_insert(state.count);
            }
        }
        state.modseq = state.modseq.max(modseq);
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        self.dirty.count += rows.len();
        for row in rows {
            pending.insert(mailbox, row);
        }
        drop(pending);
        self.dirty.folder(mailbox);
        Ok(())
    }

    /// Commits what stands in the group if another part of a command might not fit.
    fn make_room(&mut self, group: &mut Group, out: &dyn Publish) -> Result<(), StoreError> {
        if group.is_full() {
            self.commit(std::mem::take(group), out);
            if self.log.is_half_full() {
                self.follow_all();
            }
        }
        self.takes_changes()
    }
}
