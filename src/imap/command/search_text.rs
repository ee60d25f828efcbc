//! Whether a message contains a text: its header decoded, its texts decoded, in pieces, so that a large part costs one
//! piece of memory. The needle is folded already.

use crate::mail::header::{Fields, HEADER_LEN_MAX};
use crate::mail::{Entry, Part, PartKind, TransferDecoder, decode_text, fold, to_utf8};
use crate::store::Text;
use std::io;
use std::ops::Range;

/// Bytes that are read at once.
const PIECE: u64 = 64 * 1024;
/// Decoded bytes that are compared at once.
const DECODED_MAX: usize = 512 * 1024;

/// Does a text in a header contain it?
pub fn in_text(text: &[u8], needle: &str) -> bool {
    fold(&decode_text(text)).contains(needle)
}

/// Do addresses contain it, as `name <user@host>`?
pub fn in_addresses(list: &[Entry], needle: &str) -> bool {
    list.iter().any(|entry| {
        let [name, _, mailbox, host] = entry.nstrings();
        let text = |part: Option<&[u8]>| part.map(decode_text).unwrap_or_default();
        let (name, mailbox, host) = (text(name), text(mailbox), text(host));
        let shown = match (name.is_empty(), host.is_empty()) {
            (_, true) => format!("{name}{mailbox}"),
            (true, false) => format!("{mailbox}@{host}"),
            (false, false) => format!("{name} <{mailbox}@{host}>"),
        };
        fold(&shown).contains(needle)
    })
}

/// Does a field of this name contain it? An empty needle asks for the field alone.
pub fn in_field(text: &Text, header: &Range<u64>, name: &str, needle: &str) -> io::Result<bool> {
    let header = read_header(text, header)?;
    Ok(Fields::new(&header).any(|field| field.is(name) && in_text(field.value, needle)))
}

/// Does the header contain it?
pub fn in_header(text: &Text, header: &Range<u64>, needle: &str) -> io::Result<bool> {
    let header = read_header(text, header)?;
    Ok(Fields::new(&header).any(|field| in_text(field.raw, needle)))
}

fn read_header(text: &Text, header: &Range<u64>) -> io::Result<Vec<u8>> {
    text.read(header.start..header.end.min(header.start.saturating_add(HEADER_LEN_MAX as u64)))
}

/// Does a part, or one in it, contain it? Of a message in it, the header counts as well.
pub fn in_body(text: &Text, part: &Part, needle: &str) -> io::Result<bool> {
    match &part.kind {
        PartKind::Leaf if part.media_type.is("text") || part.media_type.is("message") => {
            in_leaf(text, part, needle)
        }
        PartKind::Leaf => Ok(false),
        PartKind::Multipart(parts) => {
            for inner in parts {
                if in_body(text, inner, needle)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        PartKind::Message(_, message) => {
            Ok(in_header(text, &message.header, needle)? || in_body(text, message, needle)?)
        }
    }
}

fn in_leaf(text: &Text, part: &Part, needle: &str) -> io::Result<bool> {
    let charset = part.parameter("charset").map(crate::mail::Text::as_bytes);
    let mut transfer = TransferDecoder::new(&part.encoding);
    let mut decoded = Vec::new();
    let mut at = part.body.start;
    while at < part.body.end {
        let piece = text.read(at..part.body.end.min(at + PIECE))?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        transfer.push(&piece, &mut decoded);
        if decoded.len() >= DECODED_MAX {
            // What follows the last line end is compared with what comes after it.
            let end = decoded.iter().rposition(|&b| b == b'\n').map_or(decoded.len(), |at| at + 1);
            let rest = decoded.split_off(end);
            if fold(&to_utf8(charset, &decoded)).contains(needle) {
                return Ok(true);
            }
            let overlap = if rest.is_empty() {
                decoded.len().saturating_sub(needle.len() * 4)
            } else {
                decoded.len()
            };
            decoded.drain(..overlap);
            decoded.extend(rest);
        }
    }
    transfer.finish(&mut decoded);
    Ok(fold(&to_utf8(charset, &decoded)).contains(needle))
}
