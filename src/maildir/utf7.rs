//! IMAP's modified UTF-7 (RFC 3501 §5.1.3), in which mailbox names stand on the wire for old clients and in folder
//! names on the disk. Clients and other programs control the input; whatever is not canonical is refused, so that a
//! name has one spelling only.

use data_encoding::{BASE64_NOPAD, Encoding, Specification};
use std::sync::LazyLock;

/// Base64 with `,` for `/` and no padding.
static BASE64_COMMA: LazyLock<Encoding> = LazyLock::new(|| {
    let mut alphabet = Specification::new();
    alphabet.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    alphabet.encoding().unwrap_or(BASE64_NOPAD)
});

/// The modified UTF-7 of a text. Characters that `shifted` picks are encoded though they are ASCII.
pub fn encode(text: &str, shifted: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    let mut run: Vec<u8> = Vec::new();
    for c in text.chars() {
        if matches!(c, ' '..='~') && !shifted(c) {
            flush(&mut out, &mut run);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                run.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    flush(&mut out, &mut run);
    out
}

fn flush(out: &mut String, run: &mut Vec<u8>) {
    if !run.is_empty() {
        out.push('&');
        out.push_str(&BASE64_COMMA.encode(run));
        out.push('-');
        run.clear();
    }
}

/// The text of a modified UTF-7 name; `None` if it is not well formed.
pub fn decode(name: &[u8]) -> Option<String> {
    let mut out = String::new();
    let mut rest = name;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'&' => {
                let end = rest.iter().position(|&b| b == b'-')?;
                let (run, tail) = rest.split_at(end);
                rest = tail.get(1..)?;
                if run.is_empty() {
                    out.push('&');
                } else {
                    let bytes = BASE64_COMMA.decode(run).ok()?;
                    let (pairs, odd) = bytes.as_chunks::<2>();
                    let units = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
                    let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
                    if !odd.is_empty() || text.is_empty() {
                        return None;
                    }
                    out.push_str(&text);
                }
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn the_rfc_examples() {
        // RFC 3501 §5.1.3.
        let name = "~peter/mail/台北/日本語";
        assert_eq!(encode(name, |_| false), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        assert_eq!(decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-").unwrap(), name);
        assert_eq!(encode("Lost & Found", |_| false), "Lost &- Found");
        assert_eq!(decode(b"Lost &- Found").unwrap(), "Lost & Found");
        assert_eq!(encode("a.b😀", |c| c == '.'), "a&AC4-b&2D3eAA-");
    }

    #[test]
    fn malformed_names_are_refused() {
        for bad in [&b"&"[..], b"&Jjo", b"&Jjo!-", b"a\xffb", b"&2D0-", b"&AAA-\x01", b"&A-"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }
}
