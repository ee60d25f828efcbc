//! Where a delivery goes. A filter decides it; the store finds the mailbox.

use crate::maildir::{Flags, MailboxId, Role};

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This mailbox.
    Mailbox(MailboxId),
    /// The mailbox with this special use; INBOX if there is none.
    Role(Role),
    /// INBOX.
    Inbox,
}

/// Where a message goes and how it is marked there.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The mailbox.
    pub target: Target,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
}
