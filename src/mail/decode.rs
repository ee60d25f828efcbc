//! Content-Transfer-Encoding undone (RFC 2045 §6), in pieces of any size, and the text of a part as UTF-8. Lenient:
//! what is no base64 is passed over, what is no quoted-printable stays. The sender of a message controls the input.

use charset::Charset;
use std::borrow::Cow;

/// Blanks at the end of a quoted-printable line are not text; more than this many are.
const BLANKS_MAX: usize = 1000;

/// Undoes one transfer encoding.
#[derive(Debug)]
pub struct TransferDecoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Identity,
    Base64 { bits: u32, count: u8 },
    QuotedPrintable { blanks: Vec<u8>, place: Place },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Equals,
    /// `=` and a digit, as it stands.
    Digit(u8),
    /// `=` and blanks: a soft line end if nothing else follows.
    SoftEnd,
}

impl TransferDecoder {
    /// For the value of Content-Transfer-Encoding; one that is not known leaves the bytes as they are.
    pub fn new(encoding: &[u8]) -> Self {
        let state = if encoding.eq_ignore_ascii_case(b"base64") {
            State::Base64 { bits: 0, count: 0 }
        } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
            State::QuotedPrintable { blanks: Vec::new(), place: Place::Text }
        } else {
            State::Identity
        };
        Self { state }
    }

    /// The same; `None` for an encoding that is not known (RFC 2045 §6.1).
    pub fn known(encoding: &[u8]) -> Option<Self> {
        let known: [&[u8]; 5] = [b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"];
        let known = known.iter().any(|known| encoding.eq_ignore_ascii_case(known));
        known.then(|| Self::new(encoding))
    }

    /// Decodes the next piece onto the end of `into`.
    pub fn push(&mut self, piece: &[u8], into: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => into.extend_from_slice(piece),
            State::Base64 { bits, count } => {
                for &byte in piece {
                    if byte == b'=' {
                        base64_end(bits, count, into);
                    } else if let Some(sextet) = sextet(byte) {
                        *bits = *bits << 6 | u32::from(sextet);
                        *count += 1;
                        if *count == 4 {
                            let [_, bytes @ ..] = bits.to_be_bytes();
                            into.extend_from_slice(&bytes);
                            (*bits, *count) = (0, 0);
                        }
                    }
                }
            }
            State::QuotedPrintable { blanks, place } => {
                for &byte in piece {
                    *place = quoted_printable(byte, *place, blanks, into);
                }
            }
        }
    }

    /// What is left at the end of the part.
    pub fn finish(self, into: &mut Vec<u8>) {
        match self.state {
            State::Identity => {}
            State::Base64 { mut bits, mut count } => base64_end(&mut bits, &mut count, into),
            State::QuotedPrintable { place: Place::Digit(digit), .. } => {
                into.extend_from_slice(&[b'=', digit]);
            }
            State::QuotedPrintable { .. } => {}
        }
    }
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// The bytes of a group that has fewer than four characters.
fn base64_end(bits: &mut u32, count: &mut u8, into: &mut Vec<u8>) {
    let (whole, bytes) = match *count {
        2 => (*bits << 12, 1),
        3 => (*bits << 6, 2),
        _ => (0, 0),
    };
    let [_, group @ ..] = whole.to_be_bytes();
    into.extend_from_slice(group.get(..bytes).unwrap_or_default());
    (*bits, *count) = (0, 0);
}

fn quoted_printable(byte: u8, place: Place, blanks: &mut Vec<u8>, into: &mut Vec<u8>) -> Place {
    match (place, byte) {
        (Place::Text, b' ' | b'\t') => {
            if blanks.len() >= BLANKS_MAX {
                into.append(blanks);
            }
            blanks.push(byte);
            Place::Text
        }
        (Place::Text, b'\r' | b'\n') => {
            blanks.clear();
            into.push(byte);
            Place::Text
        }
        (Place::Text, b'=') => {
            into.append(blanks);
            Place::Equals
        }
        (Place::Text, _) => {
            into.append(blanks);
            into.push(byte);
            Place::Text
        }
        (Place::Equals | Place::SoftEnd, b'\n') => Place::Text,
        (Place::Equals | Place::SoftEnd, b' ' | b'\t' | b'\r') => Place::SoftEnd,
        (Place::Equals, _) if byte.is_ascii_hexdigit() => Place::Digit(byte),
        (Place::Equals, _) => {
            into.push(b'=');
            quoted_printable(byte, Place::Text, blanks, into)
        }
        (Place::SoftEnd, _) => quoted_printable(byte, Place::Text, blanks, into),
        (Place::Digit(high), _) => {
            if let (Some(high), Some(low)) =
                (char::from(high).to_digit(16), char::from(byte).to_digit(16))
            {
                into.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
                Place::Text
            } else {
                into.extend_from_slice(&[b'=', high]);
                quoted_printable(byte, Place::Text, blanks, into)
            }
        }
    }
}

