//! What a session has once somebody has logged in. It goes to the store's threads with each command's work and comes
//! back with what is to be sent.

use super::dialect::{Condstore, Dialect, Revision, Texts, Utf8Accept};
use super::response::Completion;
use super::selected::{Selected, Told, Update};
use super::upload::Upload;
use super::writer::Writer;
use crate::base::Timestamp;
use crate::maildir::UidSet;
use crate::store::{Account, Cause, Mailbox, Mailboxes, StoreError};
use std::sync::Arc;

/// A logged-in session.
#[derive(Debug)]
pub struct Session {
    /// Whose mail it is.
    pub account: Account,
    /// The session's number, by which it knows its own changes.
    pub number: u64,
    /// The tag of the command in hand.
    pub tag: String,
    /// When the work in hand was asked for.
    pub now: Timestamp,
    /// Responses that wait to be sent.
    pub out: Writer,
    /// The open mailbox.
    pub selected: Option<Selected>,
    /// How the client is spoken to.
    pub dialect: Dialect,
    /// The largest message that APPEND takes, in bytes (RFC 7889).
    pub append_limit: u64,
    /// Messages that come in by one APPEND; the last may not be whole.
    pub uploads: Vec<Upload>,
}

impl Session {
    /// Somebody has logged in.
    pub fn new(account: Account, number: u64, append_limit: u64) -> Self {
        Self {
            account,
            number,
            tag: String::new(),
            now: Timestamp::default(),
            out: Writer::default(),
            selected: None,
            dialect: Dialect::default(),
            append_limit,
            uploads: Vec::new(),
        }
    }

    /// The cause of what it does.
    pub const fn cause(&self) -> Cause {
        Cause::Session(self.number, "imap")
    }

    /// The open mailbox with its messages; commands that need it are refused without one before they come here.
    pub fn opened(&mut self) -> Result<&mut Selected, Completion> {
        let selected = self.selected.as_mut().ok_or(Completion::bad("No mailbox is selected"))?;
        selected.load(&self.account)?;
        Ok(selected)
    }

    /// The open mailbox as it is now.
    pub fn opened_mailbox(&mut self) -> Result<(Arc<Mailboxes>, Arc<Mailbox>), Completion> {
        let id = self.opened()?.id;
        let mailboxes = self.account.mailboxes()?;
        let mailbox = mailboxes.get(id).cloned().ok_or(StoreError::NoMailbox)?;
        Ok((mailboxes, mailbox))
    }

    /// Brings the client up to date with the open mailbox.
    pub fn sync(&mut self, update: Update) -> Result<Told, StoreError> {
        match &mut self.selected {
            Some(selected) => selected.sync(&self.account, &mut self.out, update, self.dialect),
            None => Ok(Told::All),
        }
    }

    /// From now on texts beyond ASCII cross the connection in this form.
    pub fn speak(&mut self, texts: Texts) {
        self.dialect.texts = texts;
        self.out.texts = texts;
    }

    /// ENABLE UTF8=ACCEPT (RFC 6855).
    pub fn accept_utf8(&mut self) {
        self.dialect.utf8_accept = Utf8Accept::On;
        self.speak(Texts::Utf8);
    }

    /// The client has used something of CONDSTORE (RFC 7162 §3.1): from now on it is told MODSEQs.
    pub fn becomes_aware(&mut self) {
        if self.dialect.condstore >= Condstore::Aware {
            return;
        }
        self.dialect.condstore = Condstore::Aware;
        if let Some(selected) = &self.selected
            && let Ok(mailboxes) = self.account.mailboxes()
            && let Some(mailbox) = mailboxes.get(selected.id)
        {
            self.out.text("* OK [HIGHESTMODSEQ ").number(mailbox.modseq.0).text("] Highest\r\n");
        }
    }

    /// The client has enabled QRESYNC (RFC 7162 §3.2.3).
    pub fn knows_vanished(&mut self) {
        self.becomes_aware();
        self.dialect.condstore = Condstore::Qresync;
    }

    /// The client has enabled IMAP4rev2.
    pub fn speaks_rev2(&mut self) {
        self.dialect.revision = Revision::Rev2;
        self.speak(Texts::Utf8);
        if let Some(selected) = &mut self.selected {
            selected.recent = UidSet::default();
        }
    }

    /// An end that tells the highest MODSEQ to who knows QRESYNC: messages went (RFC 7162 §3.2.7). What came before that
    /// change is told with the end.
    pub fn with_highest(&mut self, completion: Completion) -> Completion {
        if self.dialect.condstore < Condstore::Qresync {
            return completion;
        }
        match self.opened_mailbox() {
            Ok((_, mailbox)) => completion.code(format!("HIGHESTMODSEQ {}", mailbox.modseq)),
            Err(_) => completion,
        }
    }
}
