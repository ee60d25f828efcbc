//! The parts of a message while the scanner is inside them: which are open, which boundaries may come, and what is
//! closed by one (RFC 2046 §5.1). Whoever sends a message decides how deep and how many.

use super::budget::Budget;
use super::card::Card;
use super::fields::{ContentType, MessageFields, PartFields, kept, type_name};
use super::header::HEADER_LEN_MAX;
use super::part::{Parameter, Part, PartKind};
use super::text::Text;

/// Where the scanner stops to look deeper. What is beyond a limit stays part of the leaf it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Parts in all, the message included.
    pub parts: usize,
    /// Parts inside parts.
    pub depth: usize,
    /// Bytes of one header field; the rest of it is cut.
    pub field_len: usize,
    /// Bytes of all header fields that a card has use for; fields after that are passed over.
    pub headers_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parts: 1000, depth: 64, field_len: 64 * 1024, headers_len: HEADER_LEN_MAX }
    }
}

/// Text of the envelope in a card: some hundred recipients.
const ENVELOPE_LEN_MAX: usize = 26 * 1024;
/// Text of the parts in a card, inner envelopes included.
const STRUCTURE_LEN_MAX: usize = 18 * 1024;

/// A point between two bytes of the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) offset: u64,
    /// Line feeds before it.
    pub(super) lines: u64,
}

/// The open parts, the message first. There is always at least one until `finish`.
#[derive(Debug)]
pub(super) struct Tree {
    limits: Limits,
    open: Vec<Open>,
    /// The message, once it is closed.
    root: Option<(Box<MessageFields>, Part)>,
    parts: usize,
    boundaries: usize,
    envelope_budget: Budget,
    structure_budget: Budget,
}

#[derive(Debug)]
struct Open {
    part: Part,
    /// Where its body begins; while its header is read, where that begins.
    body: Mark,
    fields: PartFields,
    /// If it is a message, not a part of one.
    message: Option<Box<MessageFields>>,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Header,
    Leaf,
    Multipart {
        /// `None` after the close delimiter, or if the header names none.
        boundary: Option<Vec<u8>>,
        default: DefaultType,
        children: Vec<Part>,
    },
    Message {
        child: Option<(Box<MessageFields>, Box<Part>)>,
    },
}

/// What a part without Content-Type is (RFC 2046 §5.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DefaultType {
    Text,
    Message,
}

/// A boundary line: whose it is, and whether it is the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    at: usize,
    last: bool,
}

impl Tree {
    pub(super) fn new(limits: Limits) -> Self {
        let mut tree = Self {
            limits,
            open: Vec::new(),
            root: None,
            parts: 0,
            boundaries: 0,
            envelope_budget: Budget::new(ENVELOPE_LEN_MAX),
            structure_budget: Budget::new(STRUCTURE_LEN_MAX),
        };
        tree.open(Mark::default(), Some(Box::default()));
        tree
    }

    fn open(&mut self, at: Mark, message: Option<Box<MessageFields>>) {
        self.parts += 1;
        let part = Part::empty(at.offset);
        let fields = PartFields::default();
        self.open.push(Open { part, body: at, fields, message, inside: Inside::Header });
    }

    /// A part begins, after a boundary.
    pub(super) fn open_part(&mut self, at: Mark) {
        self.open(at, None);
    }

    /// True while a boundary line may come.
    pub(super) const fn expects_boundary(&self) -> bool {
        self.boundaries > 0 && self.parts < self.limits.parts
    }

    /// True in the header of a message, false in that of a part.
    pub(super) fn in_message_header(&self) -> bool {
        self.open.last().is_some_and(|open| open.message.is_some())
    }