/// Text of a charset as UTF-8. One that is not named or not known is UTF-8 if it can be, else windows-1252.
pub fn to_utf8<'a>(charset: Option<&[u8]>, text: &'a [u8]) -> Cow<'a, str> {
    match charset.and_then(Charset::for_label_no_replacement) {
        Some(known) if !charset.is_some_and(|label| label.eq_ignore_ascii_case(b"us-ascii")) => {
            known.decode_without_bom_handling(text).0
        }
        _ => match std::str::from_utf8(text) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Charset::for_label(b"windows-1252").map_or_else(
                || charset::decode_latin1(text),
                |known| known.decode_without_bom_handling(text).0,
            ),
        },
    }
}

/// The text of a part's body, at most `len_max` bytes of it before the charset is undone.
pub fn decode_body(body: &[u8], encoding: &[u8], charset: Option<&[u8]>, len_max: usize) -> String {
    let mut decoder = TransferDecoder::new(encoding);
    let mut bytes = Vec::with_capacity(body.len().min(len_max));
    for piece in body.chunks(4096) {
        decoder.push(piece, &mut bytes);
        if bytes.len() >= len_max {
            break;
        }
    }
    decoder.finish(&mut bytes);
    bytes.truncate(len_max);
    to_utf8(charset, &bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{TransferDecoder, decode_body, to_utf8};

    fn decoded(encoding: &str, text: &str) -> String {
        let mut whole = Vec::new();
        let mut decoder = TransferDecoder::new(encoding.as_bytes());
        decoder.push(text.as_bytes(), &mut whole);
        decoder.finish(&mut whole);
        let mut pieces = Vec::new();
        let mut decoder = TransferDecoder::new(encoding.as_bytes());
        text.bytes().for_each(|byte| decoder.push(&[byte], &mut pieces));
        decoder.finish(&mut pieces);
        assert_eq!(whole, pieces);
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn base64_is_lenient() {
        for (text, expected) in [
            ("Zm9vYmFy", "foobar"),
            ("Zm9v\r\nYmE=\r\n", "fooba"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmE", "fooba"),
            ("Zm!9v YmF-y", "foobar"),
            ("Zg==Zg==", "ff"),
            ("Z", ""),
            ("", ""),
        ] {
            assert_eq!(decoded("BASE64", text), expected, "{text}");
        }
    }

    #[test]
    fn quoted_printable_of_rfc_2045() {
        for (text, expected) in [
            (
                "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
                "Now's the time for all folk to come to the aid of their country.",
            ),
            ("a=3Db=0D=0A", "a=b\r\n"),
            ("c=c3=a9", "cé"),
            ("trailing \t \r\nblanks  ", "trailing\r\nblanks"),
            ("soft= \t\r\nend", "softend"),
            ("bad =zz =4 =", "bad =zz =4 "),
            ("1=", "1"),
        ] {
            assert_eq!(decoded("Quoted-Printable", text), expected, "{text}");
        }
        assert_eq!(decoded("7bit", "a=3D"), "a=3D");
        assert!(TransferDecoder::known(b"Binary").is_some());
        assert!(TransferDecoder::known(b"x-uuencode").is_none());
    }

    #[test]
    fn charsets() {
        assert_eq!(to_utf8(Some(b"iso-8859-15"), b"\xa4"), "€");
        assert_eq!(to_utf8(Some(b"us-ascii"), "é".as_bytes()), "é");
        assert_eq!(to_utf8(Some(b"no-such"), b"\xe9"), "é");
        assert_eq!(to_utf8(None, b"\x80"), "€");
        assert_eq!(decode_body(b"w6nDqQ==", b"base64", Some(b"utf-8"), 2), "é");
    }
}
