//! Deliveries and APPEND: a message gets its UID and final name, then its group is synced.

use super::commit::{Group, Publish};
use super::core::{Core, now};
use super::error::StoreError;
use super::event::{Cause, What};
use super::folders::Sub;
use super::incoming::Arrival;
use super::op::Placed;
use super::placement::{Placement, Target};
use super::row::{At, Row};
use crate::mail::Card;
use crate::maildir::{Dir, Flags, MailboxId, Stem, UidSet, Unique, in_cur};
use std::fs::File;

impl Core {
    /// Places messages; all of them or, if one cannot be placed, none.
    pub fn arrive(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        mut arrivals: Vec<Arrival>,
        cause: Cause,
    ) -> Result<Vec<Placed>, StoreError> {
        self.folders_in_place()?;
        if group.is_full() {
            self.commit(std::mem::take(group), out);
        }
        let mut taken = Flags::default();
        for placement in arrivals.iter_mut().flat_map(|arrival| &mut arrival.placements) {
            for keyword in std::mem::take(&mut placement.keywords) {
                let keyword = [keyword];
                taken = self.keyword_flags(group, out, &keyword, taken)?;
                let flag = keyword.iter().filter_map(|name| self.next.text.keyword(name));
                placement.flags = flag.fold(placement.flags, Flags::union);
            }
        }
        let mut ready = Vec::new();
        let mut names = Vec::new();
        for arrival in arrivals {
            match self.place(arrival, &mut names) {
                Ok(one) => ready.push(one),
                Err(error) => {
                    for (dir, name) in names {
                        if let Err(error) = dir.unlink(&name) {
                            log::warn!("account={} refused message stays: {error}", self.id);
                        }
                    }
                    return Err(error);
                }
            }
        }
        let mut placed = Vec::new();
        for Ready { file, rows, card } in ready {
            for (mailbox, mut row, sub, name) in rows {
                let folders = self.folders(mailbox)?;
                group.name(mailbox, sub, folders.sub(sub), name);
                let modseq = self.advance();
                row.modseq = modseq;
                let (uid, email_id) = (row.uid, row.email_id);
                self.arrive_rows(mailbox, vec![row])?;
                let validity = self.next.get(mailbox).ok_or(StoreError::NoMailbox)?.validity;
                placed.push(Placed { mailbox, validity, uid, email_id });
                group.event(modseq, cause, What::Arrived { mailbox, uids: UidSet::one(uid) });
            }
            self.dirty.cards.push(card);
            group.file(file);
        }
        Ok(placed)
    }

    /// Gives a message its final names; what was named is noted for the case that a later step fails.
    fn place(
        &mut self,
        mut arrival: Arrival,
        names: &mut Vec<(Dir, Vec<u8>)>,
    ) -> Result<Ready, StoreError> {
        let facts = Facts {
            unique: arrival.incoming.email_id(),
            size: arrival.incoming.size(),
            nul: arrival.incoming.has_nul(),
            date: arrival.date,
            zone: arrival.zone,
            message_id: arrival.card.message_id.as_deref().map_or(0, hash),
            thread: thread(&arrival.card, arrival.incoming.email_id()),
        };
        let mut rows: Vec<NamedRow> = Vec::new();
        for placement in &arrival.placements {
            let mailbox = self.target(placement.target)?;
            let (row, sub, name) = self.new_row(mailbox, placement, &facts)?;
            rows.push((mailbox, row, sub, name));
        }
        let (tmp, tmp_name, file) = arrival.incoming.take().ok_or(StoreError::Closed)?;
        names.push((tmp.clone(), tmp_name.clone()));
        if facts.nul {
            // What a power cut leaves of it cannot be told by zeros, so it gets its name only when it is whole.
            file.sync_all().map_err(|error| self.break_down("sync of new mail", &error))?;
        }
        // Links first, the rename last: whatever fails, the temporary name is there to be cleaned up.
        for (at, (mailbox, _, sub, name)) in rows.iter().enumerate().rev() {
            let folders = self.folders(*mailbox)?;
            let dir = folders.sub(*sub);
            self.common.expected.came(*mailbox, *sub, name);
            let moved = match at {
                0 => tmp.rename_new(&tmp_name, dir, name),
                _ => tmp.link(&tmp_name, dir, name),
            };
            moved.map_err(|error| StoreError::io("place a message", &error))?;
            names.push((dir.clone(), name.clone()));
        }
        names.retain(|(_, name)| *name != tmp_name);
        let card = (facts.unique, facts.size, arrival.card.encode());
        Ok(Ready { file, rows, card })
    }

    fn target(&self, target: Target) -> Result<MailboxId, StoreError> {
        let inbox = || self.next.named(&crate::maildir::MailboxName::inbox());
        let found = match target {
            Target::Mailbox(id) => self.next.get(id),
            Target::Role(role) => self.next.with_role(role).or_else(inbox),
            Target::Inbox => inbox(),
        };
        found.map(|mailbox| mailbox.id).ok_or(StoreError::NoMailbox)
    }

    fn new_row(
        &mut self,
        mailbox: MailboxId,
        placement: &Placement,
        facts: &Facts,
    ) -> Result<(Row, Sub, Vec<u8>), StoreError> {
        let flags = placement.flags;
        let uid = self.give_uids(mailbox, 1)?;
        let validity = self.next.get(mailbox).ok_or(StoreError::NoMailbox)?.validity;
        let stem = Stem {
            seconds: facts.date,
            unique: facts.unique,
            size: facts.size,
            uid,
            validity,
            zone: facts.zone,
            nul: facts.nul,
        }
        .text();
        let (at, sub, name) = match flags.is_empty() {
            true => (At::New, Sub::New, stem),
            false => (At::Cur, Sub::Cur, in_cur(&stem, flags)),
        };
        let row = Row {
            uid,
            flags,
            name_flags: flags,
            modseq: self.next.modseq,
            at,
            date: facts.date,
            zone: facts.zone,
            saved: now().seconds(),
            size: facts.size,
            nul: facts.nul,
            email_id: facts.unique,
            message_id: facts.message_id,
            thread: facts.thread,
            stem: None,
        };
        Ok((row, sub, name))
    }
}

type NamedRow = (MailboxId, Row, Sub, Vec<u8>);

/// A message under its final names, not synced yet.
struct Ready {
    file: File,
    rows: Vec<NamedRow>,
    card: (Unique, u64, Vec<u8>),
}

struct Facts {
    unique: Unique,
    size: u64,
    nul: bool,
    date: i64,
    zone: i16,
    message_id: u64,
    thread: u64,
}

/// The first 64 bits of SHA-256: the same on every machine and for ever.
pub(super) fn hash(text: &[u8]) -> u64 {
    let digest = openssl::sha::sha256(text);
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// THREADID : by the first id in References, In-Reply-To or Message-ID, else by EMAILID.
pub(super) fn thread(card: &Card, email_id: Unique) -> u64 {
    match &card.thread_root {
        Some(root) => hash(root),
        None => hash(email_id.hex().as_bytes()),
    }
}
