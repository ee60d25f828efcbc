//! What can be done to an account's mail, and what comes of it. Operations queue up for the account's committer; each
//! is on the disk when its ticket is paid.

use super::array::Array;
use super::error::StoreError;
use super::event::Cause;
use super::incoming::Arrival;
use crate::base::Promise;
use crate::maildir::{
    Flags, MailboxId, MailboxName, ModSeq, Role, Uid, UidSet, UidValidity, Unique,
};

/// Where a message has come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is its type")]
pub struct Placed {
    pub mailbox: MailboxId,
    pub validity: UidValidity,
    pub uid: Uid,
    pub email_id: Unique,
}

/// How STORE changes flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).
#[derive(Debug, Clone)]
pub struct FlagsRequest {
    /// In which mailbox.
    pub mailbox: MailboxId,
    /// Which messages; those that are not there are passed over.
    pub uids: UidSet,
    /// Add, remove or replace.
    pub mode: Mode,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name; a new one gets a letter.
    pub keywords: Vec<String>,
    /// UNCHANGEDSINCE: messages with a higher MODSEQ are left alone and reported.
    pub unchanged_since: Option<ModSeq>,
    /// Who does it.
    pub cause: Cause,
}

/// What STORE did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Flags are different now.
    pub changed: UidSet,
    /// Left alone because of UNCHANGEDSINCE.
    pub modified: UidSet,
}

/// EXPUNGE and UID EXPUNGE.
#[derive(Debug, Clone)]
pub struct ExpungeRequest {
    /// In which mailbox.
    pub mailbox: MailboxId,
    /// Which messages may go.
    pub uids: UidSet,
    /// Only those that have these flags at that moment go.
    pub only: Flags,
    /// Who does it.
    pub cause: Cause,
}

/// COPY or MOVE.
#[derive(Debug, Clone)]
pub struct TransferRequest {
    /// From which mailbox.
    pub from: MailboxId,
    /// Which messages; those that are not there are passed over.
    pub uids: UidSet,
    /// To which mailbox; may be the same.
    pub to: MailboxId,
    /// Copy or move.
    pub way: Way,
    /// Who does it.
    pub cause: Cause,
}

/// Does the message stay behind?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It stays.
    Copy,
    /// It goes.
    Move,
}

/// What COPY or MOVE did: the nth of `from` is the nth of `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// UIDVALIDITY of the target.
    pub validity: UidValidity,
    /// Old UIDs, rising.
    pub from: UidSet,
    /// New UIDs, rising.
    pub to: UidSet,
}

/// CREATE, RENAME, DELETE, SUBSCRIBE.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the commands' arguments")]
pub enum MailboxRequest {
    /// Makes a mailbox and those above it that are missing.
    Create {
        name: MailboxName,
        role: Option<Role>,
    },
    /// With all below it. Renaming INBOX moves its messages into a new mailbox (RFC 3501 §6.3.5).
    Rename {
        from: MailboxName,
        to: MailboxName,
    },
    /// With its messages; those below it stay.
    Delete {
        name: MailboxName,
    },
    Subscribe {
        name: MailboxName,
    },
    Unsubscribe {
        name: MailboxName,
    },
}

/// A promise to pay with a result.
pub(super) type Pay<T> = Promise<Result<T, StoreError>>;

/// What waits for the committer.
pub(super) enum Op {
    Arrive {
        arrivals: Vec<Arrival>,
        cause: Cause,
        pay: Pay<Vec<Placed>>,
    },
    Flags {
        request: FlagsRequest,
        pay: Pay<Stored>,
    },
    Expunge {
        request: ExpungeRequest,
        pay: Pay<UidSet>,
    },
    Transfer {
        request: TransferRequest,
        pay: Pay<Transferred>,
    },
    Mailbox {
        request: MailboxRequest,
        cause: Cause,
        pay: Pay<()>,
    },
    /// Bring the messages of a mailbox into memory.
    Load {
        mailbox: MailboxId,
        pay: Pay<Array>,
    },
    /// What was expunged after a change; `None` if that is not known any more.
    Expunged {
        mailbox: MailboxId,
        since: ModSeq,
        pay: Pay<Option<UidSet>>,
    },
    /// Another program may have been in this mailbox; `None`: anywhere.
    Look {
        mailbox: Option<MailboxId>,
        pay: Option<Pay<()>>,
    },
    /// Let names and index follow now.
    Settle {
        pay: Pay<()>,
    },
    /// Stop in order.
    Close {
        pay: Pay<()>,
    },
}
