//! ENVELOPE, BODY and BODYSTRUCTURE as they are written (RFC 3501 §7.4.2), from a message's card.

use super::dialect::Texts;
use super::writer::Writer;
use crate::mail::{Disposition, Entry, Envelope, Parameter, Part, PartKind, Text, decode_text};

/// Which of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// BODY: without extension data.
    Body,
    /// BODYSTRUCTURE: with it.
    BodyStructure,
}

/// The envelope.
pub fn write_envelope(out: &mut Writer, envelope: &Envelope) {
    out.text("(").nstring(envelope.date.as_deref());
    out.text(" ").nstring(envelope.subject.as_deref());
    let lists = [
        &envelope.from,
        envelope.sender_or_from(),
        envelope.reply_to_or_from(),
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ];
    for list in lists {
        out.text(" ");
        addresses(out, list);
    }
    out.text(" ").nstring(envelope.in_reply_to.as_deref());
    out.text(" ").nstring(envelope.message_id.as_deref()).text(")");
}

fn addresses(out: &mut Writer, list: &[Entry]) {
    if list.is_empty() {
        out.text("NIL");
        return;
    }
    out.text("(");
    for entry in list {
        let [name, adl, mailbox, host] = entry.nstrings();
        out.text("(").nstring(name).text(" ").nstring(adl).text(" ");
        address_part(out, mailbox);
        out.text(" ");
        address_part(out, host);
        out.text(")");
    }
    out.text(")");
}

/// A card has an address beyond ASCII as encoded words, for those who take nothing else. Who takes UTF-8 is told it as
/// it is, so that it can be answered.
fn address_part(out: &mut Writer, part: Option<&[u8]>) {
    match part {
        Some(encoded) if out.texts == Texts::Utf8 && encoded.starts_with(b"=?") => {
            out.string(decode_text(encoded).as_bytes());
        }
        part => {
            out.nstring(part);
        }
    }
}

/// The structure of a part and all in it. As deep as the scanner went, which has a limit.
pub fn write_structure(out: &mut Writer, part: &Part, form: Form) {
    out.text("(");
    if let PartKind::Multipart(parts) = &part.kind {
        for inner in parts {
            write_structure(out, inner, form);
        }
        out.text(" ").string(&part.subtype);
        if form == Form::BodyStructure {
            out.text(" ");
            parameters(out, &part.parameters);
            extension(out, part);
        }
    } else {
        out.string(&part.media_type).text(" ").string(&part.subtype).text(" ");
        parameters(out, &part.parameters);
        out.text(" ").nstring(part.id.as_deref());
        out.text(" ").nstring(part.description.as_deref());
        out.text(" ").string(&part.encoding);
        out.text(" ").number(part.body.end.saturating_sub(part.body.start));
        if let PartKind::Message(envelope, message) = &part.kind {
            out.text(" ");
            write_envelope(out, envelope);
            out.text(" ");
            write_structure(out, message, form);
            out.text(" ").number(part.lines);
        } else if part.media_type.is("text") {
            out.text(" ").number(part.lines);
        }
        if form == Form::BodyStructure {
            out.text(" ").nstring(part.md5.as_deref());
            extension(out, part);
        }
    }
    out.text(")");
}

fn extension(out: &mut Writer, part: &Part) {
    out.text(" ");
    match &part.disposition {
        Some(Disposition { kind, parameters: inner }) => {
            out.text("(").string(kind).text(" ");
            parameters(out, inner);
            out.text(")");
        }
        None => {
            out.text("NIL");
        }
    }
    out.text(" ");
    if part.language.is_empty() {
        out.text("NIL");
    } else {
        // A list of one too, as Dovecot has it; RFC 3501 allows both.
        out.list(&part.language, |out, tag: &Text| out.string(tag));
    }
    out.text(" ").nstring(part.location.as_deref());
}

fn parameters(out: &mut Writer, all: &[Parameter]) {
    if all.is_empty() {
        out.text("NIL");
        return;
    }
    let pairs = all.iter().flat_map(|parameter| [&parameter.name, &parameter.value]);
    out.list(pairs, |out, text| out.string(text));
}
