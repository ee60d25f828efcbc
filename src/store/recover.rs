//! After a stop that was not orderly, or without an index: the change log is replayed on the files, what a power cut
//! left unfinished is set aside, and the index is brought in line with what is there.

use super::adopt::contents;
use super::arrive::{hash, thread};
use super::columns::FolderRow;
use super::core::{Core, now};
use super::error::StoreError;
use super::folders::Folders;
use super::mailbox::Mailbox;
use super::row::Row;
use super::survey::{Found, Survey};
use super::text::Lines;
use crate::maildir::{Dir, FileName, Flags, Kind, LogLine, MailboxId, ModSeq, Uid, UidSet, Unique};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Other programs' files in `tmp/` are removed after this.
const TMP_KEPT: Duration = Duration::from_hours(36);

/// What is counted of a mailbox, row by row as UIDs rise.
#[derive(Default)]
struct Tally {
    count: u32,
    unseen: u32,
    first_unseen: Option<u32>,
    bytes: u64,
    last: Option<Uid>,
}

impl Tally {
    fn add(&mut self, row: &Row) {
        self.count = self.count.saturating_add(1);
        if !row.flags.contains(Flags::SEEN) {
            self.unseen = self.unseen.saturating_add(1);
            self.first_unseen = self.first_unseen.or(Some(self.count));
        }
        self.bytes = self.bytes.saturating_add(row.size);
        self.last = Some(row.uid);
    }
}

/// UIDs of which the index may never have heard that they were there, or that they went: a client may have seen those
/// that are not there any more. A message that was moved here and moved on may have had no row at all.
fn unheard_of(lines: &[LogLine], mailbox: &Mailbox, uidnext: Option<Uid>) -> UidSet {
    let last = Uid(mailbox.uidnext.0.saturating_sub(1));
    let mut unheard = uidnext.map(|first| UidSet::range(first, last)).unwrap_or_default();
    let parted = lines.iter().filter_map(|line| line.change.parts_with());
    for (_, uids) in parted.filter(|(id, _)| *id == mailbox.id) {
        uids.ranges().for_each(|(first, last)| unheard.insert_range(first..=last));
    }
    unheard
}

impl Core {
    /// After a stop that was not orderly (store.md, start): files first, then rows, then strangers.
    pub fn recover(
        &mut self,
        lines: &[LogLine],
        rows: &BTreeMap<MailboxId, FolderRow>,
    ) -> Result<(), StoreError> {
        // A program that was killed leaves what it had not synced yet in the kernel's cache only. What is concluded and
        // shown from here on must not go in a power cut that follows. After a power cut this finds nothing to do.
        self.maildir
            .sync_file_system()
            .map_err(|error| StoreError::io("sync what a killed program left", &error))?;
        let mut surveys = BTreeMap::new();
        let mut known_rows: BTreeMap<MailboxId, BTreeMap<Uid, Row>> = BTreeMap::new();
        let mailboxes: Vec<Arc<Mailbox>> = self.next.iter().cloned().collect();
        for mailbox in &mailboxes {
            let folders = self.folders(mailbox.id)?;
            let mut survey = Survey::take(&folders, mailbox.validity, mailbox.uid_limit)
                .map_err(|error| StoreError::io("list a mailbox", &error))?;
            let mut known = BTreeMap::new();
            if rows.get(&mailbox.id).is_some_and(|row| row.validity == mailbox.validity) {
                self.index
                    .each_row(mailbox.id, Uid(0), Uid(u32::MAX), usize::MAX, |row| {
                        known.insert(row.uid, row);
                    })
                    .map_err(StoreError::from)?;
            }
            let returned = survey.settle(&known, mailbox.validity);
            self.put_back(mailbox, &folders, &mut survey, &known, returned)?;
            self.report_strange(mailbox, &survey);
            // Before the lines: a message that they move or remove must not stay under its other name.
            self.remove_doubles(mailbox.id, &survey.doubles)?;
            surveys.insert(mailbox.id, survey);
            known_rows.insert(mailbox.id, known);
        }
        let validities = mailboxes.iter().map(|mailbox| (mailbox.id, mailbox.validity)).collect();
        self.replay(lines, &mut surveys, &validities)?;
        self.empty_tmp();
        // Each mailbox's row is written together with those of its messages, and none before.
        self.dirty.folders.clear();
        // Everything that this start touches gets a MODSEQ above every one that was shown.
        let modseq = self.advance();
        for mailbox in &mailboxes {
            let survey = surveys.remove(&mailbox.id).unwrap_or_default();
            let known = known_rows.remove(&mailbox.id).unwrap_or_default();
            let uidnext = rows.get(&mailbox.id).map(|row| row.uidnext);
            let unheard = unheard_of(lines, mailbox, uidnext);
            self.recover_mailbox(mailbox, survey, known, &unheard, modseq)?;
        }
        self.begin_generation_now()
    }

    fn remove_doubles(&mut self, mailbox: MailboxId, doubles: &[Found]) -> Result<(), StoreError> {
        let folders = self.folders(mailbox)?;
        for found in doubles {
            let removed = folders.sub(found.sub).unlink(&found.name);
            removed.map_err(|error| StoreError::io("remove a second name", &error))?;
        }
        if doubles.is_empty() { Ok(()) } else { self.sync_all(&BTreeSet::from([mailbox])) }
    }

