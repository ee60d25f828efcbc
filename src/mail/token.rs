//! The tokens that structured header fields are made of (RFC 5322 §3.2, RFC 2045 §5.1): comments, atoms, quoted
//! strings. Each function takes what is there and goes on; nothing fails. The sender of a message controls the input.

use crate::base::Cursor;

/// Blanks and the line ends of folding.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// RFC 5322 atext, and all 8-bit bytes (RFC 6532 §3.2).
pub(super) const fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~')
}

/// RFC 2045 token characters, and all 8-bit bytes.
pub(super) const fn is_token(byte: u8) -> bool {
    byte > b' '
        && byte != 0x7f
        && !matches!(
            byte,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
}

/// Skips blanks and comments.
pub(super) fn skip_cfws(cursor: &mut Cursor) {
    let mut comment = Vec::new();
    take_cfws(cursor, &mut comment);
}

/// Skips blanks and comments. The text of the last comment, without its outer parentheses, replaces `comment`.
pub(super) fn take_cfws(cursor: &mut Cursor, comment: &mut Vec<u8>) {
    loop {
        cursor.take_while(is_blank);
        if !cursor.eat(b'(') {
            return;
        }
        comment.clear();
        let mut depth = 1_usize;
        while let Some(byte) = cursor.bump() {
            match byte {
                b'\\' => comment.extend(cursor.bump()),
                b'\r' | b'\n' => {}
                b'(' => {
                    depth += 1;
                    comment.push(byte);
                }
                b')' if depth == 1 => break,
                b')' => {
                    depth -= 1;
                    comment.push(byte);
                }
                _ => comment.push(byte),
            }
        }
    }
}

/// Takes a quoted string whose first quote comes next; its content without quotes, backslashes and folds goes to
/// `into`. One without an end takes all that is left.
pub(super) fn quoted_string(cursor: &mut Cursor, into: &mut Vec<u8>) {
    cursor.eat(b'"');
    while let Some(byte) = cursor.bump() {
        match byte {
            b'"' => return,
            b'\\' => into.extend(cursor.bump()),
            b'\r' | b'\n' => {}
            _ => into.push(byte),
        }
    }
}

/// Takes words with dots between them, comments and blanks around the dots dropped (RFC 5322 §4.4 obs-local-part).
/// May take nothing.
pub(super) fn dotted_words(cursor: &mut Cursor, comment: &mut Vec<u8>, into: &mut Vec<u8>) {
    loop {
        match cursor.peek() {
            Some(b'"') => quoted_string(cursor, into),
            Some(b'.') => {
                cursor.bump();
                into.push(b'.');
            }
            Some(byte) if is_atext(byte) => into.extend_from_slice(cursor.take_while(is_atext)),
            _ => return,
        }
        take_cfws(cursor, comment);
        if cursor.peek() != Some(b'.') && into.last() != Some(&b'.') {
            return;
        }
    }
}
