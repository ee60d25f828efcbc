//! A card as it lies in the store: a compact form of our own, with a version. An older or broken one is not read; the
//! message is then scanned again.

use super::address_list::Entry;
use super::card::Card;
use super::date::Date;
use super::envelope::Envelope;
use super::message_id::message_ids;
use super::part::{Disposition, Parameter, Part, PartKind};
use super::text::Text;
use super::wire::{Reader, Texts, Writer};
use crate::base::{Cursor, Timestamp};
use std::ops::Range;

/// Change it with every change of what follows.
const VERSION: u8 = 1;
/// A stored card is not longer: the scanner leaves out text beyond its budgets, and parts beyond its limit.
const CARD_LEN_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 64;

impl Card {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer { bytes: Vec::with_capacity(512) };
        to.byte(VERSION);
        write_envelope(&mut to, &self.envelope);
        to.number(self.size);
        to.number(self.lines);
        match self.sent {
            None => to.byte(0),
            Some(date) => {
                to.byte(1);
                to.signed(date.at.seconds());
                to.signed(i64::from(date.zone_minutes));
            }
        }
        let from_envelope = first_id(&self.envelope);
        write_same_or(&mut to, self.message_id.as_ref(), from_envelope.as_ref());
        write_same_or(&mut to, self.thread_root.as_ref(), self.message_id.as_ref());
        write_part(&mut to, &self.structure, 0);
        to.bytes
    }

    /// Reads the stored form. `None` if it is of another version or broken.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = open(bytes)?;
        let envelope = read_envelope(&mut from)?;
        let size = from.number()?;
        let lines = from.number()?;
        let sent = read_date(&mut from).ok()?;
        let from_envelope = || first_id(&envelope);
        let message_id = read_same_or(&mut from, from_envelope).ok()?;
        let thread_root = read_same_or(&mut from, || message_id.clone()).ok()?;
        let structure = read_part(&mut from, &(0..size), 0)?;
        from.cursor.is_empty().then_some(Self {
            size,
            lines,
            sent,
            envelope,
            structure,
            message_id,
            thread_root,
        })
    }
}

impl Envelope {
    /// Reads the envelope of a stored card and nothing else. `None` if the card is of another version or broken there.
    pub fn decode(card: &[u8]) -> Option<Self> {
        read_envelope(&mut open(card)?)
    }
}

impl Part {
    /// Reads the structure of a stored card, and keeps nothing of what stands before it. `None` if the card is of
    /// another version or broken there.
    pub fn decode(card: &[u8]) -> Option<Self> {
        let mut from = open(card)?;
        from.texts = Texts::Passed;
        read_envelope(&mut from)?;
        let size = from.number()?;
        from.number()?;
        read_date(&mut from).ok()?;
        for _ in ["Message-ID", "the thread's"] {
            read_same_or(&mut from, || Some(Text::default())).ok()?;
        }
        from.texts = Texts::Kept;
        let structure = read_part(&mut from, &(0..size), 0)?;
        from.cursor.is_empty().then_some(structure)
    }
}

fn open(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut from = Reader { cursor: Cursor::new(bytes), texts: Texts::Kept };
    (bytes.len() <= CARD_LEN_MAX && from.byte()? == VERSION).then_some(from)
}

fn first_id(envelope: &Envelope) -> Option<Text> {
    envelope.message_id.as_ref().and_then(|value| message_ids(value).next())
}

/// An id is mostly the same as another one that is there.
fn write_same_or(to: &mut Writer, id: Option<&Text>, other: Option<&Text>) {
    match id {
        None => to.byte(0),
        Some(id) if Some(id) == other => to.byte(1),
        Some(id) => {
            to.byte(2);
            to.text(id);
        }
    }
}

/// `Err` is a broken card.
fn read_same_or(
    from: &mut Reader,
    other: impl Fn() -> Option<Text>,
) -> Result<Option<Text>, Broken> {
    match from.byte() {
        Some(0) => Ok(None),
        Some(1) => other().map(Some).ok_or(Broken),
        Some(2) => from.text().map(Some).ok_or(Broken),
        Some(_) | None => Err(Broken),
    }
}