    /// Takes a header field of the innermost part in.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        let envelope_budget = match self.open.len() {
            1 => &mut self.envelope_budget,
            _ => &mut self.structure_budget,
        };
        if let Some(open) = self.open.last_mut() {
            if let Some(message) = &mut open.message {
                message.field(name, value, envelope_budget);
            }
            open.fields.field(name, value, &mut self.structure_budget);
        }
    }

    /// The header of the innermost part ends before `at`. True if another header follows: that of a message inside.
    pub(super) fn end_header(&mut self, at: Mark) -> bool {
        let default = self.default_type();
        let may_open = self.open.len() < self.limits.depth && self.parts < self.limits.parts;
        let Some(open) = self.open.last_mut() else { return false };
        open.part.header.end = at.offset;
        open.part.body = at.offset..at.offset;
        open.body = at;
        let mime = open.fields.mime_version || open.fields.content_type.is_some();
        if open.message.is_some() && !mime {
            // Fields of MIME in a message that does not say that it is MIME do not count. Content-Type alone says it,
            // as many senders forget MIME-Version.
            open.fields = PartFields::default();
        }
        open.inside = inside(&open.fields, default);
        if !may_open {
            open.inside = Inside::Leaf;
        }
        describe(open, &mut self.structure_budget);
        self.boundaries +=
            usize::from(matches!(open.inside, Inside::Multipart { boundary: Some(_), .. }));
        let message = matches!(open.inside, Inside::Message { .. });
        if message {
            self.open(at, Some(Box::default()));
        }
        message
    }

    fn default_type(&self) -> DefaultType {
        let parent = self.open.len().checked_sub(2).and_then(|at| self.open.get(at));
        match parent.map(|parent| &parent.inside) {
            Some(Inside::Multipart { default, .. }) => *default,
            _ => DefaultType::Text,
        }
    }

    /// Looks whether a line is a boundary. It is if it begins with one (RFC 2046 §5.1.1); the longest counts, of equal
    /// ones the innermost.
    pub(super) fn find_boundary(&self, line: &[u8]) -> Option<Found> {
        if !self.expects_boundary() {
            return None;
        }
        let text = line.strip_prefix(b"--")?;
        let mut best: Option<(usize, &[u8])> = None;
        for (at, open) in self.open.iter().enumerate().rev() {
            if let Inside::Multipart { boundary: Some(boundary), .. } = &open.inside
                && text.starts_with(boundary)
                && best.is_none_or(|(_, longest)| longest.len() < boundary.len())
            {
                best = Some((at, boundary));
            }
        }
        let (at, boundary) = best?;
        Some(Found {
            at,
            last: text.get(boundary.len()..).is_some_and(|rest| rest.starts_with(b"--")),
        })
    }

    /// Closes what is open inside the multipart of this boundary. True if a part follows.
    pub(super) fn pass_boundary(&mut self, found: Found, mut end: Mark) -> bool {
        while self.open.len() > found.at + 1 {
            end = self.close(end);
        }
        if found.last
            && let Some(Open { inside: Inside::Multipart { boundary, .. }, .. }) =
                self.open.last_mut()
        {
            *boundary = None;
            self.boundaries -= 1;
        }
        !found.last
    }

    /// Closes the innermost part; it ends before `end`, or where its body begins if that is later. Returns where.
    fn close(&mut self, end: Mark) -> Mark {
        while let Some(Open { inside: Inside::Header, body, .. }) = self.open.last() {
            self.end_header(later(*body, end));
        }
        let Some(mut open) = self.open.pop() else { return end };
        let end = later(open.body, end);
        open.part.body.end = end.offset;
        open.part.lines = end.lines - open.body.lines;
        match open.inside {
            Inside::Header | Inside::Leaf => {}
            Inside::Multipart { boundary, mut children, .. } => {
                self.boundaries -= usize::from(boundary.is_some());
                if children.is_empty() {
                    children.push(Part::empty(open.part.body.end));
                }
                open.part.kind = PartKind::Multipart(children);
            }
            Inside::Message { child: Some((message, part)) } => {
                open.part.kind = PartKind::Message(Box::new(message.envelope), part);
            }
            Inside::Message { child: None } => {
                let part = Part::empty(open.part.body.end);
                open.part.kind = PartKind::Message(Box::default(), Box::new(part));
            }
        }
        match (self.open.last_mut().map(|parent| &mut parent.inside), open.message) {
            (Some(Inside::Multipart { children, .. }), _) => children.push(open.part),
            (Some(Inside::Message { child }), Some(message)) => {
                *child = Some((message, Box::new(open.part)));
            }
            (_, message) => self.root = Some((message.unwrap_or_default(), open.part)),
        }
        end
    }

    /// Closes everything and makes the card.
    pub(super) fn finish(mut self, end: Mark) -> Card {
        while !self.open.is_empty() {
            self.close(end);
        }
        let (message, structure) =
            self.root.unwrap_or_else(|| (Box::default(), Part::empty(end.offset)));
        let thread_root = message.reference.or(message.replied).or_else(|| message.id.clone());
        Card {
            size: end.offset,
            lines: end.lines,
            sent: message.sent,
            envelope: message.envelope,
            structure,
            message_id: message.id,
            thread_root,
        }
    }
}

