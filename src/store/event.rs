//! What happened to an account's mail, told to everyone who watches it, after it is on the disk. IDLE, QRESYNC,
//! the junk filter's learning and every later view of changes are made of these.

use crate::maildir::{MailboxId, MailboxName, ModSeq, UidSet};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The account's MODSEQ after it.
    pub modseq: ModSeq,
    /// Who did it.
    pub cause: Cause,
    /// What was done.
    pub what: What,
}

/// Who changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Mail that came in.
    Delivery,
    /// A session, by its number, and what it speaks.
    Session(u64, &'static str),
    /// Another program, in the Maildir itself.
    Outside,
    /// This program by itself, for example at a start.
    Own,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are what the variants' texts name")]
pub enum What {
    /// Messages came into a mailbox.
    Arrived { mailbox: MailboxId, uids: UidSet },
    /// Flags or keywords changed.
    Flags { mailbox: MailboxId, uids: UidSet },
    /// Messages were expunged.
    Gone { mailbox: MailboxId, uids: UidSet },
    /// Messages were moved: the nth of `uids` is the nth of `to_uids` now.
    Moved { mailbox: MailboxId, uids: UidSet, to: MailboxId, to_uids: UidSet },
    /// Messages were copied.
    Copied { mailbox: MailboxId, uids: UidSet, to: MailboxId, to_uids: UidSet },
    /// A mailbox was made.
    Created { mailbox: MailboxId, name: MailboxName },
    /// A mailbox has another name.
    Renamed { mailbox: MailboxId, from: MailboxName, to: MailboxName },
    /// A mailbox is gone.
    Deleted { mailbox: MailboxId, name: MailboxName },
    /// The set of subscribed names changed.
    Subscriptions,
}

impl What {
    /// Does it concern this mailbox's messages, or its being there?
    pub fn concerns(&self, id: MailboxId) -> bool {
        match self {
            Self::Arrived { mailbox, .. }
            | Self::Flags { mailbox, .. }
            | Self::Gone { mailbox, .. }
            | Self::Created { mailbox, .. }
            | Self::Renamed { mailbox, .. }
            | Self::Deleted { mailbox, .. } => *mailbox == id,
            Self::Moved { mailbox, to, .. } | Self::Copied { mailbox, to, .. } => {
                *mailbox == id || *to == id
            }
            Self::Subscriptions => false,
        }
    }
}
