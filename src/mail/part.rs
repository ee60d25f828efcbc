//! A part of a message as IMAP's BODYSTRUCTURE shows it (RFC 3501 §7.4.2, RFC 2045): where it stands in the message,
//! what its header says, and what is inside it.

use super::envelope::Envelope;
use super::text::Text;
use std::ops::Range;

/// One body part, or the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its header with the empty line that ends it: byte offsets in the message.
    pub header: Range<u64>,
    /// Its body, without the line end that belongs to the boundary after it: byte offsets in the message.
    pub body: Range<u64>,
    /// Line feeds in the body.
    pub lines: u64,
    /// `text` of `text/plain`, spelled as in the message.
    pub media_type: Text,
    /// `plain` of `text/plain`, spelled as in the message.
    pub subtype: Text,
    /// The parameters of Content-Type; a text has always a `charset`.
    pub parameters: Vec<Parameter>,
    /// Content-ID with its angle brackets.
    pub id: Option<Text>,
    /// Content-Description.
    pub description: Option<Text>,
    /// Content-Transfer-Encoding, `7bit` if the message does not say.
    pub encoding: Text,
    /// Content-MD5.
    pub md5: Option<Text>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// The tags of Content-Language.
    pub language: Vec<Text>,
    /// Content-Location.
    pub location: Option<Text>,
    /// What is inside.
    pub kind: PartKind,
}

impl Part {
    /// A plain text of no length: what a part is that says nothing (RFC 2045 §5.2).
    pub(super) fn empty(at: u64) -> Self {
        Self {
            header: at..at,
            body: at..at,
            lines: 0,
            media_type: Text::word("text"),
            subtype: Text::word("plain"),
            parameters: vec![Parameter {
                name: Text::word("charset"),
                value: Text::word("us-ascii"),
            }],
            id: None,
            description: None,
            encoding: Text::word("7bit"),
            md5: None,
            disposition: None,
            language: Vec::new(),
            location: None,
            kind: PartKind::Leaf,
        }
    }

    /// True if it is of this type and subtype, in any case.
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.media_type.is(media_type) && self.subtype.is(subtype)
    }

    /// The value of a parameter of Content-Type, its name in any case.
    pub fn parameter(&self, name: &str) -> Option<&Text> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name.is(name))
            .map(|parameter| &parameter.value)
    }
}

/// What a part has inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// Text or data. Never of type `multipart`, `message/rfc822` or `message/global`.
    Leaf,
    /// Parts between boundaries: at least one.
    Multipart(Vec<Part>),
    /// `message/rfc822` or `message/global`: a message with its envelope.
    Message(Box<Envelope>, Box<Part>),
}

/// An attribute and its value (RFC 2045 §5.1). The pieces of RFC 2231 §3 are joined; a value in the extended form of
/// §4 is left as it stands and its name ends in `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Spelled as in the message.
    pub name: Text,
    /// Without quotes.
    pub value: Text,
}

/// Content-Disposition (RFC 2183).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// `inline`, `attachment` or another word.
    pub kind: Text,
    /// `filename` and others.
    pub parameters: Vec<Parameter>,
}
