//! What a card keeps of the header of a part (RFC 2045 §3, RFC 3501 §7.4.2), gathered field by field while the scanner
//! passes over it. The sender of a message controls the input.

use super::address_list::parse_address_list;
use super::budget::Budget;
use super::date::{Date, parse_date};
use super::envelope::Envelope;
use super::message_id::message_ids;
use super::parameter::{Raw, parameters};
use super::part::{Disposition, Parameter};
use super::text::Text;
use super::token::{is_blank, is_token, skip_cfws};
use crate::base::Cursor;

const DATE_LEN_MAX: usize = 256;
const SUBJECT_LEN_MAX: usize = 4096;
const ID_FIELD_LEN_MAX: usize = 4096;
const DESCRIPTION_LEN_MAX: usize = 2048;
const PARAMETER_LEN_MAX: usize = 4096;
/// RFC 6838 §4.2 allows 127 bytes to each name.
const NAME_LEN_MAX: usize = 127;
/// RFC 2046 §5.1.1 allows 70.
const BOUNDARY_LEN_MAX: usize = 80;

/// Content-Type as it stands.
#[derive(Debug, Default)]
pub(super) struct ContentType {
    pub(super) media_type: Vec<u8>,
    pub(super) subtype: Vec<u8>,
    pub(super) parameters: Vec<Raw>,
}

impl ContentType {
    pub(super) fn parse(value: &[u8]) -> Self {
        let mut cursor = Cursor::new(value);
        skip_cfws(&mut cursor);
        let media_type = cursor.take_while(is_token).to_vec();
        skip_cfws(&mut cursor);
        let mut subtype = Vec::new();
        if cursor.eat(b'/') {
            skip_cfws(&mut cursor);
            subtype.extend_from_slice(cursor.take_while(is_token));
        }
        Self { media_type, subtype, parameters: parameters(&mut cursor) }
    }

    pub(super) fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// The boundary of a multipart, cut to what is compared; `None` if there is none.
    pub(super) fn boundary(&self) -> Option<Vec<u8>> {
        let (_, value) =
            self.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"boundary"))?;
        (!value.is_empty()).then(|| value.get(..BOUNDARY_LEN_MAX).unwrap_or(value).to_vec())
    }
}

/// The header of a MIME part.
#[derive(Debug, Default)]
pub(super) struct PartFields {
    pub(super) mime_version: bool,
    pub(super) content_type: Option<ContentType>,
    pub(super) id: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) encoding: Option<Text>,
    pub(super) md5: Option<Text>,
    pub(super) disposition: Option<Disposition>,
    pub(super) language: Vec<Text>,
    pub(super) location: Option<Text>,
}

/// The header of a message beyond its MIME fields.
#[derive(Debug, Default)]
pub(super) struct MessageFields {
    pub(super) envelope: Envelope,
    pub(super) sent: Option<Date>,
    /// The first id of References.
    pub(super) reference: Option<Text>,
    /// The first id of In-Reply-To.
    pub(super) replied: Option<Text>,
    /// The id of Message-ID.
    pub(super) id: Option<Text>,
}

const PART_FIELDS: [&str; 9] = [
    "mime-version",
    "content-type",
    "content-id",
    "content-description",
    "content-transfer-encoding",
    "content-md5",
    "content-disposition",
    "content-language",
    "content-location",
];
const MESSAGE_FIELDS: [&str; 11] = [
    "date",
    "subject",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "in-reply-to",
    "message-id",
    "references",
];

fn one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// True for the fields that `PartFields` keeps.
pub(super) fn is_part_field(name: &[u8]) -> bool {
    one_of(name, &PART_FIELDS)
}

/// True for the fields that `MessageFields` keeps.
pub(super) fn is_message_field(name: &[u8]) -> bool {
    one_of(name, &MESSAGE_FIELDS)
}

