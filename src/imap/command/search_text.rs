//! Whether a message contains a text: its header decoded, its texts decoded, in pieces, so that a large part costs one
//! piece of memory, and holds up nobody else for longer than a piece takes. The needle is folded already.

use crate::mail::header::{Fields, HEADER_LEN_MAX};
use crate::mail::{Entry, Part, PartKind, TransferDecoder, decode_text, fold, to_utf8};
use crate::store::Text;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;

/// Bytes that are read at once.
const PIECE: u64 = 64 * 1024;
/// Decoded bytes that are compared at once.
const DECODED_MAX: usize = 256 * 1024;

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

/// A walk through the texts of a message, a piece at a time. Of a message in it, the header counts as well.
pub struct Scan {
    places: VecDeque<Place>,
    open: Option<Open>,
}

/// Where a text stands.
enum Place {
    Header(Range<u64>),
    Leaf(Leaf),
}

struct Leaf {
    body: Range<u64>,
    encoding: Vec<u8>,
    charset: Option<Vec<u8>>,
}

/// A leaf that has been read up to here, and what is to be compared of it.
struct Open {
    at: u64,
    transfer: TransferDecoder,
    decoded: Vec<u8>,
}

/// What a step has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Scanned {
    /// The text contains it.
    Found,
    /// Not so far; so many bytes were read.
    Read(u64),
    /// The text does not contain it.
    NotFound,
}

impl Scan {
    /// Of the body.
    pub fn of_body(message: &Part) -> Self {
        let mut places = VecDeque::new();
        collect(message, &mut places);
        Self { places, open: None }
    }

    /// Of the header and the body.
    pub fn of_message(message: &Part) -> Self {
        let mut scan = Self::of_body(message);
        scan.places.push_front(Place::Header(message.header.clone()));
        scan
    }

    /// Reads the next piece.
    pub fn step(&mut self, text: &Text, needle: &str) -> io::Result<Scanned> {
        let (found, read) = match self.places.front() {
            None => return Ok(Scanned::NotFound),
            Some(Place::Header(header)) => {
                let found = in_header(text, header, needle)?;
                let read = header.end.saturating_sub(header.start);
                self.places.pop_front();
                (found, read)
            }
            Some(Place::Leaf(leaf)) => {
                let open = self.open.get_or_insert_with(|| Open {
                    at: leaf.body.start,
                    transfer: TransferDecoder::new(&leaf.encoding),
                    decoded: Vec::new(),
                });
                let before = open.at;
                let found = open.piece(text, leaf, needle)?;
                let read = open.at - before;
                if read == 0 {
                    self.open = None;
                    self.places.pop_front();
                }
                (found, read)
            }
        };
        Ok(if found { Scanned::Found } else { Scanned::Read(read) })
    }
}

fn collect(part: &Part, places: &mut VecDeque<Place>) {
    match &part.kind {
        PartKind::Leaf if part.media_type.is("text") || part.media_type.is("message") => {
            places.push_back(Place::Leaf(Leaf {
                body: part.body.clone(),
                encoding: part.encoding.to_vec(),
                charset: part.parameter("charset").map(|charset| charset.to_vec()),
            }));
        }
        PartKind::Leaf => {}
        PartKind::Multipart(parts) => parts.iter().for_each(|part| collect(part, places)),
        PartKind::Message(_, message) => {
            places.push_back(Place::Header(message.header.clone()));
            collect(message, places);
        }
    }
}

impl Open {
    /// Reads a piece and compares what has come together; at the end nothing is read.
    fn piece(&mut self, text: &Text, leaf: &Leaf, needle: &str) -> io::Result<bool> {
        let charset = leaf.charset.as_deref();
        let piece = text.read(self.at..leaf.body.end.min(self.at.saturating_add(PIECE)))?;
        if piece.is_empty() {
            let transfer = std::mem::replace(&mut self.transfer, TransferDecoder::new(b""));
            transfer.finish(&mut self.decoded);
            return Ok(fold(&to_utf8(charset, &self.decoded)).contains(needle));
        }
        self.at += piece.len() as u64;
        self.transfer.push(&piece, &mut self.decoded);
        if self.decoded.len() < DECODED_MAX {
            return Ok(false);
        }
        // What follows the last line end is compared with what comes after it.
        let decoded = &mut self.decoded;
        let end = decoded.iter().rposition(|&b| b == b'\n').map_or(decoded.len(), |at| at + 1);
        let rest = decoded.split_off(end);
        if fold(&to_utf8(charset, decoded)).contains(needle) {
            return Ok(true);
        }
        let passed = match rest.is_empty() {
            true => decoded.len().saturating_sub(needle.len() * 4),
            false => decoded.len(),
        };
        decoded.drain(..passed);
        decoded.extend(rest);
        Ok(false)
    }
}
