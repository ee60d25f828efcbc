//! The card of a message: what lists, searches and BODYSTRUCTURE need to know without opening the file. The scanner
//! makes it, the store keeps it; it can always be made again.

use super::date::Date;
use super::envelope::Envelope;
use super::part::Part;
use super::text::Text;

/// All that is known of a message from one look at its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Bytes of the message as scanned.
    pub size: u64,
    /// Line feeds in the message.
    pub lines: u64,
    /// The date of `Date:`, if it is one.
    pub sent: Option<Date>,
    /// The envelope.
    pub envelope: Envelope,
    /// The message as a part; `structure.body.start` is the size of the header.
    pub structure: Part,
    /// The id of `Message-ID:` without angle brackets.
    pub message_id: Option<Text>,
    /// The id of the message that began the thread, without angle brackets: the first of `References:`, else of
    /// `In-Reply-To:`, else `Message-ID:`.
    pub thread_root: Option<Text>,
}
