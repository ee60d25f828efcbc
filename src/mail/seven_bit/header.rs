//! The header of a part, with fields set and long lines folded (RFC 5322 §2.2.3). The sender of a message controls the
//! input.

use super::lines::{LINE_LEN_MAX, is_sent, lines, push_line};
use crate::mail::header::Fields;
use crate::mail::line::without_line_end;

/// Appends a header with some fields set to a value: in the place of the first of that name, else at the end. Lines that
/// are too long are folded at a blank, which changes no value (RFC 5322 §2.2.3). False if that is not enough, or if fields
/// are to be set beside a line that is no field: some programs see the end of the header there.
#[must_use]
pub(super) fn push_header(header: &[u8], set: &[(&str, &str)], out: &mut Vec<u8>) -> bool {
    let mut left: Vec<&(&str, &str)> = set.iter().collect();
    let (start, mut end) = (out.len(), header);
    let write = |(name, value): &(&str, &str), out: &mut Vec<u8>| {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    };
    for field in Fields::new(header) {
        end = end.get(field.raw.len()..).unwrap_or_default();
        if !set.is_empty() && !field.is_proper() {
            return false;
        }
        if set.iter().any(|(name, _)| field.is(name)) {
            if let Some(first) = left.iter().position(|(name, _)| field.is(name)) {
                write(left.remove(first), out);
            }
        } else if !lines(field.raw).all(|line| push_folded(line, out)) {
            return false;
        }
    }
    for field in left {
        write(field, out);
    }
    if !header.ends_with(b"\n") && out.len() > start && out.ends_with(b"\r\n") {
        // Cut off by a boundary, which brings the line end.
        out.truncate(out.len() - 2);
    }
    lines(end).all(|line| push_folded(line, out))
}

/// Appends a line of a header, folded as long as it is too long. False if it cannot be.
fn push_folded(mut line: &[u8], out: &mut Vec<u8>) -> bool {
    let (text, _) = without_line_end(line);
    if !is_sent(text) {
        return false;
    }
    while without_line_end(line).0.len() > LINE_LEN_MAX {
        // No line of blanks alone is made: it could be taken for the end of the header.
        let fold = line.iter().take(LINE_LEN_MAX + 1).rposition(|&b| matches!(b, b' ' | b'\t'));
        let parts = fold.and_then(|at| line.split_at_checked(at));
        let parts = parts.filter(|(head, _)| !head.trim_ascii().is_empty());
        let Some((head, rest)) = parts.filter(|(_, rest)| !rest.trim_ascii().is_empty()) else {
            return false;
        };
        out.extend_from_slice(head);
        out.extend_from_slice(b"\r\n");
        line = rest;
    }
    push_line(line, out);
    true
}

#[cfg(test)]
mod tests {
    use super::super::lines::fits;
    use super::push_header;

    fn header(text: &str, set: &[(&str, &str)]) -> Option<String> {
        let mut out = Vec::new();
        push_header(text.as_bytes(), set, &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn fields_are_set_and_the_rest_stays() {
        for (text, expected) in [
            ("A: b\r\n\r\n", "A: b\r\nE: new\r\n\r\n"),
            ("e : old\r\n fold\r\nA: b\nE: again\n\n", "E: new\r\nA: b\r\n\r\n"),
            ("\n", "E: new\r\n\r\n"),
        ] {
            assert_eq!(header(text, &[("E", "new")]).as_deref(), Some(expected));
        }
        assert_eq!(header("A: b", &[]).as_deref(), Some("A: b"));
        assert_eq!(header("A: b\r\nE: old", &[("E", "new")]).as_deref(), Some("A: b\r\nE: new"));
        assert_eq!(header("A\r\nB: c\r\n\r\n", &[]).as_deref(), Some("A\r\nB: c\r\n\r\n"));
        for broken in ["A\r\n\r\n", "A b: c\r\n\r\n", " lost\r\nA: b\r\n\r\n", ": b\r\n\r\n"] {
            assert_eq!(header(broken, &[("E", "new")]), None);
        }
        assert_eq!(header("A: caf\u{e9}\r\n\r\n", &[]), None);
        assert_eq!(header("A: \0\r\n\r\n", &[]), None);
        assert_eq!(header("A: b\rC: d\r\n\r\n", &[]), None);
    }

    #[test]
    fn long_lines_of_a_header_are_folded() {
        let text =
            format!("References:{}\r\nA: b\r\n\r\n", " <0123456789@else.example>".repeat(200));
        let folded = header(&text, &[]).unwrap();
        assert!(fits(folded.as_bytes()));
        assert_eq!(folded.replace("\r\n <", " <"), text);
        assert_eq!(header(&format!("A: {}\r\n\r\n", "x".repeat(1000)), &[]), None);
        assert_eq!(header(&format!("A:{}\r\n\r\n", " ".repeat(2000)), &[]), None);
    }
}
