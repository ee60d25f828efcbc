//! The beginning of a message's text in one line, for a list of messages (RFC 8970 §3.3). Whoever sends a message
//! controls every byte of it.

use super::decode::{TransferDecoder, to_utf8};
use super::html_text::html_text;
use super::part::{Part, PartKind};

/// Characters of a preview (RFC 8970 §3.3).
const PREVIEW_LEN_MAX: usize = 200;
/// Bytes of a part that a preview is made of: pages often begin with a long style.
const BODY_LEN_MAX: u64 = 64 * 1024;
/// Parts that are tried until one has text.
const PARTS_MAX: usize = 3;

/// Where the text of a preview may be: the parts to try in this order, until one yields a text. A plain text comes
/// before its alternatives, an attachment never, and a message in the message last.
pub fn preview_parts(message: &Part) -> Vec<&Part> {
    let (mut parts, mut inner) = (Vec::new(), Vec::new());
    collect(message, &mut parts, &mut inner);
    parts.append(&mut inner);
    parts.truncate(PARTS_MAX);
    parts
}

/// As deep as the scanner went, which has a limit.
fn collect<'a>(part: &'a Part, parts: &mut Vec<&'a Part>, inner: &mut Vec<&'a Part>) {
    match &part.kind {
        PartKind::Leaf => {
            let attached = part.disposition.as_ref().is_some_and(|d| d.kind.is("attachment"));
            let text = part.is("text", "plain") || part.is("text", "html");
            if text && !attached && TransferDecoder::known(&part.encoding).is_some() {
                parts.push(part);
            }
        }
        PartKind::Multipart(all) => {
            let first = parts.len();
            for part in all {
                collect(part, parts, inner);
            }
            if part.subtype.is("alternative")
                && let Some(alternatives) = parts.get_mut(first..)
            {
                alternatives.sort_by_key(|part| !part.subtype.is("plain"));
            }
        }
        PartKind::Message(_, message) => {
            let mut below = Vec::new();
            collect(message, inner, &mut below);
            inner.append(&mut below);
        }
    }
}

impl Part {
    /// How many bytes of its body `preview` looks at.
    pub fn preview_len(&self) -> u64 {
        self.body.end.saturating_sub(self.body.start).min(BODY_LEN_MAX)
    }

    /// The beginning of its text: at most 200 characters, each white space one blank, without control characters.
    /// `body` is as it stands in the message, and may end too early.
    pub fn preview(&self, body: &[u8]) -> String {
        let mut decoder = TransferDecoder::new(&self.encoding);
        let mut bytes = Vec::with_capacity(body.len());
        decoder.push(body, &mut bytes);
        decoder.finish(&mut bytes);
        // Half a character at the end must not make a text in UTF-8 look like none.
        if let Err(error) = std::str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            bytes.truncate(error.valid_up_to());
        }
        let text = to_utf8(self.parameter("charset").map(|charset| &**charset), &bytes);
        if self.subtype.is("html") { in_line(&html_text(&text)) } else { in_line(&text) }
    }
}

fn in_line(text: &str) -> String {
    let mut line = String::new();
    let mut room = PREVIEW_LEN_MAX;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    // Advertisements fill what follows their first words with characters that nobody sees.
    for word in words.filter(|word| !word.chars().all(is_invisible)) {
        let blank = usize::from(!line.is_empty());
        if room <= blank {
            break;
        }
        line.push_str(if blank > 0 { " " } else { "" });
        room -= blank;
        for c in word.chars().take(room) {
            line.push(c);
            room -= 1;
        }
    }
    line
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::{in_line, preview_parts};

    /// The first preview that is not empty, as a reader of the file makes it.
    fn preview(message: &str) -> String {
        let card = Scanner::scan(message.as_bytes());
        let text = |part: &super::Part| {
            let start = usize::try_from(part.body.start).unwrap();
            let len = usize::try_from(part.preview_len()).unwrap();
            part.preview(&message.as_bytes()[start..start + len])
        };
        let parts = preview_parts(&card.structure);
        parts.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default()
    }

    #[test]
    fn the_text_that_a_person_would_read_first() {
        let parts = |kind: &str, parts: &[&str]| {
            let parts: String = parts.iter().map(|part| format!("--b\n{part}\n")).collect();
            format!("Content-Type: multipart/{kind}; boundary=b\n\n{parts}--b--\n")
        };
        let plain = "\nplain  text\r\n\tof two lines\n";
        let html = "Content-Type: text/html\n\n<style>p {}</style><p>page &amp; more</p>\n";
        let attached = "Content-Disposition: attachment\n\nattached\n";
        let image = "Content-Type: image/png\n\nx\n";
        for (message, expected) in [
            ("Subject: x\n\n  one\n\n two\x07\x00x \n".to_owned(), "one two x"),
            (parts("alternative", &[html, plain]), "plain text of two lines"),
            (parts("alternative", &[html, "\n \n"]), "page & more"),
            (parts("mixed", &[html, plain]), "page & more"),
            (parts("mixed", &[attached, image, plain]), "plain text of two lines"),
            (parts("mixed", &[attached, image]), ""),
            (parts("mixed", &["Content-Type: message/rfc822\n\nTo: a@b\n\ninner\n", plain]), "plain text of two lines"),
            (parts("mixed", &["Content-Type: message/rfc822\n\nTo: a@b\n\ninner\n"]), "inner"),
            (parts("encrypted", &["Content-Type: application/pgp-encrypted\n\nVersion: 1\n"]), ""),
            ("MIME-Version: 1.0\nContent-Transfer-Encoding: x-other\n\nx\n".to_owned(), ""),
            (
                "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=\n=DFe".to_owned(),
                "Grüße",
            ),
            ("MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZQ==".to_owned(), "Grüße"),
            (String::new(), ""),
        ] {
            assert_eq!(preview(&message), expected, "{message}");
        }
    }

    #[test]
    fn a_preview_has_at_most_200_characters() {
        for word in ["ü", "wort ", "12345678901234567 ", "  x"] {
            let line = in_line(&word.repeat(1000));
            assert!((190..=200).contains(&line.chars().count()), "{line}");
            assert!(!line.ends_with(' ') && !line.contains("  "));
        }
        assert_eq!(
            in_line("first \u{200c}\u{a0}\u{200c}\u{34f} last می‌خواهم"),
            "first last می‌خواهم"
        );
        // Cut within a character, and not labelled.
        let long = format!("\nx{}", "é".repeat(40_000));
        assert_eq!(preview(&long), format!("x{}", "é".repeat(199)));
    }
}
