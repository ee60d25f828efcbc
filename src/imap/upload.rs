//! A message on its way in by APPEND, perhaps with others.

use super::flag_text::FlagNames;
use crate::mail::Date;
use crate::maildir::MailboxId;
use crate::store::Incoming;

/// What APPEND has said before the message itself came.
#[derive(Debug)]
pub struct Upload {
    /// Where it goes.
    pub mailbox: MailboxId,
    /// With these flags.
    pub flags: FlagNames,
    /// INTERNALDATE.
    pub date: Date,
    /// What stands around it.
    pub wrapping: Wrapping,
    /// What has been written.
    pub incoming: Incoming,
}

/// What stands around a message's literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing.
    Bare,
    /// `UTF8 (` and `)` (RFC 6855 §4).
    Utf8,
}

impl Wrapping {
    /// What follows on the line behind the message; `None` if the wrapping does not end.
    pub fn after(self, line: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Bare => Some(line),
            Self::Utf8 => line.strip_prefix(b")"),
        }
    }
}
