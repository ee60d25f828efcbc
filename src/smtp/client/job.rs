//! One message for one server: who it is for, what its way must be able to, and how it ended for each recipient.

use super::heard::Heard;
use crate::mail::{Address, Demands, EnvelopeId, Notify, OriginalRecipient, Ret};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// A message to be handed on.
#[derive(Debug, Clone)]
pub struct Job {
    /// `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// At least one; not more than one server takes at once.
    pub recipients: Vec<JobRecipient>,
    /// What the server must be able to.
    pub demands: Demands,
    /// How much of it comes back.
    pub ret: Option<Ret>,
    /// The sender's name for it.
    pub envelope_id: Option<EnvelopeId>,
    /// What is sent; `None`: the server is only asked whom it would take it for.
    pub text: Option<JobText>,
}

/// The text of a message.
#[derive(Debug, Clone)]
pub struct JobText {
    /// What goes before the text of the file: whole header fields.
    pub fields: Vec<u8>,
    /// Its text; lines end with CRLF, unless it is binary.
    pub file: Arc<File>,
    /// Where in the file.
    pub range: Range<u64>,
}

/// One recipient.
#[derive(Debug, Clone)]
pub struct JobRecipient {
    /// Where it goes.
    pub address: Address,
    /// When its sender wants to hear of it.
    pub notify: Notify,
    /// As the sender first wrote it.
    pub original: Option<OriginalRecipient>,
}

impl Job {
    /// Bytes that go over the line, without what framing adds.
    pub fn size(&self) -> u64 {
        let size = |text: &JobText| (text.range.end - text.range.start) + text.fields.len() as u64;
        self.text.as_ref().map_or(0, size)
    }
}

/// How a job ended, for each recipient in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One each.
    pub outcomes: Vec<Outcome>,
    /// Does the server take over the reports that the sender wants (RFC 3461 §5.2.2)?
    pub passes_wishes_on: bool,
    /// Was all of the text sent? What was lost then may have arrived.
    pub text_sent: bool,
}

/// How it ended for a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it, and said this.
    Taken(Heard),
    /// The server said no: for ever by 5yz, else for now.
    Refused(Heard),
    /// The server takes no more recipients in this transaction (RFC 5321 §4.5.3.1.10).
    TooMany(Heard),
    /// The server cannot take it as it is.
    Unable(Lack),
    /// The session ended before it was answered: for later. If it ended after the last dot, it may have arrived.
    Lost,
}

/// What a server lacks for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It takes no addresses or header fields beyond ASCII.
    Smtputf8,
    /// It takes no bytes above 127.
    EightBitMime,
    /// It takes no binary text.
    BinaryMime,
    /// It does not promise TLS on the rest of the way.
    RequireTls,
    /// It takes no message of this size; so many bytes it takes.
    Size(u64),
}
