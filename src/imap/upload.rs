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
    /// What has been written.
    pub incoming: Incoming,
}
