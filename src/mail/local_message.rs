//! A message as programs on this machine hand it to `sendmail`: lines that end as Unix has them, perhaps no header at all,
//! recipients in its fields. Users of the machine control the input.

use super::header::{Field, Fields, HEADER_LEN_MAX};
use super::line_ends::LineEnds;
use super::loose_address::{ListError, LooseAddress};

/// Where the text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEnd {
    /// At a line with one dot, or at the end of the input.
    Dot,
    /// At the end of the input alone.
    Input,
}

/// A message with a header, which may be empty, and lines that end with CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMessage {
    text: Vec<u8>,
    header_len: usize,
}

/// Its header is over 256 KB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderTooLong;

/// Fields that name recipients; those of a message that is sent on count alone (RFC 5322 §3.6.6).
const TO: [&str; 3] = ["to", "cc", "bcc"];
const RESENT_TO: [&str; 3] = ["resent-to", "resent-cc", "resent-bcc"];

impl LocalMessage {
    /// Reads it. A first line `From ...`, as mbox files have it, is dropped; what is no field begins the body.
    pub fn read(input: &[u8], end: TextEnd) -> Result<Self, HeaderTooLong> {
        let (mut ends, mut lines) = (LineEnds::default(), Vec::with_capacity(input.len() + 2));
        ends.push(input, &mut lines);
        ends.finish(&mut lines);
        if !lines.is_empty() && !lines.ends_with(b"\r\n") {
            lines.extend_from_slice(b"\r\n");
        }
        if end == TextEnd::Dot {
            lines.truncate(before_dot(&lines));
        }
        if lines.starts_with(b"From ") || lines.starts_with(b">From ") {
            let len = lines.iter().position(|&b| b == b'\n').map_or(lines.len(), |at| at + 1);
            lines.drain(..len);
        }
        let fields = Fields::new(&lines).take_while(is_meant);
        let header_len: usize = fields.map(|field| field.raw.len()).sum();
        if header_len >= HEADER_LEN_MAX {
            return Err(HeaderTooLong);
        }
        if !lines.get(header_len..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            lines.splice(header_len..header_len, *b"\r\n");
        }
        Ok(Self { text: lines, header_len })
    }

    /// All of it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Has it such a field?
    pub fn has(&self, name: &str) -> bool {
        self.fields().any(|field| field.is(name))
    }

    fn fields(&self) -> Fields<'_> {
        Fields::new(self.text.get(..self.header_len).unwrap_or_default())
    }

    /// To whom it says that it goes.
    pub fn recipients(&self) -> Result<Vec<LooseAddress>, ListError> {
        let resent = RESENT_TO.iter().any(|name| self.has(name));
        let names = if resent { RESENT_TO } else { TO };
        let mut all = Vec::new();
        for field in self.fields().filter(|field| names.iter().any(|name| field.is(name))) {
            all.extend(LooseAddress::list(field.value)?);
        }
        Ok(all)
    }
}

/// Is it meant as a field? `/etc/cron.daily/backup:` is not, though the grammar would have it.
fn is_meant(field: &Field) -> bool {
    let usual = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    field.is_proper() && field.name.iter().all(usual)
}

/// Where the line with one dot begins.
fn before_dot(lines: &[u8]) -> usize {
    if lines.starts_with(b".\r\n") {
        return 0;
    }
    let dot = lines.windows(5).position(|bytes| bytes == b"\r\n.\r\n");
    dot.map_or(lines.len(), |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::{HeaderTooLong, LocalMessage, TextEnd};
    use crate::mail::Domain;

    fn read(input: &str, end: TextEnd) -> String {
        let message = LocalMessage::read(input.as_bytes(), end).unwrap();
        String::from_utf8(message.text().to_vec()).unwrap()
    }

    #[test]
    fn header_and_body_are_found() {
        for (input, expected) in [
            ("To: a\nSubject: b\n\nc\n", "To: a\r\nSubject: b\r\n\r\nc\r\n"),
            ("To: a\r\n\r\nc", "To: a\r\n\r\nc\r\n"),
            ("no header at all\nTo: x\n", "\r\nno header at all\r\nTo: x\r\n"),
            ("To: a\n b\nthen text\n\nmore\n", "To: a\r\n b\r\n\r\nthen text\r\n\r\nmore\r\n"),
            ("/etc/cron.daily/x:\ny\n", "\r\n/etc/cron.daily/x:\r\ny\r\n"),
            (" blank first\n", "\r\n blank first\r\n"),
            ("From ann Sat Nov 28\nTo: a\n\nx\n", "To: a\r\n\r\nx\r\n"),
            (">From ann\nTo: a\n", "To: a\r\n\r\n"),
            ("10%\r20%\r\n", "\r\n10%\r\n20%\r\n"),
            ("", "\r\n"),
        ] {
            assert_eq!(read(input, TextEnd::Input), expected, "{input:?}");
        }
        let long = format!("X: y\n{}", "A: b\n".repeat(60_000));
        assert_eq!(LocalMessage::read(long.as_bytes(), TextEnd::Input), Err(HeaderTooLong));
    }

    #[test]
    fn a_line_with_one_dot_ends_it_where_it_may() {
        for (input, to_dot) in [
            ("To: a\n\nx\n.\ny\n", "To: a\r\n\r\nx\r\n"),
            (".\ny\n", "\r\n"),
            ("x\n.", "\r\nx\r\n"),
            ("x\n..\n.y\n", "\r\nx\r\n..\r\n.y\r\n"),
        ] {
            assert_eq!(read(input, TextEnd::Dot), to_dot, "{input:?}");
        }
        assert_eq!(read("x\n.\ny\n", TextEnd::Input), "\r\nx\r\n.\r\ny\r\n");
    }

    #[test]
    fn recipients_of_a_header() {
        let recipients = |header: &str| {
            let message = LocalMessage::read(header.as_bytes(), TextEnd::Input).unwrap();
            let home = Domain::parse("h").unwrap();
            message
                .recipients()
                .map(|all| all.iter().map(|one| one.within(&home).unwrap().to_string()).collect())
        };
        let list = |all: &[&str]| Ok(all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(
            recipients("To: a,\n b@c\nBCC: d\ncc: e\nTo: f\nX-To: g\n\nTo: h\n"),
            list(&["a@h", "b@c", "d@h", "e@h", "f@h"])
        );
        assert_eq!(recipients("To: a\nResent-To: b\nResent-Bcc: c\n"), list(&["b@h", "c@h"]));
        assert_eq!(recipients("Subject: x\n"), list(&[]));
        assert!(recipients("To: two words\n").is_err());
    }
}
