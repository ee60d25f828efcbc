//! The envelope of a message as IMAP shows it (RFC 3501 §7.4.2): the header fields that a list of messages needs.

use super::address_list::Entry;
use super::text::Text;

/// Ready to be sent: unfolded, 7-bit. `None` is a field that the message does not have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// `Date:` as it stands.
    pub date: Option<Text>,
    /// `Subject:` with its encoded words.
    pub subject: Option<Text>,
    /// `From:`
    pub from: Vec<Entry>,
    /// `Sender:`; empty if the message has none, see `sender_or_from`.
    pub sender: Vec<Entry>,
    /// `Reply-To:`; empty if the message has none, see `reply_to_or_from`.
    pub reply_to: Vec<Entry>,
    /// `To:`
    pub to: Vec<Entry>,
    /// `Cc:`
    pub cc: Vec<Entry>,
    /// `Bcc:`
    pub bcc: Vec<Entry>,
    /// `In-Reply-To:` as it stands.
    pub in_reply_to: Option<Text>,
    /// `Message-ID:` as it stands, angle brackets included.
    pub message_id: Option<Text>,
}

impl Envelope {
    /// What IMAP answers for the sender: an absent or empty one is the same as `From:`.
    pub fn sender_or_from(&self) -> &[Entry] {
        if self.sender.is_empty() { &self.from } else { &self.sender }
    }

    /// What IMAP answers for reply-to: an absent or empty one is the same as `From:`.
    pub fn reply_to_or_from(&self) -> &[Entry] {
        if self.reply_to.is_empty() { &self.from } else { &self.reply_to }
    }
}
