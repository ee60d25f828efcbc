//! The mailbox that a session has open, as its client knows it (RFC 3501 §5.2, §7.4.1): a version of the array that is
//! brought up to date only when the protocol allows it to be told.

use super::dialect::{Condstore, Dialect, Revision};
use super::flag_text::{Permanent, Recent, write, write_all};
use super::response::Completion;
use super::sequence_set::{NoSuchNumber, Numbers, Resolved, SequenceSet, members};
use super::writer::Writer;
use crate::maildir::{AccountText, Flags, MailboxId, ModSeq, Uid, UidSet};
use crate::store::{Account, Array, Differences, Entry, Mailbox, Mailboxes, StoreError};
use std::sync::Arc;

/// An open mailbox.
#[derive(Debug)]
pub struct Selected {
    /// Which one.
    pub id: MailboxId,
    /// SELECT or EXAMINE.
    pub access: Access,
    /// The messages that the client knows, with the flags that it knows; nothing before `load`.
    pub view: Array,
    /// The mailbox as the client was told of it, while no command has needed its messages.
    pub unread: Option<Arc<Mailbox>>,
    /// `\Recent` in this session.
    pub recent: UidSet,
    /// What `$` means (RFC 5182): of the messages that the client knows.
    pub saved: Arc<UidSet>,
    /// Everything up to this change has been told.
    pub told: ModSeq,
    /// The keywords that the client was told.
    pub keywords: Arc<AccountText>,
}

/// How a mailbox is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// With SELECT.
    ReadWrite,
    /// With EXAMINE.
    ReadOnly,
}

impl Access {
    /// Which flags can be changed.
    pub const fn permanent(self) -> Permanent {
        match self {
            Self::ReadWrite => Permanent::All,
            Self::ReadOnly => Permanent::None,
        }
    }
}

/// What a client may be told at the end of a command of what others changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// All of it.
    Whole,
    /// All but expunges: FETCH, STORE and SEARCH by sequence numbers (RFC 3501 §7.4.1).
    WithoutExpunges,
    /// Nothing: the command has not ended, or has told a state by itself.
    Nothing,
}

/// How far the client has been brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It knows all that it may know now.
    All,
    /// A part; ask again when that has gone out.
    Part,
    /// The mailbox is gone.
    MailboxGone,
}

/// Messages that one answer tells of.
const PIECE_MAX: usize = 2048;

impl Selected {
    /// Makes the view what the client was told of.
    pub fn load(&mut self, account: &Account) -> Result<(), StoreError> {
        if let Some(mailbox) = &self.unread {
            self.view = account.array(mailbox)?;
            self.unread = None;
        }
        Ok(())
    }

    /// Brings the client up to date.
    pub fn sync(
        &mut self,
        account: &Account,
        out: &mut Writer,
        update: Update,
        dialect: Dialect,
    ) -> Result<Told, StoreError> {
        if update == Update::Nothing {
            return Ok(Told::All);
        }
        let mailboxes = account.mailboxes()?;
        let Some(mailbox) = mailboxes.get(self.id) else { return Ok(Told::MailboxGone) };
        if self.unread.as_ref().is_some_and(|told| Arc::ptr_eq(told, mailbox)) {
            return Ok(Told::All);
        }
        self.load(account)?;
        let newest = account.array(mailbox)?;
        let differences = self.view.differences(&newest);
        if differences == Differences::default() {
            self.told = mailbox.modseq;
            return Ok(Told::All);
        }
        self.learn_keywords(&mailboxes, out);
        let Differences { gone, mut changed, arrived } = differences;
        let mut told = Told::All;
        if update == Update::Whole && gone.len() > PIECE_MAX {
            let first = gone.get(..PIECE_MAX).unwrap_or_default();
            let uids = tell_gone(out, first, dialect.condstore);
            self.view.remove(&uids);
            self.forget(&uids);
            return Ok(Told::Part);
        }
        if changed.len() > PIECE_MAX {
            changed.truncate(PIECE_MAX);
            told = Told::Part;
        }
        match (update, gone.is_empty()) {
            (Update::Whole, _) | (Update::WithoutExpunges, true) if told == Told::All => {
                let gone = tell_gone(out, &gone, dialect.condstore);
                self.forget(&gone);
                self.view = newest.clone();
                self.told = mailbox.modseq;
            }
            _ => self.merge(&changed, &newest, arrived),
        }
        if arrived > 0 {
            self.tell_arrived(account, mailbox, out, dialect.revision);
        }
        for entry in changed {
            if let Some((seq, entry)) = self.view.find(entry.uid) {
                self.write_flags(out, seq, entry, dialect);
            }
        }
        if told == Told::All
            && self.told < mailbox.modseq
            && dialect.condstore == Condstore::Qresync
        {
            // The client must not conclude from a MODSEQ above that it knows of older expunges (RFC 7162 §3.2.4, §6).
            out.text("* OK [HIGHESTMODSEQ ").number(self.told.0).text("] Expunges wait\r\n");
        }
        Ok(told)
    }

