//! Parameters of Content-Type and Content-Disposition (RFC 2045 §5.1) and their pieces (RFC 2231 §3). The sender of a
//! message controls the input.

use super::token::{is_blank, is_token, quoted_string, skip_cfws};
use crate::base::Cursor;

/// Parameters of one field; what follows is left out.
const PARAMETERS_MAX: usize = 100;

/// A name and its value, as they stand in the message.
pub(super) type Raw = (Vec<u8>, Vec<u8>);

/// Reads `; name=value; name=value` to the end and joins pieces.
pub(super) fn parameters(cursor: &mut Cursor) -> Vec<Raw> {
    let mut found = Vec::new();
    while found.len() < PARAMETERS_MAX {
        skip_cfws(cursor);
        match cursor.peek() {
            None => break,
            Some(b';') => {
                cursor.bump();
                skip_cfws(cursor);
                found.extend(parameter(cursor));
            }
            Some(b'"') => quoted_string(cursor, &mut Vec::new()),
            Some(_) => {
                cursor.bump();
            }
        }
    }
    joined(found)
}

fn parameter(cursor: &mut Cursor) -> Option<Raw> {
    let name = cursor.take_while(is_token);
    skip_cfws(cursor);
    if name.is_empty() || !cursor.eat(b'=') {
        return None;
    }
    skip_cfws(cursor);
    let mut value = Vec::new();
    if cursor.peek() == Some(b'"') {
        quoted_string(cursor, &mut value);
    } else {
        // Quirk: unquoted values with `/`, `:`, `=` or `?` in them are common.
        value.extend_from_slice(cursor.take_while(|b| !is_blank(b) && b != b';'));
    }
    Some((name.to_vec(), value))
}

/// One piece of a longer value: `name*3` or `name*3*`.
struct Piece {
    at: usize,
    index: u32,
    extended: bool,
}

/// Joins `name*0`, `name*1`, … into `name`, or into `name*` if a piece is in the extended form; the other pieces are
/// then percent-encoded where they must. Pieces that have no beginning or a gap before them stay as they are.
fn joined(found: Vec<Raw>) -> Vec<Raw> {
    let mut groups: Vec<(Vec<u8>, Vec<Piece>)> = Vec::new();
    for (at, (name, _)) in found.iter().enumerate() {
        if let Some((base, index, extended)) = piece_name(name) {
            let piece = Piece { at, index, extended };
            match groups.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(base)) {
                Some((_, pieces)) => pieces.push(piece),
                None => groups.push((base.to_vec(), vec![piece])),
            }
        }
    }
    if groups.is_empty() {
        let (plain, extended): (Vec<Raw>, Vec<Raw>) =
            found.into_iter().partition(|(name, _)| !name.contains(&b'*'));
        return plain.into_iter().chain(extended).collect();
    }
    let mut found: Vec<Option<Raw>> = found.into_iter().map(Some).collect();
    let mut whole = Vec::new();
    for (mut name, mut pieces) in groups {
        pieces.sort_by_key(|piece| piece.index);
        let run = pieces.iter().zip(0..).take_while(|(piece, index)| piece.index == *index).count();
        pieces.truncate(run);
        let extended = pieces.iter().any(|piece| piece.extended);
        let mut value = Vec::new();
        for piece in &pieces {
            let text = found.get_mut(piece.at).and_then(Option::take).unwrap_or_default().1;
            if extended && !piece.extended {
                percent_encode(&text, &mut value);
            } else {
                value.extend_from_slice(&text);
            }
        }
        if extended {
            name.push(b'*');
        }
        if run > 0 {
            whole.push((name, value));
        }
    }
    found.into_iter().flatten().chain(whole).collect()
}

fn piece_name(name: &[u8]) -> Option<(&[u8], u32, bool)> {
    let (rest, extended) = name.strip_suffix(b"*").map_or((name, false), |rest| (rest, true));
    let star = rest.iter().rposition(|&b| b == b'*')?;
    let (base, digits) = rest.split_at_checked(star)?;
    let digits = digits.get(1..)?;
    let mut cursor = Cursor::new(digits);
    let index = u32::try_from(cursor.number()?).ok()?;
    (cursor.is_empty() && !base.is_empty()).then_some((base, index, extended))
}

fn percent_encode(text: &[u8], into: &mut Vec<u8>) {
    for &byte in text {
        if byte == b'%' || !byte.is_ascii() {
            into.extend_from_slice(format!("%{byte:02x}").as_bytes());
        } else {
            into.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parameters;
    use crate::base::Cursor;

    fn shown(value: &str) -> String {
        let found = parameters(&mut Cursor::new(value.as_bytes()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found
            .iter()
            .map(|(name, value)| format!("{}={}", text(name), text(value)))
            .collect::<Vec<_>>()
            .join("|")
    }

    #[test]
    fn parameters_and_their_pieces() {
        for (value, expected) in [
            ("; charset=us-ascii (Plain text)", "charset=us-ascii"),
            (";charset=\"us-ascii\" ; format = flowed;", "charset=us-ascii|format=flowed"),
            // RFC 2231 §3 and §4.1
            (
                "; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub\"",
                "access-type=URL|URL=ftp://cs.utk.edu/pub",
            ),
            (
                "; title*0*=us-ascii'en'This%20is%20even%20more%20\r\n ; title*1*=%2A%2A%2Afun%2A%2A%2A%20\r\n ; title*2=\"isn't it!\"",
                "title*=us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn't it!",
            ),
            ("; a*1=x; a*0=y; a*7=z", "a*7=z|a=yx"),
            ("; name=a/b=c?d; junk; =x; boundary=\"un closed", "name=a/b=c?d|boundary=un closed"),
            ("; a=\"q\\\"uo\\\\ted\"", "a=q\"uo\\ted"),
            ("", ""),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
