//! INBOX as a POP3 session sees it: the messages that were there at the login, with numbers that do not change
//! (RFC 1939 §5). Other sessions go on beside it; what they expunge cannot be had here any more.

use crate::base::AccountId;
use crate::maildir::{Flags, MailboxName, Uid, UidSet};
use crate::store::{Account, Cause, ExpungeRequest, FlagsRequest, Mailbox, Mode, StoreError};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The messages of a session.
#[derive(Debug)]
pub struct Maildrop {
    account: Account,
    mailbox: Arc<Mailbox>,
    messages: Vec<Message>,
    deleted: u32,
    deleted_bytes: u64,
    bytes: u64,
    retrieved: UidSet,
    /// Read before they are asked for, by number.
    ahead: Vec<(u32, Vec<u8>)>,
}

/// One message.
#[derive(Debug, Clone, Copy)]
struct Message {
    uid: Uid,
    size: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Deleted,
}

/// Rows of one look at the index.
const ROWS_MAX: usize = 1000;
const PIECE_LEN: u64 = 64 * 1024;
/// So many messages are read before they are asked for, and so many bytes.
const AHEAD_MAX: usize = 32;
const AHEAD_LEN_MAX: u64 = 128 * 1024;

impl Maildrop {
    /// The messages that are in INBOX now. Blocks.
    pub fn open(account: Account) -> Result<Self, StoreError> {
        let mailboxes = account.mailboxes()?;
        let mailbox = mailboxes.named(&MailboxName::inbox()).ok_or(StoreError::NoMailbox)?.clone();
        let mut messages: Vec<Message> = Vec::with_capacity(mailbox.count as usize);
        let mut first = Some(Uid(1));
        while let Some(uid) = first.filter(|uid| *uid < mailbox.uidnext) {
            let rows = account.rows(mailbox.id, uid, Uid(mailbox.uidnext.0 - 1), ROWS_MAX)?;
            first = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_MAX);
            let message = |uid, size| Message { uid, size, fate: Fate::Kept };
            messages.extend(rows.iter().map(|row| message(row.uid, row.size)));
        }
        // The index may still have a row of what was expunged a moment ago.
        let array = account.array(&mailbox)?;
        messages.retain(|message| array.find(message.uid).is_some());
        let bytes = messages.iter().map(|message| message.size).sum();
        let retrieved = UidSet::default();
        let (deleted, deleted_bytes, ahead) = (0, 0, Vec::new());
        Ok(Self { account, mailbox, messages, deleted, deleted_bytes, bytes, retrieved, ahead })
    }

    /// Whose they are.
    pub fn account(&self) -> AccountId {
        self.account.id()
    }

    /// How many are not deleted, and their bytes.
    pub fn stat(&self) -> (usize, u64) {
        (self.messages.len() - self.deleted as usize, self.bytes - self.deleted_bytes)
    }

    fn get(&self, number: u32) -> Option<&Message> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.messages.get(at).filter(|message| message.fate == Fate::Kept)
    }

    /// The size of a message; `None` if there is no such number, or it is deleted.
    pub fn size(&self, number: u32) -> Option<u64> {
        self.get(number).map(|message| message.size)
    }

    /// The unique id of a message: the same in every session, for ever, and never another's (RFC 1939 §7).
    pub fn unique_id(&self, number: u32) -> Option<String> {
        self.get(number).map(|message| format!("{}.{}", self.mailbox.validity, message.uid))
    }

    /// The numbers up to the highest, deleted ones too.
    pub fn highest(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap_or(u32::MAX)
    }

    /// Marks a message as deleted. False if there is no such number, or it is deleted.
    pub fn delete(&mut self, number: u32) -> bool {
        if self.get(number).is_none() {
            return false;
        }
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        if let Some(message) = at.and_then(|at| self.messages.get_mut(at)) {
            message.fate = Fate::Deleted;
            self.deleted += 1;
            self.deleted_bytes += message.size;
        }
        true
    }

    /// Nothing is deleted.
    pub fn reset(&mut self) {
        self.messages.iter_mut().for_each(|message| message.fate = Fate::Kept);
        (self.deleted, self.deleted_bytes) = (0, 0);
    }

    /// A message to be read, and after the one before it some more that will be asked for next.
    pub fn opening(&self, number: u32, extent: Extent) -> Option<Opening> {
        let uid = self.get(number)?.uid;
        let before = number.checked_sub(1).and_then(|number| self.get(number));
        let in_turn = before.is_some_and(|message| self.retrieved.contains(message.uid));
        let (mut ahead, mut len) = (Vec::new(), 0);
        if in_turn && extent == Extent::Whole {
            let following = (number + 1..).map_while(|number| Some((number, self.get(number)?)));
            ahead.extend(following.take(AHEAD_MAX).map_while(|(number, message)| {
                len += message.size;
                (len <= AHEAD_LEN_MAX).then_some((number, message.uid))
            }));
        }
        Some(Opening { account: self.account.clone(), mailbox: self.mailbox.clone(), uid, ahead })
    }

    /// These were read with another.
    pub fn keep(&mut self, ahead: Vec<(u32, Vec<u8>)>) {
        if !ahead.is_empty() {
            self.ahead = ahead;
        }
    }

    /// The text of a message that was read before; what is not asked for in turn is forgotten.
    pub fn take_ahead(&mut self, number: u32) -> Option<Vec<u8>> {
        self.get(number)?;
        let at = self.ahead.iter().position(|(ahead, _)| *ahead == number)?;
        self.ahead.drain(..=at).next_back().map(|(_, text)| text)
    }

    /// A message was sent whole.
    pub fn sent(&mut self, number: u32) {
        if let Some(uid) = self.get(number).map(|message| message.uid)
            && !self.retrieved.contains(uid)
        {
            self.retrieved.insert(uid);
        }
    }

    /// What QUIT has to do.
    pub fn closing(self, number: u64) -> Closing {
        let gone = self.messages.iter().filter(|message| message.fate == Fate::Deleted);
        let deleted: UidSet = gone.map(|message| message.uid).collect();
        let seen = self.retrieved.iter().filter(|uid| !deleted.contains(*uid)).collect();
        let cause = Cause::Session(number, "pop3");
        Closing { account: self.account, mailbox: self.mailbox, deleted, seen, cause }
    }
}

