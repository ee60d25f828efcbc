//! One account's mail, as the floors above see it: what is there now, reading, and operations that queue for the
//! committer.

use super::array::Array;
use super::cards::Cards;
use super::error::StoreError;
use super::event::{Cause, Event};
use super::folders::find_name;
use super::imported::Imported;
use super::incoming::{Arrival, Incoming};
use super::leader::{Shared, lock};
use super::mailbox::{Mailbox, Mailboxes};
use super::op::{
    ExpungeRequest, FlagsRequest, MailboxRequest, Op, Pay, Placed, Stored, TransferRequest,
    Transferred,
};
use super::row::{At, Row};
use super::scratch::Scratch;
use super::text::Text;
use crate::base::{AccountId, Ticket, ticket};
use crate::maildir::{Dir, MailboxId, ModSeq, Uid, UidSet};
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often a message is looked for while its name changes; the waits between add up to 10 ms.
const OPEN_TURNS: u64 = 5;

/// What a ticket of the store yields; `None` if the committer died.
pub type Reply<T> = Ticket<Result<T, StoreError>>;

/// An account.
#[derive(Clone)]
pub struct Account {
    pub(super) shared: Arc<Shared>,
}

/// Watching an account; ends when dropped.
pub struct Watching {
    shared: Weak<Shared>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            lock(&shared.listeners).remove(&self.number);
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.shared.id)
    }
}

impl Account {
    /// The account in this folder. Nothing is opened yet.
    pub(super) fn new(id: AccountId, path: PathBuf, cards: Arc<Cards>) -> Self {
        Self { shared: Arc::new(Shared::new(id, path, cards)) }
    }

    /// Its number.
    pub fn id(&self) -> AccountId {
        self.shared.id
    }

    /// Opens the account if that has not been done. Blocks: recovery may list and read files.
    pub fn ready(&self) -> Result<(), StoreError> {
        self.shared.ready().map(|_| ())
    }

    /// What is there now. Blocks at the first use.
    pub fn mailboxes(&self) -> Result<Arc<Mailboxes>, StoreError> {
        self.ready()?;
        Ok(self.shared.shown.get())
    }

    /// Calls `listener` with what happens, from the committer's thread: it must not block.
    pub fn watch(&self, listener: impl Fn(&Arc<[Event]>) + Send + Sync + 'static) -> Watching {
        let mut listeners = lock(&self.shared.listeners);
        let number = listeners.last_key_value().map_or(0, |(&last, _)| last + 1);
        listeners.insert(number, Box::new(listener));
        Watching { shared: Arc::downgrade(&self.shared), number }
    }

    /// The messages of a mailbox as they were in this version of it.
    pub fn array(&self, mailbox: &Mailbox) -> Result<Array, StoreError> {
        let array = match mailbox.loaded() {
            Some(array) => array,
            None => {
                let loaded = self.ask(|pay| Op::Load { mailbox: mailbox.id, pay }).wait();
                let newest = loaded.unwrap_or(Err(StoreError::Closed))?;
                mailbox.loaded().unwrap_or_else(|| newest.before(mailbox.uidnext))
            }
        };
        if array.len() != mailbox.count {
            let (count, rows) = (mailbox.count, array.len());
            let why =
                format!("{count} messages by the counter of {}, {rows} by the rows", mailbox.name);
            self.shared.index_is_damaged(&why);
            return Err(StoreError::IndexDamaged(why.into()));
        }
        Ok(array)
    }

    /// Waits until what is being done has been published: rows go a moment before the messages do.
    pub fn wait_until_published(&self, mailbox: &Mailbox) {
        // The committer answers when it has finished what came before; an error is none of ours.
        let _ = self.ask(|pay| Op::Load { mailbox: mailbox.id, pay }).wait();
    }

