//! How mailboxes and messages stand in the columns of `index.db`, for its reader and its writer.

use crate::maildir::{MailboxId, MailboxName, ModSeq, Uid, UidValidity};

/// A mailbox as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the table, named as elsewhere")]
pub struct FolderRow {
    pub mailbox: MailboxId,
    pub name: MailboxName,
    pub validity: UidValidity,
    /// After an orderly stop the mailbox's own; else every UID below it has a row, was expunged, or was never shown.
    pub uidnext: Uid,
    pub modseq: ModSeq,
    /// Expunged UIDs are known from here on; before it, every missing one counts.
    pub known_since: ModSeq,
    pub count: u32,
    pub unseen: u32,
    /// Sequence number of the first message without `\Seen`.
    pub first_unseen: Option<u32>,
    pub bytes: u64,
    /// The first UID that no session has had as `\Recent`.
    pub recent_from: Uid,
    /// Nanoseconds since 1970 when the list was last known to agree; 0 if that is not known.
    pub cur_mtime: i64,
    pub new_mtime: i64,
}

/// What an orderly stop leaves, so that the next start lists nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanMark {
    /// The change log's generation; fits only while no line follows its head.
    pub generation: u64,
    /// The account's MODSEQ.
    pub modseq: ModSeq,
}

pub(super) type Sql<T> = rusqlite::Result<T>;

pub(super) const PLACE_CUR: i64 = 0;
pub(super) const PLACE_NEW: i64 = 1;
pub(super) const PLACE_NUL: i64 = 4;

pub(super) const COLUMNS: &str = "uid, flags, nameflags, modseq, place, date, zone, saved, size, emailid, msgid, thread, foreign_name";

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