    fn recover_mailbox(
        &mut self,
        mailbox: &Mailbox,
        survey: Survey,
        mut known: BTreeMap<Uid, Row>,
        unheard: &UidSet,
        modseq: ModSeq,
    ) -> Result<(), StoreError> {
        let folders = self.folders(mailbox.id)?;
        let there = survey.placed.keys().copied().collect();
        let mut expunged = unheard.difference(&there);
        let (mut tally, mut changed) = (Tally::default(), Vec::new());
        let mut broken = false;
        for (uid, found) in survey.placed {
            let name = found.parsed();
            let same = known.remove(&uid).filter(|row| row.is_named(&name));
            match same {
                Some(mut row) => {
                    let before = row.clone();
                    if row.flags != name.flags {
                        (row.flags, row.modseq) = (name.flags, modseq);
                    }
                    (row.name_flags, row.at) = (name.flags, found.at());
                    row.stem = name.as_ours().is_none().then(|| name.stem().to_vec());
                    tally.add(&row);
                    if row != before {
                        changed.push(row);
                    }
                }
                None => match self.row_from_file(&folders, uid, &found, &name, modseq)? {
                    Some(row) => {
                        tally.add(&row);
                        changed.push(row);
                    }
                    None => broken |= self.set_broken_aside(mailbox, &folders, &found)?,
                },
            }
        }
        if broken {
            self.sync_all(&BTreeSet::from([mailbox.id]))?;
        }
        let missing: UidSet = known.keys().copied().collect();
        missing.ranges().for_each(|(first, last)| expunged.insert_range(first..=last));
        let next = self.next.edit(mailbox.id)?;
        next.modseq = modseq;
        (next.count, next.unseen) = (tally.count, tally.unseen);
        (next.first_unseen, next.bytes) = (tally.first_unseen, tally.bytes);
        next.uidnext = mailbox.uidnext.max(tally.last.and_then(Uid::next).unwrap_or(Uid(1)));
        let folder_row = self.folder_row(
            &Mailbox::clone(self.next.get(mailbox.id).ok_or(StoreError::NoMailbox)?),
            (0, 0),
        );
        let id = mailbox.id;
        self.index
            .write(|writer| {
                writer.clean_mark(None)?;
                writer.folder(&folder_row)?;
                writer.messages(id, &changed)?;
                if !missing.is_empty() {
                    writer.remove(id, &missing)?;
                }
                writer.expunged(id, &expunged, modseq)
            })
            .map_err(StoreError::from)?;
        drop(changed);
        self.adopt_all(id, &folders, &survey.foreign)?;
        self.flush();
        Ok(())
    }

    /// A row for a file that the index does not know; `None` if a power cut left it unfinished.
    fn row_from_file(
        &mut self,
        folders: &Folders,
        uid: Uid,
        found: &Found,
        name: &FileName,
        modseq: ModSeq,
    ) -> Result<Option<Row>, StoreError> {
        let io = |error: io::Error| StoreError::io("read a message", &error);
        let ours = name.own_unique().is_some();
        let file = folders.sub(found.sub).read(&found.name).map_err(io)?;
        let lines = if ours { Lines::AsTheyAre } else { Lines::Crlf };
        let seen = contents(file, lines).map_err(io)?;
        // Data that never reached the disk reads as zeros. A message of ours without the mark has none.
        let whole = name.size() == Some(seen.file_size) && (!seen.nul || name.has_nul());
        if ours && !whole {
            return Ok(None);
        }
        let Some(email_id) = name.email_id() else { return Ok(None) };
        let date = name.seconds().unwrap_or(0);
        self.dirty.cards.push((email_id, seen.size, seen.card.encode()));
        if self.dirty.cards.len() >= 256 {
            let cards = std::mem::take(&mut self.dirty.cards);
            self.cards.write(self.id, &cards);
        }
        Ok(Some(Row {
            uid,
            flags: name.flags,
            name_flags: name.flags,
            modseq,
            at: found.at(),
            date,
            zone: name.zone(),
            saved: date,
            size: seen.size,
            nul: name.has_nul(),
            email_id,
            message_id: seen.card.message_id.as_deref().map_or(0, hash),
            thread: thread(&seen.card, email_id),
            stem: name.as_ours().is_none().then(|| name.stem().to_vec()),
        }))
    }

    /// What a power cut left of a message that was never acknowledged is kept aside, not shown.
    fn set_broken_aside(
        &mut self,
        mailbox: &Mailbox,
        folders: &Folders,
        found: &Found,
    ) -> Result<bool, StoreError> {
        let io = |error: io::Error| StoreError::io("set a broken file aside", &error);
        let account = Dir::open(&self.path).map_err(io)?;
        let aside = account.make_folder_synced(b"broken").map_err(io)?;
        folders.sub(found.sub).rename(&found.name, &aside, &found.name).map_err(io)?;
        log::warn!(
            "account={} mailbox={} file={} was cut off before it was acknowledged; it is kept in broken/",
            self.id,
            mailbox.name,
            String::from_utf8_lossy(&found.name)
        );
        Ok(true)
    }

    fn empty_tmp(&mut self) {
        let old = now() - TMP_KEPT;
        for entry in self.tmp.list().unwrap_or_default() {
            let text = String::from_utf8_lossy(&entry.name);
            let hex = text.strip_prefix(['x', 'm']).map(|rest| rest.trim_end_matches(".deleted"));
            let ours = hex.is_some_and(|hex| Unique::from_hex(hex).is_some());
            let stale = self.tmp.file_mtime(&entry.name).is_ok_and(|at| at < old.seconds());
            let removed = match entry.kind {
                Kind::File if ours || stale => self.tmp.unlink(&entry.name),
                Kind::Folder if ours => self.tmp.remove_all(&entry.name),
                Kind::File | Kind::Folder | Kind::Strange => Ok(()),
            };
            if let Err(error) = removed {
                log::warn!("account={} tmp/{text} cannot be removed: {error}", self.id);
            }
        }
    }
}
