//! Where the parts of a whole message are, and whether their headers are ASCII. The sender of a message controls the input.

use crate::mail::part::{Part, PartKind};
use crate::mail::scan::Scanner;
use crate::mail::tree::Limits;
use std::ops::Range;

/// True if the header of the message or of any part of it has bytes above 127: it really needs SMTPUTF8 (RFC 6532 §3.7).
pub fn has_utf8_header(message: &[u8]) -> bool {
    fn in_part(part: &Part, message: &[u8]) -> bool {
        !slice(message, &part.header).is_ascii()
            || match &part.kind {
                PartKind::Leaf => false,
                PartKind::Multipart(children) => {
                    children.iter().any(|child| in_part(child, message))
                }
                PartKind::Message(_, child) => in_part(child, message),
            }
    }
    !message.is_ascii() && in_part(&structure(message), message)
}

/// The parts, whatever the length of their headers.
pub(super) fn structure(message: &[u8]) -> Part {
    let (field_len, headers_len) = (message.len(), message.len());
    let mut scanner = Scanner::new(Limits { field_len, headers_len, ..Limits::default() });
    scanner.push(message);
    scanner.finish().structure
}

pub(super) fn count(part: &Part) -> usize {
    1 + match &part.kind {
        PartKind::Leaf => 0,
        PartKind::Multipart(children) => children.iter().map(count).sum(),
        PartKind::Message(_, child) => count(child),
    }
}

pub(super) fn slice<'a>(message: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    message.get(at(range.start)..at(range.end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::has_utf8_header;

    #[test]
    fn letters_in_a_header_of_the_message_or_of_a_part() {
        for (message, found) in [
            ("Subject: x\r\n\r\n\u{e9}", false),
            ("Subject: \u{e9}\r\n\r\n", true),
            (
                "Content-Type: multipart/mixed; boundary=a\r\n\r\n\u{e9}\r\n--a\r\n\r\nX: \u{e9}",
                false,
            ),
            ("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: \u{e9}\r\n\r\n", true),
            ("Content-Type: message/rfc822\r\n\r\nX: \u{e9}", true),
        ] {
            assert_eq!(has_utf8_header(message.as_bytes()), found, "{message}");
        }
    }
}