struct Broken;

fn read_date(from: &mut Reader) -> Result<Option<Date>, Broken> {
    let date = |from: &mut Reader| {
        let at = Timestamp::from_seconds(from.signed()?);
        let zone_minutes = i16::try_from(from.signed()?).ok()?;
        (zone_minutes.abs() < 1440).then_some(Date { at, zone_minutes })
    };
    match from.byte() {
        Some(0) => Ok(None),
        Some(1) => date(from).map(Some).ok_or(Broken),
        Some(_) | None => Err(Broken),
    }
}

/// A byte whose bits say which of the optional fields follow, in order.
fn write_optional(to: &mut Writer, fields: &[&Option<Text>]) {
    let bits = fields.iter().rev().fold(0, |bits, field| bits << 1 | u8::from(field.is_some()));
    to.byte(bits);
    for text in fields.iter().copied().flatten() {
        to.text(text);
    }
}

fn read_optional<const N: usize>(from: &mut Reader) -> Option<[Option<Text>; N]> {
    let mut bits = from.byte()?;
    let mut fields = [const { None }; N];
    for field in &mut fields {
        if bits & 1 == 1 {
            *field = Some(from.text()?);
        }
        bits >>= 1;
    }
    (bits == 0).then_some(fields)
}

fn write_envelope(to: &mut Writer, envelope: &Envelope) {
    write_optional(
        to,
        &[&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id],
    );
    for list in [
        &envelope.from,
        &envelope.sender,
        &envelope.reply_to,
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ] {
        to.count(list.len());
        for entry in list {
            match entry {
                Entry::Mailbox { name, adl, mailbox, host } => {
                    write_optional(to, &[name, adl]);
                    to.text(mailbox);
                    to.text(host);
                }
                Entry::GroupStart(name) => {
                    to.byte(4);
                    to.text(name);
                }
                Entry::GroupEnd => to.byte(5),
            }
        }
    }
}

fn read_envelope(from: &mut Reader) -> Option<Envelope> {
    let [date, subject, in_reply_to, message_id] = read_optional(from)?;
    Some(Envelope {
        date,
        subject,
        from: read_entries(from)?,
        sender: read_entries(from)?,
        reply_to: read_entries(from)?,
        to: read_entries(from)?,
        cc: read_entries(from)?,
        bcc: read_entries(from)?,
        in_reply_to,
        message_id,
    })
}

fn read_entries(from: &mut Reader) -> Option<Vec<Entry>> {
    let count = from.count()?;
    let mut entries = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        entries.push(match from.cursor.peek()? {
            4 => {
                from.byte();
                Entry::GroupStart(from.text()?)
            }
            5 => {
                from.byte();
                Entry::GroupEnd
            }
            _ => {
                let [name, adl] = read_optional(from)?;
                Entry::Mailbox { name, adl, mailbox: from.text()?, host: from.text()? }
            }
        });
    }
    Some(entries)
}

fn write_parameters(to: &mut Writer, parameters: &[Parameter]) {
    to.count(parameters.len());
    for parameter in parameters {
        to.text(&parameter.name);
        to.text(&parameter.value);
    }
}

fn read_parameters(from: &mut Reader) -> Option<Vec<Parameter>> {
    let count = from.count()?;
    let mut parameters = Vec::with_capacity(count.min(16));
    for _ in 0..count {
        parameters.push(Parameter { name: from.text()?, value: from.text()? });
    }
    Some(parameters)
}

/// `start` is where the parent's body begins, or where the part before ends.
fn write_part(to: &mut Writer, part: &Part, start: u64) {
    to.number(part.header.start.saturating_sub(start));
    to.number(part.body.start.saturating_sub(part.header.start));
    to.number(part.body.end.saturating_sub(part.body.start));
    to.number(part.lines);
    to.text(&part.media_type);
    to.text(&part.subtype);
    to.text(&part.encoding);
    write_parameters(to, &part.parameters);
    write_optional(to, &[&part.id, &part.description, &part.md5, &part.location]);
    match &part.disposition {
        None => to.byte(0),
        Some(disposition) => {
            to.byte(1);
            to.text(&disposition.kind);
            write_parameters(to, &disposition.parameters);
        }
    }
    to.count(part.language.len());
    for tag in &part.language {
        to.text(tag);
    }
    match &part.kind {
        PartKind::Leaf => to.byte(0),
        PartKind::Multipart(children) => {
            to.byte(1);
            to.count(children.len());
            let mut start = part.body.start;
            for child in children {
                write_part(to, child, start);
                start = child.body.end;
            }
        }
        PartKind::Message(envelope, message) => {
            to.byte(2);
            write_envelope(to, envelope);
            write_part(to, message, part.body.start);
        }
    }
}

