//! The fields of a header as raw bytes (RFC 5322 §2.2), read tolerantly: what is no field is a field without value, so
//! that nothing is lost between two of them. The sender of a message controls the input.

use super::line::{split_line, without_line_end};

/// A longer header is cut here.
pub const HEADER_LEN_MAX: usize = 256 * 1024;

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name without blanks before the colon; the whole line if it has no colon.
    pub name: &'a [u8],
    /// What follows the colon, folds included, without the last line end.
    pub value: &'a [u8],
    /// The field as it stands, with its line ends.
    pub raw: &'a [u8],
}

impl Field<'_> {
    /// True if this is its name, in any case.
    pub const fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// True if it has a name with a colon: anything else is read as a field only so that nothing is lost.
    pub fn is_proper(&self) -> bool {
        let colon = self.raw.get(self.name.len()..).unwrap_or_default().trim_ascii_start();
        !self.name.is_empty()
            && self.name.iter().all(u8::is_ascii_graphic)
            && colon.starts_with(b":")
    }
}

/// The fields of a header in order, up to the empty line.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the header of this message; what follows the header is not looked at.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message.get(..HEADER_LEN_MAX).unwrap_or(message) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.rest;
        let (first, mut rest) = split_line(start).unwrap_or((start, &[]));
        if without_line_end(first).0.is_empty() {
            self.rest = &[];
            return None;
        }
        while matches!(rest.first(), Some(b' ' | b'\t')) {
            rest = split_line(rest).map_or(&[], |(_, rest)| rest);
        }
        self.rest = rest;
        let raw = start.get(..start.len() - rest.len())?;
        let (name, value) = split_field(without_line_end(raw).0);
        Some(Field { name, value, raw })
    }
}

/// Splits a field at its colon into name and value.
pub(super) fn split_field(field: &[u8]) -> (&[u8], &[u8]) {
    let colon = field
        .iter()
        .position(|&b| b == b':' || b == b'\n')
        .filter(|&at| field.get(at) == Some(&b':'));
    let (name, value) = colon.and_then(|at| field.split_at_checked(at)).unwrap_or((field, &[]));
    (name.trim_ascii_end(), value.get(1..).unwrap_or_default())
}

/// The first field of this name.
pub fn find<'a>(message: &'a [u8], name: &str) -> Option<Field<'a>> {
    Fields::new(message).find(|field| field.is(name))
}

/// The value in one line: line ends and NULs gone, blanks around it too.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut line = value.trim_ascii().to_vec();
    line.retain(|b| !matches!(b, b'\r' | b'\n' | 0));
    line
}

/// Which fields `select` keeps (RFC 3501 §6.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// HEADER.FIELDS: those named.
    Named,
    /// HEADER.FIELDS.NOT: those not named.
    Others,
}

/// The fields that HEADER.FIELDS or HEADER.FIELDS.NOT asks for, unchanged, and an empty line.
pub fn select<N: AsRef<[u8]>>(message: &[u8], selection: Selection, names: &[N]) -> Vec<u8> {
    let mut selected = Vec::new();
    for field in Fields::new(message) {
        let listed = names.iter().any(|name| field.name.eq_ignore_ascii_case(name.as_ref()));
        if listed == (selection == Selection::Named) {
            selected.extend_from_slice(field.raw);
        }
    }
    if !selected.is_empty() && !selected.ends_with(b"\n") {
        selected.extend_from_slice(b"\r\n");
    }
    selected.extend_from_slice(b"\r\n");
    selected
}

#[cfg(test)]
mod tests {
    use super::{Fields, Selection, find, select, unfold};

    const MESSAGE: &[u8] =
        b" lost\r\nSubject : a\r\n\tb\r\nno colon here\nX:\rY: z\r\nTo: c\n d\r\n\r\nBody: no\r\n";

    #[test]
    fn every_byte_of_a_header_is_in_one_field() {
        let names: Vec<&[u8]> = Fields::new(MESSAGE).map(|f| f.name).collect();
        assert_eq!(names, [&b" lost"[..], b"Subject", b"no colon here", b"X", b"To"]);
        let raw: Vec<u8> = Fields::new(MESSAGE).flat_map(|f| f.raw.to_vec()).collect();
        assert!(MESSAGE.starts_with(&raw) && MESSAGE[raw.len()..].starts_with(b"\r\nBody"));
        assert_eq!(find(MESSAGE, "subject").unwrap().value, b" a\r\n\tb");
        assert_eq!(unfold(b" a\r\n\tb\0 \r\n"), b"a\tb");
    }

    #[test]
    fn selected_fields_are_unchanged() {
        assert_eq!(
            select(MESSAGE, Selection::Named, &["SUBJECT", "to"]),
            b"Subject : a\r\n\tb\r\nTo: c\n d\r\n\r\n"
        );
        assert_eq!(
            select(MESSAGE, Selection::Others, &["SUBJECT", "x"]),
            b" lost\r\nno colon here\nTo: c\n d\r\n\r\n"
        );
        assert_eq!(select(b"A: b", Selection::Named, &["a"]), b"A: b\r\n\r\n");
        assert_eq!(select(MESSAGE, Selection::Named, &["none"]), b"\r\n");
    }
}
