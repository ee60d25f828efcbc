//! Why the store did not do something.

use crate::maildir::NameError;
use rusqlite::ErrorCode;
use std::fmt;
use std::io;
use std::sync::Arc;

/// An operation that was not done; nothing of it is on the disk unless the text says so.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// Refused: no such mailbox.
    NoMailbox,
    /// Refused: there is such a mailbox already.
    MailboxExists,
    /// Refused: the name cannot be.
    Name(NameError),
    /// Refused: INBOX cannot be deleted, a mailbox cannot go below itself.
    Cannot(&'static str),
    /// Refused: all 26 keyword letters are taken.
    KeywordLimit,
    /// Refused: no UIDs are left in this mailbox.
    UidsUsedUp,
    /// Refused: the account holds as much as it may.
    OverQuota,
    /// Failed: the disk has no room.
    NoSpace,
    /// Failed: the account takes no changes since the disk failed; restart after mending it.
    ReadOnly(Arc<str>),
    /// Failed: the message's file is not there (any more).
    NoMessage,
    /// Failed: the index is damaged; the next start makes it anew from the Maildir.
    IndexDamaged(Arc<str>),
    /// Failed: an input or output error, with what was tried.
    Io(Arc<str>),
    /// Failed: the store is closing, or a thread of it died.
    Closed,
}

impl StoreError {
    /// An I/O error with what was tried; a full disk is told apart.
    pub fn io(what: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(format!("{what}: {error}").into()),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMailbox => f.write_str("there is no such mailbox"),
            Self::MailboxExists => f.write_str("there is a mailbox of that name already"),
            Self::Name(error) => error.fmt(f),
            Self::Cannot(why) => f.write_str(why),
            Self::KeywordLimit => f.write_str("an account has at most 26 keywords"),
            Self::UidsUsedUp => f.write_str("the mailbox has no numbers left for new messages"),
            Self::OverQuota => f.write_str("the account holds as much as it may; delete something"),
            Self::NoSpace => f.write_str("the disk is full"),
            Self::ReadOnly(why) => write!(f, "the account takes no changes: {why}"),
            Self::NoMessage => f.write_str("the message's file is gone"),
            Self::IndexDamaged(what) => write!(f, "index.db is damaged: {what}"),
            Self::Io(what) => f.write_str(what),
            Self::Closed => f.write_str("the server is stopping"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<NameError> for StoreError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string().into();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::IndexDamaged(text),
            _ => Self::Io(text),
        }
    }
}
