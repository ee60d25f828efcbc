//! A recipient as RCPT has it: where the message goes, and when its sender wants to hear of it (RFC 3461 §4.1, §4.2).

use super::path::ForwardPath;
use crate::mail::{Notify, OriginalRecipient};
use std::fmt;

/// One recipient. `Display` is the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where it goes.
    pub path: ForwardPath,
    /// What RCPT said of it.
    pub wishes: Wishes,
}

/// What RCPT says beside the path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// When its sender wants to hear of it.
    pub notify: Notify,
    /// As its sender first wrote it.
    pub original: Option<OriginalRecipient>,
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}
