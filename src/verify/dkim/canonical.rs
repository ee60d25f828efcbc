//! The two forms in which a header field is hashed (RFC 6376 §3.4.1 and §3.4.2). Total on any bytes; the writer of a
//! message controls them.

use crate::mail::header::Field;

/// Which changes on the way a signature survives (RFC 6376 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canonicalization {
    /// Hardly any.
    Simple,
    /// Other blanks and other folds.
    Relaxed,
}

impl Canonicalization {
    /// Adds a field with its line end.
    pub fn add_field(self, field: &Field, to: &mut Vec<u8>) {
        match self {
            Self::Simple => {
                to.extend_from_slice(field.raw);
                // The last line of a header that was cut off.
                if !field.raw.ends_with(b"\n") {
                    to.extend_from_slice(b"\r\n");
                }
            }
            Self::Relaxed => {
                to.extend(field.name.iter().map(u8::to_ascii_lowercase));
                to.push(b':');
                add_relaxed_value(field.value, to);
                to.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// In one line, with one space for each run of blanks and none at the ends.
fn add_relaxed_value(value: &[u8], to: &mut Vec<u8>) {
    let start = to.len();
    let mut blank = false;
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            b' ' | b'\t' => blank = true,
            b'\n' => {}
            b'\r' if value.get(at + 1) == Some(&b'\n') => {}
            _ => {
                if blank && to.len() > start {
                    to.push(b' ');
                }
                blank = false;
                to.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Canonicalization::{self, Relaxed, Simple};
    use crate::mail::header::Fields;

    fn canonical(form: Canonicalization, header: &[u8]) -> String {
        let mut all = Vec::new();
        Fields::new(header).for_each(|field| form.add_field(&field, &mut all));
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_6376_section_3_4_5() {
        let header = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(canonical(Relaxed, header), "a:X\r\nb:Y Z\r\n");
        assert_eq!(canonical(Simple, header), "A: X\r\nB : Y\t\r\n\tZ  \r\n");
    }

    #[test]
    fn what_is_no_field_has_a_form_too() {
        for (header, form) in [
            (&b"SUBJect: AbC"[..], "subject:AbC\r\n"),
            (b"a:\r\n", "a:\r\n"),
            (b"a: \t\r\n \r\n", "a:\r\n"),
            (b"a:b\r\n \r\n", "a:b\r\n"),
            (b"a:b\r\n\t\t c", "a:b c\r\n"),
            (b"a \t:\t b:c ", "a:b:c\r\n"),
            (b"no colon\r\n", "no colon:\r\n"),
            (b"a: b\rc\n d\r\n", "a:b\rc d\r\n"),
        ] {
            assert_eq!(canonical(Relaxed, header), form);
        }
        assert_eq!(canonical(Simple, b"a: b"), "a: b\r\n");
    }
}