/// A boundary right after another takes the line end between them: the part there is empty, not of negative length.
const fn later(start: Mark, end: Mark) -> Mark {
    if end.offset < start.offset { start } else { end }
}

/// What the header of a part promises inside.
fn inside(fields: &PartFields, default: DefaultType) -> Inside {
    match &fields.content_type {
        None if default == DefaultType::Message => Inside::Message { child: None },
        None => Inside::Leaf,
        Some(content_type) if is_message(content_type) => Inside::Message { child: None },
        Some(content_type) if content_type.media_type.eq_ignore_ascii_case(b"multipart") => {
            let digest = content_type.subtype.eq_ignore_ascii_case(b"digest");
            let default = if digest { DefaultType::Message } else { DefaultType::Text };
            Inside::Multipart { boundary: content_type.boundary(), default, children: Vec::new() }
        }
        Some(_) => Inside::Leaf,
    }
}

fn is_message(content_type: &ContentType) -> bool {
    content_type.is("message", "rfc822") || content_type.is("message", "global")
}

/// Fills in what the part says of itself.
fn describe(open: &mut Open, budget: &mut Budget) {
    let fields = std::mem::take(&mut open.fields);
    let part = &mut open.part;
    match (fields.content_type, &open.inside) {
        (None, Inside::Message { .. }) => {
            (part.media_type, part.subtype) = ("message".into(), "rfc822".into());
            part.parameters.clear();
        }
        (None, _) => {}
        (Some(content_type), inside) => {
            part.parameters = kept(&content_type.parameters, budget);
            let message = is_message(&content_type);
            let composite = content_type.media_type.eq_ignore_ascii_case(b"multipart") || message;
            if composite && matches!(inside, Inside::Header | Inside::Leaf) {
                // IMAP has no way to show a multipart without parts.
                (part.media_type, part.subtype) = ("application".into(), "octet-stream".into());
            } else if content_type.media_type.is_empty() || content_type.subtype.is_empty() {
                // RFC 2045 §5.2: what cannot be read is plain text, as is what is absent.
            } else if let (Some(media_type), Some(subtype)) = (
                type_name(&content_type.media_type, budget),
                type_name(&content_type.subtype, budget),
            ) {
                (part.media_type, part.subtype) = (media_type, subtype);
                if message {
                    part.media_type = "message".into();
                    part.subtype =
                        if content_type.is("message", "rfc822") { "rfc822" } else { "global" }
                            .into();
                }
            } else {
                fall_back(part, inside);
            }
        }
    }
    let charset = part.parameters.iter().any(|parameter| parameter.name.is("charset"));
    if part.media_type.is("text") && !charset {
        part.parameters.push(Parameter { name: "charset".into(), value: "us-ascii".into() });
    }
    part.id = fields.id;
    part.description = fields.description;
    part.encoding = fields.encoding.unwrap_or(Text::word("7bit"));
    part.md5 = fields.md5;
    part.disposition = fields.disposition;
    part.language = fields.language;
    part.location = fields.location;
}

/// The type of a part whose own did not fit into the card.
fn fall_back(part: &mut Part, inside: &Inside) {
    (part.media_type, part.subtype) = match inside {
        Inside::Header | Inside::Leaf => ("application".into(), "octet-stream".into()),
        Inside::Multipart { .. } => ("multipart".into(), "mixed".into()),
        Inside::Message { .. } => ("message".into(), "rfc822".into()),
    };
}