    /// The UIDs that were expunged after this change; `None` if that is not known so far back: then any that is not
    /// there may have been.
    pub fn expunged_since(
        &self,
        mailbox: MailboxId,
        since: ModSeq,
    ) -> Result<Option<UidSet>, StoreError> {
        let asked = self.ask(|pay| Op::Expunged { mailbox, since, pay }).wait();
        asked.unwrap_or(Err(StoreError::Closed))
    }

    /// Marks all messages up to now as seen by a session: those from the returned UID on are `\Recent` to it.
    pub fn claim_recent(&self, mailbox: &Mailbox) -> Uid {
        let mut recent = lock(&self.shared.common.recent);
        let from = recent.entry(mailbox.id).or_insert(mailbox.uidnext);
        // Another session may know a later state, and have claimed that.
        let newest = (*from).max(mailbox.uidnext);
        std::mem::replace(from, newest)
    }

    /// The first UID that no session has had as `\Recent`.
    pub fn recent_from(&self, mailbox: &Mailbox) -> Uid {
        let recent = lock(&self.shared.common.recent);
        recent.get(&mailbox.id).copied().unwrap_or(mailbox.uidnext)
    }

    /// Rows of messages from `first` to `last`, rising, at most `limit`.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.ready()?;
        let mut rows: BTreeMap<Uid, Row> = {
            let pending = lock(&self.shared.common.pending);
            pending.between(mailbox, first, last).map(|row| (row.uid, row.clone())).collect()
        };
        let reader = lock(&self.shared.reader);
        if let Some(index) = &*reader {
            let read = index.each_row(mailbox, first, last, limit, |row| {
                rows.entry(row.uid).or_insert(row);
            });
            if let Err(error) = read.map_err(StoreError::from) {
                if let StoreError::IndexDamaged(why) = &error {
                    self.shared.index_is_damaged(why);
                }
                return Err(error);
            }
        }
        Ok(rows.into_values().take(limit).collect())
    }

    /// Opens a message.
    pub fn open(&self, mailbox: &Mailbox, row: &Row) -> Result<Text, StoreError> {
        let mut row = row.clone();
        for turn in 0..OPEN_TURNS {
            if let Some(text) = self.open_at(mailbox, &row)? {
                return Ok(text);
            }
            // Its name has just changed, or does now.
            std::thread::sleep(Duration::from_millis(turn));
            let newest = self.rows(mailbox.id, row.uid, row.uid, 1)?.pop();
            row = newest.ok_or(StoreError::NoMessage)?;
        }
        Err(StoreError::NoMessage)
    }

    /// Opens a message where its row says that it is, or where it goes from there.
    fn open_at(&self, mailbox: &Mailbox, row: &Row) -> Result<Option<Text>, StoreError> {
        let here = Row { at: if row.at == At::New { At::New } else { At::Cur }, ..row.clone() };
        let elsewhere = match row.at {
            At::New | At::Cur => None,
            At::Elsewhere(there, uid) => {
                self.rows(there, uid, uid, 1)?.pop().map(|row| (there, row))
            }
        };
        for (home, row) in elsewhere.into_iter().chain([(mailbox.id, here)]) {
            let state = self.shared.shown.get();
            let Some(home) = state.get(home) else { continue };
            let maildir = &self.shared.ready()?.maildir;
            let folders = (self.shared.common)
                .folders(maildir, home)
                .map_err(|error| StoreError::io("open a mailbox", &error))?;
            if let Some((sub, name)) = find_name(&folders, &row, home.validity)
                && let Ok(file) = folders.sub(sub).read(&name)
            {
                return Text::new(file, row.size, row.file_size())
                    .map(Some)
                    .map_err(|error| StoreError::io("open a message", &error));
            }
        }
        Ok(None)
    }

    /// A range of a message as a range of a file that can go out unchanged: the message's own, or one without a name
    /// that is written for it, where line ends must be made.
    pub fn file_of(
        &self,
        text: &Text,
        range: Range<u64>,
    ) -> Result<(Arc<File>, Range<u64>), StoreError> {
        if let Some(file) = text.as_file() {
            return Ok((file.clone(), range));
        }
        let mut scratch = self.scratch(range.end.saturating_sub(range.start))?;
        text.walk(&range, |piece| scratch.write(piece).map(ControlFlow::Continue))?;
        let (file, size) = scratch.done();
        Ok((file, 0..size))
    }

    /// A file without a name, for about so many bytes. The disk is left the room that it needs for mail.
    pub fn scratch(&self, size: u64) -> Result<Scratch, StoreError> {
        self.room_on_disk(size)?;
        let failed = |error: std::io::Error| StoreError::io("copy a message", &error);
        let tmp = &self.shared.ready()?.tmp;
        let unique = lock(&self.shared.unique).next(super::core::now());
        let name = format!("c{}", unique.hex()).into_bytes();
        let file = tmp.create(&name).map_err(failed)?;
        tmp.unlink(&name).map_err(failed)?;
        Ok(Scratch::new(file))
    }

    /// Begins a message.
    pub fn begin(&self) -> Result<Incoming, StoreError> {
        let tmp = &self.shared.ready()?.tmp;
        let unique = lock(&self.shared.unique).next(super::core::now());
        Incoming::new(tmp, unique)
    }

    /// Which messages were imported into this account. Blocks.
    pub fn imported(&self) -> Result<Imported, StoreError> {
        self.ready()?;
        let folder = Dir::open(&self.shared.path);
        Imported::open(&folder.map_err(|error| StoreError::io("open an account", &error))?)
    }

    /// Places messages, all or none; paid when they are on the disk.
    pub fn commit(&self, arrivals: Vec<Arrival>, cause: Cause) -> Reply<Vec<Placed>> {
        self.ask(|pay| Op::Arrive { arrivals, cause, pay })
    }

    /// STORE.
    pub fn store_flags(&self, request: FlagsRequest) -> Reply<Stored> {
        self.ask(|pay| Op::Flags { request, pay })
    }

    /// EXPUNGE.
    pub fn expunge(&self, request: ExpungeRequest) -> Reply<UidSet> {
        self.ask(|pay| Op::Expunge { request, pay })
    }

    /// COPY and MOVE.
    pub fn transfer(&self, request: TransferRequest) -> Reply<Transferred> {
        self.ask(|pay| Op::Transfer { request, pay })
    }

    /// CREATE, RENAME, DELETE, SUBSCRIBE.
    pub fn change_mailboxes(&self, request: MailboxRequest, cause: Cause) -> Reply<()> {
        self.ask(|pay| Op::Mailbox { request, cause, pay })
    }

    /// Looks for what other programs did in a mailbox, or everywhere.
    pub fn look(&self, mailbox: Option<MailboxId>) -> Reply<()> {
        self.ask(|pay| Op::Look { mailbox, pay: Some(pay) })
    }

    /// File names and index follow now.
    pub fn settle(&self) -> Reply<()> {
        self.ask(|pay| Op::Settle { pay })
    }

    /// Stops in order: names follow, the next start lists nothing. Nothing can be done afterwards.
    pub fn close(&self) -> Reply<()> {
        self.ask(|pay| Op::Close { pay })
    }

    /// Asks what other programs did since the last call, and queues looks for it.
    pub(super) fn listen(&self) {
        match self.shared.common.expected.strangers() {
            Ok(strangers) => {
                let anywhere = strangers.anywhere.then_some(None);
                for mailbox in anywhere.into_iter().chain(strangers.mailboxes.into_iter().map(Some))
                {
                    self.shared.push(Op::Look { mailbox, pay: None });
                }
            }
            Err(error) => log::warn!("account={} watch failed: {error}", self.shared.id),
        }
    }

    fn ask<T>(&self, op: impl FnOnce(Pay<T>) -> Op) -> Reply<T> {
        let (promise, later) = ticket();
        self.shared.push(op(promise));
        later
    }
}
