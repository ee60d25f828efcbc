//! Files that other programs brought or renamed get a UID and a name of ours, before any client hears of them.

use super::arrive::{hash, thread};
use super::core::{Core, now};
use super::error::StoreError;
use super::folders::{Folders, Sub};
use super::mailbox::Mailbox;
use super::row::Row;
use super::survey::{Found, Survey};
use super::text::Reader;
use crate::mail::Scanner;
use crate::maildir::{Folder, MailboxId, Placing, Uid, UidSet, in_cur};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::PoisonError;

/// What one reading of a file shows.
pub(super) struct Contents {
    /// Bytes of the file.
    pub file_size: u64,
    /// Bytes with every line ended by CRLF.
    pub size: u64,
    pub nul: bool,
    pub card: crate::mail::Card,
}

/// Reads a message once. `Lines::AsTheyAre` for our own files, which are served byte for byte.
pub(super) fn contents(file: File, lines: super::text::Lines) -> io::Result<Contents> {
    let mut scanner = Scanner::default();
    let mut nul = false;
    let mut reader = Reader::new(file, lines);
    let mut size = 0;
    while let Some(piece) = reader.next_piece()? {
        nul |= piece.contains(&0);
        size += piece.len() as u64;
        scanner.push(piece);
    }
    Ok(Contents { file_size: reader.file_bytes(), size, nul, card: scanner.finish() })
}

impl Core {
    /// Adopts a foreign file: by one rename, not synced yet. `None` if it is gone already or is being written.
    pub fn adopt(
        &mut self,
        mailbox: MailboxId,
        folders: &Folders,
        found: &Found,
    ) -> Result<Option<Row>, StoreError> {
        let file = match folders.sub(found.sub).read(&found.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| StoreError::io("read a new file", &error))?,
        };
        let name = found.parsed();
        let ours = name.own_unique().is_some();
        let lines = if ours { super::text::Lines::AsTheyAre } else { super::text::Lines::Crlf };
        let seen =
            contents(file, lines).map_err(|error| StoreError::io("read a new file", &error))?;
        let uid: Uid = self.give_uids(mailbox, 1)?;
        let validity = self.next.get(mailbox).ok_or(StoreError::NoMailbox)?.validity;
        let email_id = match name.email_id() {
            Some(id) => id,
            None => self.unique.lock().unwrap_or_else(PoisonError::into_inner).next(now()),
        };
        let date = match name.seconds() {
            Some(seconds) => seconds,
            None => folders.sub(found.sub).file_mtime(&found.name).unwrap_or(0),
        };
        let place = Placing {
            size: seen.file_size,
            uid,
            validity,
            zone: name.zone(),
            nul: seen.nul,
            email_id,
            folder: Folder::Same,
        };
        let stem = name.stem_for(&place);
        let new_name = match found.sub {
            Sub::New => stem.clone(),
            Sub::Cur => in_cur(&stem, name.flags),
        };
        let dir = folders.sub(found.sub);
        self.common.expected.went(mailbox, found.sub, &found.name);
        self.common.expected.came(mailbox, found.sub, &new_name);
        match dir.rename(&found.name, dir, &new_name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| StoreError::io("adopt a file", &error))?,
        }
        let parsed = crate::maildir::FileName::parse(&new_name);
        let flags =
            if found.sub == Sub::New { crate::maildir::Flags::default() } else { name.flags };
        self.dirty.cards.push((email_id, seen.size, seen.card.encode()));
        Ok(Some(Row {
            uid,
            flags,
            name_flags: flags,
            modseq: self.next.modseq,
            at: found.at(),
            date,
            zone: name.zone(),
            saved: now().seconds(),
            size: seen.size,
            nul: seen.nul,
            email_id,
            message_id: seen.card.message_id.as_deref().map_or(0, hash),
            thread: thread(&seen.card, email_id),
            stem: parsed.as_ours().is_none().then_some(stem),
        }))
    }

    /// Names that lost our place field get it back.
    pub fn put_back(
        &mut self,
        mailbox: &Mailbox,
        folders: &Folders,
        survey: &mut Survey,
        known: &BTreeMap<Uid, Row>,
        returned: Vec<(Uid, Found)>,
    ) -> Result<(), StoreError> {
        let any = !returned.is_empty();
        for (uid, found) in returned {
            let Some(row) = known.get(&uid) else { continue };
            let name = row.cur_name(mailbox.validity, found.parsed().flags);
            self.rename_own(
                (mailbox.id, found.sub, folders, &found.name),
                (mailbox.id, folders, &name),
            )?;
            let sub = Sub::Cur;
            survey.placed.insert(uid, Found { sub, name, inode: found.inode });
        }
        if any { self.sync_all(&BTreeSet::from([mailbox.id])) } else { Ok(()) }
    }

    pub fn report_strange(&self, mailbox: &Mailbox, survey: &Survey) {
        if survey.strange > 0 {
            log::warn!(
                "account={} mailbox={} strange={} links, FIFOs or folders lie among the messages; they are not served",
                self.id,
                mailbox.name,
                survey.strange
            );
        }
    }

    /// Adopts foreign files into a mailbox; their names are synced before this returns.
    pub fn adopt_all(
        &mut self,
        mailbox: MailboxId,
        folders: &Folders,
        foreign: &[Found],
    ) -> Result<UidSet, StoreError> {
        let mut rows = Vec::new();
        let modseq = if foreign.is_empty() { self.next.modseq } else { self.advance() };
        for found in foreign {
            if let Some(row) = self.adopt(mailbox, folders, found)? {
                rows.push(Row { modseq, ..row });
            }
        }
        if !rows.is_empty() {
            self.sync_all(&BTreeSet::from([mailbox]))?;
        }
        let uids = rows.iter().map(|row| row.uid).collect();
        self.arrive_rows(mailbox, rows)?;
        Ok(uids)
    }
}
