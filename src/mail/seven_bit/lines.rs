//! What every server takes without an extension (RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1): ASCII without NUL, in lines of
//! at most 998 bytes that end with CRLF. The sender of a message controls the input.

use crate::mail::line::{split_line, without_line_end};
use std::borrow::Cow;

/// Bytes of a line without its end.
pub(super) const LINE_LEN_MAX: usize = 998;

/// True if it can go as it stands.
pub(super) fn fits(text: &[u8]) -> bool {
    lines(text).all(|line| line_fits(line) && without_line_end(line).1 != 1)
}

/// The same text if it can go, line feeds that stand alone made CRLF. `None` if more than that would have to change.
pub(super) fn with_line_ends(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if fits(text) {
        return Some(Cow::Borrowed(text));
    }
    let mut mended = Vec::with_capacity(text.len() + 64);
    for line in lines(text) {
        if !line_fits(line) {
            return None;
        }
        push_line(line, &mut mended);
    }
    Some(Cow::Owned(mended))
}

/// The lines with their ends; the last may have none.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = split_line(rest).unwrap_or((rest, &[]));
        rest = after;
        Some(line)
    })
}

/// True but for its line end.
fn line_fits(line: &[u8]) -> bool {
    let (text, _) = without_line_end(line);
    text.len() <= LINE_LEN_MAX && is_sent(text)
}

/// True if every server passes it on, within a line.
pub(super) fn is_sent(text: &[u8]) -> bool {
    text.iter().all(|&b| b.is_ascii() && !matches!(b, 0 | b'\r'))
}

pub(super) fn push_line(line: &[u8], out: &mut Vec<u8>) {
    let (text, line_end_len) = without_line_end(line);
    out.extend_from_slice(text);
    if line_end_len > 0 {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::{fits, with_line_ends};

    #[test]
    fn what_can_go_and_what_line_ends_mend() {
        let long = |len: usize| format!("a\r\n{}\r\nb", "x".repeat(len));
        for (text, goes, mended) in [
            ("a\r\n\tb\x1b\r\n", true, true),
            ("", true, true),
            ("no end", true, true),
            (&long(998), true, true),
            ("a\nb\r\n\n", false, true),
            (&long(999), false, false),
            ("caf\u{e9}", false, false),
            ("a\0", false, false),
            ("a\r", false, false),
            ("a\r\r\n", false, false),
            ("a\rb\n", false, false),
        ] {
            let found = with_line_ends(text.as_bytes());
            assert_eq!((fits(text.as_bytes()), found.is_some()), (goes, mended), "{text:?}");
            assert!(found.is_none_or(|text| fits(&text)));
        }
        assert_eq!(with_line_ends(b"a\nb\r\n\n").unwrap(), &b"a\r\nb\r\n\r\n"[..]);
    }
}