impl PartFields {
    /// Takes a field in; the first of a name counts.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8], budget: &mut Budget) {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("mime-version") {
            self.mime_version = true;
        } else if is("content-type") {
            self.content_type.get_or_insert_with(|| ContentType::parse(value));
        } else if is("content-id") {
            first(&mut self.id, || budget.text(value, ID_FIELD_LEN_MAX));
        } else if is("content-description") {
            first(&mut self.description, || budget.cut_text(value, DESCRIPTION_LEN_MAX));
        } else if is("content-transfer-encoding") {
            first(&mut self.encoding, || encoding(value, budget));
        } else if is("content-md5") {
            first(&mut self.md5, || budget.text(value, NAME_LEN_MAX));
        } else if is("content-disposition") {
            if self.disposition.is_none() {
                self.disposition = disposition(value, budget);
            }
        } else if is("content-language") {
            if self.language.is_empty() {
                self.language = language(value, budget);
            }
        } else if is("content-location") {
            first(&mut self.location, || budget.text(value, PARAMETER_LEN_MAX));
        }
    }
}

fn first(slot: &mut Option<Text>, text: impl FnOnce() -> Option<Text>) {
    if slot.is_none() {
        *slot = text();
    }
}

impl MessageFields {
    /// Takes a field in. Address fields of one name are one list, so that a second From cannot hide the first; of the
    /// others the last counts.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8], budget: &mut Budget) {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        let envelope = &mut self.envelope;
        let mut list = |into| budget.entries(parse_address_list(value), into);
        if is("from") {
            list(&mut envelope.from);
        } else if is("sender") {
            list(&mut envelope.sender);
        } else if is("reply-to") {
            list(&mut envelope.reply_to);
        } else if is("to") {
            list(&mut envelope.to);
        } else if is("cc") {
            list(&mut envelope.cc);
        } else if is("bcc") {
            list(&mut envelope.bcc);
        } else if is("date") {
            envelope.date = budget.cut_text(value, DATE_LEN_MAX);
            self.sent = parse_date(value);
        } else if is("subject") {
            envelope.subject = budget.cut_text(value, SUBJECT_LEN_MAX);
        } else if is("in-reply-to") {
            envelope.in_reply_to = budget.cut_text(value, ID_FIELD_LEN_MAX);
            self.replied = message_ids(value).next();
        } else if is("message-id") {
            envelope.message_id = budget.cut_text(value, ID_FIELD_LEN_MAX);
            self.id = message_ids(value).next();
        } else if is("references") {
            self.reference = message_ids(value).next();
        }
    }
}

/// Puts parameters into a card while they fit.
pub(super) fn kept(raw: &[Raw], budget: &mut Budget) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for (name, value) in raw {
        if let (Some(name), Some(value)) =
            (budget.text(name, NAME_LEN_MAX), budget.untrimmed(value, PARAMETER_LEN_MAX))
        {
            parameters.push(Parameter { name, value });
        }
    }
    parameters
}

/// A media type or a subtype.
pub(super) fn type_name(name: &[u8], budget: &mut Budget) -> Option<Text> {
    budget.text(name, NAME_LEN_MAX)
}

fn encoding(value: &[u8], budget: &mut Budget) -> Option<Text> {
    let mut cursor = Cursor::new(value);
    skip_cfws(&mut cursor);
    let token = cursor.take_while(is_token);
    skip_cfws(&mut cursor);
    if token.is_empty() || !cursor.is_empty() {
        return None;
    }
    budget.text(token, NAME_LEN_MAX)
}

fn disposition(value: &[u8], budget: &mut Budget) -> Option<Disposition> {
    let mut cursor = Cursor::new(value);
    skip_cfws(&mut cursor);
    let kind = cursor.take_while(is_token);
    if kind.is_empty() {
        return None;
    }
    let kind = budget.text(kind, NAME_LEN_MAX)?;
    Some(Disposition { kind, parameters: kept(&parameters(&mut cursor), budget) })
}

fn language(value: &[u8], budget: &mut Budget) -> Vec<Text> {
    let mut cursor = Cursor::new(value);
    let mut tags = Vec::new();
    loop {
        skip_cfws(&mut cursor);
        let tag = cursor.take_while(|b| !is_blank(b) && !matches!(b, b',' | b'('));
        if !tag.is_empty() {
            let Some(tag) = budget.text(tag, NAME_LEN_MAX) else { return tags };
            tags.push(tag);
        } else if !cursor.eat(b',') {
            return tags;
        }
    }
}
