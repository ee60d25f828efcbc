//! The MIME scanner: reads a message once, in pieces of any size, and makes its card (RFC 2045, RFC 2046 §5). It never
//! fails and holds little of the message at a time. Whoever sends a message controls every byte.

use super::card::Card;
use super::fields::{is_message_field, is_part_field};
use super::header::split_field;
use super::line::{split_line, without_line_end};
use super::tree::{Limits, Mark, Tree};

/// Bytes of a body line that can matter: two dashes, a boundary, two dashes.
const LINE_HEAD_LEN: usize = 128;

/// Takes a message in pieces and gives its card at the end.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    tree: Tree,
    place: Place,
    line_start: Mark,
    /// The length of the line end before `line_start`.
    line_end_len: u64,
    /// Bytes that came since `line_start`, and what is kept of them.
    pending_len: u64,
    pending: Vec<u8>,
    pending_ends_in_cr: bool,
    /// The field that may go on in the next line; empty if a card has no use for it.
    field: Vec<u8>,
    headers_left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Body,
}

impl Scanner {
    /// At the first byte of a message.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            tree: Tree::new(limits),
            place: Place::Header,
            line_start: Mark::default(),
            line_end_len: 0,
            pending_len: 0,
            pending: Vec::new(),
            pending_ends_in_cr: false,
            field: Vec::new(),
            headers_left: limits.headers_len,
        }
    }

    /// Reads a whole message.
    pub fn scan(message: &[u8]) -> Card {
        let mut scanner = Self::new(Limits::default());
        scanner.push(message);
        scanner.finish()
    }

    /// The next bytes of the message.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.place == Place::Body && !self.tree.expects_boundary() {
                self.pass(bytes);
                return;
            }
            let Some((line, rest)) = split_line(bytes) else {
                self.keep(bytes);
                return;
            };
            if self.pending_len == 0 {
                let (text, end_len) = without_line_end(line);
                self.line(text, length(line), end_len);
            } else {
                self.end_pending(line);
            }
            bytes = rest;
        }
    }

    /// The message ends here.
    pub fn finish(mut self) -> Card {
        if self.pending_len > 0 {
            let text = std::mem::take(&mut self.pending);
            self.line(&text, self.pending_len, 0);
        }
        self.end_field();
        self.tree.finish(self.line_start)
    }

    /// Nothing can change any more: counts.
    fn pass(&mut self, bytes: &[u8]) {
        let lines: usize = bytes.iter().map(|&b| usize::from(b == b'\n')).sum();
        self.line_start.offset += self.pending_len + length(bytes);
        self.line_start.lines += u64::try_from(lines).unwrap_or(u64::MAX);
        self.pending_len = 0;
    }

    /// Keeps of an unfinished line what can matter.
    fn keep(&mut self, bytes: &[u8]) {
        let max = match self.place {
            Place::Header => self.limits.field_len,
            Place::Body => LINE_HEAD_LEN,
        };
        let room = max.saturating_sub(self.pending.len());
        self.pending.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.pending_len += length(bytes);
        self.pending_ends_in_cr = bytes.last() == Some(&b'\r');
    }

    /// The last piece of a line that came in pieces.
    fn end_pending(&mut self, piece: &[u8]) {
        let ends_in_cr = self.pending_ends_in_cr;
        let (text, mut end_len) = without_line_end(piece);
        self.keep(text);
        if text.is_empty() && end_len == 1 && ends_in_cr {
            end_len = 2;
            if length(&self.pending) == self.pending_len {
                self.pending.pop();
            }
        }
        let len = self.pending_len + length(piece) - length(text);
        let mut pending = std::mem::take(&mut self.pending);
        self.line(&pending, len, end_len);
        pending.clear();
        self.pending = pending;
    }

    /// A line: its text, perhaps cut, and its length in the message, line end included.
    fn line(&mut self, text: &[u8], len: u64, end_len: u64) {
        let start = self.line_start;
        let next = Mark { offset: start.offset + len, lines: start.lines + u64::from(end_len > 0) };
        if let Some(found) = self.tree.find_boundary(text) {
            self.end_field();
            // The line end before a boundary belongs to it (RFC 2046 §5.1.1).
            let line_end = u64::from(self.line_end_len > 0);
            let end =
                Mark { offset: start.offset - self.line_end_len, lines: start.lines - line_end };
            self.place = Place::Body;
            if self.tree.pass_boundary(found, end) && end_len > 0 {
                self.tree.open_part(next);
                self.place = Place::Header;
            }
        } else if self.place == Place::Header {
            self.header_line(text, next);
        }
        self.line_start = next;
        self.line_end_len = end_len;
        self.pending_len = 0;
    }

    fn header_line(&mut self, text: &[u8], next: Mark) {
        match text.first() {
            None => {
                self.end_field();
                if !self.tree.end_header(next) {
                    self.place = Place::Body;
                }
            }
            Some(b' ' | b'\t') if self.field.is_empty() => {}
            Some(b' ' | b'\t') => {
                // Unfolded at once; how far the line was indented says nothing.
                self.field.truncate(self.field.trim_ascii_end().len());
                self.add_to_field(b" ");
                self.add_to_field(text.trim_ascii_start());
            }
            Some(_) => {
                self.end_field();
                let (name, _) = split_field(text);
                if is_part_field(name) || (self.tree.in_message_header() && is_message_field(name))
                {
                    self.add_to_field(text);
                }
            }
        }
    }

    fn add_to_field(&mut self, text: &[u8]) {
        let room = self.limits.field_len.saturating_sub(self.field.len()).min(self.headers_left);
        let text = text.get(..room).unwrap_or(text);
        self.field.extend_from_slice(text);
        self.headers_left -= text.len();
    }

    fn end_field(&mut self) {
        if !self.field.is_empty() {
            let (name, value) = split_field(&self.field);
            self.tree.field(name, value);
            self.field.clear();
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
