//! Lists of addresses in header fields (RFC 5322 §3.4 with the obsolete forms of §4.4), read from raw bytes the way
//! IMAP shows them in an ENVELOPE. The sender of a message controls the input.

use super::text::Text;

/// One entry of an address list, as IMAP counts them (RFC 3501 §7.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A mailbox.
    Mailbox {
        /// The display name, else the comment beside the address; quotes and folds are gone, encoded words are not.
        name: Option<Text>,
        /// The source route, `@a,@b`.
        adl: Option<Text>,
        /// The local part; empty where the list has none.
        mailbox: Text,
        /// The domain; empty where the list has none.
        host: Text,
    },
    /// `name:`, the beginning of a group.
    GroupStart(Text),
    /// `;`, the end of a group.
    GroupEnd,
}
