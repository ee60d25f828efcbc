//! Content-Transfer-Encoding done (RFC 2045 §6.7, §6.8): any bytes as lines that every server takes. The opposite is
//! `decode`.

use data_encoding::{BASE64, HEXUPPER};

/// Characters of an encoded line, the `=` of a soft line end included.
const LINE_LEN_MAX: usize = 76;

/// An encoding that makes any bytes 7-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Readable where most of it is ASCII.
    QuotedPrintable,
    /// A third longer, whatever it is.
    Base64,
}

impl Encoding {
    /// The value of Content-Transfer-Encoding.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }
}

/// A text in quoted-printable, or in base64 if that is shorter. A CRLF of the text stays a line end; a CR or LF alone is
/// encoded.
pub(super) fn encode_text(text: &[u8]) -> (Encoding, Vec<u8>) {
    let printable = quoted_printable(text);
    let groups = text.len().div_ceil(3) * 4;
    let base64_len = groups + groups.saturating_sub(1) / LINE_LEN_MAX * 2;
    if printable.len() <= base64_len {
        (Encoding::QuotedPrintable, printable)
    } else {
        (Encoding::Base64, base64(text))
    }
}

/// Base64 in lines; the last has no line end.
pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let text = BASE64.encode(bytes);
    let mut lines = Vec::with_capacity(text.len() + text.len() / LINE_LEN_MAX * 2);
    for line in text.as_bytes().chunks(LINE_LEN_MAX) {
        if !lines.is_empty() {
            lines.extend_from_slice(b"\r\n");
        }
        lines.extend_from_slice(line);
    }
    lines
}

/// Quoted-printable. No line that was not there before begins with a dash: it could be taken for a boundary.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + text.len() / 8);
    let (mut rest, mut line_len) = (text, 0);
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            lines.extend_from_slice(b"\r\n");
            (rest, line_len) = (after, 0);
            continue;
        }
        rest = after;
        // A blank at the end of a line may be lost on the way.
        let at_line_end = after.is_empty() || after.starts_with(b"\r\n");
        let literal = match byte {
            b' ' | b'\t' => !at_line_end,
            b'=' => false,
            _ => byte.is_ascii_graphic(),
        };
        let token_len = if literal { 1 } else { 3 };
        let breaks = line_len + token_len >= LINE_LEN_MAX;
        if breaks {
            lines.extend_from_slice(b"=\r\n");
            line_len = 0;
        }
        if literal && !(breaks && byte == b'-') {
            lines.push(byte);
            line_len += 1;
        } else {
            let mut token = *b"=00";
            let [_, digits @ ..] = &mut token;
            HEXUPPER.encode_mut(&[byte], digits);
            lines.extend_from_slice(&token);
            line_len += 3;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::decode::TransferDecoder;
    use super::{Encoding, base64, encode_text, quoted_printable};

    fn decoded(encoding: Encoding, lines: &[u8]) -> Vec<u8> {
        let (mut decoder, mut bytes) =
            (TransferDecoder::new(encoding.name().as_bytes()), Vec::new());
        decoder.push(lines, &mut bytes);
        decoder.finish(&mut bytes);
        bytes
    }

    #[test]
    fn quoted_printable_lines() {
        for (text, expected) in [
            ("caf\u{e9} = good\r\n", "caf=C3=A9 =3D good\r\n"),
            ("blank \r\ntab\t\r\nend ", "blank=20\r\ntab=09\r\nend=20"),
            ("a\rb\nc\0", "a=0Db=0Ac=00"),
            ("-- \r\n", "--=20\r\n"),
            ("\r\n\r\n", "\r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(quoted_printable(text.as_bytes())).unwrap(), expected);
        }
    }

    #[test]
    fn long_lines_end_softly_and_never_go_on_with_a_dash() {
        let dashes = quoted_printable(&b"-".repeat(300));
        for (number, line) in dashes.split(|&b| b == b'\n').enumerate() {
            assert!(line.len() <= 77 && (number == 0 || line.starts_with(b"=2D-")), "{line:?}");
        }
        for text in [b"-".repeat(300), b"= x\r\n".repeat(50), b"long ".repeat(100), vec![0xe9; 80]]
        {
            let lines = quoted_printable(&text);
            assert!(lines.split(|&b| b == b'\n').all(|line| line.len() <= 77));
            assert_eq!(decoded(Encoding::QuotedPrintable, &lines), text);
        }
    }

    #[test]
    fn base64_is_taken_where_it_is_shorter() {
        let mostly_ascii = "a na\u{ef}ve person ".repeat(100);
        assert_eq!(encode_text(mostly_ascii.as_bytes()).0, Encoding::QuotedPrintable);
        let greek = "\u{3b1}\u{3b2}\u{3b3} ".repeat(100);
        let (encoding, lines) = encode_text(greek.as_bytes());
        assert_eq!((encoding, decoded(encoding, &lines)), (Encoding::Base64, greek.into_bytes()));
        for len in [0, 1, 2, 3, 56, 57, 58, 114, 115] {
            let bytes = vec![0xff; len];
            let lines = base64(&bytes);
            assert!(lines.split(|&b| b == b'\n').all(|line| line.len() <= 77));
            assert!(!lines.ends_with(b"\n"));
            assert_eq!(decoded(Encoding::Base64, &lines), bytes);
            assert_eq!(
                encode_text(&bytes).1.len(),
                lines.len().min(quoted_printable(&bytes).len())
            );
        }
    }
}