    fn forget(&mut self, gone: &UidSet) {
        self.recent = self.recent.difference(gone);
        if !gone.is_empty() && !self.saved.is_empty() {
            self.saved = Arc::new(self.saved.difference(gone));
        }
    }

    /// Everything but what is gone.
    fn merge(&mut self, changed: &[Entry], newest: &Array, arrived: u32) {
        let mut now = changed.iter().copied().peekable();
        let uids: UidSet = changed.iter().map(|entry| entry.uid).collect();
        self.view.edit(&uids, |entry| {
            while now.next_if(|next| next.uid < entry.uid).is_some() {}
            now.next_if(|next| next.uid == entry.uid)
        });
        let first = newest.len().saturating_sub(arrived).saturating_add(1);
        newest.iter_from(first).for_each(|(_, entry)| self.view.push(entry));
    }

    fn tell_arrived(
        &mut self,
        account: &Account,
        mailbox: &Mailbox,
        out: &mut Writer,
        revision: Revision,
    ) {
        let from = match self.access {
            Access::ReadWrite => account.claim_recent(mailbox),
            Access::ReadOnly => account.recent_from(mailbox),
        };
        out.text("* ").number(self.view.len()).text(" EXISTS\r\n");
        if revision == Revision::Rev2 {
            return;
        }
        for (_, entry) in self.view.iter_from(self.view.seq_from(from)) {
            if !self.recent.contains(entry.uid) {
                self.recent.insert(entry.uid);
            }
        }
        out.text("* ").number(self.recent.len()).text(" RECENT\r\n");
    }

    /// New keywords are told before a message shows one.
    fn learn_keywords(&mut self, mailboxes: &Mailboxes, out: &mut Writer) {
        if Arc::ptr_eq(&self.keywords, &mailboxes.text) {
            return;
        }
        if self.keywords.keywords != mailboxes.text.keywords {
            write_all(out, &mailboxes.text, self.access.permanent());
        }
        self.keywords = mailboxes.text.clone();
    }

    /// Of these messages the client knows how they stand now: what it does not conclude it is told next, so keywords
    /// that are new to it come first.
    pub fn know(&mut self, mailboxes: &Mailboxes, newest: &Array, uids: &UidSet, out: &mut Writer) {
        self.learn_keywords(mailboxes, out);
        self.view.edit(uids, |before| {
            let (_, now) = newest.find(before.uid)?;
            (before != now).then_some(now)
        });
    }

    /// The messages that a client names.
    pub fn uids(&self, set: &SequenceSet, numbers: Numbers) -> Result<UidSet, Completion> {
        set.uids(&self.view, &self.saved, numbers)
            .map_err(|NoSuchNumber| Completion::bad("There is no message of that number"))
    }

    /// A set that the client wrote, for one message after the other.
    pub fn resolve(&self, set: &SequenceSet, numbers: Numbers) -> Result<Resolved, Completion> {
        set.resolve(&self.view, &self.saved, numbers)
            .map_err(|NoSuchNumber| Completion::bad("There is no message of that number"))
    }

    /// Is it `\Recent`?
    pub fn recent(&self, uid: Uid) -> Recent {
        if self.recent.contains(uid) { Recent::Yes } else { Recent::No }
    }

    /// The flags of a message, in parentheses.
    pub fn write_flag_list(&self, out: &mut Writer, uid: Uid, flags: Flags) {
        write(out, flags, self.recent(uid), &self.keywords);
    }

    /// `* 3 FETCH (FLAGS (\Seen))`, with UID and MODSEQ for those who know them.
    pub fn write_flags(&self, out: &mut Writer, seq: u32, entry: Entry, dialect: Dialect) {
        out.text("* ").number(seq).text(" FETCH (");
        if dialect.tells_uid() {
            out.text("UID ").number(entry.uid.0).text(" ");
        }
        if dialect.condstore >= Condstore::Aware {
            out.text("MODSEQ (").number(entry.modseq.0).text(") ");
        }
        out.text("FLAGS ");
        self.write_flag_list(out, entry.uid, entry.flags);
        out.text(")\r\n");
    }

    /// The sequence numbers of these UIDs.
    pub fn sequence_numbers(&self, uids: &UidSet) -> Vec<u32> {
        members(&self.view, uids, Uid(1)).map(|(seq, _)| seq).collect()
    }
}

/// Tells what is gone; returns its UIDs. Each number is what it is when those before it are gone (RFC 3501 §7.4.1).
fn tell_gone(out: &mut Writer, gone: &[(u32, Uid)], condstore: Condstore) -> UidSet {
    let uids: UidSet = gone.iter().map(|(_, uid)| *uid).collect();
    if condstore == Condstore::Qresync {
        if !uids.is_empty() {
            out.text("* VANISHED ").text(&uids.to_string()).text("\r\n");
        }
        return uids;
    }
    for (before, (seq, _)) in (0_u32..).zip(gone) {
        out.text("* ").number(seq.saturating_sub(before)).text(" EXPUNGE\r\n");
    }
    uids
}