fn read_part(from: &mut Reader, within: &Range<u64>, depth: usize) -> Option<Part> {
    if depth > DEPTH_MAX {
        return None;
    }
    let header_start = within.start.checked_add(from.number()?)?;
    let body_start = header_start.checked_add(from.number()?)?;
    let body_end = body_start.checked_add(from.number()?).filter(|end| *end <= within.end)?;
    let body = body_start..body_end;
    let lines = from.number()?;
    let (media_type, subtype, encoding) = (from.text()?, from.text()?, from.text()?);
    let parameters = read_parameters(from)?;
    let [id, description, md5, location] = read_optional(from)?;
    let disposition = match from.byte()? {
        0 => None,
        1 => Some(Disposition { kind: from.text()?, parameters: read_parameters(from)? }),
        _ => return None,
    };
    let mut language = Vec::new();
    for _ in 0..from.count()? {
        language.push(from.text()?);
    }
    let kind = match from.byte()? {
        0 => PartKind::Leaf,
        1 => {
            let count = from.count().filter(|count| *count > 0)?;
            let mut children = Vec::with_capacity(count.min(16));
            let mut rest = body.clone();
            for _ in 0..count {
                let child = read_part(from, &rest, depth + 1)?;
                rest.start = child.body.end;
                children.push(child);
            }
            PartKind::Multipart(children)
        }
        2 => {
            let envelope = Box::new(read_envelope(from)?);
            PartKind::Message(envelope, Box::new(read_part(from, &body, depth + 1)?))
        }
        _ => return None,
    };
    Some(Part {
        header: header_start..body_start,
        body,
        lines,
        media_type,
        subtype,
        parameters,
        id,
        description,
        encoding,
        md5,
        disposition,
        language,
        location,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::{Card, Envelope, Part};

    const MESSAGE: &[u8] = b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nFrom: \"Anna A.\" <anna@example.org>\r\nTo: Group: b@example.net, <@x:c@example.net>;\r\nSubject: Lunch\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"--x\"\r\n\r\n----x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ntext\r\n----x\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=m.eml\r\n\r\nSubject: in\r\n\r\nx\r\n----x--\r\n";

    #[test]
    fn a_card_is_read_back_and_small() {
        let card = Scanner::scan(MESSAGE);
        let stored = card.encode();
        assert!(stored.len() < 400, "{}", stored.len());
        assert_eq!(Envelope::decode(&stored).as_ref(), Some(&card.envelope));
        assert_eq!(Part::decode(&stored).as_ref(), Some(&card.structure));
        assert_eq!(Card::decode(&stored), Some(card));
    }

    #[test]
    fn a_broken_card_is_refused_or_at_least_whole() {
        let stored = Scanner::scan(MESSAGE).encode();
        for len in 0..stored.len() {
            assert_eq!(Card::decode(&stored[..len]), None);
            assert_eq!(Part::decode(&stored[..len]), None);
        }
        for at in 0..stored.len() {
            for value in [0, 1, 0x0a, 0x7f, 0x80, 0xff, stored[at] ^ 1, stored[at].wrapping_add(1)]
            {
                let mut broken = stored.clone();
                broken[at] = value;
                if let Some(card) = Card::decode(&broken) {
                    assert!(card.structure.body.end <= card.size);
                    assert_eq!(Card::decode(&card.encode()), Some(card));
                }
            }
        }
        assert_eq!(Card::decode(&[&stored[..], &[0]].concat()), None);
        assert_eq!(Card::decode(&[0xff; 100]), None);
    }
}