/// How much of a message is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All, for RETR.
    Whole,
    /// Its beginning, for TOP.
    Beginning,
}

/// A message that is to be opened.
#[derive(Debug)]
pub struct Opening {
    account: Account,
    mailbox: Arc<Mailbox>,
    uid: Uid,
    ahead: Vec<(u32, Uid)>,
}

/// A message that has been opened.
#[derive(Debug)]
pub struct Opened {
    /// For what comes after it.
    pub reader: Reader,
    /// Its first piece.
    pub piece: Vec<u8>,
    /// Those after it, whole.
    pub ahead: Vec<(u32, Vec<u8>)>,
}

impl Opening {
    /// Opens it and reads its first piece. Blocks.
    pub fn open(self) -> Result<Opened, StoreError> {
        let Self { account, mailbox, uid, ahead } = self;
        let last = ahead.last().map_or(uid, |(_, uid)| *uid);
        let rows = account.rows(mailbox.id, uid, last, ROWS_MAX)?;
        let find = |uid| rows.iter().find(|row| row.uid == uid).ok_or(StoreError::NoMessage);
        let text = account.open(&mailbox, find(uid)?)?;
        let (file, range) = account.file_of(&text, 0..text.size())?;
        let failed = |error: io::Error| StoreError::io("read a message", &error);
        let (reader, piece) = Reader { file, range }.next().map_err(failed)?;
        let whole = |uid| {
            let text = account.open(&mailbox, find(uid)?)?;
            text.read(0..text.size()).map_err(failed)
        };
        // One that cannot be read is told of when it is asked for.
        let ahead = ahead.into_iter().map_while(|(number, uid)| Some((number, whole(uid).ok()?)));
        Ok(Opened { reader, piece, ahead: ahead.collect() })
    }
}

/// A message that is being read.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    range: Range<u64>,
}

impl Reader {
    /// Has all been read?
    pub fn is_done(&self) -> bool {
        self.range.is_empty()
    }

    /// The next piece; empty at the end. Blocks.
    pub fn next(mut self) -> io::Result<(Self, Vec<u8>)> {
        let len = (self.range.end - self.range.start).min(PIECE_LEN);
        let mut piece = vec![0; usize::try_from(len).unwrap_or(0)];
        self.file.read_exact_at(&mut piece, self.range.start)?;
        self.range.start += len;
        Ok((self, piece))
    }
}

/// What QUIT has to do. The caller runs both, the expunge first.
#[derive(Debug)]
pub struct Closing {
    /// Whose mail it is.
    pub account: Account,
    mailbox: Arc<Mailbox>,
    deleted: UidSet,
    seen: UidSet,
    cause: Cause,
}

impl Closing {
    /// Takes away what was deleted, if anything was.
    pub fn expunge(&self) -> Option<ExpungeRequest> {
        (!self.deleted.is_empty()).then(|| ExpungeRequest {
            mailbox: self.mailbox.id,
            uids: self.deleted.clone(),
            only: Flags::default(),
            cause: self.cause,
        })
    }

    /// What was fetched has been seen, as other clients understand it.
    pub fn mark(&self) -> Option<FlagsRequest> {
        (!self.seen.is_empty()).then(|| FlagsRequest {
            mailbox: self.mailbox.id,
            uids: self.seen.clone(),
            mode: Mode::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
            cause: self.cause,
        })
    }
}
