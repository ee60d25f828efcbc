//! What a session has once somebody has logged in. It goes to the store's threads with each command's work and comes
//! back with what is to be sent.

use super::dialect::{Dialect, Texts, Utf8Accept};
use super::response::Completion;
use super::selected::{Condstore, Selected, Told, Update};
use super::upload::Upload;
use super::writer::Writer;
use crate::base::Timestamp;
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
    /// Does the client know MODSEQ?
    pub condstore: Condstore,
    /// How the client reads and writes.
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
            condstore: Condstore::Unaware,
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
            Some(selected) => selected.sync(&self.account, &mut self.out, update, self.condstore),
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
        if self.condstore == Condstore::Aware {
            return;
        }
        self.condstore = Condstore::Aware;
        if let Some(selected) = &self.selected
            && let Ok(mailboxes) = self.account.mailboxes()
            && let Some(mailbox) = mailboxes.get(selected.id)
        {
            self.out.text("* OK [HIGHESTMODSEQ ").number(mailbox.modseq.0).text("] Highest\r\n");
        }
    }
}
