//! Sections of a message by IMAP's part numbers (RFC 3501 §6.4.5): which bytes `BODY[1.2.MIME]` means.

use super::card::Card;
use super::part::{Part, PartKind};
use std::ops::Range;

/// What of the numbered part is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionPart {
    /// No word: the body of the part; without a number, the whole message.
    Body,
    /// `HEADER`: of a message.
    Header,
    /// `TEXT`: of a message.
    Text,
    /// `MIME`: the header of a part.
    Mime,
}

/// What a part number has led to.
#[derive(Clone, Copy)]
enum Place<'a> {
    Message(&'a Part),
    Part(&'a Part),
}

impl Card {
    /// The part of this number. `None` if the message has no such part, or for no number.
    pub fn part(&self, number: &[u32]) -> Option<&Part> {
        match self.place(number)? {
            Place::Message(_) => None,
            Place::Part(part) => Some(part),
        }
    }

    /// The bytes of a section, as offsets in the message. `None` if the message has no such section.
    pub fn section(&self, number: &[u32], part: SectionPart) -> Option<Range<u64>> {
        match (self.place(number)?, part) {
            (Place::Message(_), SectionPart::Body) => Some(0..self.size),
            (Place::Message(message), SectionPart::Header) => Some(message.header.clone()),
            (Place::Message(message), SectionPart::Text) => Some(message.body.clone()),
            (Place::Message(_), SectionPart::Mime) => None,
            (Place::Part(part), SectionPart::Body) => Some(part.body.clone()),
            (Place::Part(part), SectionPart::Mime) => Some(part.header.clone()),
            (Place::Part(part), SectionPart::Header) => Some(inner_message(part)?.header.clone()),
            (Place::Part(part), SectionPart::Text) => Some(inner_message(part)?.body.clone()),
        }
    }

    fn place(&self, number: &[u32]) -> Option<Place<'_>> {
        number.iter().try_fold(Place::Message(&self.structure), |place, &index| step(place, index))
    }
}

fn inner_message(part: &Part) -> Option<&Part> {
    match &part.kind {
        PartKind::Message(_, message) => Some(message),
        PartKind::Leaf | PartKind::Multipart(_) => None,
    }
}

fn step(place: Place<'_>, index: u32) -> Option<Place<'_>> {
    let parent = match place {
        Place::Message(message) => message,
        Place::Part(part) => match &part.kind {
            PartKind::Message(_, message) => message,
            PartKind::Multipart(_) => part,
            PartKind::Leaf => return None,
        },
    };
    match &parent.kind {
        PartKind::Multipart(parts) => {
            let at = usize::try_from(index).ok()?.checked_sub(1)?;
            parts.get(at).map(Place::Part)
        }
        // A message that is not multipart has its body as its only part.
        PartKind::Leaf | PartKind::Message(..) => (index == 1).then_some(Place::Part(parent)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::SectionPart::{self, Body, Header, Mime, Text};

    const MESSAGE: &str = "Subject: outer\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\r\none\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: two\r\n\r\ntext of two\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: three\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\nX: y\r\n\r\nthree one\r\n--y--\r\n--x--\r\n";

    #[test]
    fn numbers_lead_to_bytes() {
        let card = Scanner::scan(MESSAGE.as_bytes());
        let text = |number: &[u32], part: SectionPart| {
            let range = card.section(number, part)?;
            MESSAGE.get(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap())
        };
        assert_eq!(text(&[], Body), Some(MESSAGE));
        assert!(text(&[], Header).unwrap().ends_with("boundary=x\r\n\r\n"));
        assert!(text(&[], Text).unwrap().starts_with("preamble"));
        assert_eq!(text(&[], Mime), None);
        assert_eq!(text(&[1], Body), Some("one"));
        assert_eq!(text(&[1], Mime), Some("\r\n"));
        assert_eq!(text(&[1], Header), None);
        assert_eq!(text(&[1, 1], Body), None);
        assert_eq!(text(&[2], Mime), Some("Content-Type: message/rfc822\r\n\r\n"));
        assert_eq!(text(&[2], Header), Some("Subject: two\r\n\r\n"));
        assert_eq!(text(&[2], Text), Some("text of two"));
        assert_eq!(text(&[2, 1], Body), Some("text of two"));
        assert_eq!(text(&[2, 2], Body), None);
        assert_eq!(text(&[3, 1], Body), Some("three one"));
        assert_eq!(text(&[3, 1], Mime), Some("X: y\r\n\r\n"));
        assert_eq!(text(&[4], Body), None);
        assert_eq!(text(&[0], Body), None);
        let plain = Scanner::scan(b"A: b\r\n\r\nbody\r\n");
        assert_eq!(plain.section(&[1], Body), Some(8..14));
        assert_eq!(plain.section(&[1], Mime), Some(0..8));
        assert_eq!(plain.section(&[2], Body), None);
    }
}
